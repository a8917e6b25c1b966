"""GDELT: articles of the world's news about a brand, and how many there are each quarter of an hour (DOC 2.0 API)."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collectors.collector import Batch, CollectorError, Declaration, Limit
from collectors.gdelt_answer import SLOT, instant_of, plain, read_object, read_timeline, slot_of
from collectors.gdelt_rule import ask
from collectors.mention import Author, Count, Mention
from collectors.query import parse

if TYPE_CHECKING:
    from collectors.outbound import Outbound

BASE_URL = "https://api.gdeltproject.org"
REACH = timedelta(days=7)
"""How far back counts and articles are read at first; GDELT itself goes back three months."""
WINDOW = timedelta(days=2)
"""Counts asked for at once: of three days and more GDELT gives hours instead of quarters."""
AGAIN = timedelta(hours=1)
"""What is read once more each time: articles are indexed late, and a later count replaces an earlier one."""
PAGE = 250
"""Articles of one answer, the most there are."""
MAX_SEEN = 2_000
SPACING = 5.0
"""Seconds that GDELT wants between any two requests of an installation."""
WAIT = 60.0
"""Seconds to stay away where GDELT says that it is asked too often; it means more than its five seconds then."""
LANGUAGES = {
    "arabic": "ar", "chinese": "zh", "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "finnish": "fi",
    "french": "fr", "german": "de", "greek": "el", "hindi": "hi", "hungarian": "hu", "indonesian": "id",
    "italian": "it", "japanese": "ja", "korean": "ko", "norwegian": "no", "polish": "pl", "portuguese": "pt",
    "romanian": "ro", "russian": "ru", "spanish": "es", "swedish": "sv", "turkish": "tr", "ukrainian": "uk",
}  # fmt: skip

DECLARATION = Declaration(
    name="gdelt",
    reads="titles of news articles of the world, and how many there are",
    needs_key=False,
    push=False,
    counts=True,
    backfill="7 days",
    price="free",
    poll_seconds=900.0,
    limit=Limit(1, SPACING),
)


class GdeltSettings(BaseModel):
    """A brand's source `{type: gdelt}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["gdelt"] = "gdelt"
    counts: bool = Field(default=True, description="read counts, where GDELT can say all of the query")
    lag_minutes: int = Field(default=30, ge=0, le=720, description="how long GDELT takes to read an article")


class GdeltCollector:
    """Turns are taken: counts up to now, then articles up to now; each poll is one request.

    The cursor holds where to `count_from` and `read_from`, whose `turn` it is, and which articles were `seen` of late.
    """

    declaration = DECLARATION

    def __init__(
        self, settings: GdeltSettings, brand: str, query: str, outbound: "Outbound", base_url: str = BASE_URL
    ) -> None:
        self._settings = settings
        self._brand = brand
        asked = ask(parse(query))
        self._query, self._exact = asked.text, asked.exact
        self._counts = settings.counts and asked.exact  # counts of more than the brand's articles would be false
        self._outbound = outbound
        self._url = f"{base_url.rstrip('/')}/api/v2/doc/doc"

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read a span of counts, or a page of articles.

        Raises:
            CollectorError: GDELT could not be read, or refused; nothing was taken, the cursor stays.
        """
        until = slot_of(now - timedelta(minutes=self._settings.lag_minutes))
        if self._counts and cursor.get("turn") != "articles":
            return await self._poll_counts(cursor, until, now)
        return await self._poll_articles(cursor, until, now)

    async def _poll_counts(self, cursor: Mapping[str, Any], until: datetime, now: datetime) -> Batch:
        start = _from(cursor.get("count_from"), until)
        end = min(start + WINDOW, until)
        answer = await self._ask(now, mode="timelinevolraw", startdatetime=_digits(start), enddatetime=_digits(end))
        told = read_timeline(answer) if answer else {start + n * SLOT: 0 for n in range((end - start) // SLOT)}
        counts = [
            Count(brand=self._brand, source=DECLARATION.name, start=at, seconds=int(SLOT.total_seconds()), count=count)
            for at, count in sorted(told.items())
            if start <= at and at + SLOT <= end
        ]
        last = counts[-1].end if counts else start
        unread = sorted({start + n * SLOT for n in range((last - start) // SLOT)} - {count.start for count in counts})
        more = end < until
        after = {**cursor, "turn": "counts" if more else "articles"}
        after["count_from"] = (end if more else max(last - AGAIN, start)).isoformat()
        return Batch(
            counts=counts,
            cursor=after,
            complete_until=last if counts else None,
            more=True,
            skipped=len(unread),
            missed=(unread[0], unread[-1] + SLOT) if unread else _beyond(cursor.get("count_from"), start),
        )

    async def _poll_articles(self, cursor: Mapping[str, Any], until: datetime, now: datetime) -> Batch:
        start = _from(cursor.get("read_from"), until)
        answer = await self._ask(
            now,
            mode="artlist",
            maxrecords=str(PAGE),
            sort="dateasc",
            startdatetime=_digits(start),
            enddatetime=_digits(now),
        )
        items = answer.get("articles", [])
        if not isinstance(items, list):
            raise CollectorError("GDELT answered with articles that are no list")
        before = dict.fromkeys(cursor.get("seen", ()))
        seen: dict[str, None] = {}
        mentions: list[Mention] = []
        skipped, newest = 0, start
        for item in items:
            try:
                mention = self._mention(item)
            except (AttributeError, KeyError, TypeError, ValueError, ValidationError):
                skipped += 1
                continue
            newest = max(newest, mention.published_at)
            key = hashlib.sha256(mention.id.encode()).hexdigest()[:12]
            if key not in before and key not in seen and mention.published_at <= now + SLOT:
                mentions.append(mention)
            seen[key] = None
        more = len(items) >= PAGE
        missed = _beyond(cursor.get("read_from"), start)
        reached = slot_of(newest) if more else until
        if more and reached <= start:  # more in one quarter than an answer can hold: the rest is out of reach
            reached, skipped, missed = start + SLOT, skipped + 1, (start, start + SLOT)
        after = {**cursor, "seen": list(seen | before)[:MAX_SEEN], "turn": "articles" if more else "counts"}
        after["read_from"] = (reached if more else until - AGAIN).isoformat()
        return Batch(
            mentions=mentions,
            cursor=after,
            complete_until=None if self._counts else min(reached, until),
            more=more,
            skipped=skipped,
            missed=None if self._counts else missed,
        )

    def _mention(self, item: Mapping[str, Any]) -> Mention:
        url = item["url"]
        domain = item.get("domain") or ""
        if not re.match(r"https?://", url):
            raise ValueError("no address")
        return Mention(
            id=url if len(url) <= 512 else hashlib.sha256(url.encode()).hexdigest(),
            source=DECLARATION.name,
            text=" ".join(item["title"].split()),
            published_at=instant_of(item["seendate"]),
            url=url,
            author=Author(id=domain[:512], name=domain[:512]) if domain else None,
            language=LANGUAGES.get(str(item.get("language")).lower()),
            kind="article",
            brands=[self._brand] if self._exact else None,  # GDELT has read all of the article, we only its title
        )

    async def _ask(self, now: datetime, **parameters: str) -> dict[str, Any]:
        answer = await self._outbound.fetch(
            "GET", self._url, params={"query": self._query, "format": "json", **parameters}
        )
        text = answer.body.decode("utf-8", "replace").strip()
        if answer.status == 429 or "limit requests" in text[:400]:
            raise CollectorError("GDELT asks to wait: too many requests", answer.retry_after(now) or WAIT)
        if answer.status != 200:
            raise CollectorError(f"GDELT answered {answer.status}", answer.retry_after(now))
        found = read_object(text)
        if found is None:
            raise CollectorError(f"GDELT refused the search: {plain(text)}" if text else "GDELT's answer is empty")
        return found


def _from(value: object, until: datetime) -> datetime:
    """Return where to go on, as far as it is still to be had."""
    earliest = until - REACH
    return max(earliest, datetime.fromisoformat(value)) if isinstance(value, str) else earliest


def _beyond(value: object, start: datetime) -> tuple[datetime, datetime] | None:
    """Return what lies between where to go on and the earliest that is still asked for."""
    known = datetime.fromisoformat(value) if isinstance(value, str) else start
    return (known, start) if known < start else None


def _digits(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%d%H%M%S")
