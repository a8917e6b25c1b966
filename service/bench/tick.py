"""One tick of the judging process over a store: read what changed, judge every brand, write how each stands."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf

import msgspec

from detectors.series import Series
from detectors.watch import Watch
from service import keys
from service.bench import BenchError, Figures
from service.bench.running import empty_store
from service.brand import Brand
from service.clock import SystemClock
from service.lease import Lease
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from service.ticker import Ticker
from service.watchers import AT_ONCE

MINUTE, DAY = 60, 86_400
LAST_HOUR = 60
"""Minutes that say how much is usual now."""
SOURCE = "x"
EVERY = 5
"""Seconds between ticks."""
TICKS = 4
"""Each figure is the best of so many: what the machine does beside is not ours."""


@dataclass(frozen=True)
class Spent:
    """Processor time of one tick in seconds: of the judging process, and of the store."""

    judging: float
    store: float


async def tick_with_reads(watches: Sequence[Watch], days: Sequence[Series], brands: int) -> Figures:
    """Return what a tick costs in which something new was said of every brand; each is as one of `days`.

    Figures are seconds of a core: of the judging process where the minute goes on and where a new one begins, and of
    the store. What is normal is given, so that nothing is learned; every brand has one source.
    """
    now = days[0].start + DAY - 0.5 * MINUTE
    async with empty_store() as store:
        names = [f"brand{n}" for n in range(brands)]
        registry = Registry(store)
        await store.pipe(
            [("HSET", keys.BRANDS, name, Brand(name=name, query=name).model_dump_json()) for name in names]
            + [("INCR", keys.VERSION)]
        )
        await _write(store, names, days, now)
        ticker = Ticker(store, SystemClock(), registry, Lease(store, "bench", "tick"), Settings())
        await ticker.take()
        for number in range(1 + brands // AT_ONCE):  # a tick takes in as many new brands as it has time for
            if sum(1 for _ in ticker.watchers.all()) < brands:
                await ticker.tick(now - 2 * MINUTE + number / 1000, now - 2 * MINUTE + number / 1000, patient=False)
        for watcher in ticker.watchers.all():
            watch = watches[int(watcher.brand.name[5:]) % len(watches)]
            watcher.watch, watcher.learns_at = replace(watch, normals={SOURCE: watch.normals[""]}), inf
        usual = [float(day.mentions[-LAST_HOUR:].mean()) for day in days]
        await _tick(store, ticker, names, usual, now - EVERY)
        same = [await _tick(store, ticker, names, usual, now + EVERY * n) for n in range(TICKS)]
        new = [await _tick(store, ticker, names, usual, now + MINUTE * (1 + n)) for n in range(TICKS)]
    return {
        "tick_with_reads_seconds": min(one.judging for one in same),
        "tick_with_reads_new_minute_seconds": min(one.judging for one in new),
        "tick_store_seconds": min(one.store for one in same),
    }


async def _tick(store: Store, ticker: Ticker, names: Sequence[str], usual: Sequence[float], now: float) -> Spent:
    """Count something of every brand, a minute's `usual` mentions of its kind and one at the least; look at all."""
    number, place = divmod(int(now) // MINUTE, keys.SEGMENT[MINUTE])
    member = keys.SEPARATOR.join(("", SOURCE, str(number), str(place)))
    counts = [max(round(mentions), 1) for mentions in usual]
    packed = [msgspec.msgpack.encode([n, 0, n, 200 + int(now) // EVERY % 12, 0, 0, 0, n]) for n in counts]
    keyed = [(keys.segment(name, SOURCE, MINUTE, number), packed[n % len(packed)]) for n, name in enumerate(names)]
    await store.pipe([("HSET", key, place, counters) for key, counters in keyed])
    await store.pipe([("SADD", keys.dirty(keys.shard(name)), name + member) for name in names])
    store_began, began = await _store_seconds(store), time.process_time()
    await ticker.tick(now, now, patient=False)
    took = Spent(time.process_time() - began, await _store_seconds(store) - store_began)
    if missed := sum(not watcher.scores or watcher.looked_at != now for watcher in ticker.watchers.all()):
        raise BenchError(f"{missed} of {len(names)} brands were not judged")
    if doubted := sum(bool(watcher.moved) for watcher in ticker.watchers.all()):
        raise BenchError(f"the source of {doubted} of {len(names)} brands is suspected: that is no usual tick")
    return took


async def _store_seconds(store: Store) -> float:
    used = await store.do("INFO", "cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


async def _write(store: Store, names: Sequence[str], days: Sequence[Series], now: float) -> None:
    """Store a day of minutes of every brand; those that are alike are copied."""
    for kind, day in enumerate(days):
        some = names[kind :: len(days)]
        first, said = some[:1], _segments(day, now)
        commands = [
            ("HSET", keys.segment(n, SOURCE, MINUTE, number), *pairs) for n in first for number, pairs in said.items()
        ]
        await store.pipe(commands)
        dumps = await store.pipe([("DUMP", command[1]) for command in commands])
        copies = [
            ("RESTORE", keys.segment(name, SOURCE, MINUTE, number), 0, dump)
            for name in some[1:]
            for number, dump in zip(said, dumps, strict=True)
        ]
        spoke = (f"{SOURCE}{keys.SEPARATOR}first", now - 40 * DAY, f"{SOURCE}{keys.SEPARATOR}last", now - MINUTE)
        await store.pipe([*copies, *(("HSET", keys.since(name), *spoke) for name in some)])


def _segments(day: Series, now: float) -> dict[int, list[object]]:
    """Return the minutes up to `now` as the store holds them, by segment: places and packed counters in turn."""
    found: dict[int, list[object]] = {}
    nothing = [0.0] * len(day)
    scored = nothing if day.scored is None else day.scored.tolist()
    negative = nothing if day.negative is None else day.negative.tolist()
    for n, counts in enumerate(zip(day.mentions.tolist(), scored, negative, strict=True)):
        number, place = divmod(round(day.start) // MINUTE + n, keys.SEGMENT[MINUTE])
        if counts[0] and day.start + n * MINUTE <= now:
            mentions, told, angry = (int(count) for count in counts)
            packed = msgspec.msgpack.encode([mentions, 0, told, 1000 * angry, 0, 0, 0, mentions])
            found.setdefault(number, []).extend((place, packed))
    return found
