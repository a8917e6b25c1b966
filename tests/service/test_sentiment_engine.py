import argparse
import os
import subprocess
import sys
from typing import Any

import msgspec
import pytest

from collectors.sentiment import EngineError, engine
from service.annotate import chosen
from service.roles import settings_of
from service.settings import from_environment
from service.worker import _noted

SARCASM = "never again, awful"
"""VADER takes the negation to turn what follows: the engines differ."""


def test_the_environment_names_the_engine_for_every_role() -> None:
    assert from_environment({"FORESHOCK_SENTIMENT": "vader"}) == {"sentiment": "vader"}
    assert settings_of(argparse.Namespace(sentiment=None)).sentiment == os.environ.get("FORESHOCK_SENTIMENT", "linear")
    assert settings_of(argparse.Namespace(sentiment="vader")).sentiment == "vader"


def test_the_command_line_goes_before_the_environment() -> None:
    assert chosen(argparse.Namespace(sentiment="vader")) is engine("vader")
    with pytest.raises(EngineError, match="oracle"):
        chosen(argparse.Namespace(sentiment="oracle"))


@pytest.mark.parametrize("name", ["linear", "vader"])
def test_a_worker_judges_by_its_engine(name: str) -> None:
    packed = msgspec.json.encode({"id": "1", "source": "x", "text": SARCASM, "language": "en"})
    ((_, note),) = _noted([packed], engine(name)).values()
    assert note is not None
    assert note.sentiment == engine(name).judge(SARCASM).label == {"linear": "negative", "vader": "positive"}[name]


def test_a_worker_without_its_engine_ends_with_one_line_and_the_code_of_a_wrong_setting(store_url: str) -> None:
    environ: dict[str, Any] = {**os.environ, "FORESHOCK_SENTIMENT": "oracle"}
    command = [sys.executable, "-m", "service", "worker", "--redis-url", store_url]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if "sentiment" in line]
    assert line.startswith("foreshock worker: no sentiment engine is called 'oracle'; there are: linear, vader")
