"""X with its filtered stream: rules, one connection at a time, keep-alives, and breaks as it has them."""

import json
import socket
from collections import deque
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.collectors.networks import Asked, Reply, XNetwork

RULES, STREAM = "/2/tweets/search/stream/rules", "/2/tweets/search/stream"
KEEP_ALIVE = b"\r\n"
END = None
"""In `script`: the connection is closed."""

Written = bytes | Callable[[], bytes] | None


class XStreamNetwork(XNetwork):
    """Recent search, and a stream that writes what stands in `script`, then waits for more of it.

    A rule matches a post that holds its text. `most_rules` and `broken` (a rule's text) are what X refuses.
    """

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.rules: dict[str, dict[str, str]] = {}
        self.script: deque[Written] = deque()
        self.connections = 0
        self.most_rules = 1000
        self.broken: str | None = None
        self._added = 0

    def line(self, identifier: str, **fields: Any) -> Callable[[], bytes]:
        """A post of `posts` as the stream writes it, for the rules that stand when it does."""

        def written() -> bytes:
            post = next(post for post in self.posts if post["id"] == identifier)
            rules = [
                {"id": number, "tag": rule["tag"]}
                for number, rule in self.rules.items()
                if rule["value"] in post["text"]
            ]
            users = [{"id": "42", "username": "u42", "public_metrics": {"followers_count": 42}}]
            told = {"data": post, "includes": {"users": users}, "matching_rules": rules, **fields}
            return json.dumps(told).encode() + b"\r\n"

        return written

    def finds(self, query: str, post: dict[str, Any]) -> bool:
        return query in post["text"]

    @property
    def values(self) -> list[str]:
        return sorted(rule["value"] for rule in self.rules.values())

    def requests(self, path: str, method: str = "GET") -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path and asked.method == method]

    def answer(self, asked: Asked) -> Reply:
        if asked.path != RULES or asked.headers.get("authorization") != "Bearer let-me-in":
            return super().answer(asked)
        if asked.method == "GET":
            data = [{"id": number, **rule} for number, rule in self.rules.items()]
            return _json({"meta": {"result_count": len(data)}} | ({"data": data} if data else {}))
        told = json.loads(asked.body)
        for number in told.get("delete", {}).get("ids", []):
            del self.rules[number]
        return self._add(told.get("add", []))

    def _add(self, rules: list[dict[str, str]]) -> Reply:
        if any(rule["value"] == self.broken for rule in rules):
            return _json({"title": "Invalid Request", "errors": [{"message": "no viable alternative"}]}, 400)
        data, errors = [], []
        for rule in rules:
            if rule["value"] in self.values:
                errors.append({"value": rule["value"], "title": "DuplicateRule"})
            elif len(self.rules) >= self.most_rules:
                errors.append({"value": rule["value"], "title": "RulesCapExceeded"})
            else:
                self._added += 1
                self.rules[str(self._added)] = rule
                data.append({"id": str(self._added), **rule})
        return _json({"data": data, "meta": {}} | ({"errors": errors} if errors else {}), 201)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        if parts.path != STREAM or self.failures:
            super()._serve(handler)
            return
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.asked.append(Asked("GET", handler.path, parts.path, dict(parse_qsl(parts.query)), headers, b""))
        if headers.get("authorization") != "Bearer let-me-in":
            handler.send_error(401)
            return
        self.connections += 1
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        while not self._closing.is_set():
            if _left(handler.connection):
                return
            if not self.script:
                self._closing.wait(0.005)
                continue
            item = self.script.popleft()
            if item is END:
                return
            try:
                handler.wfile.write(item if isinstance(item, bytes) else item())
            except OSError:
                return


def _left(connection: socket.socket) -> bool:
    """Whether the client has closed: what is written now would be read by nobody."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})
