"""Mastodon's search: posts of all servers that one knows whose authors let them be found; it asks for a token.

https://docs.joinmastodon.org/methods/search: newest first, each word must stand. A query's alternatives are asked for
one by one; what is found more than the query is matched away afterwards.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from collectors.collector import Batch, Declaration, Limit
from collectors.mastodon import PAGE, SHORT, Origin
from collectors.mastodon_post import SOURCE, Post, instant, read_posts, refusal, said
from collectors.mention import Mention
from collectors.query import parse
from collectors.search_words import search_words

if TYPE_CHECKING:
    from collectors.outbound import Outbound

PAGES = 10
"""Pages of one alternative in a reading; what lies behind them is said to be missed."""
REACH = timedelta(days=7)
"""How far a first poll reads back."""
OVERLAP = timedelta(minutes=10)
"""What is read again: posts arrive late, and servers index them in batches."""
LAG = timedelta(minutes=5)

DECLARATION = Declaration(
    name="mastodon_search",
    reads="public posts that a server's search finds",
    needs_key=True,
    push=False,
    counts=False,
    backfill="7 days, at most 400 posts an alternative of the query",
    price="free",
    poll_seconds=120.0,
    limit=Limit(300, 300.0),
)


class MastodonSearchSettings(BaseModel):
    """A brand's source `{type: mastodon_search, server: https://...}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["mastodon_search"] = "mastodon_search"
    server: Origin = "https://mastodon.social"


class MastodonSearchCollector:
    """A poll reads one page. The cursor holds `since`, up to where all is read, and amid a reading its `walk`.

    The walk has the `search` and the `page` that come next, when it `began`, the `newest` post of it, and down to where
    it `reached` where a search shows no more.
    """

    declaration = replace(DECLARATION, name=SOURCE)  # its posts are those of the timelines

    def __init__(self, settings: MastodonSearchSettings, query: str, outbound: "Outbound", token: str) -> None:
        self._server = settings.server
        self._host = urlsplit(settings.server).netloc
        self._outbound = outbound
        self._headers = {"Authorization": f"Bearer {token}"}
        alternatives = search_words(parse(query), SOURCE, frozenset({"post"}), "Mastodon")
        # In quotation marks a word is no operator.
        self._searches = [" ".join(f'"{word}"' for word in words) for words in alternatives]

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read the next page of what was written since the last reading.

        Raises:
            CollectorError: search was refused, or its answer is none; nothing was taken, the cursor stays.
        """
        known = instant(str(cursor.get("since", "")))
        walk = _walk(cursor.get("walk"), len(self._searches)) or _Walk(now.isoformat())
        began = instant(walk.began) or now
        floor = max(known - OVERLAP, began - REACH) if known else began - REACH
        posts = await self._page(self._searches[walk.search], walk.page * PAGE, now)
        found: dict[str, Mention] = {}
        for post in posts:
            with suppress(ValidationError):
                mention = Mention.model_validate(said(post, self._host)) if post else None
                found |= {mention.id: mention} if mention else {}
        times = [mention.published_at for mention in found.values()]
        newest = max((at for at in (*times, instant(walk.newest)) if at and at <= began), default=known or floor)
        oldest, reached = min(times, default=floor), instant(walk.reached)
        ended = len(posts) < SHORT or oldest < floor
        if not ended and walk.page + 1 >= PAGES:
            reached, ended = max(oldest, reached or floor), True
        after = replace(
            walk,
            search=walk.search + ended,
            page=0 if ended else walk.page + 1,
            newest=newest.isoformat(),
            reached=reached.isoformat() if reached else "",
        )
        more = after.search < len(self._searches)
        since = known if more else max(newest, known or newest)
        return Batch(
            mentions=[mention for mention in found.values() if mention.published_at >= floor],
            cursor={**({"since": since.isoformat()} if since else {}), **({"walk": asdict(after)} if more else {})},
            complete_until=None if more else began - LAG,
            more=more,
            skipped=len(posts) - len(found),
            missed=(floor, reached) if reached and not more else None,
        )

    async def _page(self, search: str, offset: int, now: datetime) -> list[Post | None]:
        params = {"q": search, "type": "statuses", "limit": str(PAGE), "offset": str(offset)}
        url = f"{self._server}/api/v2/search"
        answer = await self._outbound.fetch("GET", url, headers=self._headers, params=params)
        if answer.status != 200:
            raise refusal(answer, self._host, True, now)
        return read_posts(answer, self._host, "statuses")


@dataclass(frozen=True)
class _Walk:
    """Where a reading of all searches is."""

    began: str
    search: int = 0
    page: int = 0
    newest: str = ""
    reached: str = ""


def _walk(told: object, searches: int) -> _Walk | None:
    """A walk as the cursor has it; None where there is none, or a broken one."""
    try:
        found = _Walk(**told) if isinstance(told, dict) else None
        return found if found and 0 <= found.search < searches and 0 <= found.page < PAGES else None
    except TypeError:
        return None
