"""The way in: mentions are matched at the door, and what matches waits on its brand's shard to be counted.

What matches no brand is dropped here, before it costs the store anything; matching here is also what lets dedupe, count
and acknowledgement be one function on one shard.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import msgspec

from collectors.mention import Count, Fields, Mention
from service import keys
from service.clock import Clock
from service.registry import Registry
from service.row import ELSEWHERE
from service.store import Store

FUTURE = 600.0
"""Seconds a publication may lie ahead of our clock: networks' clocks are off by minutes, not more."""
LATE = 8 * 86_400.0
"""Seconds a mention may come late: as long as minutes and dedupe records are kept."""
LATE_COUNT = 35 * 86_400.0
"""Seconds a count may come late: as long as five-minute buckets are kept."""
ENTRY = 200
"""Mentions in one entry of the stream: the store counts an entry at once, so this bounds how long it is busy (ms)."""


_Waiting = dict[str, list[tuple[str, bytes]]]
"""By shard: (brand, mention as JSON)."""


class Busy(Exception):
    """More waits, or is kept, than is sound; come again in `retry_after` seconds."""

    retry_after = 2


class Room(Protocol):
    """Knows whether the store has room for more."""

    def refuse(self) -> str | None:
        """Return why nothing more can be taken at the moment, None where it can."""
        ...


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

    def __init__(self, store: Store, clock: Clock, registry: Registry, room: Room | None = None) -> None:
        self._store = store
        self._clock = clock
        self._registry = registry
        self._room = room

    async def mentions(
        self, items: Iterable[tuple[int, Mention]], receipt: Receipt, only: Collection[str] | None = None
    ) -> Receipt:
        """Do what `fields` does, for mentions as collectors make them."""
        found = [(index, item.model_dump(exclude_none=True)) for index, item in items]
        return await self.fields(found, receipt, only)

    async def fields(
        self, items: Iterable[tuple[int, Fields]], receipt: Receipt, only: Collection[str] | None = None
    ) -> Receipt:
        """Match each (index, mention) and store what matches; the receipt says what became of every item.

        A mention that does not name its brands itself counts for those in `only`, where it is given.

        Raises:
            Busy: too much waits to be counted, or the store is full; nothing of this request was taken.
        """
        await self._open()
        now = await self._clock.now()
        taken = self._sound(items, now, receipt)
        untold = [mention for mention in taken if mention.get("brands") is None]
        matched = iter(self._registry.matcher.match_all(untold))
        waiting: _Waiting = defaultdict(list)
        for mention in taken:
            brands = mention.get("brands")
            if brands is None:
                brands = next(matched)
                if mention.get("updated_at") or mention.get("deleted"):
                    self._route_elsewhere(mention, brands, now, waiting)
                if only is not None:
                    brands = [brand for brand in brands if brand in only]
            if brands:
                receipt.matched += 1
                self._route(mention, brands, now, waiting)
        await self._push(waiting)
        return receipt

    async def _open(self) -> None:
        reason = self._room.refuse() if self._room else None
        if reason:
            raise Busy(reason)
        await self._registry.refresh()

    def _sound(self, items: Iterable[tuple[int, Fields]], now: float, receipt: Receipt) -> list[Fields]:
        """Return the mentions that can be taken, each once; the receipt says what became of every item."""
        oldest, newest = now - LATE, now + FUTURE
        found: dict[tuple[object, ...], Fields] = {}
        for index, mention in items:
            at = mention["published_at"].timestamp()
            if mention.get("brands") or not oldest <= at <= newest:
                refusal = self._refusal(mention, at, now)
                if refusal:
                    receipt.reject(index, *refusal)
                    continue
            identity = mention["source"], mention["id"], mention.get("updated_at"), mention.get("deleted", False)
            if found.setdefault(identity, mention) is mention:
                receipt.accepted += 1
            else:
                receipt.repeated += 1
        return list(found.values())

    def _route(self, mention: Fields, brands: list[str], now: float, waiting: _Waiting) -> None:
        """Put a mention where its brands are counted."""
        packed = _as_json(_dated(mention, now))
        for brand in brands:
            waiting[keys.shard(brand)].append((brand, packed))

    def _route_elsewhere(self, mention: Fields, brands: list[str], now: float, waiting: _Waiting) -> None:
        """Have an edited or deleted mention taken out of every brand that its new text does not match."""
        dated = _dated(mention, now)
        if not (dated.get("deleted") or dated["updated_at"] > dated["published_at"]):
            return
        wanted = ("id", "source", "published_at", "updated_at", "deleted")
        packed = _as_json({**{name: dated[name] for name in wanted if name in dated}, "brands": brands})
        for tag in self._registry.shards:
            waiting[tag].append((ELSEWHERE, packed))

    async def counts(self, items: Iterable[tuple[int, Count]], receipt: Receipt) -> Receipt:
        """Store each (index, count): a later one for the same bucket replaces, never adds.

        Raises:
            Busy: the store is full; nothing of this request was taken.
        """
        await self._open()
        now = await self._clock.now()
        commands: list[tuple[object, ...]] = []
        told: dict[str, float] = {}
        for index, item in items:
            refusal = self._refused_count(item, now)
            if refusal:
                receipt.reject(index, *refusal)
                continue
            receipt.accepted += 1
            tag, start = keys.ingest(keys.shard(item.brand)), int(item.start.timestamp())
            commands.append(
                ("FCALL", "fs_put_count", 1, tag, item.brand, item.source, start, item.seconds, item.count, int(now))
            )
            if item.complete_until:
                source = f"{item.source}{keys.SEPARATOR}{item.brand}"
                told[source] = max(told.get(source, 0.0), min(item.complete_until.timestamp(), now))
        await self._store.append(commands)
        for source, until in told.items():
            await heartbeat(self._store, source, until)
        return receipt

    def _refused_count(self, item: Count, now: float) -> tuple[str, str] | None:
        if item.brand not in self._registry.brands:
            return "brand", _no_brand(item.brand)
        return _refused_span(item.start.timestamp(), item.seconds, now)

    def _refusal(self, mention: Fields, at: float, now: float) -> tuple[str, str] | None:
        published: datetime = mention["published_at"]
        if at > now + FUTURE:
            return "published_at", f"{published.isoformat()} is more than 10 minutes in the future"
        if at < now - LATE and not mention.get("deleted"):
            return "published_at", f"{published.isoformat()} is more than 8 days ago"
        for brand in mention.get("brands") or ():
            if brand not in self._registry.brands:
                return "brands", _no_brand(brand)
        return None

    async def _push(self, waiting: _Waiting) -> None:
        await self._store.append(
            [
                ("XADD", keys.ingest(tag), "*", "m", _pack(rows[i : i + ENTRY]))
                for tag, rows in waiting.items()
                for i in range(0, len(rows), ENTRY)
            ]
        )


_pack = msgspec.msgpack.Encoder().encode
_encode = msgspec.json.Encoder().encode


def _dated(mention: Fields, now: float) -> Fields:
    """Return a mention of which it is known when it was deleted: now, where the sender does not say."""
    if mention.get("deleted") and mention.get("updated_at") is None:
        return {**mention, "updated_at": datetime.fromtimestamp(now, UTC)}
    return mention


def _as_json(mention: Fields) -> bytes:
    """Return what is known of a mention as JSON, its times in UTC."""
    said: Fields = {"kind": "post"}
    for name, value in mention.items():
        if value is not None:
            said[name] = value.astimezone(UTC) if isinstance(value, datetime) else value
    return _encode(said)


def _no_brand(name: str) -> str:
    return f"there is no brand {name!r}; PUT /v1/brands/{{name}} makes one"


def _refused_span(start: float, seconds: int, now: float) -> tuple[str, str] | None:
    if start > now + FUTURE or start < now - LATE_COUNT:
        return "start", "must lie within the last 35 days"
    if start % 60:
        return "start", "must be a whole minute"
    if start < now - LATE and start % 300:
        return "start", "must be a multiple of 5 minutes where it lies more than 8 days back"
    if start < now - LATE and seconds % 300:
        return "seconds", "must be a multiple of 300 where the start lies more than 8 days back"
    return None


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
