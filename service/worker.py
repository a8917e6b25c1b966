"""The counting process: reads what waits on the shards, annotates it, counts it exactly once.

Dedupe, count and acknowledgement are one function in the store, so a worker may die at any instant: what it had read is
read again by itself or by another, and counts once.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import msgspec
from redis.exceptions import RedisError, ResponseError

from collectors.annotate import Annotation, annotate, annotate_all
from collectors.sentiment import DEFAULT_ENGINE, Engine, engine
from service import keys
from service.clock import Clock
from service.deadletters import CountOne, Entry, bury, deadly, decoded, one_by_one, purge, quarantine, refused, tag_of
from service.own_models import OwnModels
from service.row import Row, row
from service.store import Store, mended
from service.takedown import take_down

GROUP = keys.COUNTERS
READ = 2
"""Entries taken of each shard at a time."""
TOGETHER = 128
"""Entries counted in one round trip: what was read first is counted before the rest is annotated."""
ROWS = 400
"""Mentions counted in one round trip, but for what the last entry has more: the store is busy for some 15 ms."""
CLAIM_IDLE_MS = 15_000
"""An entry that a worker has held this long is taken over; counting one takes milliseconds."""
FORGET_IDLE_MS = 3_600_000
"""A consumer that holds nothing and has not been heard of for this long is forgotten: each start makes a new name."""
BLOCK_MS = 500
TURNS = 4
"""Reads under way at a time: while the store counts what some gave, that of another is annotated. With two, one waits
for the other a third of the time."""

log = logging.getLogger("foreshock.worker")

Waiting = list[tuple[str, bytes]]
"""What an entry holds: brand, and the mention as JSON."""
Waited = tuple[Any, Any, Waiting]
"""An entry: its stream, its identity, what it holds."""
Rows = tuple[Any, Any, list[Row]]
"""An entry: its stream, its identity, what the store needs of it."""
Noted = tuple[dict[str, Any], Annotation | None]
"""A mention, and what its text says; None where that is never looked at."""
_waiting = msgspec.msgpack.Decoder(Waiting)
_mention = msgspec.json.Decoder(dict[str, Any])
_rows = msgspec.msgpack.Encoder()


class Worker:
    """One consumer of the ingest streams; any number may run, under different names."""

    def __init__(self, store: Store, clock: Clock, name: str, sentiment: str = DEFAULT_ENGINE) -> None:
        self._store = store
        self._engine = engine(sentiment)
        self._clock = clock
        self._name = name
        self._streams = [keys.ingest(tag) for tag in keys.all_shards()]
        self._models = OwnModels(store)

    async def run(self) -> None:
        """Count until cancelled; a store that is away for a while is waited for."""
        annotate("What can't be loaded ends the process here, and buries nothing.", engine=self._engine)
        await self._again(self._take_up_own)
        claimed = 0.0
        loop = asyncio.get_running_loop()
        others = [asyncio.create_task(self._keep_taking()) for _ in range(TURNS - 1)]
        try:
            while True:
                if loop.time() - claimed > CLAIM_IDLE_MS / 1000:
                    await self._again(self._take_over)
                    claimed = loop.time()
                await self._again(self._take_new)
        finally:
            for other in others:
                other.cancel()

    async def _keep_taking(self) -> None:
        while True:
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
        await take_down(self._store, keys.all_shards())
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
        together: list[Waited] = []
        for stream, identity, fields in entries:
            try:
                waiting = _waiting.decode(fields[b"m"])
            except (KeyError, msgspec.DecodeError) as error:
                await quarantine(self._store, stream, identity, fields, str(error))
                continue
            if identity in doomed:
                await one_by_one(self._store, stream, identity, waiting, self._counter(stream))
                continue
            together.append((stream, identity, waiting))
            if len(together) == TOGETHER or sum(len(waiting) for _, _, waiting in together) >= ROWS:
                await self._count(together)
                together = []
        if together:
            await self._count(together)

    async def _count(self, together: list[Waited]) -> None:
        apart: list[Waited] = []
        try:
            await self._send(await self._rows(together))
        except ResponseError as error:
            if not refused(error):
                raise
            apart = [entry for entry in together if not await self._counted(*entry)]
        for stream, identity, waiting in apart:
            await one_by_one(self._store, stream, identity, waiting, self._counter(stream))

    async def _send(self, entries: list[Rows]) -> None:
        """Count entries in one round trip."""
        now = int(await self._clock.now())
        await purge(self._store, [(tag_of(s), row.key) for s, _, rows in entries for row in rows if row.deleted])
        calls = [("FCALL", "fs_count", 1, s, GROUP, i, now, _rows.encode(rows)) for s, i, rows in entries]
        await self._store.pipe(calls)
        if gone := [tag_of(s) for s, _, rows in entries if any(row.deleted for row in rows)]:
            await take_down(self._store, gone)

    async def _counted(self, stream: Any, identity: Any, waiting: Waiting) -> bool:
        """Count one entry; say whether the store's function took it."""
        try:
            await self._send(await self._rows([(stream, identity, waiting)]))
        except ResponseError as error:
            if not refused(error):
                raise
            return False
        return True

    def _counter(self, stream: Any) -> CountOne:
        async def count(brand: str, packed: bytes) -> None:
            await self._send(await self._rows([(stream, "", [(brand, packed)])]))

        return count

    async def _rows(self, together: list[Waited]) -> list[Rows]:
        """Return the entries with what the store needs; what can't be annotated is buried."""
        await self._models.refresh()
        noted = _noted_together([packed for _, _, waiting in together for _, packed in waiting], self._engine)
        found = []
        for stream, identity, waiting in together:
            rows = []
            for brand, packed in waiting:
                try:
                    mention, note = (noted or _noted([packed], self._engine))[packed]
                    rows.append(row(brand, mention, self._models.note(brand, mention, note)))
                except Exception as error:
                    log.exception("a mention of %s could not be annotated", brand)
                    await bury(self._store, brand, decoded(packed), str(error))
            found.append((stream, identity, rows))
        return found


def _noted_together(some: Iterable[bytes], judge: Engine) -> dict[bytes, Noted]:
    try:
        return _noted(some, judge)
    except Exception:  # noqa: BLE001 - whatever it is
        return {}  # one of them is at fault: each is looked at for itself


def _noted(some: Iterable[bytes], judge: Engine) -> dict[bytes, Noted]:
    """Return mentions with what their texts say: nothing, of one that is deleted or says no more what it said."""
    mentions = {packed: _mention.decode(packed) for packed in some}  # one mention may be of several brands
    texts = {p: (m["text"], m.get("language")) for p, m in mentions.items() if "text" in m and not m.get("deleted")}
    notes = dict(zip(texts, annotate_all(list(texts.values()), judge), strict=True))
    return {packed: (mention, notes.get(packed)) for packed, mention in mentions.items()}
