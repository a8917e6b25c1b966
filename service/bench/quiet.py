"""Simulated brands that nothing happens to: what they say a minute, from a dozen mentions a day to a thousand a minute.

A count is Poisson around rhythm and trend, times what makes real talk burst without a crisis: a gamma factor of its own
every five minutes (negative binomial), a gamma factor that swells and ebbs over hours (autocorrelated), or both. Anger
is a beta-binomial share of what was scored, whose mood moves as the swell does.
"""

from dataclasses import dataclass
from math import exp, log

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from detectors.scan import DAY, HOUR, MINUTE
from detectors.series import Bools, Floats, Series

WEEK = 7 * DAY
BLOCK = 5 * MINUTE
"""Seconds over which a rate and a mood hold still: what is shorter no bucket of five minutes can tell."""
MONDAY = 1_767_571_200.0
"""POSIX seconds of Monday 5 January 2026, 0:00 UTC; a brand begins on any day of that week."""

LEAST_RATE, MOST_RATE = 0.01, 1000.0
"""Mentions a minute, drawn evenly on a log scale."""
TOLD_PART = 2.0 / 3.0
"""Part of the brands whose sentiment is told; the rest has volume only."""
GAP_HOURS = 2.0
"""Mean length of a gap."""

KINDS = ("poisson", "negbin", "swelling", "heavy")
SHAPES = ("flat", "wave", "two_peaks", "office")


@dataclass(frozen=True)
class Brand:
    """How a quiet brand talks.

    `rate` is its mean in mentions a minute. `jitter` and `swell` are squared relative spreads of the two gamma factors,
    `swell_hours` the time in which the second forgets itself by e. The day has one of SHAPES with its top at
    `peak_hour` UTC and a relative `amplitude`; a day of the weekend has `weekend` times as much. `trend` is the growth
    of the log rate a week, `gaps` how many a week. `share` of the `scored` part is negative, and `mood` the correlation
    of two mentions' sentiment within a block; both are 0 where sentiment is not told.
    """

    kind: str
    rate: float
    jitter: float
    swell: float
    swell_hours: float
    shape: str
    amplitude: float
    peak_hour: float
    weekend: float
    trend: float
    gaps: float
    scored: float
    share: float
    mood: float

    @property
    def told(self) -> bool:
        """Whether sentiment is told."""
        return self.scored > 0.0


@dataclass(frozen=True)
class Quiet:
    """What a brand said: `series` (n,), and what it says at that time of day on average, `usual` (n,) mentions."""

    brand: Brand
    series: Series
    usual: Floats

    def joined(self, parts: int) -> "Quiet":
        """The same in buckets that are `parts` times as long; what is not whole at the end is left out."""
        usual = _joined(self.usual, parts)
        return Quiet(self.brand, joined(self.series, parts), usual)


def draw(chance: Generator) -> Brand:
    """Any brand.

    >>> brand = draw(np.random.default_rng(1))
    >>> LEAST_RATE <= brand.rate <= MOST_RATE and brand.kind in KINDS
    True
    """
    kind = str(chance.choice(KINDS))
    told = bool(chance.random() < TOLD_PART)
    spread = (0.3, 1.0) if kind == "heavy" else (0.02, 0.4)
    return Brand(
        kind=kind,
        rate=_log_uniform(chance, LEAST_RATE, MOST_RATE),
        jitter=_log_uniform(chance, 0.02, 1.0) if kind in ("negbin", "heavy") else 0.0,
        swell=_log_uniform(chance, *spread) if kind in ("swelling", "heavy") else 0.0,
        swell_hours=_log_uniform(chance, 0.25, 12.0),
        shape=str(chance.choice(SHAPES)),
        amplitude=chance.uniform(0.2, 0.9),
        peak_hour=chance.uniform(0.0, 24.0),
        weekend=chance.uniform(0.4, 1.3),
        trend=chance.uniform(-0.1, 0.1) if chance.random() < 0.5 else 0.0,
        gaps=_log_uniform(chance, 0.3, 3.0) if chance.random() < 0.5 else 0.0,
        scored=chance.uniform(0.3, 1.0) if told else 0.0,
        share=_log_uniform(chance, 0.03, 0.4) if told else 0.0,
        mood=_log_uniform(chance, 0.001, 0.05) if told else 0.0,
    )


def play(brand: Brand, weeks: float, chance: Generator) -> Quiet:
    """So many weeks of a brand's minutes."""
    blocks = round(weeks * WEEK / BLOCK)
    each = round(BLOCK / MINUTE)
    start = MONDAY + DAY * int(chance.integers(7))
    usual = brand.rate * _rhythm(brand, start, blocks * each)
    factor = _gamma(np.asarray(chance.standard_normal(blocks)), brand.jitter)
    factor = factor * _gamma(_wandering(chance, blocks, brand.swell_hours), brand.swell)
    unknown = np.repeat(_gaps(brand, weeks, blocks, chance), each)
    mentions = chance.poisson(usual * np.repeat(factor, each))
    if not brand.told:
        return Quiet(brand, Series(start, MINUTE, _hidden(mentions, unknown)), usual)
    scored = chance.binomial(mentions, brand.scored)
    mood = _wandering(chance, blocks, brand.swell_hours if brand.swell else 0.0)
    negative = chance.binomial(scored, np.repeat(_beta(mood, brand.share, brand.mood), each))
    columns = [_hidden(column, unknown) for column in (mentions, negative, scored)]
    return Quiet(brand, Series(start, MINUTE, *columns), usual)


def joined(series: Series, parts: int) -> Series:
    """The series in buckets that are `parts` times as long; one with a gap in it is a gap."""
    negative = None if series.negative is None else _joined(series.negative, parts)
    scored = None if series.scored is None else _joined(series.scored, parts)
    return Series(series.start, series.step * parts, _joined(series.mentions, parts), negative, scored)


def _joined(values: Floats, parts: int) -> Floats:
    whole = len(values) // parts * parts
    return np.asarray(values[:whole].reshape(-1, parts).sum(axis=1))


def _log_uniform(chance: Generator, low: float, high: float) -> float:
    return exp(chance.uniform(log(low), log(high)))


def _rhythm(brand: Brand, start: float, minutes: int) -> Floats:
    """Factor of every minute from `start` on, 1 on average over a week but for the trend, shape (minutes,)."""
    at = np.asarray(start + MINUTE * (np.arange(minutes) + 0.5), dtype=np.float64)
    week = np.asarray(MONDAY + MINUTE * (np.arange(WEEK // MINUTE) + 0.5), dtype=np.float64)
    level = float(_week(brand, week).mean())
    return np.asarray(_week(brand, at) / level * np.exp(brand.trend * (at - start) / WEEK))


def _week(brand: Brand, at: Floats) -> Floats:
    turn = 2.0 * np.pi * (at / HOUR - brand.peak_hour) / 24.0
    shape = {
        "flat": np.zeros_like(turn),
        "wave": np.cos(turn),
        "two_peaks": 0.5 * np.cos(turn) + 0.5 * np.cos(2.0 * turn),
        "office": np.tanh(4.0 * (np.cos(turn) - 0.3)),  # ten hours at the top, the rest of the day at the bottom
    }[brand.shape]
    late = (at - MONDAY) % WEEK >= 5 * DAY
    return np.asarray((1.0 + brand.amplitude * shape) * np.where(late, brand.weekend, 1.0))


def _wandering(chance: Generator, blocks: int, hours: float) -> Floats:
    """Standard normals (blocks,) that forget themselves by e in `hours`: an autoregression of order one."""
    from scipy.signal import lfilter  # costs half a second to load

    keep = exp(-BLOCK / (hours * HOUR)) if hours else 0.0
    shocks = chance.standard_normal(blocks)
    shocks[1:] *= np.sqrt(1.0 - keep * keep)
    return np.asarray(lfilter([1.0], [1.0, -keep], shocks))


def _gamma(normal: Floats, spread: float) -> Floats:
    """Gamma factors of mean 1 and variance `spread`, at the quantiles of standard `normal` numbers (n,)."""
    from scipy.special import gammaincinv, ndtr

    return np.asarray(gammaincinv(1.0 / spread, ndtr(normal)) * spread) if spread else np.ones_like(normal)


def _beta(normal: Floats, share: float, mood: float) -> Floats:
    """Shares of mean `share` and correlation `mood` at the quantiles of standard `normal` numbers (n,)."""
    from scipy.special import betaincinv, ndtr

    weight = 1.0 / mood - 1.0
    return np.asarray(betaincinv(share * weight, (1.0 - share) * weight, ndtr(normal)))


def _hidden(counts: NDArray[np.int64], unknown: Bools) -> Floats:
    return np.where(unknown, np.nan, counts)


def _gaps(brand: Brand, weeks: float, blocks: int, chance: Generator) -> Bools:
    """Which blocks nobody told, shape (blocks,)."""
    unknown = np.zeros(blocks, dtype=np.bool_)
    for _ in range(chance.poisson(brand.gaps * weeks)):
        first = int(chance.integers(blocks))
        unknown[first : first + 1 + int(chance.exponential(GAP_HOURS * HOUR / BLOCK))] = True
    return unknown
