"""What the slow forecasters share: counts joined to local hours, a forecast that is a curve of hours, a memory.

All work on log(1 + count) of hours, where bursts weigh little and a rhythm is a sum. What they learn slowly is a
`Rhythm`; following it through newer hours is quick. The past is expected honestly: every BLOCK hours with what the
level had become by then and no later count, as forecasts are made that are followed every few hours.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from detectors import robust
from detectors.series import Floats

FINE, HOUR, DAY = 300.0, 3600.0, 86400.0

LEAST_HOURS = 48
"""Known hours before there is a rhythm: each hour of the day seen twice."""

WEEKLY_HOURS = 324
"""Hours of history before there is a weekly rhythm: 13.5 days, each weekday seen twice, or nearly."""

BLOCK = 6
"""Hours for which the past is expected at once: what is live is followed as often."""

BACK, AHEAD = 48, 192
"""Hours of a forecast's curve before and after the fit: the longest window and more; a day and a week to go on with."""

PERIOD = 168
"""Hours after which a curve repeats itself beyond its ends."""

LEAST_COUNT = 0.5
"""Count that a history without any is taken to have (Jeffreys' prior), so that nothing is ever impossible."""

CLIP, LEAST_SPREAD = 3.0, 0.35
"""Robust standard deviations at which an hour above its fit is cut when log means are brought to counts, and the least
of those, in log units: an hour of a few mentions is always whole."""

SAME = 0.9
"""Share of the hours known to both that must be equal for one history to go on from another."""

STALE_DAYS = 8.0
"""Days after which what was learned is forgotten where no history went on from it."""


@dataclass(frozen=True)
class Hours:
    """Counts of local hours, shape (n,), NaN where less than half is known; `start` is local time in seconds."""

    start: float
    counts: Floats

    @property
    def end(self) -> float:
        """Local time at which the last hour ends."""
        return self.start + HOUR * len(self.counts)

    @property
    def logs(self) -> Floats:
        """log(1 + count), shape (n,)."""
        return np.log1p(self.counts)

    @property
    def first(self) -> int:
        """Hours since local 1970 of the first."""
        return round(self.start / HOUR)

    def goes_on(self, old: "Hours") -> bool:
        """Whether these are the hours of `old` and some after it: nine of ten known to both are equal.

        >>> old = Hours(0.0, np.arange(60.0))
        >>> Hours(7200.0, np.arange(2.0, 70.0)).goes_on(old), Hours(7200.0, np.arange(70.0)).goes_on(old)
        (True, False)
        """
        shift = self.first - old.first
        if shift < 0 or shift >= len(old.counts) or self.end < old.end:
            return False
        before, now = old.counts[shift:], self.counts[: len(old.counts) - shift]
        both = np.isfinite(before) & np.isfinite(now)
        return bool(both.sum() >= LEAST_HOURS // 2 and np.isclose(before, now)[both].mean() >= SAME)


class Rhythm(Protocol):
    """What was learned slowly, and can be followed quickly through hours that go on from those it was learned of."""

    def follow(self, hours: Hours) -> tuple[Floats, Floats]:
        """Expected logs of each hour and of the one after it, shape (n, 2), and of those ahead, shape (AHEAD,).

        Those of the past use counts before their block alone for the level.
        """
        ...


@dataclass(frozen=True)
class Curve:
    """A forecast: `counts` (m,) of hours from local time `start`; a week comes back before and after it."""

    start: float
    counts: Floats

    def mean(self, start: float, step: float, n: int, utc_offset: float = 0.0) -> Floats:
        """Expected count of `n` buckets of `step` seconds from POSIX `start`, shape (n,), at any step.

        Between the middles of two hours it lies on a straight line.

        >>> Curve(0.0, np.full(240, 12.0)).mean(0.0, 300.0, 3).tolist()
        [1.0, 1.0, 1.0]
        """
        parts = max(1, round(step / FINE))
        middles = start + utc_offset + step / parts * (np.arange(n * parts) + 0.5)
        place, last = (middles - self.start) / HOUR - 0.5, len(self.counts) - 1
        place = place - PERIOD * np.ceil(np.maximum(place - last, 0.0) / PERIOD)
        place = np.where(place < 0, place % PERIOD, place)
        rate = np.interp(place, np.arange(last + 1), self.counts)
        return np.asarray(rate.reshape(n, parts).mean(axis=1) * step / HOUR)


@dataclass(frozen=True)
class Slow:
    """A forecaster in two steps: `learn` a rhythm, which is slow, and follow it.

    `seconds` is how often it is to be learned anew.
    """

    learn: Callable[[Hours], Rhythm | None]
    seconds: float = DAY

    def __call__(
        self, start: float, step: float, counts: Floats, utc_offset: float = 0.0
    ) -> tuple[Curve, Floats] | None:
        """Fit to `counts` (n,) of `step` seconds from POSIX `start`; NaN is unknown.

        Returns the forecast and what it would have expected of each bucket, shape (n,). None where buckets are longer
        than an hour, fewer than LEAST_HOURS are known, or the fit fails.
        """
        hours = join(start, step, counts, utc_offset)
        rhythm = None if hours is None else self.learn(hours)
        if hours is None or rhythm is None:
            return None
        return follow(rhythm, hours, start + utc_offset, step, len(counts))


class Following:
    """A slow forecaster with a memory: it learns anew every `slow.seconds` and follows what it learned in between.

    One serves all series of a brand: it knows by their hours which is which. Where it knows too little, or its fit
    fails, it answers as the robust forecaster. `learned` is what it knows before;
    with `anew` false it never learns more.
    """

    def __init__(self, slow: Slow, learned: Iterable[tuple[Hours, Rhythm | None]] = (), *, anew: bool = True) -> None:
        self.slow, self.learned, self.anew = slow, list(learned), anew

    def __call__(
        self, start: float, step: float, counts: Floats, utc_offset: float = 0.0
    ) -> tuple[Curve | robust.Baseline, Floats] | None:
        """Fit as a `Forecaster`."""
        hours = join(start, step, counts, utc_offset)
        rhythm = None if hours is None else self._rhythm(hours)
        fitted = None
        if hours is not None and rhythm is not None:
            fitted = follow(rhythm, hours, start + utc_offset, step, len(counts))
        return fitted or robust.fit(start, step, counts, utc_offset)

    def _rhythm(self, hours: Hours) -> Rhythm | None:
        known = next((pair for pair in self.learned if hours.goes_on(pair[0])), None)
        if not self.anew or (known is not None and hours.end - known[0].end < self.slow.seconds):
            return known[1] if known is not None else None
        rhythm = self.slow.learn(hours)
        oldest = hours.end - STALE_DAYS * DAY
        self.learned = [pair for pair in self.learned if pair is not known and pair[0].end > oldest]
        self.learned.append((hours, rhythm))
        return rhythm


def join(start: float, step: float, counts: Floats, utc_offset: float) -> Hours | None:
    """Hours of `counts` (n,), what is unknown of an hour taken to be as the rest; None where there is too little.

    >>> join(0.0, 1800.0, np.tile([1.0, np.nan, 2.0, 4.0], 24), 0.0).counts[:2].tolist()
    [2.0, 6.0]
    """
    if step > HOUR or not len(counts):
        return None
    slot = np.floor((start + utc_offset + step * (np.arange(len(counts)) + 0.5)) / HOUR).astype(np.int64)
    known = np.isfinite(counts)
    seconds = np.bincount(slot - slot[0], known * step)
    total = np.bincount(slot - slot[0], np.where(known, counts, 0.0))
    enough = seconds >= HOUR / 2
    if enough.sum() < LEAST_HOURS:
        return None
    return Hours(float(slot[0] * HOUR), np.where(enough, total * HOUR / np.maximum(seconds, 1.0), np.nan))


def follow(rhythm: Rhythm, hours: Hours, local: float, step: float, n: int) -> tuple[Curve, Floats] | None:
    """The forecast, and what was expected of `n` buckets from `local` time, shape (n,); None where it ran away."""
    past, ahead = rhythm.follow(hours)
    if not (np.isfinite(past).all() and np.isfinite(ahead).all()):
        return None
    highest = float(np.nanmax(hours.logs)) + 1.0
    past, ahead = np.clip(past, 0.0, highest), np.clip(ahead, 0.0, highest)
    scale = _scale(hours, past[:, 0])
    least = LEAST_COUNT / int(np.isfinite(hours.counts).sum())
    past, ahead = np.maximum(scale * np.expm1(past), least), np.maximum(scale * np.expm1(ahead), least)
    back = min(BACK, len(past))
    curve = Curve(hours.end - HOUR * back, np.concatenate((past[len(past) - back :, 0], ahead)))
    return curve, _buckets(past, (local - hours.start) / HOUR, step / HOUR, n)


def _scale(hours: Hours, expected: Floats) -> float:
    """Counts over their expected e^log - 1: a mean of logs is less than the log of the mean (Duan 1983, smearing)."""
    known = np.isfinite(hours.counts)
    logs, expected = hours.logs[known], expected[known]
    spread = max(1.4826 * float(np.median(np.abs(logs - expected))), LEAST_SPREAD)
    cut = np.expm1(np.minimum(logs, expected + CLIP * spread))
    return float((cut.sum() + LEAST_COUNT) / max(float(np.expm1(expected).sum()), LEAST_COUNT))


def _buckets(past: Floats, first: float, width: float, n: int) -> Floats:
    """Counts of `n` buckets of `width` hours from hour `first`: on straight lines, nothing later known."""
    place = first + width * (np.arange(n) + 0.5)
    hour: NDArray[np.int64] = np.clip(place.astype(np.int64), 0, len(past) - 1)
    part = place - hour - 0.5
    beside = np.where(part < 0, past[np.maximum(hour - 1, 0), 0], past[hour, 1])
    return np.asarray(width * (past[hour, 0] + np.abs(part) * (beside - past[hour, 0])))
