"""X: minute counts first, since they cost least, and posts as a sample, through tweepy over our one way out."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from collectors.collector import Batch, CollectorError, Price
from collectors.query import parse
from collectors.x_client import asked, client
from collectors.x_counts import MAX_PAGES, minute, read_counts
from collectors.x_posts import Page, number, posted_at, search
from collectors.x_rule import rule
from collectors.x_settings import BASE_URL, DECLARATION, MARGIN, PAGE, REACH, XSettings

if TYPE_CHECKING:
    from collectors.outbound import Outbound

MORE = 9
"""Times `posts_per_poll` that a turn reads on top of it while an episode is open; less where it is only suspicious."""
AHEAD, AHEAD_MOST = 1.0, 3.0
"""Days of the money that is left that posts may use in advance; at most so many that the counts' share stays whole."""
COUNTED_LATELY = timedelta(seconds=0.9 * DECLARATION.poll_seconds)
"""A poll that comes earlier, since its brand is suspicious, reads posts and leaves the counts to their turn."""


class XCollector:
    """Turns are taken: a poll reads the counts, the next ones the pages of posts that came since, then counts again.

    The cursor holds `counted_until`, `since_id`, and amid a turn of posts `page` (`token`, `newest`, `read`, `since`);
    `unread_from` where posts are all there is, and since then too many came for the sample.
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
        self.suspicion = 0.0
        self._settings = settings
        self._brand = brand
        said = rule(parse(query))
        self._query, self._exact = said.text, said.exact
        if not (settings.posts or said.exact):
            raise CollectorError("X cannot say all of the query, so that its counts are of more; set posts: true")
        self._counts = settings.counts and said.exact  # counts of more than the brand's posts would be false
        self._posts = settings.posts and not settings.stream
        self._token = bearer_token
        self._client = client(bearer_token, outbound, base_url)

    def price(self, cursor: Mapping[str, Any], now: datetime) -> Price:
        """Say what the next turn may cost: posts get, spread over the month, what the counts leave them."""
        if self._counts_now(cursor, now):
            return Price(MAX_PAGES * self._settings.price_per_count)
        most = PAGE * self._settings.price_per_post if self._posts else 0.0
        if not self._counts:
            return Price(most)
        rest = {name: value for name, value in cursor.items() if name not in ("page", "turn")}
        ahead = AHEAD + (AHEAD_MOST - AHEAD) * self.suspicion
        return Price(most, paced=True, instead=rest, ahead=ahead)

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read the counts, or one page of posts.

        Raises:
            CollectorError: X could not be read; nothing was taken, the cursor stays.
        """
        if self._counts_now(cursor, now):
            return await self._poll_counts(cursor, now)
        if self._posts:
            return await asked(self._token, now, lambda: self._poll_posts(cursor, now))
        return Batch(cursor=cursor)  # the stream reads all

    def _counts_now(self, cursor: Mapping[str, Any], now: datetime) -> bool:
        if not (self._counts and self._posts):
            return self._counts
        known = cursor.get("counted_until")
        since = now - self._lag - datetime.fromisoformat(known) if known else REACH
        early = self.suspicion > 0.0 and since < COUNTED_LATELY
        return not early and cursor.get("turn") != "posts"

    @property
    def _lag(self) -> timedelta:
        return timedelta(seconds=self._settings.lag_seconds)

    async def _poll_counts(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        until, reachable = minute(now - self._lag), minute(now - REACH + MARGIN)
        known = cursor.get("counted_until")
        start = max(reachable, datetime.fromisoformat(known)) if known else reachable
        after = {**cursor, "counted_until": max(start, until).isoformat()}
        if self._posts:
            after["turn"] = "posts"
        found = await read_counts(self._client, self._token, self._brand, self._query, start, until, now)
        return Batch(
            counts=found.counts,
            cursor=after,
            complete_until=until,
            cost=found.requests * self._settings.price_per_count,
            more=self._posts,
            skipped=found.skipped,
        )

    async def _poll_posts(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        import tweepy

        page = cursor.get("page")
        since = page["since"] if page else self._since(cursor, now)
        try:
            found = await self._search(since, page["token"] if page else None)
        except tweepy.BadRequest:
            if page is None:
                raise
            page, since = None, self._since(cursor, now)  # a page's token ends after a while: begin anew
            found = await self._search(since, None)
        newest = max(found.newest, page["newest"]) if page else found.newest
        read = (page["read"] if page else 0) + found.came
        more = bool(found.token) and read < self._settings.posts_per_poll * (1 + round(MORE * self.suspicion))
        after = {name: value for name, value in cursor.items() if name not in ("page", "turn")}
        if more:
            page = {"token": found.token, "newest": newest, "read": read, "since": since}
            after |= {"turn": "posts", "page": page}
        elif newest > number(cursor.get("since_id")):
            after["since_id"] = str(newest)
        batch = Batch(
            mentions=found.mentions,
            cursor=after,
            cost=found.came * self._settings.price_per_post,
            more=more,
            skipped=found.skipped,
        )
        if self._counts or more:
            return batch  # a sample says nothing of completeness
        # A sample that left posts out is a gap: a larger one must not look like more talk where posts are all there is.
        unread = self._unread(cursor, since, found)
        rest = {name: value for name, value in after.items() if name != "unread_from"}
        kept = {**rest, "unread_from": unread[0].isoformat()} if unread else rest
        return replace(batch, cursor=kept, complete_until=now - self._lag, missed=unread)

    @staticmethod
    def _unread(cursor: Mapping[str, Any], since: Mapping[str, str], last: Page) -> tuple[datetime, datetime] | None:
        """The span that samples left out: from the first to the last one that was cut, as one, since it may be long."""
        if not last.token or not last.oldest:
            return None
        told, known = cursor.get("unread_from"), number(since.get("since_id"))
        begin = posted_at(known) if known else datetime.fromisoformat(since["start_time"])
        begin = datetime.fromisoformat(told) if told else begin
        return begin, max(begin, posted_at(last.oldest))

    def _since(self, cursor: Mapping[str, Any], now: datetime) -> dict[str, str]:
        known = number(cursor.get("since_id"))
        if known and posted_at(known) > now - REACH + MARGIN:
            return {"since_id": str(known)}
        return {"start_time": (now - REACH + MARGIN).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}

    async def _search(self, since: Mapping[str, str], token: str | None) -> Page:
        which = {**since, "next_token": token} if token else since
        return await search(self._client, self._query, self._brand if self._exact else None, PAGE, **which)
