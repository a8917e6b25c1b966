"""What YouTube's Data API answers: pages of comments and videos as mentions, and errors as one line."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from html import unescape
from http.client import responses
from typing import TYPE_CHECKING, Any

from collectors import youtube_quota
from collectors.collector import CollectorError
from collectors.mention import Author, Mention
from collectors.newest_first import Item

if TYPE_CHECKING:
    from collectors.outbound import Answer

SOURCE = "youtube"
_OF_THE_DAY = frozenset({"quotaExceeded", "dailyLimitExceeded"})
_OF_THE_KEY = frozenset(
    {"keyInvalid", "keyExpired", "API_KEY_INVALID", "accessNotConfigured", "ipRefererBlocked", "SERVICE_DISABLED"}
)
_BROKEN = (AttributeError, KeyError, TypeError, ValueError, OverflowError)


class Refused(CollectorError):
    """YouTube's own reason, as `commentsDisabled`, is `code`."""

    def __init__(self, reason: str, code: str) -> None:
        super().__init__(reason)
        self.code = code


class QuotaUsedUp(CollectorError):
    """There are no more units, or no more searches, until the next day in California."""


def object_of(answer: "Answer", now: datetime) -> dict[str, Any]:
    """Return the list that an answer holds; its `items` are a list.

    Raises:
        Refused: what was asked for is refused, with YouTube's reason.
        QuotaUsedUp: it is, for what was asked for.
        CollectorError: it cannot be answered now, or is no list.
    """
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if answer.status == 200:
        if not isinstance(found, dict) or not isinstance(found.get("items"), list):
            raise CollectorError("YouTube answered with something that is not a list of items")
        return found
    status = f"{answer.status} {responses.get(answer.status, '')}".strip()
    codes = _codes(found)
    if codes & _OF_THE_DAY:
        raise QuotaUsedUp("YouTube's quota of the day is used up", youtube_quota.until(now))
    if answer.status == 429 or codes & {"rateLimitExceeded", "userRateLimitExceeded"}:
        raise CollectorError(f"YouTube asks to wait: too many requests ({answer.status})", answer.retry_after(now))
    if answer.status >= 500:
        raise CollectorError(f"YouTube cannot answer now ({status})", answer.retry_after(now))
    if answer.status == 401 or codes & _OF_THE_KEY:
        raise CollectorError(
            f"YouTube refused the key ({status}); check FORESHOCK_YOUTUBE_API_KEY, and that YouTube Data API v3 is "
            "enabled for it"
        )
    code = min(codes, default="")
    raise Refused(f"YouTube refused the request: {status}{f' ({code})' if code else ''}", code)


def _codes(found: object) -> set[str]:
    """Return the reasons that an error names, as far as it has the documented shape."""
    error = found.get("error") if isinstance(found, dict) else None
    lists = [error.get("errors"), error.get("details")] if isinstance(error, dict) else []
    named = [
        entry.get("reason") for some in lists if isinstance(some, list) for entry in some if isinstance(entry, dict)
    ]
    return {name for name in named if isinstance(name, str) and re.fullmatch(r"\w{1,60}", name, re.ASCII)}


def token_of(page: Mapping[str, Any]) -> str | None:
    """Return the token of the next page."""
    token = page.get("nextPageToken")
    return token if isinstance(token, str) and token else None


def items_of(page: Mapping[str, Any], read: Callable[[Any], Mention]) -> tuple[list[Mention], int]:
    """Return a page's items, and how many could not be read."""
    found: list[Mention] = []
    for item in page["items"]:
        try:
            found.append(read(item))
        except _BROKEN:
            continue
    return found, len(page["items"]) - len(found)


def comments_of(page: Mapping[str, Any], brand: str | None) -> tuple[list[Item], int]:
    """Return the comments of a page of threads, and how many could not be read; replies stand with their thread."""
    found: list[Item] = []
    skipped = 0
    for thread in page["items"]:
        try:
            top = read_comment(thread["snippet"]["topLevelComment"], brand, thread["snippet"])
            found.append(_item(top, top))
            found += [_item(read_comment(reply, brand, thread["snippet"]), top) for reply in _replies(thread)]
        except _BROKEN:
            skipped += 1
    return found, skipped


def _replies(thread: Mapping[str, Any]) -> Iterator[Any]:
    replies = thread.get("replies") or {}
    yield from replies.get("comments") or []


def _item(mention: Mention, top: Mention) -> Item:
    changed = (mention.updated_at or mention.published_at).timestamp()
    return Item(f"{mention.id}:{changed:.0f}", top.published_at.timestamp(), changed, mention)


def read_comment(item: Any, brand: str | None = None, thread: Mapping[str, Any] | None = None) -> Mention:
    """Read a comment as a mention of `brand`, or of whom it matches; `thread` is its thread's snippet.

    Raises:
        AttributeError, KeyError, TypeError, ValueError, OverflowError: it lacks what a mention needs.
    """
    said, above = item["snippet"], thread or {}
    published = datetime.fromisoformat(said["publishedAt"])
    updated = datetime.fromisoformat(said["updatedAt"]) if said.get("updatedAt") else published
    video = said.get("videoId") or above.get("videoId")
    parent = said.get("parentId")
    writer = (said.get("authorChannelId") or {}).get("value")
    replies = above.get("totalReplyCount", 0) if not parent else 0
    return Mention(
        id=item["id"],
        source=SOURCE,
        text=said.get("textOriginal") or said["textDisplay"],
        published_at=published,
        updated_at=updated if updated > published else None,
        url=f"https://www.youtube.com/watch?v={video}&lc={item['id']}" if video else None,
        author=Author(id=writer, name=said.get("authorDisplayName")) if writer else None,
        kind="comment",
        engagement=max(0, int(said.get("likeCount", 0))) + max(0, int(replies)),
        reply_to=parent or video,
        brands=[brand] if brand else None,
    )


def read_video(item: Any) -> Mention:
    """Read a video of a search's answer, which writes titles as HTML.

    Raises:
        AttributeError, KeyError, TypeError, ValueError, OverflowError: it lacks what a mention needs.
    """
    identity, said = item["id"]["videoId"], item["snippet"]
    if not re.fullmatch(r"[A-Za-z0-9_-]{11}", identity):
        raise ValueError("not the id of a video")
    parts = [unescape(said["title"]), unescape(said.get("description") or "")]
    return Mention(
        id=identity,
        source=SOURCE,
        text="\n\n".join(part for part in parts if part),
        published_at=datetime.fromisoformat(said["publishedAt"]),
        url=f"https://www.youtube.com/watch?v={identity}",
        author=Author(id=said["channelId"], name=said.get("channelTitle")) if said.get("channelId") else None,
    )
