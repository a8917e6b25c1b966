"""X: minute counts first, since they cost least, and posts as a sample, through tweepy over our one way out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http.client import responses
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collectors.collector import Batch, CollectorError, Declaration, Limit, Price
from collectors.mention import Author, Count, Mention
from collectors.query import parse
from collectors.x_rule import rule

if TYPE_CHECKING:
    from collectors.outbound import Outbound

BASE_URL = "https://api.x.com"
REACH = timedelta(days=7)
"""How far back recent search and recent counts go."""
MARGIN = timedelta(minutes=2)
"""Kept from the far end of `REACH`, which moves while the request is on its way."""
PAGE = 100
"""Posts a page, the most that recent search gives."""
MAX_COUNT_PAGES = 10
"""Requests for counts in one poll; seven days of minutes come in one, so that more means a broken answer."""
EPOCH_MS = 1288834974657
"""Milliseconds from 1970 to the first instant that a post's id can hold."""
NO_LANGUAGE = frozenset({"und", "art", "zxx", "qam", "qct", "qht", "qme", "qst"})
"""What X writes in `lang` for links, hashtags, media and texts too short to tell."""

DECLARATION = Declaration(
    name="x",
    reads="minute counts of a query, and a sample of its posts",
    needs_key=True,
    push=False,
    counts=True,
    backfill="7 days of minute counts",
    price="$0.005 per request of counts, $0.005 per post",
    poll_seconds=300.0,
    limit=Limit(300, 900.0, per="path"),
)


class XSettings(BaseModel):
    """A brand's source `{type: x}`. Prices are in dollars, since the network changes them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["x"] = "x"
    counts: bool = Field(default=True, description="read minute counts")
    posts: bool = Field(default=True, description="read posts as a sample")
    posts_per_poll: int = Field(default=PAGE, ge=PAGE, le=10_000, description="the sample's size, in whole pages")
    lag_seconds: int = Field(default=30, ge=10, le=600, description="how long X takes to index a post")
    price_per_count: float = Field(default=0.005, ge=0, allow_inf_nan=False)
    price_per_post: float = Field(default=0.005, ge=0, allow_inf_nan=False)


def posted_at(identifier: int) -> datetime:
    """Instant that a post's id holds in its upper bits (a snowflake: milliseconds above 22 bits of order)."""
    return datetime.fromtimestamp(((identifier >> 22) + EPOCH_MS) / 1000, UTC)


@dataclass(frozen=True)
class Reply:
    """The part of an HTTP answer that tweepy looks at."""

    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes

    async def json(self) -> dict[str, Any]:
        """The answer's object.

        Raises:
            CollectorError: it is none, or was cut off.
        """
        try:
            found = json.loads(self.body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise CollectorError("X answered with something that is not a JSON object")
        return found

    async def complaint(self) -> dict[str, Any]:
        """What tweepy's errors read of a refused request, as far as it has the documented shape."""
        try:
            found = await self.json()
        except CollectorError:
            return {}
        errors = found.get("errors")
        kept = [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []
        said = [{"message": str(error["message"])} for error in kept if "message" in error]
        return {"errors": said, "detail": str(found.get("detail", found.get("title", "")))}


@cache
def _client_class() -> Any:
    """Tweepy's client with our way out under it; made when first used, since tweepy takes a second to import."""
    from tweepy import errors
    from tweepy.asynchronous import AsyncClient

    refused = {400: errors.BadRequest, 401: errors.Unauthorized, 403: errors.Forbidden, 404: errors.NotFound}

    class Client(AsyncClient):  # type: ignore[misc]  # tweepy has no types
        def __init__(self, bearer_token: str, outbound: "Outbound", base_url: str) -> None:
            super().__init__(bearer_token, return_type=dict)
            self._outbound = outbound
            self._base_url = base_url.rstrip("/")

        async def request(
            self,
            method: str,
            route: str,
            params: Mapping[str, Any] | None = None,
            json: Any = None,
            user_auth: bool = False,
        ) -> Reply:
            if json is not None or user_auth:
                raise NotImplementedError("X is only read, with a bearer token")
            answer = await self._outbound.fetch(
                method,
                self._base_url + route,
                params={name: str(value) for name, value in (params or {}).items()},
                headers={"Authorization": f"Bearer {self.bearer_token}"},
            )
            status = answer.status
            reply = Reply(status, responses.get(status, ""), answer.headers, answer.body)
            if 200 <= status < 300:
                return reply
            complaint = await reply.complaint()
            if status == 429:
                reset = answer.headers.get("x-rate-limit-reset", "")
                at = int(reset[:12]) if reset.isascii() and reset.isdigit() else None
                raise errors.TooManyRequests(reply, response_json=complaint, reset_time=at)
            kind = errors.TwitterServerError if status >= 500 else refused.get(status, errors.HTTPException)
            raise kind(reply, response_json=complaint)

    return Client


class XCollector:
    """Turns are taken: a poll reads the counts, the next ones the pages of posts that came since, then counts again.

    The cursor holds `counted_until`, `since_id`, and amid a turn of posts `page` (`token`, `newest`, `read`, `since`).
    """

    declaration = DECLARATION

    def __init__(
        self,
        settings: XSettings,
        brand: str,
        query: str,
        outbound: "Outbound",
        bearer_token: str,
        base_url: str = BASE_URL,
    ) -> None:
        self._settings = settings
        self._brand = brand
        asked = rule(parse(query))
        self._query, self._exact = asked.text, asked.exact
        if not (settings.posts or asked.exact):
            raise CollectorError("X cannot say all of the query, so that its counts are of more; set posts: true")
        self._counts = settings.counts and asked.exact  # counts of more than the brand's posts would be false
        self._token = bearer_token
        self._client = _client_class()(bearer_token, outbound, base_url)

    def price(self, cursor: Mapping[str, Any], now: datetime) -> Price:  # noqa: ARG002
        """Say what the next turn may cost: posts get, spread over the month, what the counts leave them."""
        if self._counts and not (self._settings.posts and cursor.get("turn") == "posts"):
            return Price(MAX_COUNT_PAGES * self._settings.price_per_count)
        most = PAGE * self._settings.price_per_post if self._settings.posts else 0.0
        if not self._counts:
            return Price(most)
        rest = {name: value for name, value in cursor.items() if name not in ("page", "turn")}
        return Price(most, paced=True, instead=rest)

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read the counts, or one page of posts.

        Raises:
            CollectorError: X could not be read; nothing was taken, the cursor stays.
        """
        import tweepy

        try:
            if self._counts and not (self._settings.posts and cursor.get("turn") == "posts"):
                return await self._poll_counts(cursor, now)
            if self._settings.posts:
                return await self._poll_posts(cursor, now)
            return Batch(cursor=cursor)
        except tweepy.TooManyRequests as error:
            reset = error.reset_time
            told = error.response.headers.get("retry-after", "")
            wait = float(told[:6]) if told.isascii() and told.isdigit() else None
            wait = max(1.0, reset - now.timestamp()) if reset is not None else wait
            raise CollectorError("X asks to wait: too many requests (429)", wait, unpaid=True) from None
        except tweepy.HTTPException as error:
            raise CollectorError(self._plain(f"X refused the request: {error}"), unpaid=True) from None

    def _plain(self, text: str) -> str:
        return " ".join(text.split()).replace(self._token, "***")[:300]

    async def _poll_counts(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        until = _minute(now - timedelta(seconds=self._settings.lag_seconds))
        reachable = _minute(now - REACH + MARGIN)
        known = cursor.get("counted_until")
        start = max(reachable, datetime.fromisoformat(known)) if known else reachable
        after = {**cursor, "counted_until": max(start, until).isoformat()}
        if self._settings.posts:
            after["turn"] = "posts"
        found: dict[datetime, Count] = {}
        skipped = requests = 0
        end = until
        while start < end:
            page = await self._client.get_recent_tweets_count(
                self._query, granularity="minute", start_time=start, end_time=end
            )
            requests += 1
            counts, unread = self._read_counts(page, start, until)
            skipped += unread
            found = {**counts, **found}
            if not _meta(page).get("next_token"):
                break
            earliest = min(counts, default=end)
            if earliest >= end or requests == MAX_COUNT_PAGES:
                raise CollectorError("X gives its counts in pages that lead nowhere")
            end = earliest  # pages go backwards, so that the rest lies before what came
        asked = max(0, (until - start) // timedelta(minutes=1))
        if len(found) < asked:  # X names the minutes without a post too: one that is missing is unknown, not zero
            raise CollectorError(f"X left out {asked - len(found)} of {asked} minutes")
        return Batch(
            counts=[found[at] for at in sorted(found)],
            cursor=after,
            complete_until=until,
            cost=requests * self._settings.price_per_count,
            more=self._settings.posts,
            skipped=skipped,
        )

    def _read_counts(self, page: dict[str, Any], start: datetime, until: datetime) -> tuple[dict[datetime, Count], int]:
        counts: dict[datetime, Count] = {}
        skipped = 0
        for item in _data(page):
            try:
                at, end = (datetime.fromisoformat(item[name]).astimezone(UTC) for name in ("start", "end"))
                if at != _minute(at) or end - at != timedelta(minutes=1):
                    skipped += 1  # part of a minute, cut by the query's own start or end
                elif start <= at and end <= until:
                    counts[at] = Count(
                        brand=self._brand,
                        source=DECLARATION.name,
                        start=at,
                        seconds=60,
                        count=item["tweet_count"],
                        complete_until=until,
                    )
            except (KeyError, TypeError, ValueError):
                skipped += 1
        return counts, skipped

    async def _poll_posts(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        import tweepy

        page = cursor.get("page")
        since = page["since"] if page else self._since(cursor, now)
        try:
            answer = await self._search(since, page["token"] if page else None)
        except tweepy.BadRequest:
            if page is None:
                raise
            page, since = None, self._since(cursor, now)  # a page's token ends after a while: begin anew
            answer = await self._search(since, None)
        meta, items, users = _meta(answer), _data(answer), _users(answer)
        mentions: dict[str, Mention] = {}
        skipped = 0
        for item in items:
            try:
                mention = read_post(item, users, self._brand if self._exact else None)
                mentions[mention.id] = mention
            except (AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError):
                skipped += 1
        newest = max(_number(meta.get("newest_id")), *(_number(item.get("id")) for item in items), 0)
        newest = max(newest, page["newest"]) if page else newest
        read = (page["read"] if page else 0) + len(items)
        rest = bool(items and meta.get("next_token"))
        more = rest and read < self._settings.posts_per_poll
        after = {name: value for name, value in cursor.items() if name not in ("page", "turn")}
        if more:
            page = {"token": meta["next_token"], "newest": newest, "read": read, "since": since}
            after |= {"turn": "posts", "page": page}
        elif newest > _number(cursor.get("since_id")):
            after["since_id"] = str(newest)
        lag = timedelta(seconds=self._settings.lag_seconds)
        return Batch(
            mentions=list(mentions.values()),
            cursor=after,
            complete_until=None if self._counts or rest else now - lag,
            cost=len(items) * self._settings.price_per_post,
            more=more,
            skipped=skipped,
        )

    def _since(self, cursor: Mapping[str, Any], now: datetime) -> dict[str, str]:
        known = _number(cursor.get("since_id"))
        if known and posted_at(known) > now - REACH + MARGIN:
            return {"since_id": str(known)}
        return {"start_time": (now - REACH + MARGIN).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

    async def _search(self, since: Mapping[str, str], token: str | None) -> dict[str, Any]:
        answer: dict[str, Any] = await self._client.search_recent_tweets(
            self._query,
            max_results=PAGE,
            expansions=["author_id"],
            tweet_fields=["created_at", "lang", "public_metrics", "referenced_tweets"],
            user_fields=["name", "username", "public_metrics"],
            **since,
            **({"next_token": token} if token else {}),
        )
        return answer


def read_post(item: Mapping[str, Any], users: Mapping[str, Author], brand: str | None) -> Mention:
    """One post of an answer as a mention of `brand`, whose query X has matched; None where it must be matched again.

    An edited post keeps the identity of its first version.

    Raises:
        AttributeError, KeyError, TypeError, ValueError, OverflowError, OSError: it lacks what a mention needs.
    """
    import tweepy

    versions = [int(version) for version in item.get("edit_history_tweet_ids") or [item["id"]]]
    first, last = min(versions), max(versions)
    post = tweepy.Tweet({"edit_history_tweet_ids": versions, **item})
    refers = {reference.type: str(reference.id) for reference in post.referenced_tweets or []}
    author = str(post.author_id) if post.author_id is not None else None
    return Mention(
        id=str(first),
        source=DECLARATION.name,
        text=post.text,
        published_at=post.created_at or posted_at(first),
        updated_at=posted_at(last) if first != last else None,
        url=f"https://x.com/i/status/{post.id}",
        author=users.get(author, Author(id=author)) if author else None,
        language=post.lang if post.lang not in NO_LANGUAGE else None,
        engagement=_engagement(post.public_metrics),
        reply_to=refers.get("replied_to"),
        repost_of=refers.get("retweeted"),
        brands=[brand] if brand else None,
    )


def _engagement(metrics: Mapping[str, int] | None) -> int | None:
    names = ("retweet_count", "reply_count", "like_count", "quote_count")
    return sum(metrics.get(name, 0) for name in names) if metrics else None


def _users(answer: Mapping[str, Any]) -> dict[str, Author]:
    includes = answer.get("includes")
    users = includes.get("users") if isinstance(includes, dict) else None
    found: dict[str, Author] = {}
    for user in users if isinstance(users, list) else []:
        try:
            followers = (user.get("public_metrics") or {}).get("followers_count")
            found[user["id"]] = Author(id=user["id"], name=user.get("username"), followers=followers)
        except (AttributeError, KeyError, TypeError, ValidationError):
            continue  # the post is kept, with its author's id alone
    return found


def _data(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    data = answer.get("data", [])
    if not isinstance(data, list) or not all(isinstance(item, dict) for item in data):
        raise CollectorError("X answered with data that is not a list of objects")
    return data


def _meta(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    meta = answer.get("meta")
    return meta if isinstance(meta, dict) else {}


def _number(identifier: object) -> int:
    return int(identifier) if isinstance(identifier, str) and identifier.isascii() and identifier.isdigit() else 0


def _minute(instant: datetime) -> datetime:
    return instant.astimezone(UTC).replace(second=0, microsecond=0)
