"""What Reddit answers: listings of submissions and comments as mentions, and errors as one line."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http.client import responses
from typing import TYPE_CHECKING, Any

from collectors.collector import CollectorError
from collectors.mention import Author, Mention
from collectors.newest_first import Item

if TYPE_CHECKING:
    from collectors.outbound import Answer

SOURCE = "reddit"
GONE = frozenset({"[deleted]", "[removed]", "[ removed by reddit ]"})
"""What stands, in lower case, for a text or a name that is not there any more."""


def object_of(answer: "Answer", now: datetime, what: str) -> dict[str, Any]:
    """Return an answer's object.

    Raises:
        CollectorError: it was refused, or is none.
    """
    if answer.status == 429:
        raise CollectorError("Reddit asks to wait: too many requests (429)", _wait(answer, now))
    if answer.status >= 500:
        raise CollectorError(f"Reddit cannot answer now ({answer.status})", answer.retry_after(now))
    if answer.status != 200:
        raise CollectorError(f"Reddit answered {answer.status} {responses.get(answer.status, '')} to {what}")
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise CollectorError("Reddit answered with something that is not a JSON object")
    return found


def _wait(answer: "Answer", now: datetime) -> float | None:
    reset = answer.headers.get("x-ratelimit-reset", "").partition(".")[0]
    told = answer.retry_after(now)
    return told if told is not None else float(reset[:6]) if reset.isascii() and reset.isdigit() else None


def read_listing(
    page: Mapping[str, Any], read: Callable[[Mapping[str, Any]], Mention]
) -> tuple[list[Item], str | None, int]:
    """Return a listing's items, the token of the next page, and how many could not be read."""
    data = page.get("data")
    children = data.get("children") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(children, list):
        raise CollectorError("Reddit answered with something that is not a listing")
    items: list[Item] = []
    skipped = 0
    for thing in children:
        try:
            mention = read(thing)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError):
            skipped += 1
            continue
        at = mention.published_at.timestamp()
        changed = mention.updated_at.timestamp() if mention.updated_at else at
        items.append(Item(f"{mention.id}:{changed:.0f}{':d' if mention.deleted else ''}", at, changed, mention))
    token = data.get("after")
    return items, token if isinstance(token, str) and token else None, skipped


def read_thing(thing: Mapping[str, Any], brand: str | None = None) -> Mention:
    """Read a submission (t3) or comment (t1) as a mention of `brand`, or of whom it matches.

    Raises:
        AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError: it lacks what a mention needs.
    """
    kind, data = thing["kind"], thing["data"]
    if kind not in ("t1", "t3"):
        raise ValueError("neither a submission nor a comment")
    body = str(data["body"] if kind == "t1" else data.get("selftext") or "").strip()
    deleted = body.lower() in GONE or bool(data.get("removed_by_category"))
    title = "" if kind == "t1" else str(data["title"])
    text = "\n\n".join(part for part in (title, body) if part)
    edited = None if deleted else data.get("edited")  # when it was deleted is not said
    writer = data.get("author")
    told = [data.get("score"), data.get("num_comments") if kind == "t3" else 0]
    return Mention(
        id=f"{kind}_{data['id']}",
        source=SOURCE,
        text="" if deleted else text,
        published_at=datetime.fromtimestamp(data["created_utc"], UTC),
        updated_at=datetime.fromtimestamp(edited, UTC) if isinstance(edited, int | float) and edited > 1 else None,
        url=f"https://www.reddit.com{data['permalink']}" if data.get("permalink") else None,
        author=Author(id=str(data.get("author_fullname") or writer), name=str(writer))
        if writer and str(writer).lower() not in GONE
        else None,
        kind="post" if kind == "t3" else "comment",
        engagement=sum(max(0, number) for number in told if isinstance(number, int)),
        reply_to=str(data["parent_id"]) if kind == "t1" and data.get("parent_id") else None,
        repost_of=str(data["crosspost_parent"]) if kind == "t3" and data.get("crosspost_parent") else None,
        brands=[brand] if brand else None,
        deleted=deleted,
    )
