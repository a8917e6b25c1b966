"""The counting process: reads what waits on the shards, annotates it, counts it exactly once.

Dedupe, count and acknowledgement are one function in the store, so a worker may die at any instant: what it had read is
read again by itself or by another, and counts once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from redis.exceptions import RedisError, ResponseError

from collectors.annotate import Annotation, annotate
from service import keys
from service.clock import Clock
from service.deadletters import CountOne, Entry, bury, deadly, decoded, one_by_one, purge, quarantine, refused, tag_of
from service.row import ELSEWHERE, Row, row
from service.store import Store, mended

GROUP = keys.COUNTERS
READ = 2
"""Entries taken of each shard at a time."""
TOGETHER = 16
"""Entries counted in one round trip: what was read first is counted before the rest is annotated."""
CLAIM_IDLE_MS = 15_000
"""An entry that a worker has held this long is taken over; counting one takes milliseconds."""
FORGET_IDLE_MS = 3_600_000
"""A consumer that holds nothing and has not been heard of for this long is forgotten: each start makes a new name."""
BLOCK_MS = 500

log = logging.getLogger("foreshock.worker")

Waiting = list[tuple[str, bytes]]
"""What an entry holds: brand, and the mention as JSON."""
_waiting = msgspec.msgpack.Decoder(Waiting)
_mention = msgspec.json.Decoder(dict[str, Any])
_rows = msgspec.msgpack.Encoder()


class Worker:
    """One consumer of the ingest streams; any number may run, under different names."""

    def __init__(self, store: Store, clock: Clock, name: str) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._streams = [keys.ingest(tag) for tag in keys.all_shards()]

    async def run(self) -> None:
        """Count until cancelled; a store that is away for a while is waited for."""
        annotate("An engine that can't be loaded ends the process here, and buries nothing.")
        await self._again(self._take_up_own)
        claimed = 0.0
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - claimed > CLAIM_IDLE_MS / 1000:
                await self._again(self._take_over)
                claimed = loop.time()
            await self._again(self._take_new)

    async def _again(self, step: Callable[[], Awaitable[None]]) -> None:
        try:
            await step()
        except (RedisError, OSError) as error:
            log.warning("the store is away (%s), trying again", error)
            await asyncio.sleep(0.5)
            await mended(self._store, error)

    async def _take_new(self) -> None:
        await self._read(">", BLOCK_MS)

    async def _take_up_own(self) -> None:
        while await self._read("0", None):
            pass

    async def _read(self, after: str, block_ms: int | None) -> bool:
        found = await self._store.read_group(
            GROUP, self._name, self._streams, count=READ, block_ms=block_ms, after=after
        )
        entries = [(stream, identity, fields) for stream, some in found for identity, fields in some]
        await self._take(entries, again=after != ">")
        return bool(entries)

    async def _take_over(self) -> None:
        """Take over what others hold for too long, and forget those who hold nothing and are gone."""
        claims = [("XAUTOCLAIM", s, GROUP, self._name, CLAIM_IDLE_MS, "0-0", "COUNT", 32) for s in self._streams]
        claimed = zip(self._streams, await self._store.pipe(claims), strict=True)
        await self._take([(stream, *entry) for stream, (_, entries, *_) in claimed for entry in entries], again=True)
        told = await self._store.pipe([("XINFO", "CONSUMERS", stream, GROUP) for stream in self._streams])
        gone = [
            ("XGROUP", "DELCONSUMER", stream, GROUP, consumer[b"name"])
            for stream, consumers in zip(self._streams, told, strict=True)
            for consumer in consumers
            if consumer[b"pending"] == 0 and consumer[b"idle"] > FORGET_IDLE_MS
        ]
        await self._store.pipe(gone)

    async def _take(self, entries: list[Entry], again: bool) -> None:
        """Count entries; those that were delivered before (`again`) may be what somebody died of."""
        doomed = await deadly(self._store, entries) if again else set()
        for i in range(0, len(entries), TOGETHER):
            await self._count(entries[i : i + TOGETHER], doomed)

    async def _count(self, entries: list[Entry], doomed: set[Any]) -> None:
        together: list[tuple[Any, Any, Waiting]] = []
        apart: list[tuple[Any, Any, Waiting]] = []
        for stream, identity, fields in entries:
            try:
                waiting = _waiting.decode(fields[b"m"])
            except (KeyError, msgspec.DecodeError) as error:
                await quarantine(self._store, stream, identity, fields, str(error))
                continue
            (apart if identity in doomed else together).append((stream, identity, waiting))
        try:
            await self._send([(stream, identity, await self._rows(waiting)) for stream, identity, waiting in together])
        except ResponseError as error:
            if not refused(error):
                raise
            apart += [entry for entry in together if not await self._counted(*entry)]
        for stream, identity, waiting in apart:
            await one_by_one(self._store, stream, identity, waiting, self._counter(stream))

    async def _send(self, entries: list[tuple[Any, Any, list[Row]]]) -> None:
        """Count entries in one round trip."""
        now = int(await self._clock.now())
        await purge(self._store, [(tag_of(s), row.key) for s, _, rows in entries for row in rows if row.deleted])
        calls = [("FCALL", "fs_count", 1, s, GROUP, i, now, _rows.encode(rows)) for s, i, rows in entries]
        await self._store.pipe(calls)

    async def _counted(self, stream: Any, identity: Any, waiting: Waiting) -> bool:
        """Count one entry; say whether the store's function took it."""
        try:
            await self._send([(stream, identity, await self._rows(waiting))])
        except ResponseError as error:
            if not refused(error):
                raise
            return False
        return True

    def _counter(self, stream: Any) -> CountOne:
        async def count(brand: str, packed: bytes) -> None:
            await self._send([(stream, "", await self._rows([(brand, packed)]))])

        return count

    async def _rows(self, waiting: Waiting) -> list[Row]:
        rows = []
        notes: dict[bytes, Annotation | None] = {}  # one mention may be of several brands
        for brand, packed in waiting:
            try:
                mention = _mention.decode(packed)
                if packed not in notes:
                    unread = brand == ELSEWHERE or mention.get("deleted")
                    notes[packed] = None if unread else annotate(mention["text"], mention.get("language"))
                rows.append(row(brand, mention, notes[packed]))
            except Exception as error:
                log.exception("a mention of %s could not be annotated", brand)
                await bury(self._store, brand, decoded(packed), str(error))
        return rows
