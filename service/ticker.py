"""The ticker: looks at every brand as time passes, one process at a time, and turns what it finds into episodes."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

import msgspec
import numpy as np
from redis.exceptions import RedisError

from service import judge, keys
from service.clock import POLL, Clock, ReplayClock
from service.forecasting import Forecasting
from service.lease import HELD_MS, Lease
from service.moved import Found, Moved, Part
from service.opportunity import Opportunities
from service.pace import MINUTE, Pace
from service.registry import Registry
from service.settings import Settings
from service.store import Conflict, Fenced, Store, mended
from service.watcher import Watcher
from service.watchers import AT_ONCE, Watchers

RENEW_SECONDS = HELD_MS / 5000
"""How often the lease is renewed, beside whatever else is done."""
BATCH = 60
"""Simulated minutes judged at once."""
LEARN_PART = 0.5
"""Part of a tick in which brands may begin to be fitted; one after the other, in a thread."""

log = logging.getLogger("foreshock.ticker")


class Ticker:
    """Judges all brands; what it holds in memory can be had again from the store."""

    def __init__(self, store: Store, clock: Clock, registry: Registry, lease: Lease, settings: Settings) -> None:
        self._store = store
        self._clock = clock
        self._registry = registry
        self._lease = lease
        self._seconds = settings.tick_seconds
        self._watchers = Watchers(store, settings.public_url)
        self._pace = Pace(settings.tick_seconds)
        self._told: set[str] = set()
        self._learning: asyncio.Task[None] | None = None
        self._forecasting = Forecasting(store)
        self._opportunities = Opportunities(store)
        self._moved = Moved(store)
        self._suspected: Found = ()
        self._began = 0.0
        self._fence = 0
        self._lost = False

    @property
    def watchers(self) -> Watchers:
        """What is held of every brand."""
        return self._watchers

    async def run(self) -> None:
        """Tick until cancelled."""
        renewing = asyncio.create_task(self._renew())
        try:
            while True:
                try:
                    await self._turn()
                except Fenced:
                    log.warning("another ticker has taken over")
                    self._forget()
                except (RedisError, OSError, Conflict) as error:
                    log.warning("the store is away or was changed (%s), reading again", type(error).__name__)
                    self._forget()
                    await asyncio.sleep(0.5)
                    await mended(self._store, error)
        finally:
            renewing.cancel()
            self._forget()
            with contextlib.suppress(RedisError, OSError):
                await self._lease.release()

    async def _turn(self) -> None:
        if await self.take() is None:
            await asyncio.sleep(1.0)
            return
        if isinstance(self._clock, ReplayClock):
            await self._replay(self._clock)
            return
        began, spent = time.monotonic(), time.thread_time()
        now = await self._clock.now()
        await self.tick(now, now, patient=False)
        self._learn_beside(now)
        self._forecasting.beside(self._watchers.all(), now)
        self._opportunities.beside(self._watchers.all(), now)
        self._pace.spent(time.thread_time() - spent, began - self._began)
        self._began = began
        await asyncio.sleep(max(self._seconds - (time.monotonic() - began), 0.0))

    async def take(self) -> int | None:
        """Take or renew the lease; return its fencing token, None where another ticks."""
        token = await self._lease.hold()
        if token != self._fence:
            self._forget()
        self._fence, self._lost = token or 0, False
        return token

    async def _renew(self) -> None:
        """Keep the lease, however long a tick takes."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with contextlib.suppress(RedisError, OSError):
                self._lost = bool(self._fence) and await self._lease.hold() != self._fence

    def _forget(self) -> None:
        self._watchers.clear()
        self._moved.clear()
        self._told.clear()
        self._forecasting.stop()
        self._opportunities.stop()
        if self._learning:
            self._learning.cancel()
            self._learning = None

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

    async def tick(self, first: float, now: float, patient: bool = True) -> None:
        """Judge from `first` to `now` (POSIX seconds) what is due: every brand, and all that is to learn, if `patient`.

        Raises:
            Fenced: another ticker has taken over.
        """
        await self._registry.refresh()
        brands = self._registry.brands
        self._watchers.keep(brands)
        await self._watchers.drain(brands, self._fence)
        moved = await self._watchers.completeness.refresh()
        await self._watchers.learn_gaps()
        await self._watchers.corrections.refresh()
        self._told |= brands.keys() if moved is None else moved
        due = list(brands) if patient else await self._due(now)
        began, parts = time.monotonic(), list[Part]()
        for begin in range(0, len(due), AT_ONCE):
            names = due[begin : begin + AT_ONCE]
            if self._lost:
                raise Fenced("the lease was lost")
            if not patient and self._watchers.get(names[0]) is None and time.monotonic() - began > self._seconds:
                break  # those that were never looked at stand last; the rest of them is next
            found = await self._watchers.take([brands[name] for name in names], first, now)
            parts = parts or await self._suspect(first, now)
            for part in parts:
                for watcher in found:
                    watcher.suspects(part.suspected, part.last)
                await self._look(found, part.first, part.last, patient)
            await self._state(found, now, patient)
        if not parts:
            await self._suspect(first, now)
        if not patient:
            await self._keep_fresh(now)

    async def _suspect(self, first: float, now: float) -> list[Part]:
        """See which sources are suspected from `first` to `now`; where that changed, all brands are due."""
        parts = await self._moved.look(self._watchers.all(), first, now)
        if parts[-1].suspected != self._suspected:
            self._suspected = parts[-1].suspected
            for watcher in self._watchers.all():
                watcher.due_at = 0.0
        return parts

    async def _due(self, now: float) -> list[str]:
        """Return the brands to look at now, those that were never looked at last."""
        watchers = self._watchers
        due = {w.brand.name for w in watchers.all() if w.due_at <= now}
        waiting = []
        for name in (watchers.changed.keys() | self._told) - due:
            watcher = watchers.get(name)
            changed = name in watchers.changed
            if watcher is None or not (changed or watcher.minutes.latest > watcher.looked_until):
                continue
            if not watcher.calm or self._pace.due(name, watcher.looked_at, now):
                due.add(name)
            elif changed and watcher.knows:
                waiting.append(name)
        due.update(watchers.jumped(waiting, now))
        return sorted(due) + [name for name in self._registry.brands if watchers.get(name) is None]

    async def _look(self, watchers: Sequence[Watcher], first: float, now: float, patient: bool) -> None:
        """Judge brands together; if `patient`, learn in between whenever that is due."""
        until = self._watchers.completeness.of
        begins = {w.brand.name: await self._learn_between(w, first, now) if patient else first for w in watchers}
        if patient:
            await self._opportunities.find(watchers, now)
        for begin in set(begins.values()):
            some = [watcher for watcher in watchers if begins[watcher.brand.name] == begin]
            await judge.look(some, begin, now, until, self._fence)
        for watcher in watchers:
            watcher.due_at = self._pace.next(watcher.brand.name, now, calm=watcher.calm)
            self._told.discard(watcher.brand.name)

    async def _learn_between(self, watcher: Watcher, first: float, now: float) -> float:
        """Learn whenever that is due from `first` to `now` and judge up to there; return from when to go on."""
        while watcher.learns_at <= now:
            at = first if watcher.learns_at <= first else float(np.ceil(watcher.learns_at / MINUTE)) * MINUTE
            if at > now:
                break
            if at - MINUTE >= first:
                await judge.look([watcher], first, at - MINUTE, self._watchers.completeness.of, self._fence)
            await watcher.learn(at)
            first = at
        return first

    async def _state(self, watchers: Sequence[Watcher], now: float, always: bool) -> None:
        """Store how the brands stand, where that changed or was stored a minute ago."""
        commands = []
        for watcher in watchers:
            state = judge.state(watcher, now)
            was, watcher.state = watcher.state, state
            was["at"], was["judged_until"] = state["at"], state["judged_until"]
            same = was == state
            watcher.minutes.rest()
            if always or not same or now - watcher.stated_at >= MINUTE:
                watcher.stated_at = now
                commands.append(("SET", keys.state(watcher.brand.name), msgspec.json.encode(state)))
        await self._store.pipe(commands)

    async def _keep_fresh(self, now: float) -> None:
        """Say of brands of which nothing new came that this is so."""
        commands = []
        for watcher in self._watchers.all():
            if now - watcher.stated_at >= MINUTE:
                watcher.state, watcher.stated_at = judge.later(watcher, now), now
                commands.append(("SET", keys.state(watcher.brand.name), msgspec.json.encode(watcher.state)))
        await self._store.pipe(commands)

    def _learn_beside(self, now: float) -> None:
        """Fit what is due beside the looks: those that cannot be judged yet first."""
        if self._learning is not None:
            if not self._learning.done():
                return
            self._learning.result()
        waiting = [w for w in self._watchers.all() if w.learns_at <= now]
        waiting.sort(key=lambda w: (w.knows, not w.open, w.learns_at))
        self._learning = asyncio.create_task(self._learn(waiting, now)) if waiting else None

    async def _learn(self, waiting: Sequence[Watcher], now: float) -> None:
        began = time.monotonic()
        for watcher in waiting:
            await watcher.learn(now)
            watcher.due_at = 0.0  # what is known now is looked at in the next tick
            if time.monotonic() - began > LEARN_PART * self._seconds:
                return
