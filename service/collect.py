"""The collecting process: keeps every source of every brand polled, and hands what it gives to the way in."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import chain

from redis.exceptions import RedisError

from collectors.collector import Ask, Batch, Collector, CollectorError, Ruled, Shared, Told
from collectors.limits import Limiter
from collectors.mention import Fields
from collectors.outbound import Outbound
from collectors.registry import SOURCES, SourceConfig, build, parts
from collectors.robots import Robots
from collectors.x_settings import XStreamSettings
from service import keys
from service.brand import Brand
from service.clock import Clock
from service.gaps import joined, missed
from service.given import given
from service.ingest import Ingest, Receipt, Room
from service.lease import Lease
from service.ledger import Ledger
from service.polling import Polls, Way, note, short
from service.purse import BrandsPurse
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from service.websub import Subscriptions

AT_ONCE = 8
"""Polls of one source under way at the same time: reading a feed takes a process of its own."""
LOOK = 2.0
"""Seconds between looks at what is configured, and renewals of the lease."""

log = logging.getLogger("foreshock.collect")


class Collection:
    """Keeps one task a source running, in one process at a time."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        registry: Registry,
        outbound: Outbound,
        settings: Settings,
        room: Room | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._registry = registry
        self._outbound = outbound
        self._robots = Robots(outbound)
        self._secrets = given(settings)
        self._ingest = Ingest(store, clock, registry, room)
        self._subscriptions = Subscriptions(store, clock, outbound, settings.public_url)
        self._lease = Lease(store, settings.name, "collect")
        self._ledger = Ledger(store)
        self._limiters: dict[str, Limiter] = {}
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._brands: Mapping[str, Brand] | None = None
        self._collectors: dict[str, Collector] = {}
        self._unbuilt: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        # Brands by the name of their collector; of a shared one all that configured it, of others one.
        self._members: dict[str, frozenset[str]] = {}
        self._settled: dict[str, frozenset[str]] = {}
        self._asks: dict[str, dict[str, Ask]] = {}

    async def run(self) -> None:
        """Collect until cancelled."""
        try:
            while True:
                try:
                    await self._look()
                except (RedisError, OSError) as error:
                    log.warning("the store is away (%s), trying again", type(error).__name__)
                await asyncio.sleep(LOOK)
        finally:
            await self._subscriptions.close()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _look(self) -> None:
        held = await self._lease.hold() is not None
        await self._registry.refresh()
        wanted = await self.wanted() if held else {}
        if held and (wanted.keys() != self._tasks.keys() or self._members != self._settled):
            await self._forget(wanted)
            self._settled = self._members
        for name in [n for n, task in self._tasks.items() if n not in wanted or task.done()]:
            task = self._tasks.pop(name)
            if task.done() and not task.cancelled():
                log.error("%s stopped and is started again", name.split(keys.SEPARATOR)[:2], exc_info=task.exception())
            task.cancel()
        for name, collector in wanted.items():
            if name not in self._tasks:
                self._tasks[name] = asyncio.create_task(Polls(self.way(name), name, collector).run())
        if held:
            self._subscriptions.keep(wanted)

    async def _forget(self, wanted: Mapping[str, Collector]) -> None:
        """Drop what configurations that are gone said of their completeness, so that it holds nothing back."""
        names = wanted.keys() | self._unbuilt
        kept = {(brand, short(name)) for name in names for brand in self._members.get(name, ())}
        for field in await self._store.do("HKEYS", keys.SOURCES):
            parts = field.decode().split(keys.SEPARATOR)
            if len(parts) == 3 and (parts[1], parts[2]) not in kept:
                await self._store.do("HDEL", keys.SOURCES, field)
        for field in await self._store.do("HKEYS", keys.COLLECTORS):
            if field.decode() not in names:
                await self._store.do("HDEL", keys.COLLECTORS, field)

    async def wanted(self) -> dict[str, Collector]:
        """Return the collectors that shall run, by a name that changes with their configuration."""
        brands = self._registry.brands
        if brands is not self._brands:  # a mapping that was taken never changes
            found: dict[str, Collector] = {}
            members: dict[str, set[str]] = {}
            asks: dict[str, dict[str, Ask]] = {}
            self._unbuilt = set()
            for brand in brands.values():
                for said, config in ((one, part) for one in brand.sources for part in parts(one)):
                    whose = ("", "") if SOURCES[config.type].shared else (brand.name, brand.query)
                    name = keys.SEPARATOR.join((whose[0], config.type, whose[1], config.model_dump_json()))
                    if name not in members:
                        known = self._collectors.get(name) or await self._built(name, *whose, config)
                        if known is not None:
                            found[name] = known
                    members.setdefault(name, set()).add(brand.name)
                    asks.setdefault(name, {})[brand.name] = Ask(brand.query, said)
            self._collectors, self._brands, self._asks = found, brands, asks
            self._members = {name: frozenset(brands) for name, brands in members.items()}
        return self._collectors

    async def _built(
        self, name: str, brand: str, query: str, config: SourceConfig | XStreamSettings
    ) -> Collector | None:
        outbound = self._outbound.within(self._limiter(config.type))
        if SOURCES[config.type].website:
            outbound = outbound.heeding(self._robots)
        try:
            collector = build(config, brand, query, outbound, self._secrets)
            if isinstance(collector, Shared):
                collector.wanted = partial(self._asked, name)
            if isinstance(collector, Ruled):
                collector.asks = lambda: self._asks.get(name, {})
                collector.purse = BrandsPurse(self._store, self._ledger, self._clock, name, collector.declaration.name)
            return collector
        except CollectorError as error:
            self._unbuilt.add(name)
            log.warning("%s of %s: %s", config.type, brand or "all brands", error)
            await note(self._store, name, config.type, await self._clock.now(), why="error", error=str(error))
            return None

    def _asked(self, name: str, mentions: Sequence[Fields]) -> list[bool]:
        """Say which of a shared collector's mentions any of its brands asks for."""
        brands = self._members.get(name, frozenset())
        return [not brands.isdisjoint(found) for found in self._registry.matcher.match_all(mentions)]

    def _limiter(self, source: str) -> Limiter:
        """Return what all brands' requests to a source wait on: keys are the operator's, one a source."""
        return self._limiters.setdefault(source, Limiter(SOURCES[source].declaration.limit))

    def way(self, name: str) -> Way:
        """Return what the polls of a configuration share with others."""
        source = name.split(keys.SEPARATOR)[1]
        slots = self._slots.setdefault(source, asyncio.Semaphore(AT_ONCE))
        return Way(self._store, self._clock, self._ledger, slots, self.take)

    async def take(self, name: str, collector: Collector, batch: Batch) -> int:
        """Hand a batch to the way in; return how many of it were accepted.

        Raises:
            Busy: nothing of it was; poll again later, from where the batch came.
        """
        brands, source = self._members.get(name, frozenset()), collector.declaration.name
        receipt = await self._ingest.mentions(enumerate(batch.mentions), Receipt(), only=brands)
        counted = await self._ingest.counts(enumerate(batch.counts), Receipt())
        for told in (receipt, counted):
            if told.rejected:
                log.info("%s: %d rejected, first: %s", source, told.rejected, told.errors[0])
        if batch.missed is not None:
            for brand in brands:
                await missed(self._store, brand, source, *(instant.timestamp() for instant in batch.missed))
        if batch.each:
            await self._tell(name, source, batch.each, brands)
        await self._complete(name, collector, batch, brands)
        return receipt.matched + counted.accepted

    async def _complete(self, name: str, collector: Collector, batch: Batch, brands: frozenset[str]) -> None:
        """Say up to when the source is complete for each brand, and since when for one that joined others."""
        source, untils = collector.declaration.name, dict[str, tuple[str, float]]()
        for brand in brands:
            until = batch.each.get(brand, Told()).complete_until or batch.complete_until
            if until is not None:
                untils[keys.SEPARATOR.join((source, brand, short(name)))] = brand, until.timestamp()
        if not untils:
            return
        before = dict(zip(untils, await self._store.do("HMGET", keys.SOURCES, *untils), strict=True))
        new = {brand: until for field, (brand, until) in untils.items() if before[field] is None}
        if new and isinstance(collector, Shared) and not isinstance(collector, Ruled):
            await self._join(name, source, new)
        later = {field: until for field, (_, until) in untils.items() if until > float(before[field] or 0)}
        if later:
            await self._store.do("HSET", keys.SOURCES, *chain.from_iterable(later.items()))

    async def _join(self, name: str, source: str, new: Mapping[str, float]) -> None:
        """Note which brands joined a source that was read for others before, and by no other way for them."""
        if not await self._store.do("HEXISTS", keys.CURSORS, name):
            return
        known = {
            tuple(field.decode().split(keys.SEPARATOR)[:2]) for field in await self._store.do("HKEYS", keys.SOURCES)
        }
        for brand, until in new.items():
            if (source, brand) not in known:
                await joined(self._store, brand, source, until)

    async def _tell(self, name: str, source: str, each: Mapping[str, Told], brands: frozenset[str]) -> None:
        """Store what a shared collector says of single brands, beside what it says of all."""
        well = []
        for brand in brands & each.keys():
            told, field = each[brand], f"{brand}{name}"
            if told.missed is not None:
                await missed(self._store, brand, source, *(instant.timestamp() for instant in told.missed))
            if told.why or told.said:
                await note(self._store, field, source, await self._clock.now(), why=told.why, error=told.said)
            else:
                well.append(field)
        if well:
            await self._store.do("HDEL", keys.COLLECTORS, *well)
