"""A local server that speaks the Graph API: a page's posts with their comments, tagged posts, batches, errors."""

import json
import random
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.collectors.networks import Asked, Network, Reply

PAGE = "111"
TOKEN = "a-page-token"


class FacebookNetwork(Network):
    """`posts` and `comments` by id, `tagged` ids; `usage` stands in the answers' headers."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[str, dict[str, Any]] = {}
        self.comments: dict[str, dict[str, Any]] = {}
        self.tagged: list[str] = []
        self.usage: dict[str, str] = {}
        self.refused: dict[str, Reply] = {}
        self.cursors_expire = False
        self.repeat_on_next_page = 0
        self.shuffled = False

    def post(self, at: datetime, text: str, writer: str = "u1", tagged: bool = False) -> str:
        identity = f"{'999' if tagged else PAGE}_{len(self.posts) + 5000}"
        self.posts[identity] = _said(identity, at, text, writer)
        if tagged:
            self.tagged.append(identity)
        return identity

    def comment(self, post: str, at: datetime, text: str, writer: str = "u2", parent: str | None = None) -> str:
        identity = f"{post.partition('_')[2]}_{len(self.comments) + 7000}"
        above = {"parent": {"id": parent}} if parent else {}
        counts = {"like_count": 2, "comment_count": 1}
        self.comments[identity] = {**_said(identity, at, text, writer), **counts, **above, "on": post}
        return identity

    def delete(self, identity: str) -> None:
        self.posts.pop(identity, None)
        self.comments.pop(identity, None)

    def answer(self, asked: Asked) -> Reply:
        assert "token" not in asked.target
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return error(400, 190)
        if asked.method == "POST":
            return self._batch(dict(parse_qsl(asked.body.decode())))
        what, _, edge = asked.path.strip("/").partition("/")
        if asked.path in self.refused:
            return self.refused[asked.path]
        if edge == "comments":
            if what not in self.posts:
                return error(400, 100, 33)
            assert (asked.params["filter"], asked.params["order"]) == ("stream", "reverse_chronological")
            return self._reply(self._comments(what, int(asked.params["limit"]), asked.params.get("after")))
        if what != PAGE:
            return error(400, 100, 33)
        found = [post for name, post in self.posts.items() if (name in self.tagged) == (edge == "tagged")]
        if self.cursors_expire and asked.params.get("after"):
            return error(400, 100)
        nested = re.search(
            r"comments\.filter\(stream\)\.order\(reverse_chronological\).*?limit\((\d+)\)", asked.params["fields"]
        )
        page = self._page(found, int(asked.params["limit"]), asked.params.get("after"))
        if nested:
            page["data"] = [self._with_comments(post, int(nested[1])) for post in page["data"]]
        return self._reply(page)

    def _with_comments(self, post: dict[str, Any], limit: int) -> dict[str, Any]:
        page = self._comments(post["id"], limit, None)
        return {**post, "comments": page} if page["data"] else post

    def _comments(self, post: str, limit: int, after: str | None) -> dict[str, Any]:
        found = [comment for comment in self.comments.values() if comment["on"] == post]
        return {**self._page(found, limit, after), "summary": {"total_count": len(found)}}

    def _page(self, found: list[dict[str, Any]], limit: int, after: str | None) -> dict[str, Any]:
        found.sort(key=lambda item: item["created_time"], reverse=True)
        start = int(after or 0)
        page = found[max(0, start - self.repeat_on_next_page) : start + limit]
        if self.shuffled:
            random.Random(7).shuffle(page)
        end = start + limit
        paging: dict[str, Any] = {"cursors": {"before": after or "0", "after": str(end)}}
        if end < len(found):
            paging["next"] = f"https://graph.facebook.com/v25.0/next?access_token={TOKEN}&after={end}"
        return {"data": page, "paging": paging} if page else {"data": []}

    def _batch(self, form: dict[str, str]) -> Reply:
        answers: list[Any] = []
        for part in json.loads(form["batch"]):
            name = part["relative_url"].partition("?")[0]
            known = self.posts.get(name) or self.comments.get(name)
            told = self.refused.get(f"/{name}") or (_json(known) if known else error(400, 100, 33))
            answers.append({"code": told.status, "body": told.body.decode()} if told.status else None)
        return self._reply(answers)

    def _reply(self, value: Any) -> Reply:
        return _json(value, headers=self.usage)


def error(status: int, code: int, subcode: int = 0, headers: dict[str, str] | None = None) -> Reply:
    told = {"message": f"Malformed access token {TOKEN}", "type": "OAuthException", "code": code, "fbtrace_id": "A"}
    return _json({"error": {**told, **({"error_subcode": subcode} if subcode else {})}}, status, headers)


def _said(identity: str, at: datetime, text: str, writer: str) -> dict[str, Any]:
    when = at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")
    return {"id": identity, "message": text, "created_time": when, "from": {"id": writer, "name": "Ada"}}


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Reply:
    return Reply(
        status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=UTF-8", **(headers or {})}
    )
