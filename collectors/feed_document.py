"""What a feed's document says: RSS, Atom and JSON Feed, read as far as they can be read.

A feed is any stranger's document, and 200 kilobytes can keep its parser busy for hours, in C code that lets no other
thread run. So it is parsed in a process of its own (`python -m collectors.feed_document`, the document on stdin), which
has no secrets and little time and memory.
"""

import asyncio
import calendar
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from collectors.collector import CollectorError

MAX_ENTRIES = 2_000
"""Entries read of one document, from its top, where feeds put the newest; the rest are counted as skipped."""
PARSE_SECONDS = 20
"""Of processor time; a document of 1.5 MB with 10,000 entries takes about 4."""
PARSE_BYTES = 2**30
"""Of address space; the same document takes a tenth of it."""
NOT_A_FEED = 4
"""Exit code of the process; 1 to 3 are the interpreter's own."""


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
    """A parsed feed, or what could be read of it; `skipped` entries held nothing or were too many.

    `hub` and `topic` are what it says of WebSub: who pushes it, and under which address; "" where it says nothing.
    """

    entries: list[Entry]
    skipped: int
    hub: str = ""
    topic: str = ""


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
    found, links = _json_feed(body) if start == b"{" else _xml_feed(body, content_type)
    entries: list[Entry] = []
    skipped = 0
    for entry in found:
        if len(entries) >= MAX_ENTRIES or not (entry.text or entry.link):
            skipped += 1
        else:
            entries.append(entry)
    return Document(entries, skipped, links.get("hub", ""), links.get("self", ""))


def _json_feed(body: bytes) -> tuple[Iterable[Entry], dict[str, str]]:
    feed = json.loads(body.decode("utf-8-sig", "replace"))
    if not isinstance(feed.get("items"), list):
        raise ValueError("no items")
    hubs = feed["hubs"] if isinstance(feed.get("hubs"), list) else []
    urls = [hub.get("url") for hub in hubs if isinstance(hub, dict) and hub.get("type") == "WebSub"]
    links = {"hub": next(iter(urls), None), "self": feed.get("feed_url")}
    return _json_entries(feed), {rel: url for rel, url in links.items() if isinstance(url, str)}


def _json_entries(feed: Mapping[str, Any]) -> Iterator[Entry]:
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


def _xml_feed(body: bytes, content_type: str) -> tuple[Iterable[Entry], dict[str, str]]:
    import io

    import feedparser

    headers = {"content-type": content_type} if content_type else {}
    # What is sanitised and resolved here is HTML that we throw away: it costs most of the time.
    feed = feedparser.parse(
        io.BytesIO(body), response_headers=headers, resolve_relative_uris=False, sanitize_html=False
    )
    if not feed.version and not feed.entries:
        raise ValueError("not a feed")
    links: dict[str, str] = {}
    for link in dict.get(feed.feed, "links") or []:
        links.setdefault(str(link.get("rel")), str(link.get("href") or ""))
    return _xml_entries(feed), links


def _xml_entries(feed: Any) -> Iterator[Entry]:
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


async def parse_apart(body: bytes, content_type: str, seconds: float = 2 * PARSE_SECONDS) -> Document:
    """Parse a document in a process of its own, within `seconds` on the clock.

    Raises:
        CollectorError: it is no feed, or takes more time or memory than any feed should.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "collectors.feed_document",
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
    return Document(**{**told, "entries": [Entry(**entry) for entry in told["entries"]]})


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
