"""What is installed is pinned, hashed, and all that `pyproject.toml` asks for."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def asked(extra: str | None) -> set[str]:
    """Names that pyproject.toml asks for, an extra's in brackets too."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = project["dependencies"] + (project["optional-dependencies"][extra] if extra else [])
    names = {name for line in lines for name in re.findall(r"^[\w.-]+|(?<=\[)[\w-]+(?=\])", line)}
    return {re.sub(r"[-_.]+", "-", name).lower() for name in names} - {"async"}


@pytest.mark.parametrize(("lock", "extra"), [("requirements.lock", None), ("requirements-dev.lock", "dev")])
def test_the_lock_pins_all_that_is_asked_for_with_hashes_and_no_address(lock: str, extra: str | None) -> None:
    text = (ROOT / lock).read_text()
    pinned = set(re.findall(r"^([a-z0-9-]+)==", text, re.MULTILINE))
    assert asked(extra) - pinned == set()
    assert "://" not in text
    for block in re.split(r"\n(?=[a-z0-9])", text.strip()):
        assert "--hash=sha256:" in block, block.splitlines()[0]
