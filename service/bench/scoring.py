"""`foreshock bench scoring`: what it costs to learn what is normal for a brand, and to look at all brands once.

A fit is of five weeks in buckets of five minutes with mentions, negative and scored; a look is of a day of minutes at
all windows, as the ticker takes it. The looks are those of a tick in which every brand is due.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from detectors import robust
from detectors.series import Series
from detectors.watch import Watch, fit, lookback
from service.bench import Figures
from service.bench.quiet import draw, play

BRANDS = 10_000
SHORT_BRANDS = 500
KINDS = 24
"""Brands that are simulated; the others are as one of them."""
WEEKS = 5
FINE, MINUTE = 300.0, 60.0
TIMES = 5
"""Each figure is the best of so many: what the machine does beside is not ours."""


def measure(arguments: argparse.Namespace) -> Figures:
    """Measure fit and tick on one processor."""
    chance = np.random.default_rng(arguments.seed)
    pasts = [play(draw(chance), WEEKS, chance).series for _ in range(KINDS)]
    watches = [fit(past, previous=fit(past.rows(0, len(past) - 72))) for past in pasts]
    days = [_minutes(past, chance) for past in pasts]
    brands = SHORT_BRANDS if arguments.short else BRANDS
    look = _best(lambda: _tick(watches, days, brands))
    return {
        "brands": brands,
        "tick_seconds": look,
        "look_ms": 1000.0 * look / brands,
        "robust_fit_ms": 1000.0 * _best(lambda: [robust.fit(p.start, p.step, p.mentions) for p in pasts]) / KINDS,
        "watch_fit_ms": 1000.0 * _best(lambda: [fit(p) for p in pasts]) / KINDS,
    }


def _tick(watches: list[Watch], days: list[Series], brands: int) -> float:
    """Look at every brand once."""
    return max(float(watches[n % KINDS].look(days[n % KINDS], exposure=0.5).score[-1]) for n in range(brands))


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
    """Seconds of the quickest of some runs."""
    took = []
    for _ in range(TIMES):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)
