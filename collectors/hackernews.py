"""Hacker News: stories and comments by Algolia's search, newest first; Firebase says what became of what it lost."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from collectors.collector import Declaration, Limit
from collectors.feed_document import plain_text
from collectors.mention import Author, Mention
from collectors.query import parse
from collectors.search_words import search_words
from collectors.stretch import UNREADABLE, Page, Stretch, read_json, read_list

if TYPE_CHECKING:
    from collectors.outbound import Outbound

SEARCH_URL = "https://hn.algolia.com"
ITEMS_URL = "https://hacker-news.firebaseio.com"
WHAT = "Hacker News"
PAGE = 200
"""Posts a page: as many take about 0.1 s to read. Algolia has no page beyond 1,000 posts, so the next goes by time."""
AGAIN = timedelta(hours=2)
"""How long the site lets an author edit or delete what was written."""
LAG = timedelta(minutes=2)
"""Algolia has a post within about a minute."""

DECLARATION = Declaration(
    name="hackernews",
    reads="stories and comments that a search finds",
    needs_key=False,
    push=False,
    counts=False,
    backfill="7 days (as many hours as are set)",
    price="free",
    poll_seconds=120.0,
    limit=Limit(10_000, 3600.0),
)


class HackerNewsSettings(BaseModel):
    """A brand's source `{type: hackernews}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["hackernews"] = "hackernews"
    backfill_hours: int = Field(default=168, ge=3, le=180, description="read back when the source is new")


class HackerNews:
    """The listing: one question for each alternative of the query; bounds are POSIX seconds."""

    def __init__(self, query: str, outbound: "Outbound", search_url: str = SEARCH_URL, items_url: str = ITEMS_URL):
        words = search_words(parse(query), DECLARATION.name, frozenset({"post", "comment"}), WHAT)
        self._asked = [" ".join(f'"{word}"' if " " in word else word for word in each) for each in words]
        self.questions = len(self._asked)
        self._outbound = outbound
        self._search_url = search_url.rstrip("/") + "/api/v1/search_by_date"
        self._items_url = items_url.rstrip("/") + "/v0/item"

    async def page(self, question: int, since: datetime, bound: int | None, now: datetime) -> Page:
        """Read up to 200 posts, by `created_at_i`."""
        until = f",created_at_i<={bound}" if bound is not None else ""
        params = {
            "query": self._asked[question],
            "tags": "(story,comment,poll)",
            "numericFilters": f"created_at_i>={int(since.timestamp())}{until}",
            "hitsPerPage": str(PAGE),
            "advancedSyntax": "true",  # words in quotes are a phrase
            "typoTolerance": "false",
            "queryType": "prefixNone",
        }
        answer = read_json(await self._outbound.fetch("GET", self._search_url, params=params), WHAT, now)
        hits = read_list(answer, "hits", WHAT)
        mentions, skipped = [], 0
        for hit in hits:
            try:
                mentions.append(read_hit(hit))
            except UNREADABLE:
                skipped += 1
        total = answer.get("nbHits")
        told = len({mention.id for mention in mentions}) + skipped  # a page may name a post twice
        full = isinstance(total, int) and total > told and bool(mentions)
        oldest = min((mention.published_at for mention in mentions), default=now)
        return Page(mentions, rest=int(oldest.timestamp()) if full else None, skipped=skipped)

    async def look_up(self, ids: Sequence[str], now: datetime) -> dict[str, Mention | None]:
        """Ask Firebase for each: what is deleted, or hidden by flags (`dead`), is gone."""
        found: dict[str, Mention | None] = {}
        for id_ in ids:
            item = read_json(await self._outbound.fetch("GET", f"{self._items_url}/{id_}.json"), WHAT, now)
            if item is None or (isinstance(item, dict) and (item.get("deleted") or item.get("dead"))):
                found[id_] = None
                continue
            with suppress(*UNREADABLE):
                found[id_] = read_hit(_as_hit(item))
        return found


def _as_hit(item: Mapping[str, Any]) -> dict[str, Any]:
    """An item of Firebase as Algolia writes it."""
    comment, text = item["type"] == "comment", item.get("text") or ""
    return {
        "objectID": str(item["id"]),
        "comment_text": text if comment else None,
        "story_text": text,
        "title": item.get("title"),
        "url": item.get("url"),
        "author": item.get("by"),
        "points": item.get("score"),
        "num_comments": item.get("descendants"),
        "parent_id": item.get("parent"),
        "created_at_i": item["time"],
    }


def read_hit(hit: Mapping[str, Any]) -> Mention:
    """One hit as a mention. A story's text is its title, with the host it links to as the site shows it, and its text.

    Raises:
        AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError: it lacks what a mention needs.
    """
    id_ = hit["objectID"]
    if not (isinstance(id_, str) and id_.isascii() and id_.isdigit()):
        raise ValueError("not the number of an item")
    comment = hit.get("comment_text") is not None
    told = hit.get("created_at_i")
    at = datetime.fromtimestamp(told, UTC) if told is not None else _instant(hit["created_at"])
    updated = _instant(hit["updated_at"]) if hit.get("updated_at") else at
    author = hit.get("author")
    parent = hit.get("parent_id")
    points, replies = hit.get("points"), hit.get("num_comments")
    return Mention(
        id=id_,
        source=DECLARATION.name,
        text=plain_text(hit["comment_text"]) if comment else _story(hit),
        published_at=at,
        updated_at=updated if updated > at else None,
        url=f"https://news.ycombinator.com/item?id={id_}",
        author=Author(id=author, name=author) if author else None,
        kind="comment" if comment else "post",
        engagement=max(0, points or 0) + (replies or 0) if points is not None or replies is not None else None,
        reply_to=str(parent) if comment and parent else None,
    )


def _story(hit: Mapping[str, Any]) -> str:
    title = plain_text(hit.get("title") or hit.get("story_title") or "")
    host = ""
    with suppress(ValueError):
        host = (urlsplit(hit.get("url") or "").hostname or "").removeprefix("www.")
    words = plain_text(hit.get("story_text") or "")
    line = f"{title} ({host})" if host else title
    if not (line or words):
        raise ValueError("neither a title nor a text")
    return f"{line}\n\n{words}" if words else line


def _instant(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def collector(
    settings: HackerNewsSettings,
    query: str,
    outbound: "Outbound",
    base_url: str | None = None,
) -> Stretch:
    """Make the collector of a brand; `base_url` stands in for both addresses.

    Raises:
        CollectorError: the query cannot be searched for.
    """
    listing = HackerNews(query, outbound, base_url or SEARCH_URL, base_url or ITEMS_URL)
    return Stretch(DECLARATION, listing, timedelta(hours=settings.backfill_hours), AGAIN, LAG)
