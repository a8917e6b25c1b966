"""A sender as a sound client is one: what was not answered 202 is sent again, the same bytes."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from tests.chaos.load import Batch, Load

AGAIN = 0.1
"""Seconds before a request is repeated."""
TRICKLE = 0.2
"""Seconds between requests beyond what is allowed."""
PATIENCE = 120.0
"""Seconds without any 202 after which the service is given up."""


@dataclass
class Answer:
    """When a request was answered 202 (POSIX seconds), and what it held."""

    wall: float
    batch: Batch


@dataclass
class Sender:
    """Sends a load from some threads; mentions by all of them, counts by one, since their order matters."""

    load: Load
    url: str
    key: str
    allowed: Callable[[], float]
    """How many mentions may have been sent by now."""
    on_answer: Callable[[Batch], None] = lambda _: None
    accepted: int = 0
    repeats: int = 0
    refused: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, threads: int = 2) -> None:
        """Start sending."""
        for n in range(threads):
            thread = threading.Thread(target=self._run, args=(n == 0,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def finish(self) -> None:
        """Let every request that was begun get its 202, then end."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        assert not self.refused, self.refused[0]

    def _run(self, counts: bool) -> None:
        try:
            self._send_all(counts)
        except Exception as error:  # told by `finish`, in the main thread
            self.refused.append(repr(error))
            raise

    def _send_all(self, counts: bool) -> None:
        with httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=60) as client:
            turn = 0
            while not self._stop.is_set() and not self.refused:
                if self.load.sent >= self.allowed():
                    time.sleep(TRICKLE)  # who was killed last is waited for, and must have something to do
                with self._lock:
                    batch = self.load.mentions()
                self.send(client, batch)
                turn += 1
                if counts and not self.load.plain and turn % 5 == 0:
                    with self._lock:
                        batch = self.load.counts()
                    self.send(client, batch)

    def send(self, client: httpx.Client, batch: Batch) -> None:
        """Send one request until it is answered 202."""
        kind = "application/json" if batch.path.endswith("counts") else "application/x-ndjson"
        given_up = time.monotonic() + PATIENCE
        while True:
            try:
                answer = client.post(batch.path, content=batch.body, headers={"content-type": kind})
            except httpx.TransportError as error:
                said = repr(error)
            else:
                if answer.status_code == 202 and not answer.json()["rejected"]:
                    break
                said = f"{answer.status_code} {answer.text[:300]}"
                if answer.status_code < 500 and answer.status_code != 429:
                    self.refused.append(said)
                    return
            if time.monotonic() > given_up:
                self.refused.append(f"no 202 in {PATIENCE:.0f} s; the last answer was {said}")
                return
            self.repeats += 1
            time.sleep(AGAIN)
        with self._lock:
            self.accepted += batch.items
            self.load.answered(batch)
        self.on_answer(batch)
