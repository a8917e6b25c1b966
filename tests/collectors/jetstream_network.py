"""A server that speaks Jetstream, and breaks as it does."""

import json
import threading
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

from tests.collectors.networks import Asked, Network, Reply

DID = "did:plc:abcdefghijklmnopqrstuvwx"


def micros(at: datetime) -> int:
    """Microseconds since 1970."""
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def tid(at: datetime) -> str:
    """A record's key as the network makes it."""
    number = micros(at) << 10
    return "".join("234567abcdefghijklmnopqrstuvwxyz"[(number >> shift) & 31] for shift in range(60, -1, -5))


def event(at: datetime, text: str = "acme", operation: str = "create", **record: Any) -> dict[str, Any]:
    """A message of the stream: a post of `at` with the key `key`, or of that instant."""
    key = record.pop("key", None) or tid(at)
    commit: dict[str, Any] = {"rev": "r", "operation": operation, "collection": "app.bsky.feed.post", "rkey": key}
    if operation != "delete":
        created = (at - timedelta(seconds=1)).isoformat().replace("+00:00", "Z")
        commit |= {"cid": "c", "record": {"$type": "app.bsky.feed.post", "createdAt": created, "text": text, **record}}
    return {"did": DID, "time_us": micros(at), "kind": "commit", "commit": commit}


class JetstreamNetwork(Network):
    """Replays what it keeps from the cursor on, then `raw`, and stays silent, or breaks after some messages.

    What is put into `live` is sent on an open connection. Each line of `answer` is a message; `failures` answer the
    handshake.
    """

    def __init__(self, *events: dict[str, Any]) -> None:
        self.events = list(events)
        self.raw: list[str | bytes] = []
        self.keeps_since = 0
        self.breaks_after: int | None = None
        self.live: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self.asked: list[Asked] = []
        self.failures: deque[Reply] = deque()

    @property
    def cursors(self) -> list[int]:
        return [int(asked.params["cursor"]) for asked in self.asked]

    def answer(self, asked: Asked) -> Reply:
        since = max(int(asked.params["cursor"]), self.keeps_since)
        told = [item for item in self.events if item["time_us"] >= since]
        return Reply(200, "\n".join(map(json.dumps, told[: self.breaks_after])).encode())

    def _refused(self, connection: ServerConnection, _request: Request) -> Response | None:
        if not self.failures:
            return None
        reply = self.failures.popleft()
        if reply.hang:
            self._closing.wait(30)
        response = connection.respond(HTTPStatus(reply.status), "no")
        for name, value in reply.headers.items():
            response.headers[name] = value
        return response

    def _speak(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        target = connection.request.path
        headers = {name.lower(): value for name, value in connection.request.headers.raw_items()}
        asked = Asked("GET", target, urlsplit(target).path, dict(parse_qsl(urlsplit(target).query)), headers, b"")
        self.asked.append(asked)
        with suppress(ConnectionClosed, OSError):
            for message in [*self.answer(asked).body.splitlines(), *self.raw]:
                connection.send(message, text=True)
            if self.breaks_after is not None:
                connection.socket.close()
                return
            while not self._closing.is_set():  # until the client goes
                try:
                    connection.send(json.dumps(self.live.get(timeout=0.02)), text=True)
                except Empty:
                    with suppress(TimeoutError):
                        connection.recv(timeout=0)

    def __enter__(self) -> Self:
        self._closing = threading.Event()
        self._websockets = serve(self._speak, "127.0.0.1", 0, process_request=self._refused)
        self.port = self._websockets.socket.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"ws://{self.host}/subscribe"
        self._thread = threading.Thread(target=self._websockets.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._websockets.shutdown()
        self._thread.join()
