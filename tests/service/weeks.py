"""Weeks of a brand's counts in a store, as workers leave them there."""

import math

import msgspec
import numpy as np

from service import keys
from service.store import Store

FINE = 300
DAY = 288


async def counted(
    store: Store,
    brand: str,
    end: float,
    days: int,
    *,
    source: str = "x",
    crisis: tuple[int, int, float] | None = None,
    seed: int = 1,
) -> None:
    """Put 5 minutes up to `end` (POSIX seconds, of 5 minutes): 3 mentions each by a daily rhythm, one in six negative.

    A `crisis` begins so many buckets before the end, lasts so many, and brings so many times the talk, mostly angry.
    """
    rng, n = np.random.default_rng(seed), days * DAY
    rate = 3.0 * (1.2 + np.sin(2.0 * np.pi * np.arange(n) / DAY))
    anger = np.full(n, 1.0 / 6.0)
    if crisis is not None:
        back, lasts, times = crisis
        rate[n - back : n - back + lasts] *= times
        anger[n - back : n - back + lasts] = 0.7
    mentions = rng.poisson(rate)
    negative = rng.binomial(mentions, anger)
    first = math.floor(end / FINE) - n
    segments: dict[int, list[object]] = {}
    for i, (said, angry) in enumerate(zip(mentions.tolist(), negative.tolist(), strict=True)):
        number, offset = divmod(first + i, keys.SEGMENT[FINE])
        packed = msgspec.msgpack.encode([said, 0, said, 1000 * angry, 0, 0, 0, said])
        segments.setdefault(number, []).extend((offset, packed))
    commands = [("HSET", keys.segment(brand, source, FINE, number), *pairs) for number, pairs in segments.items()]
    since = [f"{source}{keys.SEPARATOR}first", first * FINE, f"{source}{keys.SEPARATOR}last", end - 60]
    await store.pipe([*commands, ("HSET", keys.since(brand), *since)])
