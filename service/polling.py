"""One collector's polls: when, from where, within which limits and for which money, and what is said of them.

A cursor is stored only after its batch was accepted: a process that dies polls again from where it was, and what comes
twice counts once.
"""

import asyncio
import json
import logging
import random
import zlib
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Literal

from redis.exceptions import RedisError

from collectors.collector import Batch, Collector, CollectorError, Heedful, Paid, Price, Streaming
from service import keys
from service.clock import Clock
from service.ingest import Busy
from service.ledger import CapReached, Ledger
from service.store import Store
from service.suspicion import suspicion

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 900.0
"""Seconds before a source that failed is asked again; doubles with each failure."""
SOONER = 0.8
"""Part of the time between two polls that is left out for a brand of which an episode is open."""

Why = Literal["error", "limit", "cap", "full"]
"""Why a source does not tell: it fails, asks to wait, has used up its money, or the store is full."""

log = logging.getLogger("foreshock.collect")


@dataclass(frozen=True)
class Way:
    """What all collectors share; `slots` bound the polls of one source under way at the same time, first come first.

    A stream takes none: it would keep it for minutes.
    """

    store: Store
    clock: Clock
    ledger: Ledger
    slots: asyncio.Semaphore
    take: Callable[[str, Collector, Batch], Awaitable[int]]


class Polls:
    """Polls one collector, by its configuration's name, until cancelled."""

    def __init__(self, way: Way, name: str, collector: Collector) -> None:
        self._way = way
        self._name = name
        self._collector = collector
        self._source = collector.declaration.name
        self._pause = FIRST_PAUSE

    async def run(self) -> None:
        """Poll, wait, and poll again."""
        while True:
            await asyncio.sleep(await self.turn())

    async def turn(self) -> float:
        """Poll once, say what became of it, and return the seconds until the next one is due."""
        try:
            return await self._try()
        except (RedisError, OSError) as error:
            log.warning("the store is away (%s), trying again", type(error).__name__)
            return 1.0

    async def _try(self) -> float:
        period = self._collector.declaration.poll_seconds * random.uniform(0.95, 1.05)  # noqa: S311
        try:
            more = await self._once()
        except CollectorError as error:
            why: Why = "error" if error.retry_after is None else "limit"
            return await self._failed(why, str(error), error.retry_after)
        except CapReached as reached:
            await self._say("cap", str(reached))
            return period
        except Busy as busy:
            await self._say("full", str(busy))
            return busy.retry_after
        except (RedisError, OSError):
            raise
        except Exception as error:  # a defect of ours must not poll, and pay, as fast as it can
            log.exception("%s: a poll failed", self._source)
            return await self._failed("error", f"it could not be read ({type(error).__name__}); the log says where")
        heed = self._collector.suspicion if isinstance(self._collector, Heedful) else 0.0
        return 0.0 if more else period * (1.0 - SOONER * heed)

    async def _failed(self, why: Why, what: str, retry_after: float | None = None) -> float:
        """Say why a poll failed; return the seconds until the next one."""
        await self._say(why, what)
        pause, self._pause = self._pause, min(2 * self._pause, LONGEST_PAUSE)
        spread = random.uniform(0.5, 1.0)  # noqa: S311
        return pause * spread if retry_after is None else retry_after + FIRST_PAUSE * spread

    async def _once(self) -> bool:
        """Poll, or hear a stream to its end; say whether more is there."""
        if isinstance(self._collector, Streaming):
            return await self._hear(self._collector)
        async with self._way.slots:
            cursor, at = await self._cursor(), await self._now()
            if isinstance(self._collector, Heedful):
                brand = self._name.split(keys.SEPARATOR)[0]
                self._collector.suspicion = await suspicion(self._way.store, brand, at.timestamp())
            batch = await self._pay(cursor, at, partial(self._collector.poll, cursor, at))
        return batch is not None and await self._accept(batch, at)

    async def _hear(self, collector: Streaming) -> bool:
        cursor, at = await self._cursor(), await self._now()
        more = False
        async with aclosing(collector.stream(cursor, at)) as batches:
            while (batch := await self._pay(cursor, at, lambda: anext(batches, None))) is not None:
                more = await self._accept(batch, at)
                cursor, at = batch.cursor, await self._now()
        return more

    async def _cursor(self) -> Mapping[str, Any]:
        told = await self._way.store.do("HGET", keys.CURSORS, self._name)
        found: Mapping[str, Any] = json.loads(told) if told else {}
        return found

    async def _now(self) -> datetime:
        return datetime.fromtimestamp(await self._way.clock.now(), UTC)

    async def _accept(self, batch: Batch, at: datetime) -> bool:
        """Hand the batch on, then keep its cursor; say whether more is there."""
        taken = await self._way.take(self._name, self._collector, batch)
        await self._keep(batch.cursor)
        await note(self._way.store, self._name, self._source, at.timestamp(), batch=batch, taken=taken)
        self._pause = FIRST_PAUSE
        return batch.more

    async def _keep(self, cursor: Mapping[str, Any]) -> None:
        await self._way.store.do("HSET", keys.CURSORS, self._name, json.dumps(dict(cursor)))

    async def _pay(
        self, cursor: Mapping[str, Any], at: datetime, read: Callable[[], Awaitable[Batch | None]]
    ) -> Batch | None:
        """Read, with the most that it may cost put aside before; what fails and may be billed stays charged.

        None where there is no batch: the stream ended, or it is too dear and the cursor moved on instead.
        """
        price = self._collector.price(cursor, at) if isinstance(self._collector, Paid) else Price(0.0)
        if not price.most:
            return await read()
        brand = self._name.split(keys.SEPARATOR)[0]
        try:
            reserved = await self._way.ledger.reserve(short(self._name), self._source, brand, price, at.timestamp())
        except CapReached:
            if price.instead is None:
                raise
            await self._keep(price.instead)
            return None
        try:
            batch = await read()
        except CollectorError as error:
            await self._way.ledger.settle(reserved, self._source, 0.0 if error.unpaid else price.most)
            raise
        await self._way.ledger.settle(reserved, self._source, batch.cost if batch else 0.0)
        return batch

    async def _say(self, why: Why, what: str) -> None:
        now = await self._way.clock.now()
        before = await note(self._way.store, self._name, self._source, now, why=why, error=what)
        if before != what:
            log.warning("%s of %s: %s", self._source, self._name.split(keys.SEPARATOR)[0] or "all brands", what)


async def note(
    store: Store,
    name: str,
    source: str,
    now: float,
    *,
    batch: Batch | None = None,
    taken: int = 0,
    why: Why | None = None,
    error: str | None = None,
) -> str | None:
    """Store what became of a collector's last poll; return the error of the one before."""
    text = await store.do("HGET", keys.COLLECTORS, name)
    before: dict[str, Any] = json.loads(text) if text else {}
    until = batch.complete_until if batch else None
    told: Mapping[str, Any] = {
        "source": source,
        "brand": name.split(keys.SEPARATOR)[0],
        "at": now,
        "complete_until": until.timestamp() if until else before.get("complete_until"),
        "taken": taken,
        "skipped": before.get("skipped", 0) + (batch.skipped if batch else 0),
        "why": why,
        "since": before.get("since", now) if why is not None and before.get("why") == why else now if why else None,
        "error": error,
    }
    await store.do("HSET", keys.COLLECTORS, name, json.dumps(told))
    found = before.get("error")
    return str(found) if found is not None else None


def short(name: str) -> str:
    """Return a configuration's number: two feeds of one brand are complete each for itself."""
    return f"{zlib.crc32(name.encode()):08x}"
