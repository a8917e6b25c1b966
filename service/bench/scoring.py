"""`foreshock bench scoring`: what it costs to learn what is normal for a brand, and to look at all brands once.

A fit is of five weeks in buckets of five minutes with mentions, negative and scored; a look is of a day of minutes at
all windows, as the ticker takes it. The looks are those of a tick in which every brand is due.
"""

import argparse
import asyncio
import time
from collections.abc import Callable

import numpy as np

from detectors import fleet, robust
from detectors.fleet import Ask
from detectors.series import Series
from detectors.watch import Watch, fit, lookback
from service.bench import Figures
from service.bench.quiet import draw, play
from service.watchers import AT_ONCE

BRANDS = 10_000
SHORT_BRANDS = 500
KINDS = 24
"""Brands that are simulated; the others are as one of them."""
WEEKS = 5
FINE, MINUTE = 300.0, 60.0
TIMES = 5
"""Each figure is the best of so many, in seconds of a core: what the machine does beside is not ours."""


def measure(arguments: argparse.Namespace) -> Figures:
    """Measure fit and tick on one processor."""
    chance = np.random.default_rng(arguments.seed)
    pasts = [play(draw(chance), WEEKS, chance).series for _ in range(KINDS)]
    watches = [fit(past, previous=fit(past.rows(0, len(past) - 72))) for past in pasts]
    days = [_minutes(past, chance) for past in pasts]
    brands = SHORT_BRANDS if arguments.short else BRANDS
    look = _best(lambda: _tick(watches, days, brands))
    whole = {} if arguments.short else asyncio.run(_whole_tick(watches, days[0].start, brands, chance))
    return {
        "brands": brands,
        "tick_seconds": look,
        **whole,
        "look_ms": 1000.0 * look / brands,
        "robust_fit_ms": 1000.0 * _best(lambda: [robust.fit(p.start, p.step, p.mentions) for p in pasts]) / KINDS,
        "watch_fit_ms": 1000.0 * _best(lambda: [fit(p) for p in pasts]) / KINDS,
    }


def _tick(watches: list[Watch], days: list[Series], brands: int) -> float:
    """Look at every brand once, as many together as the ticker takes."""
    highest = 0.0
    for first in range(0, brands, AT_ONCE):
        some = [n % KINDS for n in range(first, min(first + AT_ONCE, brands))]
        found = fleet.look([Ask(watches[n], {"": days[n]}, (len(days[n]) - 1,), exposure=0.5) for n in some])
        highest = max(highest, *(float(looks.score[-1]) for looks in found))
    return highest


async def _whole_tick(watches: list[Watch], start: float, brands: int, chance: np.random.Generator) -> Figures:
    from service.bench.tick import tick_with_reads  # the service is not needed for the rest

    return await tick_with_reads(watches, [_usual(watch, start, chance) for watch in watches], brands)


def _usual(watch: Watch, start: float, chance: np.random.Generator) -> Series:
    """A day of minutes from POSIX `start` as the brand expects them.

    Where most brands fall or rise at once, their source is suspected, and hardly any brand is judged.
    """
    normal, n = watch.normals[""], round(lookback(FINE) / MINUTE)
    mentions = chance.poisson(normal.mentions.mean(start, MINUTE, n))
    angry = np.zeros(n) if normal.negative is None else normal.negative.mean(start, MINUTE, n)
    negative = np.minimum(chance.poisson(angry), mentions)
    return Series(start, MINUTE, *(c.astype(np.float64) for c in (mentions, negative, mentions)))


def _minutes(past: Series, chance: np.random.Generator) -> Series:
    """A day of minutes after `past`, as its last day was."""
    n, parts = round(lookback(FINE) / MINUTE), round(FINE / MINUTE)
    last = [None if c is None else np.nan_to_num(c[-n // parts :]) for c in (past.mentions, past.negative, past.scored)]
    mentions, negative, scored = (
        None if c is None else chance.poisson(np.repeat(c / parts, parts)).astype(float) for c in last
    )
    assert mentions is not None
    return Series(past.start + len(past) * past.step, MINUTE, mentions, negative, scored)


def _best(work: Callable[[], object]) -> float:
    """Seconds of a core that the quickest of some runs took."""
    took = []
    for _ in range(TIMES):
        began = time.process_time()
        work()
        took.append(time.process_time() - began)
    return min(took)
