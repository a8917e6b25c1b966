"""Whether the store has room for more: the door is shut long before memory runs out, and nothing is ever evicted.

What was accepted can still be counted then: the store's functions may go beyond its limit, plain writes may not.
"""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from service import keys
from service.store import Store, StoreError

FULL = 0.9
"""Part of a server's memory above which nothing more is taken: the rest is for counting what was."""
BACKLOG = 500_000
"""Batches above which nothing more is taken: some minutes of counting, which is as late as a count may be."""
PERIOD = 1.0
"""Seconds between two looks: at the highest rate some megabytes come in meanwhile."""

log = logging.getLogger("foreshock.room")


class Room:
    """Looks at the store every second, so that asking costs a request nothing."""

    def __init__(self, store: Store, backlog: int = BACKLOG, period: float = PERIOD) -> None:
        self._store = store
        self._backlog = backlog
        self._period = period
        self.used = 0.0
        """Part of its memory that the fullest server has in use, 0-1 and more."""
        self.waiting = 0
        """Batches that wait to be counted."""

    async def run(self) -> None:
        """Look until cancelled; while the store is away, what was seen last stands."""
        while True:
            was = self.refuse()
            try:
                await self.look()
            except (RedisError, StoreError, OSError) as error:
                log.debug("the store is away (%s)", type(error).__name__)
            reason = self.refuse()
            if (reason is None) != (was is None):
                log.warning("%s", reason or "there is room again; mentions are taken")
            await asyncio.sleep(self._period)

    async def look(self) -> None:
        """Look once."""
        servers = await self._store.each("INFO", "memory")
        self.used = max(used(info) for info in servers)
        self.waiting = sum(await self._store.pipe([("XLEN", keys.ingest(tag)) for tag in keys.all_shards()]))

    def refuse(self) -> str | None:
        """Return why nothing more can be taken at the moment, None where it can."""
        if self.used > FULL:
            return f"the store is full, {self.used:.0%} of its memory is in use: no more is taken until there is room"
        if self.waiting > self._backlog:
            return f"{self.waiting} batches wait to be counted: no more is taken until the workers have caught up"
        return None


def used(info: Mapping[str, Any]) -> float:
    """Return which part of its memory a server has in use, of INFO's section memory; of the machine's without a limit.

    Buffers of replicas and of the append-only file are left out, as the server itself does. 0 where it says no limit.
    """
    limit = int(info["maxmemory"]) or int(info.get("total_system_memory") or 0)
    return (int(info["used_memory"]) - int(info.get("mem_not_counted_for_evict") or 0)) / limit if limit else 0.0
