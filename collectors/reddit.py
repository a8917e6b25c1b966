"""Reddit: new submissions that a search finds, and all that is written in configured subreddits.

https://www.reddit.com/dev/api, as an approved app of its own (client id and secret). asyncpraw is not used: it waits
and tries again inside a poll, where the runtime must know of it, and we need three addresses of it all.
"""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from collectors import newest_first
from collectors.collector import Batch, CollectorError, Declaration, Limit
from collectors.mention import Mention
from collectors.query import Query, parse
from collectors.recheck import Recheck, due
from collectors.reddit_answer import SOURCE, object_of, read_listing, read_thing
from collectors.search_words import search_words

if TYPE_CHECKING:
    from collectors.outbound import Outbound

BASE_URL = "https://oauth.reddit.com"
TOKEN_URL = "https://www.reddit.com"  # noqa: S105
PAGE = 100
"""Entries a page, the most that Reddit gives."""
MOST = 1_000
"""Entries of a listing, which then ends."""
SHOWN = 900
"""The same less what was removed from it: one that ends here did not show all."""
SEARCH_SHOWN = 200
"""The same of a search, which shows about 250."""
MAX_QUERY = 512
"""Characters of a search."""
MAX_SEARCHES = 5
"""Searches that a brand's query may need: each is a request a minute."""
REACH = timedelta(days=7)
"""How far back the first reading goes, as far as the listing does; older mentions are not counted."""
RECHECK_EVERY = timedelta(minutes=10)
"""A hundred mentions are asked for again: 2,000 in three hours and a half."""

DECLARATION = Declaration(
    name=SOURCE,
    reads="submissions found by search; submissions and comments of subreddits",
    needs_key=True,
    push=False,
    counts=False,
    backfill="the newest 1,000 of a subreddit, 250 of a search, 7 days",
    price="free for non-commercial use; commercial use by agreement",
    poll_seconds=60.0,
    limit=Limit(1_000, 600.0),  # 100 a minute, averaged over ten
)

Subreddit = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{2,21}$")]


class RedditSettings(BaseModel):
    """A brand's source `{type: reddit, subreddits: [acme]}`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["reddit"] = "reddit"
    search: bool = Field(default=True, description="find new submissions anywhere; comments cannot be searched")
    subreddits: tuple[Subreddit, ...] = Field(default=(), max_length=50, description="read wholly, without the r/")
    own: bool = Field(default=False, description="the subreddits are about the brand: all there counts, named or not")
    lag_seconds: int = Field(default=120, ge=10, le=3600, description="how long Reddit takes to list what is new")

    @model_validator(mode="after")
    def _reads_something(self) -> Self:
        if not (self.search or self.subreddits):
            raise ValueError("nothing to read; set search: true, or name subreddits")
        return self


def searches(alternatives: Sequence[Sequence[str]]) -> list[str]:
    """Say alternatives (an OR of ANDs) in Reddit's search, in as few searches of `MAX_QUERY` characters as hold them.

    Raises:
        CollectorError: it takes more than `MAX_SEARCHES`.
    """
    found: list[str] = []
    for words in alternatives:
        said = _all_of(words)
        if found and len(found[-1]) + len(" OR ") + len(said) <= MAX_QUERY:
            found[-1] += f" OR {said}"
        else:
            found.append(said)
    if len(found) > MAX_SEARCHES:
        raise CollectorError(f"the query takes {len(found)} searches of Reddit, and {MAX_SEARCHES} are the most")
    return found


def _all_of(words: Sequence[str]) -> str:
    """Join words by AND; those that have no room are left out, since the runtime matches again."""
    quoted = [word if word.isalnum() else '"' + word.replace('"', " ") + '"' for word in words]
    said = quoted[0]
    for word in quoted[1:]:
        longer = f"{said} AND {word}"
        said = longer if len(longer) + 2 <= MAX_QUERY else said
    return f"({said})" if " AND " in said else said


class RedditCollector:
    """One request a poll: a page of the search, of the submissions, of the comments, then mentions told before.

    The cursor holds `places` (by listing), `told`, `checked`, and amid a turn `turn` (`at`, `left`).
    """

    declaration = DECLARATION

    def __init__(
        self,
        settings: RedditSettings,
        brand: str,
        query: str,
        outbound: "Outbound",
        client: tuple[str, str],
        base_url: str | None = None,
    ) -> None:
        self._settings = settings
        self._brand = brand
        self._outbound = outbound
        self._client = client
        self._base_url = (base_url or BASE_URL).rstrip("/")
        self._token_url = (base_url or TOKEN_URL).rstrip("/")
        self._token: tuple[str, datetime] | None = None  # a secret, and so in no cursor
        parsed = parse(query)
        self._recheck = Recheck(brand, parsed)
        self._listings: dict[str, tuple[str, dict[str, str]]] = {}
        for number, said in enumerate(self._searches(parsed) if settings.search else ()):
            params = {"q": said, "sort": "new", "type": "link", "t": "week", "include_over_18": "1"}
            self._listings[f"search:{number}"] = "/search", params
        self._subreddits = frozenset(name.lower() for name in settings.subreddits)
        if settings.subreddits:
            together = "+".join(settings.subreddits)
            self._listings |= {name: (f"/r/{together}/{name}", {}) for name in ("new", "comments")}

    @staticmethod
    def _searches(query: Query) -> list[str]:
        return searches(search_words(query, SOURCE, frozenset({"post"}), "Reddit"))

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read one page of one listing, or ask again for what was told.

        Raises:
            CollectorError: Reddit could not be read; nothing was taken, the cursor stays.
        """
        turn = cursor.get("turn") or {"at": now.timestamp(), "left": list(self._listings)}
        names = [name for name in turn["left"] if name in self._listings]
        if not names:
            return await self._check({**cursor, "turn": turn}, now)
        name = names[0]
        path, params = self._listings[name]
        place = cursor.get("places", {}).get(name, {})
        after = newest_first.token_of(place)
        page = await self._get(path, {**params, "limit": str(PAGE), **({"after": after} if after else {})}, now)
        items, token, skipped = read_listing(page, self._read)
        shown = SEARCH_SHOWN if name.startswith("search") else SHOWN
        step = newest_first.step(place, items, token, turn["at"], turn["at"] - REACH.total_seconds(), MOST, shown)
        told = cursor.get("told", {})
        mentions = [self._known(mention) for mention in step.fresh if not mention.deleted or mention.id in told]
        left = names[1:] if step.done else names
        told = self._recheck.remember(told, mentions)
        places = {**cursor.get("places", {}), name: step.place}
        then = {**cursor, "places": places, "told": told, "turn": {"at": turn["at"], "left": left}}
        if left or self._to_check(then, now):
            return Batch(mentions=mentions, cursor=then, more=True, skipped=skipped, missed=step.missed)
        return replace(self._end(mentions, then, skipped), missed=step.missed)

    def _end(self, mentions: list[Mention], cursor: Mapping[str, Any], skipped: int) -> Batch:
        after = {name: value for name, value in cursor.items() if name != "turn"}
        until = datetime.fromtimestamp(cursor["turn"]["at"], UTC) - timedelta(seconds=self._settings.lag_seconds)
        return Batch(mentions=mentions, cursor=after, complete_until=until, skipped=skipped)

    def _read(self, thing: Mapping[str, Any]) -> Mention:
        own = self._settings.own and str(thing["data"].get("subreddit")).lower() in self._subreddits
        return read_thing(thing, self._brand if own else None)

    def _known(self, mention: Mention) -> Mention:
        """A deletion has no text left to match."""
        return mention.model_copy(update={"brands": [self._brand]}) if mention.deleted else mention

    def _to_check(self, cursor: Mapping[str, Any], now: datetime) -> bool:
        last = cursor.get("checked")
        return bool(cursor.get("told")) and (last is None or now.timestamp() >= last + RECHECK_EVERY.total_seconds())

    async def _check(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Ask for what was told before: who deletes a post wants it gone everywhere."""
        ids, told = due(cursor.get("told", {}), now, PAGE)
        mentions: list[Mention] = []
        skipped = 0
        if ids:
            page = await self._get("/api/info", {"id": ",".join(ids)}, now)
            items, _, skipped = read_listing(page, self._read)
            changed = [item for item in items if item.mention.id in told]
            mentions = [
                self._known(item.mention)
                for item in changed
                if item.mention.deleted or item.changed > told[item.mention.id][1]
            ]
            told = self._recheck.remember(told, mentions)
        return self._end(mentions, {**cursor, "told": told, "checked": now.timestamp()}, skipped)

    async def _get(self, path: str, params: Mapping[str, str], now: datetime) -> dict[str, Any]:
        for fresh in (False, True):
            token = await self._bearer(now, fresh)
            answer = await self._outbound.fetch(
                "GET",
                self._base_url + path,
                params={**params, "raw_json": "1"},
                headers={"Authorization": f"Bearer {token}"},
            )
            if answer.status != 401:
                break
        return object_of(answer, now, "the request; is each subreddit public, and the app approved?")

    async def _bearer(self, now: datetime, fresh: bool) -> str:
        if self._token is None or fresh or self._token[1] <= now:
            signed = b64encode(":".join(self._client).encode()).decode()
            answer = await self._outbound.fetch(
                "POST",
                self._token_url + "/api/v1/access_token",
                headers={"Authorization": f"Basic {signed}", "Content-Type": "application/x-www-form-urlencoded"},
                content=urlencode({"grant_type": "client_credentials"}).encode(),
            )
            found = object_of(
                answer, now, "the app; check FORESHOCK_REDDIT_CLIENT_ID and FORESHOCK_REDDIT_CLIENT_SECRET"
            )
            token, seconds = found.get("access_token"), found.get("expires_in")
            if not isinstance(token, str) or not token.isascii() or not isinstance(seconds, int):
                raise CollectorError("Reddit gave no token")
            self._token = token, now + timedelta(seconds=max(0, min(seconds, 86_400) - 60))
        return self._token[0]
