"""X's filtered stream: the posts of all brands that ask for it, over the one connection that an app may have.

https://docs.x.com/x-api/posts/filtered-stream: rules made from the brands' queries choose the posts, each is billed to
the brand that it was delivered for, and what a break left out is searched for, once it can be found there.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from collectors.collector import Ask, Batch, CollectorError, Purse
from collectors.mention import Mention
from collectors.outbound import OutboundError
from collectors.x_brands import Brands
from collectors.x_client import asked, client, plain, refused
from collectors.x_lines import Lines
from collectors.x_posts import FIELDS, SOURCE, Page, number, posted_at, read_or_none, search, users_of
from collectors.x_rules import Rules
from collectors.x_settings import BASE_URL, STREAM

if TYPE_CHECKING:
    from collectors.outbound import Outbound

STAY = 10.0
"""Seconds of a batch, and so the longest that a post waits here."""
SILENCE = 30.0
"""Seconds without a byte after which the stream is dead: X sends a keep-alive every 20."""
CONNECTED = 3600.0
"""Seconds of a connection: X asks to stay, and each new one costs a search for every brand."""
STEP, TRIES = 0.25, 8
"""A connection that broke is opened again at once, then after 0.25 s more each time, as X asks; then the runtime waits.
"""
SEARCH_PAUSE = 30.0
"""Seconds without a search after one that failed; the stream goes on meanwhile."""


@dataclass
class _Heard:
    """What a batch has so far."""

    mentions: dict[str, Mention] = field(default_factory=dict)
    skipped: int = 0
    cost: float = 0.0
    ending: Exception | None = None

    def take(self, mention: Mention | None) -> None:
        if mention is None:
            self.skipped += 1
            return
        other = self.mentions.get(mention.id)
        if other is None or _version(mention) >= _version(other):
            self.mentions[mention.id] = mention


class XStream:
    """One for all brands; its posts are X's. The cursor holds how far each of the `brands` was read."""

    declaration = replace(STREAM, name=SOURCE)

    def __init__(
        self,
        outbound: "Outbound",
        bearer_token: str,
        base_url: str = BASE_URL,
        stay: float = STAY,
        silence: float = SILENCE,
    ) -> None:
        self.asks: Callable[[], Mapping[str, Ask]] = dict
        self.purse: Purse | None = None
        self._outbound = outbound
        self._token = bearer_token
        self._client = client(bearer_token, outbound, base_url)
        fields = {name.replace("_fields", ".fields"): ",".join(values) for name, values in FIELDS.items()}
        self._url = f"{base_url.rstrip('/')}/2/tweets/search/stream?{urlencode(fields)}"
        self._stay = stay
        self._silence = silence

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Give the first batch of a stream, which is then closed.

        Raises:
            CollectorError: as `stream`.
        """
        async with aclosing(self.stream(cursor, now)) as batches:
            return await anext(batches)

    async def stream(self, cursor: Mapping[str, Any], now: datetime) -> AsyncGenerator[Batch, None]:
        """Give what the stream says, and what a break left out; a connection that breaks is opened again.

        Raises:
            CollectorError: X refuses, or cannot be reached.
        """
        clock = asyncio.get_running_loop().time
        began, heard, tries = clock(), False, 0
        connection = _Connection(self, cursor, lambda: now + timedelta(seconds=clock() - began))
        try:
            while True:
                try:
                    async with aclosing(connection.batches()) as batches:
                        async for batch in batches:
                            heard, tries = True, 0
                            yield batch
                    return
                except OutboundError as error:
                    tries += 1
                    if not heard or tries > TRIES or error.retry_after is not None:
                        raise
                await asyncio.sleep(STEP * (tries - 1))
        finally:
            await connection.brands.close()


class _Connection:
    """A connection after the other, and what is known over all of them."""

    def __init__(self, stream: XStream, cursor: Mapping[str, Any], at: Callable[[], datetime]) -> None:
        self._stream = stream
        self._rules = Rules(stream._client, stream._token)
        self.brands = Brands(stream.asks, stream.purse, self._rules, stream._token, cursor.get("brands"), at)
        self._at = at
        self._clock = asyncio.get_running_loop().time
        self._search_from = 0.0

    async def batches(self) -> AsyncGenerator[Batch, None]:
        """Give batches over one connection; without a rule only what is searched for."""
        stream, brands = self._stream, self.brands
        brands.left()
        await brands.agree()
        if not brands.ruled:
            brands.join(connected=False)
            yield await self._batch(_Heard())
            return
        headers = {"Authorization": f"Bearer {stream._token}"}
        async with stream._outbound.stream(stream._url, headers=headers, silence=stream._silence) as (head, pieces):
            if head.status != 200:
                raise refused(head, stream._token, self._at())
            lines, until = Lines(pieces), self._clock() + CONNECTED
            try:
                while self._clock() < until and brands.ruled:
                    brands.join(connected=True)
                    heard = await self._hear(lines)
                    if heard.ending is None or heard.mentions:
                        yield await self._batch(heard)
                    if heard.ending is not None:
                        raise heard.ending
                    await brands.agree()
            finally:
                await lines.close()

    async def _hear(self, lines: Lines) -> _Heard:
        """Listen until a batch is due; an end of the stream is kept until what came before it was given."""
        heard = _Heard()
        until = self._clock() + (0.0 if self._due() else self._stream._stay)
        while not self.brands.full:
            try:
                line = await lines.next(until)
                if line is None:
                    break
                self._take(line, heard)
            except Exception as error:  # noqa: BLE001  # raised by `batches`, once what came before it was given
                heard.ending = error
                break
        return heard

    def _take(self, line: bytes, heard: _Heard) -> None:
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            heard.skipped += 1
            return
        item = found.get("data", found)
        if isinstance(item, dict) and isinstance(item.get("delete"), dict):
            heard.take(self._deleted(item["delete"]))
        elif isinstance(item, dict) and "data" in found:
            brands = self.brands.of([str(rule.get("id")) for rule in _objects(found.get("matching_rules"))])
            mention = read_or_none(item, users_of(found), None)
            if mention is not None and brands and all(map(self.brands.exact, brands)):
                mention = mention.model_copy(update={"brands": brands})
            heard.take(mention)
            heard.cost += self.brands.pay(brands[0], 1) if brands else 0.0
        elif "errors" in found or "title" in found:
            told = [found, *_objects(found.get("errors"))]
            why = next((str(one[name]) for one in told for name in ("detail", "title") if one.get(name)), "")
            raise OutboundError(plain(f"X ended the stream: {why}", self._stream._token))
        else:
            heard.skipped += 1

    def _deleted(self, told: Mapping[str, Any]) -> Mention | None:
        """A deletion, as the compliance events have it."""
        post = told.get("tweet")
        identity = number(post.get("id")) if isinstance(post, dict) else 0
        if not identity:
            return None
        return Mention(
            id=str(identity),
            source=SOURCE,
            text="",
            published_at=min(posted_at(identity), self._at()),
            updated_at=self._at(),
            deleted=True,
        )

    def _due(self) -> str | None:
        return self.brands.due() if self._clock() >= self._search_from else None

    async def _batch(self, heard: _Heard) -> Batch:
        """Finish a batch, with a page of what has to be searched for."""
        brand = self._due() if heard.ending is None else None
        if brand is not None:
            await self._search(brand, heard)
        each = self.brands.told()
        return Batch(
            mentions=list(heard.mentions.values()),
            cursor=self.brands.cursor(),
            cost=heard.cost,
            more=self.brands.due() is not None,
            skipped=heard.skipped,
            each=each,
        )

    async def _search(self, brand: str, heard: _Heard) -> None:
        import tweepy

        said, reached = self.brands.said[brand], self.brands.reached(brand)
        span = reached.due(self._at())
        assert said.rule is not None
        assert span is not None
        query, whose, (first, end) = said.rule.text, brand if said.rule.exact else None, span

        size = self.brands.allowed(brand) // 2

        async def page() -> Page | None:
            try:
                return await search(
                    self._stream._client, query, whose, size, since_id=str(first - 1), until_id=str(end)
                )
            except tweepy.BadRequest as error:
                self.brands.fail(brand, f"X refused the search: {error}")
                return None

        try:
            found = await asked(self._stream._token, self._at(), page)
            if found is not None and not found.sound:
                raise CollectorError("X answered with something that is no page of posts")
        except CollectorError as error:
            self._search_from = self._clock() + (error.retry_after or SEARCH_PAUSE)
            heard.cost += 0.0 if error.unpaid else self.brands.pay(brand, size)
            if not self.brands.ruled:
                raise  # nothing else is read meanwhile
            return
        if found is None:
            return
        for mention in found.mentions:
            heard.take(mention)
        heard.skipped += found.skipped
        heard.cost += self.brands.pay(brand, found.came)
        self.brands.found(brand)
        reached.searched(first, end, found.oldest if found.token and found.oldest > first else None)


def _objects(told: object) -> list[dict[str, Any]]:
    return [item for item in told if isinstance(item, dict)] if isinstance(told, list) else []


def _version(mention: Mention) -> datetime:
    return mention.updated_at or mention.published_at
