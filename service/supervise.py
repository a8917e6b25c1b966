"""The process tree of `foreshock serve`: starts the roles, restarts what dies, stops all in order."""

import logging
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from service.embedded import EmbeddedStore
from service.tether import end, tethered

log = logging.getLogger(__name__)

FIRST_PAUSE = 0.2
"""Seconds before a child that died is started again; doubles with each death."""
LONGEST_PAUSE = 10.0
"""Seconds: a child that cannot start is tried this often, and no less."""
STEADY = 60.0
"""Seconds of life after which a death counts as the first again."""
CONFIGURATION_ERROR = 2
"""Exit code that says that starting again is of no use: what was configured is wrong."""

STOP = frozenset({signal.SIGTERM, signal.SIGINT})


@dataclass(frozen=True)
class Role:
    """One child of the tree: its name, its command, and its environment (None: this process's own)."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] | None = None

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the role, tied to this process."""
        return tethered(self.argv, env=self.env)


@dataclass
class _Child:
    name: str
    spawn: Callable[[], subprocess.Popen[bytes]]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause: float = 0.0
    due: float = 0.0

    def tend(self, now: float) -> int | None:
        """Start the child when it is due, note its death; the exit code of one that just died."""
        if self.process is None:
            if now >= self.due:
                self.process, self.started = self.spawn(), now
            return None
        code = self.process.poll()
        if code is not None:
            end(self.process)
            self.process = None
            self.pause = pause_before_restart(self.pause, now - self.started)
            self.due = now + self.pause
        return code


def pause_before_restart(previous: float, lived: float) -> float:
    """Seconds to wait before a child that lived `lived` seconds is started again, `previous` being the last pause.

    >>> pause_before_restart(0.0, 1.0), pause_before_restart(0.2, 1.0), pause_before_restart(8.0, 1.0)
    (0.2, 0.4, 10.0)
    >>> pause_before_restart(10.0, 61.0)
    0.2
    """
    return FIRST_PAUSE if previous == 0.0 or lived >= STEADY else min(2 * previous, LONGEST_PAUSE)


def run_tree(roles: Sequence[Role], store: EmbeddedStore | None = None) -> int:
    """Run `roles` until SIGTERM or SIGINT, then stop them in reverse order; the exit code for the command.

    A child that dies is started again, and so is the server of a `store` that was started before; the caller stops the
    store, after all roles. A role that exits with 2 (configuration error) stops everything: the answer is then 2, and
    0 on a clean stop. Runs in the main thread, which the children are tied to.

    Raises:
        EmbeddedStoreError: the store's server died and cannot be started again; the roles were stopped.
    """
    children = [_Child(role.name, role.spawn) for role in roles]
    server = [_Child("store", store.spawn, store.process, time.monotonic())] if store else []
    with _signals() as wake:
        try:
            return _tend(server + children, wake)
        finally:
            for child in reversed(children):
                if child.process is not None:
                    end(child.process)


def _tend(children: list[_Child], wake: int) -> int:
    while True:
        now = time.monotonic()
        for child in children:
            code = child.tend(now)
            if code == CONFIGURATION_ERROR:
                return CONFIGURATION_ERROR
            if code is not None:
                log.warning("%s ended (%s); starting it again in %.1f s", child.name, _cause(code), child.pause)
        due = [child.due for child in children if child.process is None]
        if STOP & _wait(wake, min(due) - time.monotonic() if due else None):
            return 0


def _cause(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _wait(wake: int, seconds: float | None) -> set[int]:
    """Wait for a signal, at most `seconds`; the signals that came."""
    ready, _, _ = select.select([wake], [], [], None if seconds is None else max(seconds, 0.0))
    return set(os.read(wake, 4096)) if ready else set()


@contextmanager
def _signals() -> Iterator[int]:
    """The read end of a pipe that gets one byte, the signal's number, for each signal the tree lives by."""

    def note(_number: int, _frame: FrameType | None) -> None:
        """Python writes the number to the pipe by itself, once a handler is set."""

    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    before = signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    handlers = {number: signal.signal(number, note) for number in (*STOP, signal.SIGCHLD)}
    try:
        yield read
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(before)
        os.close(read)
        os.close(write)
