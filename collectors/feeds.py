"""RSS, Atom and JSON Feed: articles of blogs and news, asked for only when they changed.

A feed that names a hub may be pushed too (WebSub); what is pushed is read as what is polled, so that both count once.
"""

import hashlib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from collectors.collector import Batch, CollectorError, Declaration
from collectors.feed_document import MAX_ENTRIES, Document, Entry, parse_apart
from collectors.mention import Author, Mention, SourceName
from collectors.websub import hub_of

if TYPE_CHECKING:
    from collectors.outbound import Outbound

MAX_SEEN = 2 * MAX_ENTRIES
EARLIEST = datetime(1995, 1, 1, tzinfo=UTC)
"""No feed is older than its format; an entry that says so is wrong."""
CLOCK_SKEW = timedelta(minutes=10)
"""What a publisher's clock may be ahead."""

DECLARATION = Declaration(
    name="feed",
    reads="articles of an RSS, Atom or JSON feed",
    needs_key=False,
    push=False,
    counts=False,
    backfill="what the feed still lists",
    price="free",
    poll_seconds=300.0,
)
PUSHED_SECONDS = 600.0
"""Between polls of a feed that is pushed: they find what a hub lost, and say up to when the feed is complete."""


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("not the address of a feed; write it as https://host/path")
    return url


class FeedSettings(BaseModel):
    """A brand's source `{type: feed, url: https://...}`; `source` names it in series and metrics."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["feed"] = "feed"
    url: Annotated[str, StringConstraints(max_length=2048, strip_whitespace=True), AfterValidator(_web_address)]
    source: SourceName = "feed"


class FeedCollector:
    """The cursor holds `etag`, `modified`, `digest` of the last document, `seen` entries, how many were `undated`.

    `hub` and `topic` in it are who pushes the feed, and the feed's address there; absent where nobody does.
    """

    def __init__(self, settings: FeedSettings, outbound: "Outbound") -> None:
        self.declaration = replace(DECLARATION, name=settings.source)
        self.settings = settings
        self._articles = Articles(settings)
        self._outbound = outbound

    def pushed(self, by_a_hub: bool) -> None:
        """Poll at the pace of a feed that a hub pushes, or that none does; the runtime says which."""
        pace = PUSHED_SECONDS if by_a_hub else DECLARATION.poll_seconds
        self.declaration = replace(self.declaration, poll_seconds=pace)

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read the entries that are new or updated since the last poll.

        Raises:
            CollectorError: the feed could not be read; nothing was taken, the cursor stays.
        """
        known = (("If-None-Match", "etag"), ("If-Modified-Since", "modified"))
        conditions = {header: cursor[name] for header, name in known if cursor.get(name)}
        answer = await self._outbound.fetch("GET", self.settings.url, headers=conditions)
        if answer.status == 304:
            return Batch(cursor=cursor, complete_until=now)
        if answer.status != 200:
            raise CollectorError(f"the feed answered {answer.status}", answer.retry_after(now))
        digest = hashlib.sha256(answer.body).hexdigest()
        after = {name: value for name, value in cursor.items() if name not in ("etag", "modified")}
        for header, name in (("etag", "etag"), ("last-modified", "modified")):
            value = answer.headers.get(header, "")
            if 0 < len(value) <= 512 and value.isascii():
                after[name] = value
        if digest == cursor.get("digest"):
            return Batch(cursor=after, complete_until=now)
        document = await parse_apart(answer.body, answer.headers.get("content-type", ""))
        hub = hub_of(answer.headers.get("link", ""), document.hub, document.topic, answer.url)
        after = {name: value for name, value in after.items() if name not in ("hub", "topic")}
        after |= {"hub": hub.url, "topic": hub.topic} if hub else {}
        return self._articles.batch(document, answer.url, {**after, "digest": digest}, now)


async def read_pushed(settings: FeedSettings, body: bytes, content_type: str, topic: str, now: datetime) -> Batch:
    """Read what a hub pushed of a feed: a document with what is new.

    Raises:
        CollectorError: it is no feed, or takes more time or memory than any feed should.
    """
    return Articles(settings).batch(await parse_apart(body, content_type), topic, {}, now)


class Articles:
    """The articles of one feed, as mentions."""

    def __init__(self, settings: FeedSettings) -> None:
        self._settings = settings
        self._feed = hashlib.sha256(settings.url.encode()).hexdigest()[:12]

    def batch(self, document: Document, base: str, cursor: dict[str, Any], now: datetime) -> Batch:
        """Return the articles of a document that `cursor` has not seen; relative links are resolved by `base`."""
        before = dict.fromkeys(cursor.get("seen", ()))
        seen: dict[str, None] = {}
        mentions: dict[str, Mention] = {}
        skipped, undated = document.skipped, 0
        for entry in document.entries:
            identity = self._identity(entry)
            key = hashlib.sha256(f"{identity} {entry.updated}".encode()).hexdigest()[:16]
            if key in before or key in seen:
                seen[key] = None
                continue
            seen[key] = None
            try:
                mention = self._mention(entry, identity, base, now)
            except ValidationError:
                skipped += 1
                continue
            other = mentions.get(identity)
            if other is None or (mention.updated_at or EARLIEST) > (other.updated_at or EARLIEST):
                mentions[identity] = mention
            undated += mention.published_at == now
        cursor["seen"] = list(seen | before)[:MAX_SEEN]
        cursor["undated"] = cursor.get("undated", 0) + undated
        return Batch(mentions=list(mentions.values()), cursor=cursor, complete_until=now, skipped=skipped)

    def _identity(self, entry: Entry) -> str:
        """Of the whole source: an id such as `42` is unique in its own feed alone."""
        told = entry.id or entry.link or hashlib.sha256(entry.text.encode()).hexdigest()
        told = told if ":" in told else f"{self._feed}:{told}"
        return told if len(told) <= 512 else f"{self._feed}:{hashlib.sha256(told.encode()).hexdigest()}"

    def _mention(self, entry: Entry, identity: str, base: str, now: datetime) -> Mention:
        updated = _sane(entry.updated, now)
        published = _sane(entry.published, now) or updated or now
        author = " ".join(entry.author.split())[:200]
        tag = re.fullmatch(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", entry.language[:35])
        return Mention(
            id=identity,
            source=self._settings.source,
            text=entry.text,
            published_at=published,
            updated_at=updated if updated and updated > published else None,
            url=_link(base, entry.link),
            author=Author(id=author, name=author) if author else None,
            language=tag[0].replace("_", "-") if tag else None,
            kind="article",
        )


def _sane(seconds: int | None, now: datetime) -> datetime | None:
    if seconds is None or not EARLIEST.timestamp() <= seconds <= (now + CLOCK_SKEW).timestamp():
        return None
    return datetime.fromtimestamp(seconds, UTC)


def _link(base: str, link: str) -> str | None:
    """The article's address; one that is relative is resolved without the feed's own user and query."""
    with suppress(ValueError):
        parts = urlsplit(base)
        origin = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        found = urljoin(origin, link) if link else ""
        if urlsplit(found).scheme in ("http", "https") and len(found) <= 4096:
            return found
    return None
