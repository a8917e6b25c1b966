"""App Store: customers' reviews of an app, from Apple's feed of each country; 50 a page, 500 in all, newest first."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from collectors.collector import Batch, CollectorError, Declaration, Limit
from collectors.mention import Author, Mention, SourceName

if TYPE_CHECKING:
    from collectors.outbound import Outbound

BASE_URL = "https://itunes.apple.com"
PAGES = 10
"""Pages that Apple gives; what lies behind them is out of reach."""
REACH = timedelta(days=8)
"""How old a review may be to be counted; older ones are not asked for."""
MAX_SEEN = 600
"""Reviews remembered: all that the pages hold, and some that have left them."""

DECLARATION = Declaration(
    name="appstore",
    reads="reviews of an app in one country",
    needs_key=False,
    push=False,
    counts=False,
    backfill="8 days, at most 500 reviews",
    price="free",
    poll_seconds=900.0,
    limit=Limit(20, 60.0),  # what Apple asks of its public search; of the feed it says nothing
)


class AppStoreSettings(BaseModel):
    """A brand's source `{type: appstore, app: 123456789, country: de}`; every review is about the brand."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["appstore"] = "appstore"
    app: int = Field(gt=0, lt=10**12, description="the number behind `id` in the app's address")
    country: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "us"
    source: SourceName = "appstore"


class AppStoreCollector:
    """A poll reads one page; a walk over the pages ends at one of which all was there before it began.

    The cursor holds the reviews that were `seen`, each with its last change, when the last walk ended (`until`), and
    amid a walk its next `page` and what it has `met`.
    """

    def __init__(self, settings: AppStoreSettings, brand: str, outbound: "Outbound", base_url: str = BASE_URL) -> None:
        self.declaration = replace(DECLARATION, name=settings.source)
        self._settings = settings
        self._brand = brand
        self._outbound = outbound
        self._url = f"{base_url.rstrip('/')}/{settings.country}/rss/customerreviews"

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read the next page.

        Raises:
            CollectorError: it could not be read, or is empty where there were reviews; nothing was taken.
        """
        page, seen = int(cursor.get("page", 1)), dict.fromkeys(cursor.get("seen", ()))
        met = dict.fromkeys(cursor.get("met", ()))
        entries = await self._page(page, now)
        if page == 1 and seen and not entries:  # Apple gives an empty page now and then
            raise CollectorError("the App Store gave an empty page, where there were reviews before")
        mentions: dict[str, Mention] = {}
        skipped, ahead = 0, False
        for entry in entries:
            try:
                mention = self._mention(entry, now)
            except (AttributeError, KeyError, TypeError, ValueError, ValidationError):
                skipped += 1
                continue
            key = hashlib.sha256(f"{mention.id} {mention.updated_at}".encode()).hexdigest()[:12]
            if key not in seen and mention.published_at > now - REACH:
                ahead = True
                other = mentions.get(mention.id, mention)
                if key not in met and mention.published_at >= other.published_at:
                    mentions[mention.id] = mention
            met[key] = None
        more = ahead and page < PAGES
        after: dict[str, Any] = {**cursor, "met": list(met), "page": page + 1}
        if not more:
            after = {"seen": list(met | seen)[:MAX_SEEN], "until": now.isoformat()}
        missed = None
        if ahead and not more:  # the last page was new as well: what lies behind it can't be had
            since, oldest = cursor.get("until"), min((m.published_at for m in mentions.values()), default=now)
            begin = max(datetime.fromisoformat(since), now - REACH) if since else now - REACH
            missed = (begin, oldest) if begin < oldest else None
        return Batch(
            mentions=list(mentions.values()),
            cursor=after,
            complete_until=None if more or not met else now,
            more=more,
            skipped=skipped + (ahead and not more),
            missed=missed,
        )

    async def _page(self, page: int, now: datetime) -> list[Any]:
        url = f"{self._url}/page={page}/id={self._settings.app}/sortby=mostrecent/json"
        answer = await self._outbound.fetch("GET", url)
        if answer.status != 200:
            raise CollectorError(f"the App Store answered {answer.status}", answer.retry_after(now))
        try:
            feed = json.loads(answer.body)["feed"]
            entries = feed.get("entry", [])
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise CollectorError("the App Store answered with something that is no feed of reviews") from None
        entries = entries if isinstance(entries, list) else [entries]
        # The first entry of an older form of the feed is the app itself.
        return [entry for entry in entries if not isinstance(entry, dict) or "im:rating" in entry]

    def _mention(self, entry: Mapping[str, Any], now: datetime) -> Mention:
        told = {name: _label(entry.get(name)) for name in ("id", "title", "content", "updated")}
        written = min(datetime.fromisoformat(told["updated"]), now)
        author = entry.get("author")
        author = author if isinstance(author, dict) else {}
        name = _label(author.get("name"))[:512]
        number = re.search(r"/id(\d+)", _label(author.get("uri")))
        votes = _label(entry.get("im:voteCount"))
        return Mention(
            id=f"{self._settings.country}:{told['id']}" if told["id"] else "",
            source=self._settings.source,
            text="\n\n".join(part for part in (told["title"], told["content"]) if part),
            published_at=written,
            updated_at=written,  # a review that is changed comes again with a later time, and no word of its first
            author=Author(id=number[1] if number else name, name=name or None) if number or name else None,
            kind="review",
            engagement=int(votes) if votes.isascii() and votes.isdigit() and len(votes) < 12 else None,
            brands=[self._brand],
        )


def _label(value: object) -> str:
    found = value.get("label") if isinstance(value, dict) else None
    return found.strip() if isinstance(found, str) else ""
