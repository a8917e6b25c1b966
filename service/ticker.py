"""The ticker: looks at every brand as time passes, one process at a time, and turns what it finds into episodes."""

import asyncio
import contextlib
import logging
import time
from collections import defaultdict

import numpy as np
from redis.exceptions import RedisError

from service import judge, keys
from service.clock import POLL, Clock, ReplayClock
from service.lease import HELD_MS, Lease
from service.registry import Registry
from service.settings import Settings
from service.store import Conflict, Fenced, Store, mended
from service.watcher import Watcher

MINUTE = 60.0
RENEW_SECONDS = 2.0
"""How old the lease may get within one tick over many brands."""
BATCH = 60
"""Simulated minutes judged at once: the lease is renewed between batches."""

log = logging.getLogger("foreshock.ticker")


class Ticker:
    """Judges all brands; what it holds in memory can be had again from the store."""

    def __init__(self, store: Store, clock: Clock, registry: Registry, lease: Lease, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._registry = registry
        self._lease = lease
        self._seconds = settings.tick_seconds
        self._public_url = settings.public_url
        self._watchers: dict[str, Watcher] = {}
        self._fence = 0

    async def run(self) -> None:
        """Tick until cancelled."""
        try:
            while True:
                try:
                    await self._turn()
                except Fenced:
                    log.warning("another ticker has taken over")
                    self._watchers.clear()
                except (RedisError, OSError, Conflict) as error:
                    log.warning("the store is away or was changed (%s), reading again", type(error).__name__)
                    self._watchers.clear()
                    await asyncio.sleep(0.5)
                    await mended(self._store, error)
        finally:
            with contextlib.suppress(RedisError, OSError):
                await self._lease.release()

    async def _turn(self) -> None:
        if await self.take() is None:
            await asyncio.sleep(1.0)
            return
        if isinstance(self._clock, ReplayClock):
            await self._replay(self._clock)
            return
        began = time.monotonic()
        now = await self._clock.now()
        await self.tick(now, now)
        await asyncio.sleep(max(self._seconds - (time.monotonic() - began), 0.0))

    async def take(self) -> int | None:
        """Take or renew the lease; return its fencing token, None where another ticks."""
        token = await self._lease.hold()
        if token != self._fence:
            self._watchers.clear()
        self._fence = token or 0
        return token

    async def _replay(self, clock: ReplayClock) -> None:
        """Judge every minute of the replay's clock that has been released."""
        deadline = time.monotonic() + HELD_MS / 3000
        while time.monotonic() < deadline:
            judged, release = await clock.waiting()
            if judged >= release:
                await asyncio.sleep(POLL)
                continue
            first = np.floor(judged / MINUTE) + 1.0
            ends = MINUTE * np.arange(first, np.floor(release / MINUTE) + 1.0)
            for part in np.array_split(ends, max(1, -(-len(ends) // BATCH))):
                if len(part):
                    await self.tick(float(part[0]), float(part[-1]))
                    await clock.set(judged=float(part[-1]))
            await clock.set(judged=release)

    async def tick(self, first: float, now: float) -> None:
        """Judge every brand from `first` to `now` (POSIX seconds).

        Raises:
            Fenced: another ticker has taken over.
        """
        await self._registry.refresh()
        changed = await self._changes()
        renewed = time.monotonic()
        for name, brand in self._registry.brands.items():
            if time.monotonic() - renewed > RENEW_SECONDS:
                renewed = time.monotonic()
                if await self._lease.hold() != self._fence:
                    raise Fenced("the lease was lost")
            watcher = self._watchers.get(name)
            if watcher is None or watcher.brand != brand:
                watcher = self._watchers[name] = await Watcher.find(self._store, brand, self._public_url)
            await judge.look(watcher, first, now, changed[name], self._fence)
        for name in [n for n in self._watchers if n not in self._registry.brands]:
            del self._watchers[name]

    async def _changes(self) -> dict[str, set[tuple[str, int]]]:
        """Return which hours of which sources changed since the last look, by brand."""
        found: dict[str, set[tuple[str, int]]] = defaultdict(set)
        tags = sorted({keys.shard(name) for name in self._registry.brands})
        for tag in tags:
            for member in await self._store.call("fs_drain", keys.dirty(tag), self._fence):
                brand, source, hour = member.decode().split(keys.SEPARATOR)
                found[brand].add((source, int(hour)))
        return found
