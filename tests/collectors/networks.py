"""Local servers that speak the networks' protocols, and break as they do."""

import json
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from collectors.x_posts import EPOCH_MS


@dataclass(frozen=True)
class Asked:
    """A request that arrived, `target` as it was written; header names are lower-case."""

    method: str
    target: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Reply:
    """What the server sends. `length` overrides Content-Length; `hang` sends nothing until the server closes."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    hang: bool = False


class Network:
    """A server on a port of its own. `failures` are sent first, one a request; then `answer` decides."""

    def __init__(self, answer: Callable[[Asked], Reply] | None = None) -> None:
        self.asked: list[Asked] = []
        self.failures: deque[Reply] = deque()
        self._closing = threading.Event()
        self._answer = answer
        network = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                network._serve(self)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def answer(self, asked: Asked) -> Reply:
        return self._answer(asked) if self._answer else Reply(404)

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        asked = Asked(
            handler.command,
            handler.path,
            parts.path,
            dict(parse_qsl(parts.query)),
            {name.lower(): value for name, value in handler.headers.items()},
            handler.rfile.read(int(handler.headers.get("Content-Length", 0))),
        )
        self.asked.append(asked)
        reply = self.failures.popleft() if self.failures else self.answer(asked)
        if reply.hang:
            self._closing.wait(30)
            return
        try:
            handler.send_response(reply.status)
            for name, value in reply.headers.items():
                handler.send_header(name, value)
            handler.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
            handler.end_headers()
            handler.wfile.write(reply.body)
        except OSError:
            handler.close_connection = True  # the client had enough

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def snowflake(at: datetime, order: int = 0) -> int:
    """Id of a post of that instant."""
    return ((int(at.timestamp() * 1000) - EPOCH_MS) << 22) + order


class XNetwork(Network):
    """X's recent counts and recent search over `posts`, newest first, with tokens that name an offset."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.now = now
        self.posts: list[dict[str, Any]] = []
        self.tokens_expire = False
        self.repeat_on_next_page = 0
        self.minutes_per_page = 20_000

    def post(self, at: datetime, text: str, **fields: Any) -> str:
        identifier = str(snowflake(at, len(self.posts)))
        self.posts.append(
            {
                "id": identifier,
                "edit_history_tweet_ids": [identifier],
                "text": text,
                "created_at": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                **fields,
            }
        )
        return identifier

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("authorization") != "Bearer let-me-in":
            return _json({"title": "Unauthorized", "status": 401, "detail": "Unauthorized"}, 401)
        if asked.path == "/2/tweets/counts/recent":
            return self._counts(asked.params)
        if asked.path == "/2/tweets/search/recent":
            return self._search(asked.params)
        return _json({"title": "Not Found"}, 404)

    def finds(self, query: str, post: dict[str, Any]) -> bool:  # noqa: ARG002
        """Whether a search finds a post."""
        return True

    def _counts(self, params: dict[str, str]) -> Reply:
        start, end = (datetime.fromisoformat(params[name]) for name in ("start_time", "end_time"))
        if start < self.now - timedelta(days=7) or end > self.now or params["granularity"] != "minute":
            return _json({"errors": [{"message": "Invalid 'start_time'"}], "title": "Invalid Request"}, 400)
        first = max(start, end - timedelta(minutes=self.minutes_per_page))
        data = []
        inside = Counter((_at(post) - first) // timedelta(minutes=1) for post in self.posts)
        for index in range(int((end - first) / timedelta(minutes=1))):
            at = first + index * timedelta(minutes=1)
            data.append({"start": _z(at), "end": _z(at + timedelta(minutes=1)), "tweet_count": inside[index]})
        meta: dict[str, Any] = {"total_tweet_count": sum(item["tweet_count"] for item in data)}
        return _json({"data": data, "meta": meta | ({"next_token": "more"} if first > start else {})})

    def _search(self, params: dict[str, str]) -> Reply:
        token = params.get("next_token")
        if token and self.tokens_expire:
            return _json({"errors": [{"message": "Invalid 'next_token'"}]}, 400)
        since = int(params.get("since_id", 0))
        start = datetime.fromisoformat(params["start_time"]) if "start_time" in params else None
        until = int(params.get("until_id", 2**63))
        found = [post for post in self.posts if since < int(post["id"]) < until and self.finds(params["query"], post)]
        found = [post for post in found if start is None or _at(post) >= start]
        found.sort(key=lambda post: -int(post["id"]))
        offset = int(token or 0)
        size = int(params["max_results"])
        begin = max(0, offset - self.repeat_on_next_page)
        page = found[begin : begin + size]
        meta: dict[str, Any] = {"result_count": len(page)}
        if page:
            meta |= {"newest_id": page[0]["id"], "oldest_id": page[-1]["id"]}
        if begin + size < len(found):
            meta["next_token"] = str(begin + size)
        authors = {post["author_id"] for post in page if "author_id" in post}
        users = [
            {"id": author, "name": "N", "username": f"u{author}", "public_metrics": {"followers_count": int(author)}}
            for author in sorted(authors)
        ]
        return _json({"meta": meta} | ({"data": page, "includes": {"users": users}} if page else {}))


class FeedNetwork(Network):
    """A web server with one document, its ETag and Last-Modified; answers conditional requests."""

    def __init__(self, body: bytes = b"", content_type: str = "application/rss+xml") -> None:
        super().__init__()
        self.body = body
        self.content_type = content_type
        self.etag: str | None = '"1"'
        self.modified: str | None = None

    def answer(self, asked: Asked) -> Reply:
        headers = {"Content-Type": self.content_type}
        if self.etag:
            headers["ETag"] = self.etag
        if self.modified:
            headers["Last-Modified"] = self.modified
        known = asked.headers.get("if-none-match"), asked.headers.get("if-modified-since")
        if (self.etag and known[0] == self.etag) or (self.modified and known[1] == self.modified):
            return Reply(304, headers=headers)
        return Reply(200, self.body, headers)


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json"})


def _at(post: dict[str, Any]) -> datetime:
    return datetime.fromtimestamp(((int(post["id"]) >> 22) + EPOCH_MS) / 1000, UTC)


def _z(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
