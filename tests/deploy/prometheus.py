"""A real Prometheus, and a real Alertmanager, on free ports of loopback for as long as a test needs them."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.until import until

INTERVAL = "200ms"
"""Between scrapes and between evaluations: a rate needs two scrapes, and a test should not wait long for them."""

START_SECONDS = 20.0
"""Either server listens within a second; a busy machine gets time."""


@dataclass(frozen=True)
class Sample:
    """One series of an instant vector."""

    labels: dict[str, str]
    value: float


@dataclass(frozen=True)
class Prometheus:
    """`url` is where its API answers."""

    url: str

    def query(self, expr: str) -> list[Sample]:
        """Evaluate `expr` now.

        Raises:
            ValueError: Prometheus' own sentence about what is wrong with the expression.
        """
        answer = httpx.post(f"{self.url}/api/v1/query", data={"query": expr}).json()
        if answer["status"] != "success":
            raise ValueError(f"{answer['error']} in: {expr}")
        if answer["data"]["resultType"] == "scalar":
            return [Sample({}, float(answer["data"]["result"][1]))]
        return [Sample(item["metric"], float(item["value"][1])) for item in answer["data"]["result"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Alerts that are pending or firing, with `labels`, `annotations`, `state` and `activeAt`."""
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/api/v1/alerts").json()["data"]["alerts"]
        return found

    def rules(self) -> list[dict[str, Any]]:
        """Every rule, with `name`, `health` (ok, err, unknown) and `lastError`."""
        groups = httpx.get(f"{self.url}/api/v1/rules").json()["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]


@contextmanager
def prometheus(target: str, rules: Path | None = None, alertmanager: str | None = None) -> Iterator[Prometheus]:
    """Scrape `target` (HOST:PORT) as job `foreshock`, evaluate `rules`, and tell `alertmanager` (HOST:PORT)."""
    config: dict[str, Any] = {
        "global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
        "rule_files": [str(rules.resolve())] if rules else [],
        "scrape_configs": [{"job_name": "foreshock", "static_configs": [{"targets": [target]}]}],
    }
    if alertmanager:
        config["alerting"] = {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]}
    # by default an alert that changed is sent again only after a minute
    options = ("--storage.tsdb.path={folder}/data", "--rules.alert.resend-delay=0s")
    with _server("prometheus", config, *options) as address:
        yield Prometheus(f"http://{address}")


@contextmanager
def alertmanager(config: dict[str, Any]) -> Iterator[str]:
    """Run an Alertmanager with `config`; gives its HOST:PORT."""
    with _server("prometheus-alertmanager", config, "--storage.path={folder}/data", "--cluster.listen-address=") as at:
        yield at


@contextmanager
def _server(name: str, config: dict[str, Any], *options: str) -> Iterator[str]:
    binary = program(name)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yml").write_text(yaml.safe_dump(config))
        command = [binary, f"--config.file={folder}/config.yml", "--web.listen-address=127.0.0.1:0"]
        command += [option.format(folder=folder) for option in options]
        log = Path(folder) / "log"
        with log.open("w") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT) as process:
            try:
                until(lambda: _ready(process, log), START_SECONDS)
                yield _address(log)
            finally:
                process.terminate()


def program(name: str) -> str:
    """Path of an installed program, or skip the calling test with a sentence."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed; on Debian: apt-get install prometheus prometheus-alertmanager")
    return path


def _address(log: Path) -> str:
    """HOST:PORT of the free port that the server took; empty before it has one."""
    found = re.search(r'msg="Listening on" address=(\S+)', log.read_text())
    return found[1] if found else ""


def _ready(process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, f"it ended at once:\n{log.read_text()}"
    try:
        return bool(_address(log)) and httpx.get(f"http://{_address(log)}/-/ready").status_code == 200
    except httpx.TransportError:
        return False
