"""A running service as a user starts it: real processes, real HTTP."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.until import until

KEY = "fsk_acceptance-tests-only"
START_SECONDS = 60.0


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@dataclass
class Service:
    """`foreshock serve` with its REST client; `data_dir` outlives it."""

    data_dir: Path
    arguments: Sequence[str] = ()
    env: dict[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    metrics_port: int = field(default_factory=free_port)
    process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        """Where REST and board are."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> Path:
        """What the processes print."""
        return self.data_dir.parent / f"{self.data_dir.name}.log"

    def start(self) -> "Service":
        """Start and wait until it answers."""
        command = [sys.executable, "-m", "service", "serve", "--data-dir", str(self.data_dir)]
        command += ["--port", str(self.port), "--metrics-port", str(self.metrics_port), *self.arguments]
        env = {**os.environ, "FORESHOCK_ADMIN_KEY": KEY, **self.env}
        with self.output.open("a") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=output, env=env, text=True)
        until(self._answers, START_SECONDS, "the service's start")
        return self

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output.read_text()
        try:
            return httpx.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    def stop(self) -> int:
        """Stop cleanly; return the exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(30)

    def pids(self, role: str) -> list[int]:
        """Return the process ids of a role of this service."""
        assert self.process is not None
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().decode().split("\0")
                parent = re.search(r"^PPid:\s+(\d+)", (folder / "status").read_text(), re.MULTILINE)
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent and int(parent[1]) == self.process.pid and role in command:
                found.append(int(folder.name))
        return found

    def kill(self, role: str) -> None:
        """`kill -9` the processes of a role."""
        for pid in self.pids(role):
            os.kill(pid, signal.SIGKILL)

    def client(self, key: str | None = KEY) -> httpx.Client:
        """Return a client with a key."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    def metrics(self) -> str:
        """Return what `/metrics` shows."""
        return httpx.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=10).text


@contextmanager
def running(data_dir: Path, *arguments: str, **env: str) -> Iterator[Service]:
    """Run a service for the body."""
    service = Service(data_dir, arguments, env).start()
    try:
        yield service
    finally:
        assert service.process is not None
        if service.process.poll() is None:
            assert service.stop() == 0, service.output.read_text()


def counted(client: httpx.Client, brand: str, **bounds: Any) -> list[dict[str, Any]]:
    """Return a brand's buckets, by default of the last day at minutes."""
    answer = client.get(f"/v1/brands/{brand}/series", params={"step": "60", **bounds})
    assert answer.status_code == 200, answer.text
    buckets: list[dict[str, Any]] = answer.json()["buckets"]
    return buckets


def total(client: httpx.Client, brand: str, **bounds: Any) -> int:
    """Return how many mentions were counted."""
    return sum(b["mentions"] for b in counted(client, brand, **bounds))
