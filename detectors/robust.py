"""The robust seasonal forecaster: level × time of day × day of week, from counts, in two or three milliseconds.

It works where a brand has a daily and a weekly rhythm and a level that moves slowly, from six hours of history on. It
fails where the rhythm itself changes (weekends of another shape than weekdays are only scaled), and it does not see a
planned event coming: that is what campaigns are for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from detectors.calendar_days import Whole, as_weekdays
from detectors.series import Floats

FINE, HOUR, DAY = 300.0, 3600.0, 86400.0
WEEK_MIDDLES = FINE * (np.arange(2016) + 0.5)
"""Seconds from Monday 0:00 to the middle of every five minutes."""

HOUR_BEFORE, HOUR_AFTER = np.roll(np.arange(24), 1), np.roll(np.arange(24), -1)
"""The neighbours of every hour of the day."""

HOURS_NEEDED = 6.0
"""Observed hours before there is a baseline at all."""

MEMORY_DAYS = 14.0
"""Half-life of what the rhythm remembers: a new habit counts within two weeks, one odd week does not rule."""

LEVEL_HOURS = 48.0
"""Half-life of the level: it follows a changed week within days, and a flash hardly at all."""

LEVEL_BINS = 7
"""The same in bins where a bin is longer than an hour: a week of days."""

LEVEL_CREDIT = 0.25
"""Half-lives of the history's mean in the level: a quiet week of a small brand is not the end of talk about it."""

LEAST_COUNT = 0.5
"""Count that a history without any is taken to have (Jeffreys' prior), so that nothing is ever impossible."""

CLIP = 3.0
"""Standard deviations above the fit at which an hour's count is cut while fitting (Huber's winsorising)."""

CREDIT = 1.0
"""Observations of a neutral effect that every effect starts with: one day for an hour, one day for a weekday."""

WEEKLY_DAYS = 13.5
"""Days of history before there is a weekly rhythm: each weekday seen twice, or nearly."""


RHYTHM_COUNTS = 600.0
"""Counts of its own that weigh as much as a lent rhythm: 25 an hour of the day tell an hour that differs by a fifth."""


@dataclass(frozen=True)
class Baseline:
    """What is normal: `rate` in counts a second, and `week` (2016,), the factor of each five minutes from Monday on.

    `holidays`, local days since 1 January 1970, are as Sundays.
    """

    rate: float
    week: Floats
    holidays: frozenset[int] = frozenset()

    def mean(self, start: float, step: float, n: int, utc_offset: float = 0.0) -> Floats:
        """Expected count of `n` buckets of `step` seconds from POSIX `start`, shape (n,), at any step.

        `utc_offset` is the brand's local time minus UTC in seconds.

        >>> flat = Baseline(rate=0.5, week=np.ones(2016))
        >>> flat.mean(0.0, 60.0, 3).tolist()
        [30.0, 30.0, 30.0]
        """
        parts = max(1, round(step / FINE))
        factor = self.week[_fine_of(start + utc_offset, step / parts, n * parts, self.holidays)]
        return np.asarray(self.rate * step * (factor if parts == 1 else factor.reshape(n, parts).mean(axis=1)))

    def totals(self, start: float, step: float, edges: tuple[int, ...], utc_offset: float = 0.0) -> Floats:
        """Sums of `mean` between `edges`, which are buckets of `step` seconds from POSIX `start`, shape (edges - 1,).

        >>> Baseline(rate=0.5, week=np.ones(2016)).totals(0.0, 60.0, (0, 2, 5)).tolist()
        [60.0, 90.0]
        """
        places, buckets = _buckets_of(start + utc_offset, step, edges, self.holidays)
        return np.asarray(self.rate * step * (self.week[places] @ buckets))


def totals(
    baselines: Sequence[Baseline], start: float, step: float, edges: tuple[int, ...], utc_offset: float = 0.0
) -> Floats:
    """`Baseline.totals` of many that have the same holidays, shape (baselines, edges - 1)."""
    places, buckets = _buckets_of(start + utc_offset, step, edges, baselines[0].holidays)
    rates = np.array([step * one.rate for one in baselines])
    return np.asarray(rates[:, None] * (np.array([one.week[places] for one in baselines]) @ buckets))


def lend(
    rhythm: Baseline, own: Baseline, expected: Floats, counts: float, start: float, step: float, utc_offset: float = 0.0
) -> tuple[Baseline, Floats]:
    """Draw the rhythm of a part of the talk to that of all of it, by how few `counts` the part was fitted to.

    `own` and `expected` (n,) are what `fit` gave of the part's buckets from POSIX `start` on; the same is returned.

    >>> night = Baseline(1.0, np.repeat([0.5, 1.5], 1008))
    >>> lend(night, Baseline(0.1, np.ones(2016)), np.array([30.0]), 600.0, 0.0, 300.0)[1].tolist()
    [22.5]
    """
    part = counts / (counts + RHYTHM_COUNTS)
    drawn = Baseline(own.rate, part * own.week + (1.0 - part) * rhythm.week, own.holidays)
    now, before = (Baseline(1.0, b.week, b.holidays).mean(start, step, len(expected), utc_offset) for b in (drawn, own))
    return drawn, np.asarray(expected * now / np.maximum(before, 1e-9))


def fit(
    start: float, step: float, counts: Floats, utc_offset: float = 0.0, *, holidays: frozenset[int] = frozenset()
) -> tuple[Baseline, Floats] | None:
    """Fit to `counts` (n,) of `step` seconds from POSIX `start`; NaN is unknown (gaps, strange buckets, campaigns).

    `holidays` are local days since 1 January 1970 that are taken to be like Sundays.

    Returns the baseline as of the end, and what it would have expected of each bucket with the level as of the hour
    before, shape (n,): the honest residuals. None where fewer than HOURS_NEEDED hours are known.

    >>> baseline, expected = fit(0.0, 3600.0, np.full(48, 7.0))
    >>> round(float(baseline.mean(172800.0, 300.0, 1)[0]), 2), round(float(expected[-1]), 2)
    (0.58, 7.0)
    """
    width, known = max(step, HOUR), np.isfinite(counts)
    if np.count_nonzero(known) * step < HOURS_NEEDED * HOUR:
        return None
    local = _middles(start + utc_offset, step, len(counts))
    first, last = np.floor(local[[0, -1]] / width).tolist()
    begins = np.searchsorted(local, width * (first + np.arange(last - first + 1.0)))
    seconds = step * np.add.reduceat(known, begins, dtype=np.float64)
    total = np.add.reduceat(counts if known.all() else np.where(known, counts, 0.0), begins)
    middle = _middles(first * width, width, len(total))
    age = (middle[-1] - middle) / DAY
    memory = 0.5 ** (age / MEMORY_DAYS)
    hour, weekday = (middle // HOUR).astype(np.int64) % 24, as_weekdays(_day(middle), holidays)
    day, week, elapsed = np.ones(24), np.ones(7), middle - middle[0]
    half_life = max(LEVEL_HOURS * HOUR, LEVEL_BINS * width)
    weight, slow_weight = np.exp2(elapsed / half_life), np.exp2(elapsed / max(7 * DAY, half_life))
    clipped = _first_clip(total, seconds)
    for _ in range(3):
        effect = day[hour] * week[weekday]
        slow = seconds * _level(clipped, seconds * effect, slow_weight, max(7 * DAY, half_life))
        if width < DAY:
            day = _shrunk(hour, 24, clipped, slow * week[weekday], memory * seconds / width)
            day = (day[HOUR_BEFORE] + 2.0 * day + day[HOUR_AFTER]) / 4.0
        if age[0] >= WEEKLY_DAYS:
            week = _weekly(weekday, clipped, slow * day[hour], memory * seconds / DAY)
        effect = day[hour] * week[weekday]
        usual = seconds * effect
        clipped = _clip(total, usual * _level(clipped, usual, weight, half_life))
    level = _level(clipped, usual, weight, half_life)
    before = np.concatenate((level[:1], level[:-1]))
    table = _table(day, week)
    factor = Baseline(1.0, table, holidays).mean(start, step, len(counts), utc_offset)
    return Baseline(float(level[-1]), table, holidays), np.asarray(
        np.repeat(before, np.diff(begins, append=len(counts))) * factor
    )


def _middles(start: float, step: float, n: int) -> Floats:
    return np.asarray(start + step * (np.arange(n) + 0.5), dtype=np.float64)


def _day(local: Floats) -> Whole:
    return np.asarray(np.floor(local / DAY).astype(np.int64))


def _fine(local: Floats, holidays: frozenset[int]) -> Whole:
    """Number of the five minutes in the local week."""
    within = np.asarray((local % DAY / FINE).astype(np.int64))
    return np.asarray(as_weekdays(_day(local), holidays) * round(DAY / FINE) + within)


def _table(day: Floats, week: Floats) -> Floats:
    """Factor of every five minutes of a week: straight lines between the middles of the hours, times the weekday's."""
    place = WEEK_MIDDLES / HOUR - 0.5
    hour = np.floor(place).astype(np.int64)
    part = place - hour
    return np.asarray(
        (day[hour % 24] * (1.0 - part) + day[(hour + 1) % 24] * part) * week[(WEEK_MIDDLES // DAY).astype(np.int64)]
    )


@lru_cache(maxsize=32)
def _fine_of(start: float, step: float, n: int, holidays: frozenset[int]) -> Whole:
    """The same of all buckets from `start` on; many brands are looked at in the same minute."""
    found = _fine(_middles(start, step, n), holidays)
    found.flags.writeable = False
    return found


@lru_cache(maxsize=32)
def _buckets_of(start: float, step: float, edges: tuple[int, ...], holidays: frozenset[int]) -> tuple[Whole, Floats]:
    """Which five minutes of the week lie between `edges` (places,), and for how many buckets (places, edges - 1)."""
    parts = max(1, round(step / FINE))
    fine = _fine_of(start, step / parts, edges[-1] * parts, holidays)[edges[0] * parts :]
    places, place = np.unique(fine, return_inverse=True)
    part = np.repeat(np.arange(len(edges) - 1), np.diff(edges) * parts)
    buckets = np.zeros((len(places), len(edges) - 1))
    np.add.at(buckets, (place, part), 1.0 / parts)
    return places, buckets


def _first_clip(total: Floats, seconds: Floats) -> Floats:
    """Before anything is fitted, nothing may stand above the upper quartile by ten times."""
    rate = total[seconds > 0] / seconds[seconds > 0]
    top = np.quantile(rate, 0.75) * 10.0 * seconds + 3.0
    return np.asarray(np.minimum(total, top))


def _clip(total: Floats, fitted: Floats) -> Floats:
    """Cut at CLIP standard deviations above the fit, whose relative spread is that of the middle half of the hours."""
    some = fitted > 0
    if not some.any():
        return total
    beyond = np.abs(total - fitted)
    if not some.all():
        relative = 1.5 * _median(beyond[some]) / _median(fitted[some])
    else:
        relative = 1.5 * _median(beyond) / _median(fitted)
    return np.asarray(np.minimum(total, fitted + CLIP * np.sqrt(fitted + (relative * fitted) ** 2) + 1.0))


def _median(values: Floats) -> float:
    """The median of some finite values; NumPy's own asks of NaN first, which takes three times as long."""
    half = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, half)[half])
    low, high = np.partition(values, (half - 1, half))[half - 1 : half + 1].tolist()
    return float(low + high) / 2.0


def _shrunk(group: Whole, groups: int, counts: Floats, neutral: Floats, seen: Floats) -> Floats:
    """Counts over what is expected without the effect, per group (groups,), drawn to 1 by CREDIT observations.

    `seen` says how much of an observation each bin is, `neutral` its expected count without the effect.
    """
    observed = np.bincount(group, counts * seen, groups)
    expected = np.bincount(group, neutral * seen, groups)
    known = np.bincount(group, seen, groups)
    credit = CREDIT * expected / np.maximum(known, 1e-9)
    effect = np.where(expected > 0, (observed + credit) / np.maximum(expected + credit, 1e-300), 1.0)
    return np.asarray(effect / max(float((effect * known).sum() / max(known.sum(), 1e-300)), 1e-9))


def _weekly(weekday: Whole, counts: Floats, neutral: Floats, seen: Floats) -> Floats:
    """Effect of the seven weekdays: what weekends have in common first, then what is left of each day."""
    weekend = _shrunk((weekday >= 5).astype(np.int64), 2, counts, neutral, seen)[[0, 0, 0, 0, 0, 1, 1]]
    return weekend * _shrunk(weekday, 7, counts, neutral * weekend[weekday], seen)


def _level(counts: Floats, unit: Floats, weight: Floats, half_life: float) -> Floats:
    """Exponentially weighted rate up to and including each bin, shape as `counts`, drawn a little to the history's.

    `weight` doubles every `half_life` seconds.
    """
    whole = (counts.sum() + LEAST_COUNT) / max(unit.sum(), 1e-300)
    credit = LEVEL_CREDIT * half_life * weight
    return np.asarray((np.cumsum(counts * weight) + whole * credit) / (np.cumsum(unit * weight) + credit))
