"""A local server that speaks Reddit's protocol: tokens, listings by pages, and things by their names."""

import json
import random
from base64 import b64encode
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from tests.collectors.networks import Asked, Network, Reply

CLIENT = ("an-app", "its-secret")


class RedditNetwork(Network):
    """`things` by name, in the order they were written; listings show the newest first, and no deleted ones."""

    def __init__(self) -> None:
        super().__init__()
        self.things: dict[str, dict[str, Any]] = {}
        self.token = "token-1"
        self.tokens_given = 0
        self.shown = 1_000
        self.repeat_on_next_page = 0
        self.shuffled = False

    def submit(self, at: datetime, title: str, body: str = "", **data: Any) -> str:
        return self._write("t3", at, {"title": title, "selftext": body, **data})

    def comment(self, at: datetime, body: str, **data: Any) -> str:
        return self._write("t1", at, {"body": body, "parent_id": "t3_0", **data})

    def _write(self, kind: str, at: datetime, data: dict[str, Any]) -> str:
        identity = f"{len(self.things) + 1000:x}"
        told = {"id": identity, "created_utc": float(int(at.timestamp())), "author": "ann", "author_fullname": "t2_a"}
        self.things[f"{kind}_{identity}"] = {"kind": kind, "data": {**told, "edited": False, **data}}
        return f"{kind}_{identity}"

    def delete(self, name: str) -> None:
        self.things[name]["data"] |= {"author": "[deleted]", "body": "[deleted]", "selftext": "[deleted]"}

    def remove(self, name: str) -> None:
        """Have it in no answer any more, as a subreddit that was closed."""
        self.things[name]["hidden"] = True

    def answer(self, asked: Asked) -> Reply:
        if asked.path == "/api/v1/access_token":
            return self._give_token(asked)
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return _json({"message": "Unauthorized", "error": 401}, 401)
        if asked.path == "/api/info":
            wanted = asked.params["id"].split(",")
            return self._listing([self.things[name] for name in wanted if name in self.things], None)
        kind = "t1" if asked.path.endswith("/comments") else "t3"
        found = [(name, thing) for name, thing in self.things.items() if thing["kind"] == kind and _stands(thing)]
        found.sort(key=lambda pair: -pair[1]["data"]["created_utc"])
        names = [name for name, _ in found][: self.shown]
        start = 0
        if after := asked.params.get("after"):
            if after not in names:
                return self._listing([], None)  # what the token stood for was deleted
            start = names.index(after) + 1
        end = start + int(asked.params["limit"])
        page = names[max(0, start - self.repeat_on_next_page) if start else 0 : end]
        more = page[-1] if page and end < len(names) else None
        if self.shuffled:
            random.Random(7).shuffle(page)
        return self._listing([self.things[name] for name in page], more)

    def _give_token(self, asked: Asked) -> Reply:
        signed = "Basic " + b64encode(":".join(CLIENT).encode()).decode()
        sent = dict(parse_qsl(asked.body.decode()))
        if asked.method != "POST" or asked.headers.get("authorization") != signed:
            return _json({"message": "Unauthorized", "error": 401}, 401)
        assert sent == {"grant_type": "client_credentials"}
        self.tokens_given += 1
        return _json({"access_token": self.token, "token_type": "bearer", "expires_in": 3600, "scope": "*"})

    def _listing(self, things: list[dict[str, Any]], after: str | None) -> Reply:
        children = [thing for thing in things if not thing.get("hidden")]
        return _json({"kind": "Listing", "data": {"after": after, "before": None, "children": children}})


def _stands(thing: dict[str, Any]) -> bool:
    return not thing.get("hidden") and thing["data"]["author"] != "[deleted]"


def _json(value: Any, status: int = 200) -> Reply:
    headers = {"Content-Type": "application/json; charset=UTF-8", "x-ratelimit-remaining": "99.0"}
    return Reply(status, json.dumps(value).encode(), headers | {"x-ratelimit-reset": "600", "x-ratelimit-used": "1"})
