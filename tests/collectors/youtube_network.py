"""A local server that speaks YouTube's Data API: threads by channel and video, comments by id, search, and refusals."""

import json
import random
from datetime import UTC, datetime
from typing import Any

from tests.collectors.networks import Asked, Network, Reply

KEY = "a-key"
CHANNEL = "UC" + "c" * 22


class YouTubeNetwork(Network):
    """`threads` are all on `CHANNEL`; `closed` says by video why it has no comments."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[dict[str, Any]] = []
        self.videos: list[dict[str, Any]] = []
        self.closed: dict[str, str] = {}
        self.units = 0
        self.quota = 10_000
        self.searches_left = 100
        self.tokens_expire = False
        self.repeat_on_next_page = 0
        self.shuffled = False

    def comment(self, at: datetime, text: str, video: str = "v" * 11, **snippet: Any) -> str:
        identity = f"Ugx{len(self.threads):020d}"
        top = {"id": identity, "snippet": {**_said(at, text), "videoId": video, **snippet}}
        inside = {"channelId": CHANNEL, "videoId": video, "topLevelComment": top, "totalReplyCount": 0}
        self.threads.append({"id": identity, "snippet": inside})
        return identity

    def reply(self, parent: str, at: datetime, text: str) -> str:
        thread = next(thread for thread in self.threads if thread["id"] == parent)
        replies = thread.setdefault("replies", {"comments": []})["comments"]
        identity = f"{parent}.{len(replies)}"
        replies.append({"id": identity, "snippet": {**_said(at, text), "parentId": parent}})
        thread["snippet"]["totalReplyCount"] += 1
        return identity

    def edit(self, identity: str, at: datetime, text: str) -> None:
        thread = next(thread for thread in self.threads if thread["id"] == identity)
        thread["snippet"]["topLevelComment"]["snippet"] |= {"textOriginal": text, "updatedAt": _z(at)}

    def delete(self, identity: str) -> None:
        self.threads = [thread for thread in self.threads if thread["id"] != identity]

    def upload(self, at: datetime, title: str, identity: str, description: str = "") -> str:
        snippet = {"publishedAt": _z(at), "channelId": "UC1", "channelTitle": "Ann", "title": title}
        self.videos.append({"id": {"videoId": identity}, "snippet": {**snippet, "description": description}})
        return identity

    def answer(self, asked: Asked) -> Reply:
        if asked.headers.get("x-goog-api-key") != KEY:
            return refusal(400, "badRequest", details="API_KEY_INVALID")
        self.units += 100 if asked.path == "/search" else 1
        if self.units > self.quota:
            return refusal(403, "quotaExceeded")
        if asked.path == "/search":
            self.searches_left -= 1
            if self.searches_left < 0:
                return refusal(403, "quotaExceeded")
            since = datetime.fromisoformat(asked.params["publishedAfter"])
            found = [video for video in self.videos if _at(video["snippet"]) >= since]
            return self._page(sorted(found, key=lambda video: -_at(video["snippet"]).timestamp()), asked.params)
        if asked.path == "/comments":
            wanted = set(asked.params["id"].split(","))
            tops = (thread["snippet"]["topLevelComment"] for thread in self.threads)
            return _json({"items": [top for top in tops if top["id"] in wanted]})
        assert (asked.path, asked.params["order"]) == ("/commentThreads", "time")
        video = asked.params.get("videoId")
        if video in self.closed:
            return refusal(404 if "NotFound" in self.closed[video] else 403, self.closed[video])
        found = [thread for thread in self.threads if video in (None, thread["snippet"]["videoId"])]
        found.sort(key=lambda thread: -_at(thread["snippet"]["topLevelComment"]["snippet"]).timestamp())
        return self._page(found, asked.params)

    def _page(self, found: list[dict[str, Any]], params: dict[str, str]) -> Reply:
        token = params.get("pageToken")
        if token and self.tokens_expire:
            return refusal(400, "processingFailure")
        start, size = int(token or 0), int(params["maxResults"])
        page = found[max(0, start - self.repeat_on_next_page) : start + size]
        if self.shuffled:
            random.Random(7).shuffle(page)
        more = {"nextPageToken": str(start + size)} if start + size < len(found) else {}
        return _json({"kind": "youtube#list", **more, "items": page})


def refusal(status: int, reason: str, details: str | None = None) -> Reply:
    error: dict[str, Any] = {"code": status, "message": "no", "errors": [{"reason": reason, "domain": "youtube"}]}
    if details:
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": details}]
    return _json({"error": error}, status)


def _said(at: datetime, text: str) -> dict[str, Any]:
    writer = {"authorDisplayName": "@ann", "authorChannelId": {"value": "UCann"}}
    return {
        **writer,
        "textOriginal": text,
        "textDisplay": text,
        "likeCount": 3,
        "publishedAt": _z(at),
        "updatedAt": _z(at),
    }


def _z(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _at(snippet: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(snippet["publishedAt"])


def _json(value: Any, status: int = 200) -> Reply:
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=UTF-8"})
