"""A listener to server-sent events."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx


@dataclass
class Listener:
    """What was told, in order: (id, type, data)."""

    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    ready: threading.Event = field(default_factory=threading.Event)
    stop: threading.Event = field(default_factory=threading.Event)

    def types(self) -> list[str]:
        """Return the types told so far."""
        return [kind for _, kind, _ in self.told]

    def read(self, response: httpx.Response) -> None:
        """Read frames until told to stop."""
        frame: dict[str, str] = {}
        for line in response.iter_lines():
            self.ready.set()
            if self.stop.is_set():
                return
            name, _, value = line.partition(": ")
            if line:
                frame[name] = value
            elif "data" in frame:
                self.told.append((frame["id"], frame["event"], json.loads(frame["data"])))
                frame = {}
            else:
                frame = {}


@contextmanager
def listening(client: httpx.Client, after: str | None = None) -> Iterator[Listener]:
    """Listen to `/v1/events` during the body."""
    found = Listener()

    def run() -> None:
        headers = {"Last-Event-ID": after} if after else {}
        try:
            with client.stream("GET", "/v1/events", headers=headers, timeout=httpx.Timeout(5, read=1)) as response:
                assert response.status_code == 200
                found.read(response)
        except httpx.ReadTimeout:
            if not found.stop.is_set():
                run()

    thread = threading.Thread(target=run)
    thread.start()
    assert found.ready.wait(10), "the stream of events did not begin"
    try:
        yield found
    finally:
        found.stop.set()
        thread.join(10)
