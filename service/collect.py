"""The collecting process: polls every source of every brand, and hands what it gives to the way in.

A cursor is stored only after its batch was accepted: a process that dies polls again from where it was, and what comes
twice counts once.
"""

import asyncio
import json
import logging
import random
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError

from collectors.collector import Batch, Collector, CollectorError
from collectors.mention import Mention
from collectors.outbound import Outbound
from collectors.registry import build
from service import keys
from service.clock import Clock
from service.ingest import Busy, Ingest, Receipt, Room, heartbeat
from service.lease import Lease
from service.registry import Registry
from service.settings import Settings
from service.store import Store

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 900.0
"""Seconds before a source that failed is asked again; doubles with each failure."""
AT_ONCE = 8
"""Polls under way at the same time: reading a feed takes a process of its own."""
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
        given = {"x_bearer_token": settings.x_bearer_token, "x_base_url": settings.x_base_url}
        self._secrets = {name: value for name, value in given.items() if value}
        self._ingest = Ingest(store, clock, registry, room)
        self._lease = Lease(store, settings.name, "collect")
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}

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
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _look(self) -> None:
        held = await self._lease.hold() is not None
        await self._registry.refresh()
        wanted = self._wanted() if held else {}
        if held and wanted.keys() != self._tasks.keys():
            await self._forget(wanted)
        for name in [n for n, task in self._tasks.items() if n not in wanted or task.done()]:
            task = self._tasks.pop(name)
            if task.done() and not task.cancelled():
                log.error("%s stopped and is started again", name.split(keys.SEPARATOR)[:2], exc_info=task.exception())
            task.cancel()
        for name, collector in wanted.items():
            if name not in self._tasks:
                self._tasks[name] = asyncio.create_task(self._poll(name, collector))

    async def _forget(self, wanted: Mapping[str, Collector]) -> None:
        """Drop what configurations that are gone said of their completeness, so that it holds nothing back."""
        kept = {_short(name) for name in wanted}
        for field in await self._store.do("HKEYS", keys.SOURCES):
            parts = field.decode().split(keys.SEPARATOR)
            if len(parts) == 3 and parts[2] not in kept:
                await self._store.do("HDEL", keys.SOURCES, field)
        for field in await self._store.do("HKEYS", keys.COLLECTORS):
            if field.decode() not in wanted:
                await self._store.do("HDEL", keys.COLLECTORS, field)

    def _wanted(self) -> dict[str, Collector]:
        """Return the collectors that shall run, by a name that changes with their configuration."""
        found: dict[str, Collector] = {}
        for brand in self._registry.brands.values():
            for config in brand.sources:
                name = keys.SEPARATOR.join((brand.name, config.type, brand.query, config.model_dump_json()))
                try:
                    found[name] = build(config, brand.name, brand.query, self._outbound, self._secrets)
                except CollectorError as error:
                    log.warning("%s of %s: %s", config.type, brand.name, error)
        return found

    async def _poll(self, name: str, collector: Collector) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                again = await self._once(name, collector)
                pause = FIRST_PAUSE
                wait = 0.0 if again else collector.declaration.poll_seconds * random.uniform(0.95, 1.05)  # noqa: S311
            except CollectorError as error:
                log.warning("%s of %s: %s", collector.declaration.name, name.split(keys.SEPARATOR)[0], error)
                await self._note(name, collector, error=str(error))
                wait = max(error.retry_after or 0.0, pause * random.uniform(0.5, 1.0))  # noqa: S311
                pause = min(2 * pause, LONGEST_PAUSE)
            except Busy as busy:
                wait = busy.retry_after
            except (RedisError, OSError) as error:
                log.warning("the store is away (%s), trying again", type(error).__name__)
                wait = 1.0
            await asyncio.sleep(wait)

    async def _once(self, name: str, collector: Collector) -> bool:
        cursor = await self._store.do("HGET", keys.CURSORS, name)
        now = await self._clock.now()
        async with self._at_once:
            batch = await collector.poll(json.loads(cursor) if cursor else {}, datetime.fromtimestamp(now, UTC))
        await self.take(name, collector, batch)
        return batch.more

    async def take(self, name: str, collector: Collector, batch: Batch) -> None:
        """Hand a batch to the way in, then remember where the collector goes on."""
        brand, source = name.split(keys.SEPARATOR)[0], collector.declaration.name
        mine = [m for m in (self._of(brand, m) for m in batch.mentions) if m is not None]
        receipt = await self._ingest.mentions(enumerate(mine), Receipt())
        await self._ingest.counts(enumerate(batch.counts), receipt)
        if receipt.rejected:
            log.info("%s of %s: %d rejected, first: %s", source, brand, receipt.rejected, receipt.errors[0])
        if batch.cost:
            await self._store.do("HINCRBYFLOAT", keys.COSTS, source, batch.cost)
        if batch.complete_until is not None:
            until = batch.complete_until.timestamp()
            await heartbeat(self._store, keys.SEPARATOR.join((source, brand, _short(name))), until)
        await self._store.do("HSET", keys.CURSORS, name, json.dumps(dict(batch.cursor)))
        await self._note(name, collector, until=batch.complete_until, taken=receipt.accepted)

    def _of(self, brand: str, mention: Mention) -> Mention | None:
        """Return the mention as the brand's: what the network did not match itself is matched here."""
        if mention.brands is not None:
            return mention
        matched = brand in self._registry.matcher.match(mention.text, mention.model_dump())
        return mention.model_copy(update={"brands": [brand]}) if matched else None

    async def _note(
        self, name: str, collector: Collector, until: datetime | None = None, taken: int = 0, error: str | None = None
    ) -> None:
        before = json.loads(await self._store.do("HGET", keys.COLLECTORS, name) or "{}")
        told: Mapping[str, Any] = {
            "source": collector.declaration.name,
            "brand": name.split(keys.SEPARATOR)[0],
            "at": await self._clock.now(),
            "complete_until": until.timestamp() if until else before.get("complete_until"),
            "taken": taken,
            "error": error,
        }
        await self._store.do("HSET", keys.COLLECTORS, name, json.dumps(told))


def _short(name: str) -> str:
    """Return a configuration's number: two feeds of one brand are complete each for itself."""
    return f"{zlib.crc32(name.encode()):08x}"
