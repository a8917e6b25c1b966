"""Discourse: all public posts of a forum, newest first, down to the stretch that was read.

`/posts.json` lists every post that anyone may read; the forum's own search knows no more and allows few requests.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from collectors.collector import CollectorError, Declaration, Limit
from collectors.feed_document import plain_text
from collectors.mention import Author, Mention, SourceName
from collectors.stretch import Page, Stretch, read_json, read_list

if TYPE_CHECKING:
    from collectors.outbound import Outbound

WHAT = "the forum"
STEP = 50
"""Posts a page. Older releases look through this many ids for a page, and may find none that anyone may read."""
TAIL = 10
"""Posts at a page's end that must all be older than the stretch: imported or moved ones have new ids and old dates."""
AGAIN = timedelta(hours=1)
"""Most edits and deletions come soon; more would be read again at each turn."""
LAG = timedelta(minutes=2)
"""A forum shows guests the same page for a minute."""
GONE = frozenset({403, 404, 410})

DECLARATION = Declaration(
    name="discourse",
    reads="all public posts of a forum",
    needs_key=False,
    push=False,
    counts=False,
    backfill="1 day (as many hours as are set)",
    price="free",
    poll_seconds=120.0,
    limit=Limit(30, 60.0),
)

_QUOTE = re.compile(r'<aside class="quote.*?</aside>', re.DOTALL)
_LIKE = 2
"""Number of the like among a post's actions."""


def _forum(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid or parts.query or parts.fragment or parts.username is not None:
        raise ValueError("not the address of a forum; write it as https://host or https://host/path")
    return url.rstrip("/")


class DiscourseSettings(BaseModel):
    """A brand's source `{type: discourse, url: https://...}`; `source` names it in series and metrics."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["discourse"] = "discourse"
    url: Annotated[str, StringConstraints(max_length=2048, strip_whitespace=True), AfterValidator(_forum)]
    source: SourceName = "discourse"
    backfill_hours: int = Field(default=24, ge=2, le=180, description="read back when the source is new")


class Discourse:
    """The listing: one question, bounds are ids of posts."""

    questions = 1

    def __init__(self, settings: DiscourseSettings, outbound: "Outbound") -> None:
        self._settings = settings
        self._outbound = outbound
        parts = urlsplit(settings.url)
        self._prefix = f"{parts.netloc}{parts.path}".lower()

    async def page(self, question: int, since: datetime, bound: int | None, now: datetime) -> Page:  # noqa: ARG002
        """Read a page; releases differ in whether the post `before` itself is on it."""
        params = {"before": str(bound)} if bound is not None else {}
        answer = await self._outbound.fetch("GET", self._settings.url + "/posts.json", params=params)
        if answer.status in (401, 403):
            raise CollectorError(f"{WHAT} shows its posts to members only ({answer.status})", answer.retry_after(now))
        posts = read_list(read_json(answer, WHAT, now), "latest_posts", WHAT)
        ids = [post["id"] for post in posts if isinstance(post, dict) and isinstance(post.get("id"), int)]
        mentions, skipped = [], len(posts) - len(ids)
        for post in posts:
            try:
                if self._shown(post):
                    mentions.append(self._mention(post))
            except (AttributeError, KeyError, TypeError, ValueError):
                skipped += 1
        below = [id_ for id_ in ids if bound is None or id_ < bound]
        # Without a post below, this page looked through STEP ids: whoever reads on begins under them.
        rest = min(below) if below else (bound - STEP if bound is not None else 0)
        lowest = sorted(mentions, key=lambda mention: self._number(mention.id))[:TAIL]
        done = bool(lowest) and all(mention.published_at < since for mention in lowest)
        mentions = [mention for mention in mentions if bound is None or self._number(mention.id) < bound]
        return Page(mentions, None if done or rest <= 1 else rest, skipped)

    async def look_up(self, ids: Sequence[str], now: datetime) -> dict[str, Mention | None]:
        """Ask for each post: one that nobody may read, or that was hidden, is gone; edits are in the list."""
        found: dict[str, Mention | None] = {}
        for id_ in ids:
            answer = await self._outbound.fetch("GET", f"{self._settings.url}/posts/{self._number(id_)}.json")
            if answer.status in GONE or not self._shown(read_json(answer, WHAT, now)):
                found[id_] = None
        return found

    @staticmethod
    def _number(id_: str) -> int:
        return int(id_.rpartition(":")[2])

    @staticmethod
    def _shown(post: Any) -> bool:
        """Whether it is somebody's word: not hidden or deleted, and no note that a topic was closed or moved."""
        return not (post.get("hidden") or post.get("deleted_at")) and post.get("post_type", 1) == 1

    def _mention(self, post: Mapping[str, Any]) -> Mention:
        number, topic, first = int(post["id"]), int(post["topic_id"]), post["post_number"] == 1
        at, updated = _instant(post["created_at"]), _instant(post.get("updated_at") or post["created_at"])
        title = plain_text(post.get("topic_title") or "") if first else ""
        text = plain_text(_QUOTE.sub(" ", post["cooked"]))
        name, author = post.get("username"), post.get("user_id")
        likes = [action.get("count") or 0 for action in post.get("actions_summary") or () if action.get("id") == _LIKE]
        return Mention(
            id=f"{self._prefix}:{number}",
            source=self._settings.source,
            text=f"{title}\n\n{text}".strip(),
            published_at=at,
            updated_at=updated if updated > at else None,
            url=f"{self._settings.url}/t/{topic}/{int(post['post_number'])}",
            author=Author(id=f"{self._prefix}:{author if author is not None else name}", name=name) if name else None,
            kind="post" if first else "comment",
            engagement=sum(likes) + int(post.get("reply_count") or 0),
        )


def _instant(text: str) -> datetime:
    when = datetime.fromisoformat(text)
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def collector(settings: DiscourseSettings, outbound: "Outbound") -> Stretch:
    """Make the collector of all brands that read this forum."""
    declaration = replace(DECLARATION, name=settings.source)
    reach = timedelta(hours=settings.backfill_hours)
    return Stretch(declaration, Discourse(settings, outbound), reach, AGAIN, LAG)
