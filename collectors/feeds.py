"""RSS, Atom and JSON Feed: articles of blogs and news, asked for only when they changed.

A feed is any stranger's document, and 200 kilobytes can keep its parser busy for hours, in C code that lets no other
thread run. So it is parsed in a process of its own (`python -m collectors.feeds`, the document on stdin), which has no
secrets and little time and memory.
"""

import asyncio
import calendar
import hashlib
import json
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urljoin, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

from collectors.collector import Batch, CollectorError, Declaration
from collectors.mention import Author, Mention, SourceName

if TYPE_CHECKING:
    from collectors.outbound import Outbound

MAX_ENTRIES = 2_000
"""Entries read of one document, from its top, where feeds put the newest; the rest are counted as skipped."""
MAX_SEEN = 2 * MAX_ENTRIES
PARSE_SECONDS = 20
"""Of processor time; a document of 1.5 MB with 10,000 entries takes about 4."""
PARSE_BYTES = 2**30
"""Of address space; the same document takes a tenth of it."""
NOT_A_FEED = 4
"""Exit code of the process; 1 to 3 are the interpreter's own."""
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


@dataclass(frozen=True)
class Entry:
    """What a document says of one article; times are POSIX seconds."""

    id: str
    link: str
    text: str
    author: str
    language: str
    published: int | None
    updated: int | None


@dataclass(frozen=True)
class Document:
    """A parsed feed, or what could be read of it; `skipped` entries held nothing or were too many."""

    entries: list[Entry]
    skipped: int


class _Words(HTMLParser):
    """The words of a piece of HTML, without tags, scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._hidden = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        self._hidden = tag in ("script", "style")
        self.words.append("" if tag in ("a", "b", "em", "i", "span", "strong") else " ")

    def handle_endtag(self, tag: str) -> None:
        self._hidden = False
        self.words.append("" if tag in ("a", "b", "em", "i", "span", "strong") else " ")

    def handle_data(self, data: str) -> None:
        self.words.append("" if self._hidden else data)


def plain_text(html: str) -> str:
    """The words of `html`, with single spaces."""
    parser = _Words()
    try:
        parser.feed(html)
        parser.close()
    except AssertionError:  # a marked section that HTML does not have
        parser.words = [re.sub(r"<[^>]*>", " ", html)]
    return " ".join("".join(parser.words).split())


def read_document(body: bytes, content_type: str) -> Document:
    """Parse RSS, Atom or JSON Feed; broken ones as far as they can be read.

    Raises:
        ValueError: there is no feed in it.
    """
    start = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    found = _json_entries(body) if start == b"{" else _xml_entries(body, content_type)
    entries: list[Entry] = []
    skipped = 0
    for entry in found:
        if len(entries) >= MAX_ENTRIES or not (entry.text or entry.link):
            skipped += 1
        else:
            entries.append(entry)
    return Document(entries, skipped)


def _json_entries(body: bytes) -> Iterable[Entry]:
    feed = json.loads(body.decode("utf-8-sig", "replace"))
    if not isinstance(feed.get("items"), list):
        raise ValueError("no items")
    for item in feed["items"]:
        values = item if isinstance(item, dict) else {}
        told = {name: str(value) for name, value in values.items() if isinstance(value, str | int)}
        html = told.get("content_html", "")
        body_text = told.get("summary") or told.get("content_text") or plain_text(html)
        authors = values.get("authors") or [values.get("author")]
        author = authors[0] if isinstance(authors, list) and isinstance(authors[0], dict) else {}
        yield Entry(
            id=told.get("id", ""),
            link=told.get("url", ""),
            text=_joined(told.get("title", ""), body_text),
            author=str(author.get("name") or ""),
            language=told.get("language") or str(feed.get("language") or ""),
            published=_instant(told.get("date_published", "")),
            updated=_instant(told.get("date_modified", "")),
        )


def _xml_entries(body: bytes, content_type: str) -> Iterable[Entry]:
    import io

    import feedparser

    headers = {"content-type": content_type} if content_type else {}
    # What is sanitised and resolved here is HTML that we throw away: it costs most of the time.
    feed = feedparser.parse(
        io.BytesIO(body), response_headers=headers, resolve_relative_uris=False, sanitize_html=False
    )
    if not feed.version and not feed.entries:
        raise ValueError("not a feed")
    for entry in feed.entries:
        content: Mapping[str, Any] = dict.get(entry, "summary_detail") or next(
            iter(dict.get(entry, "content") or []), {}
        )
        title = dict.get(entry, "title_detail") or {}
        languages = (part.get("language") for part in (content, title, {"language": feed.feed.get("language")}))
        yield Entry(
            id=str(dict.get(entry, "id") or ""),
            link=str(dict.get(entry, "link") or ""),
            text=_joined(_worded(title), _worded(content)),
            author=str(dict.get(entry, "author") or ""),
            language=next((str(language) for language in languages if language), ""),
            published=_seconds(dict.get(entry, "published_parsed")),
            updated=_seconds(dict.get(entry, "updated_parsed")),
        )


def _worded(part: Mapping[str, Any]) -> str:
    value = str(part.get("value") or "")
    return plain_text(value) if "html" in str(part.get("type")) else " ".join(value.split())


def _joined(title: str, rest: str) -> str:
    title, rest = title.strip(), rest.strip()
    return rest if rest.startswith(title) else f"{title}\n\n{rest}" if rest else title


def _instant(text: str) -> int | None:
    try:
        when = datetime.fromisoformat(text)
        return int((when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        return None


def _seconds(parsed: Any) -> int | None:
    try:
        return calendar.timegm(parsed) if parsed else None
    except (ValueError, TypeError, OverflowError):
        return None


class FeedCollector:
    """The cursor holds `etag`, `modified`, `digest` of the last document, `seen` entries, how many were `undated`."""

    def __init__(self, settings: FeedSettings, outbound: "Outbound") -> None:
        self.declaration = replace(DECLARATION, name=settings.source)
        self._settings = settings
        self._outbound = outbound
        self._feed = hashlib.sha256(settings.url.encode()).hexdigest()[:12]

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read the entries that are new or updated since the last poll.

        Raises:
            CollectorError: the feed could not be read; nothing was taken, the cursor stays.
        """
        known = (("If-None-Match", "etag"), ("If-Modified-Since", "modified"))
        conditions = {header: cursor[name] for header, name in known if cursor.get(name)}
        answer = await self._outbound.fetch("GET", self._settings.url, headers=conditions)
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
        return self._batch(document, answer.url, {**after, "digest": digest}, now)

    def _batch(self, document: Document, base: str, cursor: dict[str, Any], now: datetime) -> Batch:
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


async def parse_apart(body: bytes, content_type: str, seconds: float = 2 * PARSE_SECONDS) -> Document:
    """Parse a document in a process of its own, within `seconds` on the clock.

    Raises:
        CollectorError: it is no feed, or takes more time or memory than any feed should.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__ if __name__ != "__main__" else "collectors.feeds",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
        env={},
    )
    try:
        async with asyncio.timeout(seconds):
            out, _ = await process.communicate(content_type.encode("utf-8", "replace") + b"\n" + body)
    except TimeoutError:
        raise CollectorError(f"the feed took more than {seconds:g} seconds to parse") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == NOT_A_FEED:
        raise CollectorError("the answer is not an RSS, Atom or JSON feed")
    if process.returncode != 0:
        raise CollectorError("the feed takes more time or memory to parse than any feed should")
    told = json.loads(out)
    return Document([Entry(**entry) for entry in told["entries"]], told["skipped"])


def main() -> int:
    """Parse stdin (a line with the content type, then the document) to JSON on stdout."""
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (PARSE_SECONDS, PARSE_SECONDS))
    with suppress(ValueError, OSError):  # not on every system
        resource.setrlimit(resource.RLIMIT_AS, (PARSE_BYTES, PARSE_BYTES))
    content_type, _, body = sys.stdin.buffer.read().partition(b"\n")
    try:
        document = read_document(body, content_type.decode("utf-8", "replace").strip())
        told = json.dumps(asdict(document), ensure_ascii=False)
        sys.stdout.buffer.write(told.encode("utf-8", "replace"))  # a document may hold half a character pair
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return NOT_A_FEED
    return 0


if __name__ == "__main__":
    sys.exit(main())
