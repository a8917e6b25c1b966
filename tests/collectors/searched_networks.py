"""Local servers of the networks whose newest stretch is read: Algolia's Hacker News, Stack Exchange and Discourse."""

import gzip
import json
import random
import re
from datetime import UTC, datetime
from typing import Any

from tests.collectors.networks import Asked, Network, Reply


class Searched(Network):
    """Posts by id, each with `at` (POSIX seconds); `disorder` repeats posts on a page and shuffles it."""

    def __init__(self) -> None:
        super().__init__()
        self.posts: dict[int, dict[str, Any]] = {}
        self.disorder = False
        self.size: int | None = None
        self.last_id = 1000

    def post(self, at: datetime, text: str, **fields: Any) -> str:
        """Put a post on the server; return the id of its mention."""
        raise NotImplementedError

    def newest(self) -> list[dict[str, Any]]:
        return sorted(self.posts.values(), key=lambda post: (-post["at"], -post["id"]))

    def page(self, found: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
        page = found[: min(size, self.size or size)]
        if self.disorder:
            page = page + page[:3]
            random.Random(len(page)).shuffle(page)
        return [{name: value for name, value in post.items() if name != "at"} for post in page]

    def next_id(self) -> int:
        self.last_id += 1
        return self.last_id


class HackerNewsNetwork(Searched):
    """Algolia's search by date, and Firebase's items, on one port; `dead` items are not found but still there."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[int, Any] = {}

    def post(self, at: datetime, text: str, **fields: Any) -> str:
        id_ = self.next_id()
        kind = {"comment_text": text, "parent_id": 7} if fields.pop("comment", True) else {"title": text}
        stamp = int(at.timestamp())
        self.posts[id_] = {
            "id": id_, "at": stamp, "objectID": str(id_), "created_at_i": stamp, "author": "ann", **kind, **fields
        }  # fmt: skip
        kept = {"id": id_, "time": stamp, "by": "ann", "text": kind.get("comment_text"), "title": kind.get("title")}
        self.items[id_] = {**kept, "type": "comment" if "parent_id" in kind else "story"}
        return str(id_)

    def answer(self, asked: Asked) -> Reply:
        if item := re.fullmatch(r"/v0/item/(\d+)\.json", asked.path):
            return as_json(self.items.get(int(item[1])))
        if asked.path != "/api/v1/search_by_date":
            return as_json({"message": "Not Found"}, 404)
        words = [phrase or word for phrase, word in re.findall(r'"([^"]+)"|(\S+)', asked.params["query"])]
        bounds = re.findall(r"created_at_i(>=|<=)(\d+)", asked.params["numericFilters"])
        low = max((int(value) for sign, value in bounds if sign == ">="), default=0)
        high = min((int(value) for sign, value in bounds if sign == "<="), default=2**40)
        found = [
            post for post in self.newest()
            if low <= post["at"] <= high and all(word in json.dumps(post).lower() for word in words)
        ]  # fmt: skip
        hits = self.page(found, int(asked.params["hitsPerPage"]))
        return as_json({"hits": hits, "nbHits": len(found), "page": 0})


class StackExchangeNetwork(Searched):
    """Search, comments and posts of one site, gzipped as the API always is, with a quota of requests."""

    def __init__(self, quota: int = 10_000) -> None:
        super().__init__()
        self.quota = quota
        self.backoff = 0
        self.unlisted: set[int] = set()

    def post(self, at: datetime, text: str, **fields: Any) -> str:
        id_, stamp = self.next_id(), int(at.timestamp())
        kind = fields.pop("kind", "question")
        number = {
            "question": {"question_id": id_, "title": text, "body": "..."},
            "answer": {"question_id": 5, "answer_id": id_, "title": "t", "body": text},
            "comment": {"comment_id": id_, "post_id": 5, "body": text},
        }[kind]
        self.posts[id_] = {"id": id_, "at": stamp, "creation_date": stamp, "item_type": kind, **number, **fields}
        return f"stackoverflow:{'c' if kind == 'comment' else ''}{id_}"

    def answer(self, asked: Asked) -> Reply:
        if asked.params["site"] == "nowhere":
            return zipped({"error_id": 400, "error_name": "bad_parameter", "error_message": "No site found"}, 400)
        if self.quota < 1:
            message = "too many requests from this IP, more requests available in 1234 seconds"
            error = {"error_id": 502, "error_name": "throttle_violation", "error_message": message}
            return zipped(error, 400)
        self.quota -= 1
        ids = re.fullmatch(r"/2\.3/(question|answer|comment)s/([\d;]+)", asked.path)
        if ids:
            wanted = [self.posts[int(id_)] for id_ in ids[2].split(";") if int(id_) in self.posts]
            return self._told([post for post in wanted if post["item_type"] == ids[1]], False)
        low, high = int(asked.params["fromdate"]), int(asked.params.get("todate", 2**40))
        comments = asked.path == "/2.3/comments"
        found = [
            post for post in self.newest()
            if low <= post["at"] <= high and ("comment_id" in post) == comments and post["id"] not in self.unlisted
            and asked.params.get("q", "").strip('"') in json.dumps(post)
        ]  # fmt: skip
        page = self.page(found, int(asked.params["pagesize"]))
        return self._told(page, len(found) > len(page))

    def _told(self, items: list[dict[str, Any]], more: bool) -> Reply:
        backoff = {"backoff": self.backoff} if self.backoff else {}
        return zipped({"items": items, "has_more": more, "quota_remaining": self.quota, "quota_max": 300, **backoff})


class DiscourseNetwork(Searched):
    """A forum's latest posts. An `old` release looks through 50 ids up to `before`; a new one gives 50 posts below."""

    def __init__(self, old: bool = False) -> None:
        super().__init__()
        self.old = old

    def post(self, at: datetime, text: str, **fields: Any) -> str:
        id_ = fields.pop("id", None) or self.next_id()
        stamp = at.astimezone(UTC).isoformat()
        self.posts[id_] = {
            "id": id_, "at": at.timestamp(), "topic_id": 3, "post_number": 2, "topic_title": "Bags", "username": "ann",
            "user_id": 9, "created_at": stamp, "updated_at": stamp, "cooked": f"<p>{text}</p>", "post_type": 1, **fields
        }  # fmt: skip
        return f"{self.host}:{id_}"

    def answer(self, asked: Asked) -> Reply:
        if one := re.fullmatch(r"/posts/(\d+)\.json", asked.path):
            post = self.posts.get(int(one[1]))
            return as_json({**post, "at": 0}) if post else as_json({"errors": ["not found"]}, 404)
        if asked.path != "/posts.json":
            return as_json({"errors": ["not found"]}, 404)
        before = int(asked.params.get("before", 0))
        if self.old:
            before = before or max(self.posts, default=0)
            ids = [id_ for id_ in self.posts if before - 50 < id_ <= before]
        else:
            ids = [id_ for id_ in self.posts if not before or id_ < before]
        found = [self.posts[id_] for id_ in sorted(ids, reverse=True) if not self.posts[id_].get("secret")]
        return as_json({"latest_posts": self.page(found, 50)})


def as_json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8"})


def zipped(value: Any, status: int = 200) -> Reply:
    body = gzip.compress(json.dumps(value).encode())
    return Reply(status, body, {"Content-Type": "application/json; charset=utf-8", "Content-Encoding": "gzip"})
