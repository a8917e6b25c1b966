"""`foreshock bench injected`: how long a revolt goes unseen, against an oracle that knows what is normal.

A revolt is added to a quiet series: from its onset on so many times what is normal come on top, most of it negative,
growing with a doubling time. The quiet series are real ones where `--data` names them, simulated brands otherwise.
Detector and oracle have the same alert budget; what is not caught within HORIZON counts as caught at its end.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detectors.scan import HOUR, MINUTE
from detectors.series import Bools, Floats, Series
from detectors.watch import Watch, lookback, rehearse
from service.bench import BenchError, Figures, oracle
from service.bench.bases import BUDGET, HORIZON, LEAST_DAYS, Base, Recorded, recorded, simulated, sources
from service.bench.recorded import processors
from service.policy import OPENS

LEAST_STRENGTH, MOST_STRENGTH = 0.05, 3.0
"""Mentions on top at the onset, times what is normal; drawn evenly on a log scale."""
MOST_EXCESS = 20.0
"""Times what is normal that a revolt grows to at the most."""
DOUBLINGS = (10, 30, 60, 120)
"""Minutes in which a revolt doubles."""
ANGRY = 0.8
"""Part of a revolt's mentions that is negative."""
SCORED = 0.8
"""Part of a revolt's mentions that is scored, where a brand's own part is not known."""


@dataclass(frozen=True)
class Revolt:
    """`strength` times what is normal at the onset, doubling every `doubling` minutes."""

    strength: float
    doubling: float

    def excess(self, step: float, n: int) -> Floats:
        """Mean of every bucket's mentions on top from the onset, times what is normal, shape (n,)."""
        turns = step * np.arange(n + 1) / (self.doubling * MINUTE)
        grown = np.diff(np.exp2(turns)) / (log(2.0) * np.diff(turns))
        return np.asarray(np.minimum(self.strength * grown, MOST_EXCESS))


@dataclass(frozen=True)
class Race:
    """Minutes from onset to alert of both, HORIZON where there was none."""

    revolt: Revolt
    told: bool
    delay: float
    oracle: float


def measure(arguments: argparse.Namespace) -> Figures:
    """Give median delays in minutes of detector and oracle, and how many revolts were caught."""
    count, each = (8, 4) if arguments.short else (60, 12)
    tasks = [((path, arguments.seed, number, each),) for number, path in enumerate(sources(arguments.data, count))]
    with processors() as run:
        races = [race for found in run(races_of, tasks) for race in found]
    if not races:
        raise BenchError(f"no series under {arguments.data} has {LEAST_DAYS:g} quiet days and {HORIZON / HOUR:g} hours")
    return figures(races)


def races_of(task: tuple[Recorded | None, int, int, int]) -> list[Race]:
    """So many revolts on one quiet series; none where it is too short."""
    source, seed, number, each = task
    chance = np.random.default_rng((seed, number))
    base = simulated(chance) if source is None else recorded(source, chance)
    if base is None:
        return []
    watch = rehearse(base.series.rows(0, base.onset), budget=BUDGET)
    return [race(base, watch, _revolt(chance), chance) for _ in range(each)]


def race(base: Base, watch: Watch, revolt: Revolt, chance: Generator) -> Race:
    """Add one revolt; `watch` is as of the onset."""
    series, onset = injected(base, revolt, chance), base.onset
    back = max(0, onset - round(lookback(series.step) / series.step))
    scores = watch.look(series.rows(back, len(series)), rows=np.arange(onset - back, len(series) - back)).score
    sums = oracle.statistics(series.rows(back, len(series)), base.known.rows(back, len(series)))[:, onset - back :]
    reached: Bools = np.any(sums >= base.thresholds[:, None], axis=0)
    told = series.negative is not None
    return Race(revolt, told, _delay(scores >= OPENS, series.step), _delay(reached, series.step))


def injected(base: Base, revolt: Revolt, chance: Generator) -> Series:
    """The series with a revolt from its onset on."""
    series, onset = base.series, base.onset
    n = len(series) - onset
    more = chance.poisson(base.usual[onset:] * revolt.excess(series.step, n))
    if series.negative is None or series.scored is None:
        return Series(series.start, series.step, _added(series.mentions, more))
    part = float(np.nansum(series.scored) / max(np.nansum(series.mentions), 1.0)) or SCORED
    scored = chance.binomial(more, min(part, 1.0))
    negative = chance.binomial(scored, ANGRY)
    return Series(
        series.start,
        series.step,
        _added(series.mentions, more),
        _added(series.negative, negative),
        _added(series.scored, scored),
        None if series.authors is None else _added(series.authors, more),
    )


def figures(races: list[Race]) -> Figures:
    """Sum up: all revolts first, then by doubling time and by strength."""
    found = _summed("", races)
    for doubling in DOUBLINGS:
        found |= _summed(f"_doubling_{doubling}", [r for r in races if r.revolt.doubling == doubling])
    classes: dict[str, Callable[[Race], bool]] = {
        "strength_below_0.3": lambda r: r.revolt.strength < 0.3,
        "strength_0.3_to_1": lambda r: 0.3 <= r.revolt.strength < 1.0,
        "strength_above_1": lambda r: r.revolt.strength >= 1.0,
        "told": lambda r: r.told,
        "volume_only": lambda r: not r.told,
    }
    for name, belongs in classes.items():
        found |= _summed(f"_{name}", [r for r in races if belongs(r)])
    return found


def _summed(name: str, races: list[Race]) -> Figures:
    if not races:
        return {}
    delays, least = np.array([r.delay for r in races]), np.array([r.oracle for r in races])
    return {
        f"delay_minutes_p50{name}": float(np.median(delays)),
        f"oracle_delay_minutes_p50{name}": float(np.median(least)),
        f"delay_over_oracle{name}": float(np.median(delays) / np.median(least)),
        f"caught{name}": float((delays < HORIZON / MINUTE).sum()),
        f"oracle_caught{name}": float((least < HORIZON / MINUTE).sum()),
        f"of{name}": len(races),
    }


def _revolt(chance: Generator) -> Revolt:
    strength = exp(chance.uniform(log(LEAST_STRENGTH), log(MOST_STRENGTH)))
    return Revolt(strength, float(chance.choice(DOUBLINGS)))


def _added(counts: Floats, more: NDArray[np.int64]) -> Floats:
    return np.concatenate((counts[: len(counts) - len(more)], counts[len(counts) - len(more) :] + more))


def _delay(alerts: Bools, step: float) -> float:
    """Minutes to the end of the bucket that alerts first."""
    rows = np.flatnonzero(alerts)
    return float((rows[0] + 1) * step / MINUTE) if len(rows) else HORIZON / MINUTE
