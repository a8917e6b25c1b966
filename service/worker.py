"""The counting process: reads what waits on the shards, annotates it, counts it exactly once.

Dedupe, count and acknowledgement are one function in the store, so a worker may die at any instant: what it had read is
read again by itself or by another, and counts once.
"""

import asyncio
import hashlib
import json
import logging
from typing import Any

from redis.exceptions import RedisError

from collectors.annotate import annotate
from service import keys
from service.clock import Clock, posix
from service.store import Store, mended

GROUP = "count"
READ = 32
"""Entries taken at a time."""
CLAIM_IDLE_MS = 15_000
"""An entry that a worker has held this long is taken over; counting one takes milliseconds."""
BLOCK_MS = 500
DEAD = 10_000
"""Mentions that could not be annotated, kept on a shard for whoever mends the cause."""

log = logging.getLogger("foreshock.worker")


def row(brand: str, mention: dict[str, Any], at: float) -> dict[str, Any]:
    """Return what the store needs to count one mention for one brand; `at` is its publication, POSIX seconds."""
    note = annotate(mention["text"], mention.get("language"))
    author = mention.get("author") or {}
    # Of a mention without an author nobody knows that one hand wrote others too.
    wrote = author["id"] if author else f"\0{mention['id']}"
    repost = mention.get("repost_of") is not None
    return {
        "brand": brand,
        "source": mention["source"],
        "id": mention["id"],
        "at": int(at),
        "updated": _milliseconds(mention.get("updated_at"), at),
        "deleted": int(mention.get("deleted", False)),
        "scored": int(note.scored),
        "negative": round(1000 * (note.negative or 0.0)),
        "positive": int(note.sentiment == "positive"),
        "sentiment": note.sentiment or "unscored",
        "spam": int(note.spam),
        "signature": "" if repost or note.signature is None else f"{note.signature:x}",
        "author": hashlib.blake2b(f"{mention['source']}\0{wrote}".encode(), digest_size=8).hexdigest(),
        "reach": author.get("followers") or 0,
        "text": json.dumps(
            {**mention, "language": note.language, "negative": note.negative, "sentiment": note.sentiment},
            ensure_ascii=False,
        ),
    }


def _milliseconds(updated: str | None, at: float) -> int:
    return int(1000 * (posix(updated) if updated else at))


class Worker:
    """One consumer of the ingest streams; any number may run, under different names."""

    def __init__(self, store: Store, clock: Clock, name: str) -> None:
        self._store = store
        self._clock = clock
        self._name = name
        self._streams = [keys.ingest(tag) for tag in keys.all_shards()]

    async def run(self) -> None:
        """Count until cancelled; a store that is away for a while is waited for."""
        await self._again(self._take_up_own)
        claimed = 0.0
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - claimed > CLAIM_IDLE_MS / 1000:
                await self._again(self._take_over)
                claimed = loop.time()
            await self._again(self._take_new)

    async def _again(self, step: Any) -> None:
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
        block = () if block_ms is None else ("BLOCK", block_ms)
        found = await self._store.do(
            "XREADGROUP", "GROUP", GROUP, self._name, "COUNT", READ, *block,
            "STREAMS", *self._streams, *[after] * len(self._streams),
        )  # fmt: skip
        some = False
        for stream, entries in found:
            for identity, fields in entries:
                some = True
                await self._count(stream, identity, fields)
        return some

    async def _take_over(self) -> None:
        for stream in self._streams:
            start: Any = "0-0"
            while True:
                start, entries, *_ = await self._store.do(
                    "XAUTOCLAIM", stream, GROUP, self._name, CLAIM_IDLE_MS, start, "COUNT", READ
                )
                for identity, fields in entries:
                    await self._count(stream, identity, fields)
                if start in (b"0-0", "0-0"):
                    break

    async def _count(self, stream: Any, identity: Any, fields: Any) -> None:
        rows = []
        for brand, mention in json.loads(fields[b"rows"]):
            try:
                rows.append(row(brand, mention, posix(mention["published_at"])))
            except Exception as error:
                log.exception("a mention of %s could not be annotated", brand)
                reason = type(error).__name__
                await self._store.do(
                    "XADD", keys.dead(keys.shard(brand)), "MAXLEN", "~", DEAD, "*",
                    "reason", reason, "brand", brand, "mention", json.dumps(mention),
                )  # fmt: skip
        now = int(await self._clock.now())
        await self._store.call("fs_count", stream, GROUP, identity, now, json.dumps(rows, ensure_ascii=False))
