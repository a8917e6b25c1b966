"""The yearly forecaster: level, trend, the year's rhythm and the weekday's, for buckets of a day or longer.

It works where two years or more are known and the year repeats itself: weekly and daily counts. It fails where the
rhythm has sharper corners than two harmonics can draw (a feast that moves is none), and below a day it says nothing.

A log-linear quasi-Poisson regression (McCullagh & Nelder 1989, section 9.2.4), refitted with past outbreaks weighted
down (Farrington et al. 1996, J. R. Statist. Soc. A 159, eq. 4; threshold of Noufaily et al. 2013, Statist. Med. 32).
"""

from dataclasses import dataclass

import numpy as np

from detectors import negbin
from detectors.series import Floats

DAY, WEEK, YEAR = 86400.0, 7 * 86400.0, 365.25 * 86400.0

YEARS_NEEDED = 2.0
"""Known years before one year's rhythm can be told from one year's accident."""

HARMONICS = 2
"""Waves a year: the year's and the half-year's."""

LEVEL_YEARS, LEVEL_CREDIT = 0.5, 25.0
"""Half-life of the level around the regression's line, and the counts that the line itself is worth: a fifth, as often
as not, is how far a level strays within months."""

PRIOR = 1.0
"""Counts' worth of belief that there is neither trend (of e-fold a year) nor rhythm."""

OUTLYING = 1.8
"""Surprise, in normal units, above which a past bucket counts only as one over its square: of a clean past that is one
in 28, of an outbreak nearly all, so that four outbreaks in five years raise the dispersion by a twentieth."""

KEPT = 0.858
"""What those weights leave of a clean past's variance: 1 - OUTLYING times the normal density there."""

STEPS, ROUNDS, LARGEST_STEP = 6, 3, 2.0
"""Scoring steps to the first fit, refits with new weights, and how far a logarithm may go in a step."""


@dataclass(frozen=True)
class Yearly:
    """What is normal: `rate` in counts a second at `origin` (local POSIX time), and how its logarithm goes from there.

    `effects` (parameters - 1,) are those of the columns of `design` after the first.
    """

    rate: float
    origin: float
    effects: Floats

    def mean(self, start: float, step: float, n: int, utc_offset: float = 0.0) -> Floats:
        """Expected count of `n` buckets of `step` seconds from POSIX `start`, shape (n,); days are equal within.

        >>> flat = Yearly(rate=1e-4, origin=0.0, effects=np.zeros(11))
        >>> flat.mean(0.0, 604800.0, 2).round(2).tolist()
        [60.48, 60.48]
        """
        parts = max(1, round(step / DAY))
        middles = np.asarray(start + utc_offset + step / parts * (np.arange(n * parts) + 0.5), dtype=np.float64)
        log_mean = _design(middles, self.origin, len(self.effects) > 2 * HARMONICS + 1)[:, 1:] @ self.effects
        return np.asarray(self.rate * step * np.exp(np.clip(log_mean, -50.0, 50.0)).reshape(n, parts).mean(axis=1))


def fit(start: float, step: float, counts: Floats, utc_offset: float = 0.0) -> tuple[Yearly, Floats] | None:
    """Fit to `counts` (n,) of `step` seconds from POSIX `start`; NaN is unknown.

    Returns the forecast, and what it would have expected of each bucket with the level as of the one before, (n,). None
    where buckets are shorter than a day or fewer than YEARS_NEEDED years are known.

    >>> weeks = np.arange(156.0)
    >>> forecast, expected = fit(0.0, 604800.0, np.round(50.0 + 30.0 * np.cos(2 * np.pi * weeks / 52.18)))
    >>> forecast.mean(156 * 604800.0, 604800.0, 27).round(-1)[[0, 26]].tolist()
    [80.0, 20.0]
    """
    if step < DAY or np.isfinite(counts).sum() * step < YEARS_NEEDED * YEAR:
        return None
    local = np.asarray(start + utc_offset + step * (np.arange(len(counts)) + 0.5), dtype=np.float64)
    origin = float(local[-1] + step)
    design = _design(local, origin, step < WEEK)
    line = _regress(counts[None], design)
    level, _ = _level(line, counts[None], step)
    rate = float(np.exp(line.coefficients[0, 0]) * level[0, -1] / step)
    return Yearly(rate, origin, line.coefficients[0, 1:]), np.asarray(level[0, :-1] * line.mean[0])


def tails(start: float, step: float, past: Floats, now: Floats, utc_offset: float = 0.0) -> Floats:
    """P(X > `now`) + P(X = `now`) / 2 of the bucket (series,) after `past` (series, n), shape (series,).

    `past` began at POSIX `start`. The negative binomial with the dispersion of the past, wider by what is not known of
    the mean (Lawless 1987, Canad. J. Statist. 15, section 3), and half of the count's own chance: the mid-p (Lancaster
    1961, J. Am. Statist. Ass. 56). Counts are whole; so a flag where it is at most alpha is false at about alpha.

    >>> past = np.random.default_rng(1).poisson(9.0, (2, 260)).astype(float)
    >>> (tails(0.0, 604800.0, past, np.array([9.0, 25.0])) <= 0.005).tolist()
    [False, True]
    """
    local = np.asarray(start + utc_offset + step * (np.arange(past.shape[1] + 1) + 0.5), dtype=np.float64)
    design = _design(local, float(local[-1]), step < WEEK)
    line = _regress(past, design[:-1])
    level, unsure = _level(line, past, step)
    mean = np.exp(line.coefficients @ design[-1]) * level[:, -1]
    unsure = unsure + np.einsum("p,spq,q->s", design[-1], line.inverse, design[-1])
    variance = line.phi * (mean + mean * mean * unsure)
    size = mean * mean / np.maximum(variance - mean, 1e-9 * mean)
    return (negbin.tail(now, mean, size) + negbin.tail(now + 1.0, mean, size)) / 2.0


@dataclass(frozen=True)
class _Line:
    """Regressions of several series.

    `coefficients` (series, p), `inverse` information (series, p, p), `mean` and `weight` (series, n), `phi` (series,):
    variance over mean, at least 1.
    """

    coefficients: Floats
    inverse: Floats
    mean: Floats
    weight: Floats
    phi: Floats


def _design(local: Floats, origin: float, weekdays: bool) -> Floats:
    """Columns of the regression at the times `local` (n,): one, years since `origin`, the year's waves, weekdays."""
    phase = 2.0 * np.pi / YEAR * local[:, None] * np.arange(1, HARMONICS + 1)
    columns = [np.ones((len(local), 1)), (local[:, None] - origin) / YEAR, np.cos(phase), np.sin(phase)]
    if weekdays:
        weekday = np.floor(local / DAY)[:, None] % 7
        columns.append((weekday == np.arange(6)) * 1.0 - (weekday == 6))
    return np.hstack(columns)


def _regress(counts: Floats, design: Floats) -> _Line:
    """Fit all of `counts` (series, n), NaN where unknown."""
    known = np.isfinite(counts)
    quantile = np.quantile if known.all() else np.nanquantile
    top = 10.0 * quantile(counts, 0.75, axis=1, keepdims=True) + 3.0
    seen, weight = np.where(known, counts, 0.0), known.astype(np.float64)
    begin = np.zeros((len(counts), design.shape[1]))
    start = np.minimum(seen, top)
    begin[:, 0] = np.log((start.sum(axis=1) + 0.5) / known.sum(axis=1))
    coefficients, inverse, mean = _scored(start, weight, design, begin, STEPS)
    for _ in range(ROUNDS):
        phi = _dispersion(seen, mean, weight, design.shape[1])
        strange = negbin.surprise(seen, mean, mean / np.maximum(phi[:, None] - 1.0, 1e-9))
        weight = known * np.where(strange > OUTLYING, np.maximum(strange, 1.0) ** -2.0, 1.0)
        coefficients, inverse, mean = _scored(seen, weight, design, coefficients, STEPS // 2)
    return _Line(coefficients, inverse, mean, weight, _dispersion(seen, mean, weight, design.shape[1]))


def _scored(
    counts: Floats, weight: Floats, design: Floats, coefficients: Floats, steps: int
) -> tuple[Floats, Floats, Floats]:
    """Coefficients, inverse information and means after some steps of Fisher scoring with a ridge of PRIOR."""
    p = design.shape[1]
    prior = PRIOR * np.diag(np.arange(p) > 0)
    mean = np.exp(np.clip(coefficients @ design.T, -30.0, 50.0))
    for _ in range(steps):
        information = design.T @ ((weight * mean)[:, :, None] * design) + prior + 1e-9 * np.eye(p)
        inverse = np.asarray(np.linalg.inv(information), dtype=np.float64)
        gradient = (weight * (counts - mean)) @ design - coefficients @ prior
        change = np.einsum("spq,sq->sp", inverse, gradient)
        change /= np.maximum(np.abs(change).sum(axis=1, keepdims=True) / LARGEST_STEP, 1.0)
        coefficients = coefficients + change
        mean = np.exp(np.clip(coefficients @ design.T, -30.0, 50.0))
    return coefficients, inverse, mean


def _dispersion(counts: Floats, mean: Floats, weight: Floats, parameters: int) -> Floats:
    """Pearson's, made good for what the weights take away, at least 1."""
    freedom = np.maximum(np.count_nonzero(weight, axis=1) - parameters, 1)
    return np.asarray(np.maximum((weight * (counts - mean) ** 2 / mean).sum(axis=1) / (KEPT * freedom), 1.0))


def _level(line: _Line, counts: Floats, step: float) -> tuple[Floats, Floats]:
    """Level around the line before each bucket and after the last, shape (series, n + 1), and its last variance / phi.

    Exponentially weighted; LEVEL_CREDIT counts stand for the level of the whole past until then, which they resemble.
    """
    gain = np.exp2(step / (LEVEL_YEARS * YEAR) * np.arange(counts.shape[1]))
    seen, unit = line.weight * np.where(np.isfinite(counts), counts, 0.0), line.weight * line.mean
    whole = (_before(seen) + 1.0) / (_before(unit) + 1.0)
    credit = LEVEL_CREDIT * np.concatenate((gain[:1], gain))
    weighed = _before(gain * unit) + credit
    level = (_before(gain * seen) + credit * whole) / weighed
    return level, (gain * gain * unit).sum(axis=1) / weighed[:, -1] ** 2


def _before(values: Floats) -> Floats:
    """Sums of what was before each bucket and of all, shape (series, n + 1)."""
    return np.concatenate((np.zeros((len(values), 1)), np.cumsum(values, axis=1)), axis=1)
