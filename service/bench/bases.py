"""Quiet series to disturb, and what an oracle knows of them: recorded ones, or simulated brands."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.random import Generator

from detectors.scan import DAY, HOUR
from detectors.series import Floats, Series
from service import recording
from service.bench import BenchError, oracle
from service.bench.calibration import PARTS
from service.bench.oracle import Known
from service.bench.quiet import draw, play
from service.clock import posix

BUDGET = 0.5
HORIZON = 12 * HOUR
"""Seconds after the onset in which a revolt is to be caught."""
HISTORY_WEEKS = 2.0
"""Weeks of a simulated brand before the onset."""
ORACLE_WEEKS = 12.0
"""Other weeks of a simulated brand from which its oracle's threshold comes."""
LEAST_DAYS = 4.0
"""Quiet days that a real series must have before an onset."""


@dataclass(frozen=True)
class Base:
    """A quiet `series` (n,) of which the last HORIZON is to be disturbed, and what the oracle knows of it.

    `usual` (n,) are the mentions that are normal, `thresholds` (k,) the oracle's of each of its statistics.
    """

    series: Series
    usual: Floats
    known: Known
    thresholds: Floats

    @property
    def onset(self) -> int:
        """The row at which a revolt begins."""
        return len(self.series) - round(HORIZON / self.series.step)


def simulated(chance: Generator) -> Base:
    """Any simulated brand; its oracle knows its rate, and what twelve other weeks of it are like."""
    brand = draw(chance)
    part, share = (brand.scored * brand.share, brand.share) if brand.told else (1.0, None)
    past = play(brand, ORACLE_WEEKS, chance).joined(PARTS)
    quiet = play(brand, HISTORY_WEEKS + HORIZON / (7 * DAY), chance).joined(PARTS)
    learned = oracle.known(past.series, past.usual * part, _all(share, past.usual))
    known = replace(learned, mean=quiet.usual * part, share=_all(share, quiet.usual))
    return Base(quiet.series, quiet.usual, known, oracle.thresholds(past.series, learned, BUDGET))


@dataclass(frozen=True)
class Recorded:
    """A recorded series, and the POSIX time up to which nothing happens in it."""

    path: Path
    until: float


def recorded(source: Recorded, chance: Generator) -> Base | None:
    """The quiet part of a recorded series, cut up to a day earlier; its oracle knows all of that in hindsight."""
    series, _, _ = recording.read(source.path)
    quiet = series.rows(0, max(int((source.until - series.start) / series.step), 0))
    last = len(quiet) - int(chance.integers(round(DAY / series.step)))
    if last * series.step < LEAST_DAYS * DAY + HORIZON:
        return None
    mean, share = hindsight(oracle.watched(quiet), quiet.step), None
    if quiet.negative is not None and quiet.scored is not None:
        share = np.minimum(mean / np.maximum(hindsight(quiet.scored, quiet.step), oracle.LEAST_MEAN), 1.0)
    known = oracle.known(quiet, mean, share)
    usual = hindsight(quiet.mentions, quiet.step)[:last]
    return Base(quiet.rows(0, last), usual, known.rows(0, last), oracle.thresholds(quiet, known, BUDGET))


def hindsight(counts: Floats, step: float) -> Floats:
    """What was normal at every bucket of `counts` (n,): the day around it times the hour of the day, same shape."""
    known = np.isfinite(counts)
    day, half = round(DAY / step), round(DAY / step) // 2
    total = np.concatenate(([0.0], np.cumsum(np.where(known, counts, 0.0))))
    seen = np.concatenate(([0.0], np.cumsum(known)))
    rows = np.arange(len(counts))
    first, last = np.maximum(rows - half, 0), np.minimum(rows + half, len(counts))
    level = (total[last] - total[first]) / np.maximum(seen[last] - seen[first], 1.0)
    hour = rows % day // round(HOUR / step)
    above = np.bincount(hour, np.where(known, counts, 0.0)) + 0.5
    below = np.bincount(hour, np.where(known, level, 0.0)) + 0.5
    return np.asarray(level * (above / below)[hour])


def sources(data: Path | None, count: int) -> list[Recorded | None]:
    """At most `count` recorded series, evenly chosen; without data so many simulated ones."""
    if data is None:
        return [None] * count
    folder = data / "series" if (data / "series").is_dir() else data
    try:
        truth = json.loads((folder / "truth.json").read_text())
        found = [
            Recorded(folder / kind / f"{name}.csv", posix(entry["onset"] if kind == "replays" else entry["labels"][0]))
            for kind in ("replays", "tweets")
            for name, entry in sorted(truth[kind].items())
        ]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise BenchError(f"{data}: no series with truth.json: {error!r}") from error
    chosen = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    return [found[i] for i in chosen]


def _all(share: float | None, like: Floats) -> Floats | None:
    return None if share is None else np.full_like(like, share)
