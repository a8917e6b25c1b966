"""Who works right now: by the store's own books and the sender's, never by what the service says of itself."""

import bisect
import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from service import keys
from tests.chaos.load import BRANDS

WORK = ("accepted", "counted")
POLL = 0.02
"""Seconds between two looks."""
STREAMS = sorted({keys.ingest(keys.shard(brand)) for brand in BRANDS})


def backlog(client: Any) -> int:
    """Return how many entries wait to be counted, or are being counted."""
    return sum(client.xlen(stream) for stream in STREAMS)


def acknowledged(client: Any) -> dict[str, int]:
    """Return how many entries of each ingest stream were ever handed out and acknowledged."""
    found = {}
    for stream in STREAMS:
        groups = [group for group in client.xinfo_groups(stream) if group["name"] == b"count"]
        found[stream] = sum((group["entries-read"] or 0) - group["pending"] for group in groups)
    return found


@dataclass
class Progress:
    """Notes when something was accepted, when something was counted, and of which stream (monotonic seconds)."""

    connect: Callable[[], Any]
    accepted: Callable[[], int]
    moves: dict[str, list[float]] = field(default_factory=lambda: {name: [0.0] for name in (*STREAMS, *WORK)})
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Start to look."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Look no more."""
        self._stop.set()
        if self._thread:
            self._thread.join()

    def since(self, instant: float, what: Sequence[str]) -> bool:
        """Whether all of `what` has moved since `instant`."""
        return all(self.moves[name][-1] > instant for name in what)

    def resumed(self, instant: float, what: Sequence[str]) -> float:
        """Return when the last of `what` moved for the first time after `instant`."""
        return max(self.moves[name][bisect.bisect_right(self.moves[name], instant)] for name in what)

    def _run(self) -> None:
        accepted, counted = 0, dict.fromkeys(STREAMS, 0)
        with contextlib.closing(self.connect()) as client:
            while not self._stop.wait(POLL):
                if self.accepted() > accepted:
                    accepted = self.accepted()
                    self.moves["accepted"].append(time.monotonic())
                with contextlib.suppress(RedisError, OSError):
                    now = acknowledged(client)
                    moved = [stream for stream in STREAMS if now[stream] > counted[stream]]
                    for name in (*moved, "counted") if moved else ():
                        self.moves[name].append(time.monotonic())
                    counted = now
