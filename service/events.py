"""The stream of events: one tail of all shards' event logs in a process, handed to everybody who listens."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator
from typing import Any

from redis.exceptions import RedisError

from service import keys
from service.store import Store

QUEUE = 1000
"""Events a slow listener may lag behind before it is cut off; it comes again with Last-Event-ID."""
KEEP_ALIVE = 15.0
"""Seconds between comments on a quiet stream, so that proxies keep it open."""

log = logging.getLogger("foreshock.events")


class Events:
    """Tails every shard's event log."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._listeners: set[asyncio.Queue[tuple[str, bytes] | None]] = set()

    async def run(self) -> None:
        """Tail until cancelled, from now on."""
        begin = f"{int(time.time() * 1000) - 1}-0"
        places: dict[str, Any] = {keys.events(tag): begin for tag in keys.all_shards()}
        while True:
            try:
                found = await self._store.read(places, count=100, block_ms=1000)
            except (RedisError, OSError) as error:
                log.warning("the store is away (%s), trying again", type(error).__name__)
                await asyncio.sleep(0.5)
                continue
            for stream, entries in found:
                for identity, fields in entries:
                    places[_text(stream)] = identity
                    self._tell(_text(identity), fields[b"event"])

    def _tell(self, identity: str, event: bytes) -> None:
        for queue in list(self._listeners):
            try:
                queue.put_nowait((identity, event))
            except asyncio.QueueFull:
                self._listeners.discard(queue)
                with contextlib.suppress(asyncio.QueueEmpty):
                    queue.get_nowait()
                queue.put_nowait(None)

    async def listen(self, after: str | None) -> AsyncGenerator[tuple[str, bytes] | None, None]:
        """Yield (id, event) as they happen, first those since the id `after`; None is a moment of quiet."""
        queue: asyncio.Queue[tuple[str, bytes] | None] = asyncio.Queue(QUEUE)
        self._listeners.add(queue)
        try:
            told = set()
            for identity, event in await self._since(after):
                told.add((identity, event))
                yield identity, event
            while True:
                try:
                    item = await asyncio.wait_for(queue.get(), KEEP_ALIVE)
                except TimeoutError:
                    yield None
                    continue
                if item is None:
                    return
                if item not in told:
                    yield item
        finally:
            self._listeners.discard(queue)

    async def _since(self, after: str | None) -> list[tuple[str, bytes]]:
        if after is None:
            return []
        found = await self._store.pipe(
            [("XRANGE", keys.events(tag), after.partition("-")[0], "+", "COUNT", QUEUE) for tag in keys.all_shards()]
        )
        entries = [(_text(i), fields[b"event"]) for shard in found for i, fields in shard]
        return sorted((e for e in entries if e[0] != after), key=lambda e: _order(e[0]))


def _order(identity: str) -> tuple[int, int]:
    milliseconds, _, number = identity.partition("-")
    return int(milliseconds), int(number or 0)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
