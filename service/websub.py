"""Feeds that hubs push (WebSub): who is asked to push what, what they said to it, and what they bring.

What we asked is written by the collecting process alone, and what hubs said by those that serve REST: a hub may answer
before its own request is over, and neither overwrites the other.
"""

import asyncio
import json
import logging
import secrets
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field
from redis.exceptions import RedisError

from collectors import websub
from collectors.collector import Collector, CollectorError
from collectors.feeds import FeedCollector, FeedSettings
from collectors.guard import is_outside
from collectors.outbound import Outbound
from collectors.websub import Hub, Mode
from service import keys
from service.clock import Clock
from service.store import Store

PATH = "/v1/websub"
ROUND = 30.0
"""Seconds between looks at what hubs are to be asked."""
AT_ONCE = 8
"""Hubs that are asked at the same time."""
AGAIN = timedelta(minutes=10).total_seconds()
"""A hub that did not answer is asked again; doubles with each time."""
MOST_DOUBLED = 7
"""10 minutes become 21 hours."""
DENIED = timedelta(days=1).total_seconds()
"""A hub that refused is asked again after it: reasons pass."""
RENEW = 0.2
"""Part of a lease that is left when it is renewed: two days of ten."""
FAREWELLS = 3
"""How often a hub is told to push no more, before it is left to the lease's end."""

log = logging.getLogger("foreshock.websub")

Feed = tuple[str, str]
"""Address and source name, as brands configure it."""


class Asked(BaseModel):
    """What a hub was asked for; `at` in POSIX seconds, 0 where it was not yet; `why` it could not be asked."""

    model_config = ConfigDict(frozen=True)

    url: str
    source: str
    hub: str
    topic: str
    secret: str = Field(repr=False)
    mode: Mode = "subscribe"
    at: float = 0.0
    tries: int = 0
    why: str | None = None


class Said(BaseModel):
    """What the hub said to it `at` (POSIX seconds): pushes `until` then, or does not, and `why`."""

    model_config = ConfigDict(frozen=True)

    at: float
    until: float = 0.0
    why: str | None = None


def public(url: str) -> bool:
    """Whether a hub on the internet could reach this address."""
    host = (urlsplit(url).hostname or "localhost").lower().rstrip(".")
    try:
        return is_outside(ip_address(host))
    except ValueError:
        return host.rpartition(".")[2] not in ("localhost", "local", "internal", "") and "." in host


async def subscriptions(store: Store) -> dict[str, tuple[Asked, Said | None]]:
    """Return all subscriptions by the name of their callback."""
    asked, said = await store.pipe([("HGETALL", keys.WEBSUB), ("HGETALL", keys.WEBSUB_SAID)])
    return {
        name.decode(): (Asked.model_validate_json(text), Said.model_validate_json(said[name]) if name in said else None)
        for name, text in asked.items()
    }


def pushes(asked: Asked, said: Said | None, now: float) -> bool:
    """Whether the hub has said that it pushes at this time."""
    return asked.mode == "subscribe" and said is not None and said.until > now


def due(asked: Asked, said: Said | None, now: float) -> bool:
    """Whether the hub is to be asked now."""
    if said is None or asked.at > said.at:
        return not asked.at or now - asked.at >= AGAIN * 2.0 ** min(max(asked.tries - 1, 0), MOST_DOUBLED)
    if not said.until:
        return now - said.at >= DENIED
    return said.until - now <= RENEW * (said.until - said.at)


class Subscriptions:
    """Asks the hubs of feeds that brands have; for the one process that collects."""

    def __init__(self, store: Store, clock: Clock, outbound: Outbound, public_url: str) -> None:
        self._store = store
        self._clock = clock
        self._outbound = outbound
        self._base = public_url.rstrip("/") + PATH if public(public_url) and not clock.replay else None
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._round: asyncio.Task[None] | None = None
        self._next = 0.0

    def keep(self, collectors: Mapping[str, Collector]) -> None:
        """Begin a round beside the caller's work, if one is due."""
        now = asyncio.get_running_loop().time()
        if self._base is not None and now >= self._next and (self._round is None or self._round.done()):
            self._next = now + ROUND
            self._round = asyncio.create_task(self._tend(collectors))

    async def close(self) -> None:
        """End a round that is under way."""
        if self._round is not None:
            self._round.cancel()
            await asyncio.gather(self._round, return_exceptions=True)

    async def _tend(self, collectors: Mapping[str, Collector]) -> None:
        try:
            await self.tend(collectors)
        except (RedisError, OSError) as error:
            log.warning("the store is away (%s), trying again", type(error).__name__)

    async def tend(self, collectors: Mapping[str, Collector]) -> None:
        """Ask every hub that is to be asked now, and poll what is pushed at its own pace."""
        feeds = {name: found for name, found in collectors.items() if isinstance(found, FeedCollector)}
        now = await self._clock.now()
        hubs, unread = await self._hubs(feeds)
        known = await subscriptions(self._store)
        pushed, kept = set[Feed](), set[Feed]()
        work = []
        for name, (asked, said) in known.items():
            feed = asked.url, asked.source
            hub = hubs.get(feed) or (Hub(asked.hub, asked.topic) if feed in unread else None)
            if hub is None or (hub.url, hub.topic) != (asked.hub, asked.topic):
                work.append(self._leave(name, asked, said, now))
                continue
            kept.add(feed)
            if pushes(asked, said, now):
                pushed.add(feed)
            if asked.mode != "subscribe" or due(asked, said, now):
                work.append(self._ask(name, asked, said, "subscribe", hub, now))
        for feed, hub in hubs.items():
            if feed not in kept:
                new = Asked(url=feed[0], source=feed[1], hub=hub.url, topic=hub.topic, secret=secrets.token_urlsafe(32))
                work.append(self._ask(secrets.token_urlsafe(32), new, None, "subscribe", hub, now))
        for collector in feeds.values():
            collector.pushed((collector.settings.url, collector.settings.source) in pushed)
        await asyncio.gather(*work)

    async def _hubs(self, feeds: Mapping[str, FeedCollector]) -> tuple[dict[Feed, Hub], set[Feed]]:
        """Return who pushes each feed, as its last poll found it, and which were not polled yet."""
        hubs, unread = dict[Feed, Hub](), set[Feed]()
        texts = await self._store.do("HMGET", keys.CURSORS, *feeds) if feeds else []
        for collector, text in zip(feeds.values(), texts, strict=True):
            feed = collector.settings.url, collector.settings.source
            cursor = json.loads(text) if text else {}
            if "hub" in cursor:
                hubs[feed] = Hub(cursor["hub"], cursor["topic"])
            elif not cursor:
                unread.add(feed)
        return hubs, unread

    async def _ask(self, name: str, asked: Asked, said: Said | None, mode: Mode, hub: Hub, now: float) -> None:
        waited = mode == asked.mode and (said is None or asked.at > said.at)
        noted = asked.model_copy(
            update={"mode": mode, "at": now, "tries": asked.tries + 1 if waited else 1, "why": None}
        )
        await self._note(name, noted)  # before it is asked: it may answer at once
        async with self._slots:
            try:
                # Strangers name hubs: a host of ours that was opened for a feed is open to hubs on that host alone.
                if self._outbound.excepted(hub.url) and urlsplit(hub.url).hostname != urlsplit(hub.topic).hostname:
                    raise CollectorError("the hub is at a host of our own network, and the feed is not")
                await websub.ask(self._outbound, mode, hub, f"{self._base}/{name}", asked.secret)
            except CollectorError as error:
                log.info("the hub of a feed of source %s: %s", asked.source, error)
                await self._note(name, noted.model_copy(update={"why": str(error)}))

    async def _leave(self, name: str, asked: Asked, said: Said | None, now: float) -> None:
        """Tell a hub to push no more; forget one that agreed, never pushed, or does not answer."""
        leaving = asked.mode == "unsubscribe"
        over = said is None or said.until <= now
        if over or (leaving and asked.tries >= FAREWELLS and due(asked, said, now)):
            await self._store.pipe([("HDEL", keys.WEBSUB, name), ("HDEL", keys.WEBSUB_SAID, name)])
        elif not leaving or due(asked, said, now):
            await self._ask(name, asked, said, "unsubscribe", Hub(asked.hub, asked.topic), now)

    async def _note(self, name: str, asked: Asked) -> None:
        await self._store.do("HSET", keys.WEBSUB, name, asked.model_dump_json())


async def answer(store: Store, name: str, said: Said) -> None:
    """Store what a hub said at a callback."""
    await store.append([("HSET", keys.WEBSUB_SAID, name, said.model_dump_json())])


async def find(store: Store, name: str) -> Asked | None:
    """Return what was asked of the hub that knows this callback."""
    text = await store.do("HGET", keys.WEBSUB, name)
    return Asked.model_validate_json(text) if text else None


def settings_of(asked: Asked) -> FeedSettings:
    """Return the feed as brands have configured it."""
    return FeedSettings(url=asked.url, source=asked.source)
