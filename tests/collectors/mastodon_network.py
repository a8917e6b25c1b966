"""A server that speaks Mastodon: timelines, a stream and search."""

import json
from collections.abc import Callable
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import unquote

from tests.collectors.networks import Asked, Network, Reply


def snowflake(at: datetime, order: int = 0) -> str:
    """Id of a post of that instant."""
    return str((int(at.timestamp() * 1000) << 16) + order)


class MastodonNetwork(Network):
    """A server's timelines, with pages after an id, and its stream; `said` is what the stream says before it ends."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: list[dict[str, Any]] = []
        self.said: list[str] = []
        self.ends = False
        self.token: str | None = None
        self.once_read: Callable[[], object] = lambda: None
        self.repeats = 0

    def post(self, at: datetime, text: str = "acme", **fields: Any) -> dict[str, Any]:
        identifier = snowflake(at, len(self.posts))
        post = {
            "id": identifier,
            "uri": f"https://far.example/users/ann/statuses/{identifier}",
            "url": f"https://far.example/@ann/{identifier}",
            "created_at": at.isoformat().replace("+00:00", "Z"),
            "content": f"<p>{text}</p>",
            "visibility": "public",
            "language": "en",
            "account": {"acct": "ann@far.example", "followers_count": 7},
            "tags": [],
            **fields,
        }
        self.posts.append(post)
        return post

    def answer(self, asked: Asked) -> Reply:
        if self.token and asked.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, b'{"error": "The access token is invalid"}')
        kind, _, tag = asked.path.removeprefix("/api/v1/timelines/").partition("/")
        found = [p for p in self.posts if kind == "public" or unquote(tag) in p["tags"]]
        found = [p for p in found if asked.params.get("local") != "true" or "@" not in p["account"]["acct"]]
        found.sort(key=lambda p: int(p["id"]))
        size = int(asked.params["limit"])
        if "min_id" in asked.params:
            after = int(asked.params["min_id"])
            page = [p for p in found if int(p["id"]) > after][:size]
        else:
            page = found[-size:]
        before = [p for p in found if page and int(p["id"]) < int(page[0]["id"])]
        page = (before[-self.repeats :] if self.repeats else []) + page
        self.once_read()
        return Reply(200, json.dumps(page[::-1]).encode(), {"Content-Type": "application/json"})

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        if not handler.path.startswith("/api/v1/streaming/"):
            super()._serve(handler)
            return
        self.asked.append(Asked("GET", handler.path, handler.path, {}, dict(handler.headers.items()), b""))
        if handler.headers.get("Authorization") != f"Bearer {self.token}":
            handler.send_error(401)
            return
        handler.send_response(200)
        handler.send_header("Content-Type", "text/event-stream")
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.close_connection = True
        for line in self.said:
            handler.wfile.write(line.encode())
        if not self.ends:
            self._closing.wait(30)


class SearchNetwork(MastodonNetwork):
    """A server's search: newest first, pages by offset, every quoted word must stand."""

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != "Bearer let-me-in":
            return Reply(401, b"{}")
        assert (asked.path, asked.params["type"]) == ("/api/v2/search", "statuses")
        words = [word for word in asked.params["q"].split('"') if word.strip()]
        found = [post for post in self.posts if all(word in post["content"] for word in words)]
        found.sort(key=lambda post: -int(post["id"]))
        offset, size = int(asked.params["offset"]), int(asked.params["limit"])
        start = max(0, offset - self.repeats)
        page = found[start : start + size]
        return Reply(200, json.dumps({"accounts": [], "statuses": page, "hashtags": []}).encode())
