"""The way in: mentions are matched at the door, and what matches waits on its brand's shard to be counted.

What matches no brand is dropped here, before it costs the store anything; matching here is also what lets dedupe, count
and acknowledgement be one function on one shard.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from collectors.mention import Count, Mention
from service import keys
from service.clock import Clock
from service.registry import Registry
from service.store import Store

FUTURE = 600.0
"""Seconds a publication may lie ahead of our clock: networks' clocks are off by minutes, not more."""
LATE = 8 * 86_400.0
"""Seconds a mention may come late: as long as minutes and dedupe records are kept."""
ENTRY = 200
"""Mentions in one entry of the stream: the store counts an entry at once, so this bounds how long it is busy (ms)."""
BACKLOG = 20_000
"""Entries on one shard's stream above which no more is taken."""


class Busy(Exception):
    """More waits to be counted than is sound; come again in `retry_after` seconds."""

    retry_after = 2


@dataclass
class Receipt:
    """What became of a request's items; `errors` say of which item (by index) what was wrong."""

    accepted: int = 0
    matched: int = 0
    repeated: int = 0
    rejected: int = 0
    errors: list[dict[str, object]] = field(default_factory=list)

    def reject(self, index: int, where: str, what: str) -> None:
        """Note a rejected item."""
        self.rejected += 1
        self.errors.append({"index": index, "where": where, "what": what})


class Ingest:
    """Takes mentions and counts in for one process."""

    def __init__(self, store: Store, clock: Clock, registry: Registry) -> None:
        self._store = store
        self._clock = clock
        self._registry = registry

    async def mentions(self, items: Iterable[tuple[int, Mention]], receipt: Receipt) -> Receipt:
        """Match each (index, mention) and store what matches; the receipt says what became of every item.

        Raises:
            Busy: too much waits to be counted; nothing of this request was taken.
        """
        await self._registry.refresh()
        now = await self._clock.now()
        waiting: dict[str, list[object]] = defaultdict(list)
        seen: set[tuple[object, ...]] = set()
        for index, mention in items:
            if mention.deleted and mention.updated_at is None:
                mention = mention.model_copy(update={"updated_at": datetime.fromtimestamp(now, UTC)})
            refusal = self._refusal(mention, now)
            if refusal:
                receipt.reject(index, *refusal)
                continue
            identity: tuple[object, ...] = (mention.source, mention.id, mention.updated_at, mention.deleted)
            if identity in seen:
                receipt.repeated += 1
                continue
            seen.add(identity)
            receipt.accepted += 1
            brands = mention.brands if mention.brands is not None else self._registry.matcher.match(mention.text)
            receipt.matched += bool(brands)
            for brand in brands:
                waiting[keys.shard(brand)].append([brand, mention.model_dump(mode="json", exclude_none=True)])
        await self._push(waiting)
        return receipt

    async def counts(self, items: Iterable[tuple[int, Count]], receipt: Receipt) -> Receipt:
        """Store each (index, count): a later one for the same bucket replaces, never adds."""
        await self._registry.refresh()
        now = await self._clock.now()
        for index, item in items:
            if item.brand not in self._registry.brands:
                receipt.reject(index, "brand", f"there is no brand {item.brand!r}; PUT /v1/brands/{{name}} makes one")
                continue
            start = item.start.timestamp()
            if start % 60:
                receipt.reject(index, "start", "must be a whole minute")
                continue
            if start > now + FUTURE or start < now - 35 * 86_400:
                receipt.reject(index, "start", "must lie within the last 35 days")
                continue
            tag = keys.ingest(keys.shard(item.brand))
            await self._store.call(
                "fs_put_count", tag, item.brand, item.source, int(start), item.seconds, item.count, int(now)
            )
            if item.complete_until:
                until = min(item.complete_until.timestamp(), now)
                await heartbeat(self._store, f"{item.source}{keys.SEPARATOR}{item.brand}", until)
            receipt.accepted += 1
        return receipt

    def _refusal(self, mention: Mention, now: float) -> tuple[str, str] | None:
        at = mention.published_at.timestamp()
        if at > now + FUTURE:
            return "published_at", f"{mention.published_at.isoformat()} is more than 10 minutes in the future"
        if at < now - LATE:
            return "published_at", f"{mention.published_at.isoformat()} is more than 8 days ago"
        for brand in mention.brands or ():
            if brand not in self._registry.brands:
                return "brands", f"there is no brand {brand!r}; PUT /v1/brands/{{name}} makes one"
        return None

    async def _push(self, waiting: dict[str, list[object]]) -> None:
        streams = [keys.ingest(tag) for tag in waiting]
        for length in await self._store.pipe([("XLEN", stream) for stream in streams]):
            if int(length) > BACKLOG:
                raise Busy
        await self._store.pipe(
            [
                ("XADD", keys.ingest(tag), "*", "rows", json.dumps(rows[i : i + ENTRY], ensure_ascii=False))
                for tag, rows in waiting.items()
                for i in range(0, len(rows), ENTRY)
            ]
        )


async def heartbeat(store: Store, source: str, until: float) -> None:
    """Note that a source (or source and brand) has told all it will up to `until` (POSIX seconds)."""
    before = float(await store.do("HGET", keys.SOURCES, source) or 0)
    if until > before:
        await store.do("HSET", keys.SOURCES, source, until)


async def drained(store: Store, brands: Iterable[str]) -> None:
    """Wait until all that was accepted for `brands` is counted."""
    streams = [("XLEN", keys.ingest(tag)) for tag in sorted({keys.shard(brand) for brand in brands})]
    while any(await store.pipe(streams)):
        await asyncio.sleep(0.002)
