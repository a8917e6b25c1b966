"""From an alert budget to a threshold: how often a week does a brand's own past look as strange as this?

Each detector's flash and slow statistic has a tail of its own, fitted to peaks over threshold, and a part of the
budget; the rarest of them speaks for all. Parts that add up to one would keep the budget however the tails hang
together (Bonferroni); they add up to SPENT, because they hang together closely.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np

from detectors.scan import DAY, HOUR
from detectors.series import Floats

WEEK = 7 * DAY

BLOCK_HOURS = 6.0
"""Only the highest score of every six hours counts: what lies within them is one episode, not many."""

BLOCKS_KEPT = 224
"""Blocks of a tail: eight weeks of six hours."""

PEAKS = 0.2
"""Share of the blocks that are peaks, to which the tail is fitted."""

USUAL_SHAPE, SHAPE_WEIGHT, MOST_SHAPE = 0.25, 10.0, 0.6
"""Shape of the tail of bursts at large, how many peaks of its own outweigh it, and the heaviest that is believed."""

PRIOR_BLOCKS = np.array([0.9, 1.2, 1.5, 1.8, 2.0, 2.3, 2.7, 3.2, 4.2, 6.5])
"""Block maxima every brand starts with (standard normal units): far heavier than chance alone, as real talk is. Ten
blocks are two and a half days, so a young brand pages seldom and a grown one by its own past."""

REVOLT_PART = 0.85
"""Part of the budget that `revolt` has where sentiment is told; `volume`, the poorer witness, has the rest."""

FLASH_PART = 0.85
"""Part of a detector's budget that the windows of minutes have; the slower ones have the rest."""

SPENT = 1.3
"""Sum of all parts: more than one, for the tails are of the same talk. With this, simulated quiet brands raise about a
quarter of a budget of 0.5 a week and two thirds of one of 2; real ones, whose bursts are heavier, nearly all of it."""

RAREST = 1.0 / 26.0
"""Times a week. What is rarer than once in half a year is taken for a crisis: it teaches the tail no more than that."""

LEAST_SHAPE = 0.01
"""Exponential, or nearly: lighter tails are not believed."""

DECADE = 10.0
"""Points of score for a page that is ten times rarer."""


@dataclass(frozen=True)
class Tail:
    """Peaks over threshold of one statistic's block maxima: a generalised Pareto tail (Pickands 1975).

    `blocks` are maxima of blocks of `seconds`, newest last, and `last` is the newest's number; `ordered` are they and
    PRIOR_BLOCKS, sorted. `threshold`, `scale` and `shape` describe the excess over the threshold, and `often` is how
    many blocks a week lie above it.
    """

    seconds: float
    blocks: Floats
    last: float
    ordered: Floats
    threshold: float
    scale: float
    shape: float
    often: float

    def rate(self, statistic: Floats) -> Floats:
        """Blocks a week whose maximum reaches `statistic`, same shape; NaN stays NaN.

        >>> tail = young(300.0).learn(np.linspace(0.0, 3.0, 100), np.arange(100) * 21600.0)
        >>> bool(tail.rate(np.array(2.9)) > tail.rate(np.array(9.0)) > 0)
        True
        """
        excess = np.maximum(statistic - self.threshold, 0.0)
        beyond = self.often * (1.0 + self.shape * excess / self.scale) ** (-1.0 / self.shape)
        share = np.searchsorted(self.ordered, statistic) / len(self.ordered)
        below = WEEK / self.seconds * (1.0 - share)
        rate = np.where(statistic > self.threshold, beyond, np.maximum(below, self.often))
        return np.where(np.isnan(statistic), np.nan, np.maximum(rate, 1e-12))

    def reached(self, rate: float) -> float:
        """The statistic that is reached `rate` times a week: the inverse of `rate` beyond the threshold."""
        return float(self.threshold + self.scale / self.shape * ((self.often / rate) ** self.shape - 1.0))

    def learn(self, statistic: Floats, times: Floats) -> "Tail":
        """The tail after `statistic` (n,) was seen at POSIX `times` (n,); NaN teaches nothing."""
        known = np.isfinite(statistic)
        if not known.any():
            return self
        block = np.floor(times[known] / self.seconds)
        starts = np.flatnonzero(np.diff(block, prepend=block[0] - 1.0))
        new, old = np.minimum(np.maximum.reduceat(statistic[known], starts), self.reached(RAREST)), self.blocks
        if block[0] == self.last:
            new[0] = max(new[0], old[-1])
            old = old[:-1]
        return _fitted(self.seconds, np.concatenate((old, new))[-BLOCKS_KEPT:], float(block[-1]))


@lru_cache(maxsize=8)
def young(step: float) -> Tail:
    """The tail of a brand that nothing is known of, for buckets of `step` seconds."""
    return _fitted(max(BLOCK_HOURS * HOUR, step), np.empty(0), -np.inf)


def _fitted(seconds: float, blocks: Floats, last: float) -> Tail:
    """Shape by probability-weighted moments (Hosking & Wallis 1987, eq. 9), drawn to USUAL_SHAPE."""
    ordered = np.sort(np.concatenate((PRIOR_BLOCKS, blocks)))
    threshold = float(ordered[int((1.0 - PEAKS) * (len(ordered) - 1))])
    excess = ordered[ordered > threshold] - threshold
    n, a_week = len(excess), WEEK / seconds / len(ordered)
    if n == 0:
        return Tail(seconds, blocks, last, ordered, threshold, 1.0, USUAL_SHAPE, a_week)
    first = float(excess.mean())
    second = float(((1.0 - (np.arange(n) + 0.65) / n) * excess).mean())
    shape = 2.0 - first / (first - 2.0 * second) if first > 2.0 * second else MOST_SHAPE
    shape = (min(max(shape, LEAST_SHAPE), MOST_SHAPE) * n + USUAL_SHAPE * SHAPE_WEIGHT) / (n + SHAPE_WEIGHT)
    scale = max(first * (1.0 - shape), 1e-3)
    return Tail(seconds, blocks, last, ordered, threshold, scale, shape, a_week * n)


@dataclass(frozen=True)
class Calibration:
    """All tails of a brand, by detector and speed (`slow` or not), for buckets of `step` seconds."""

    step: float
    tails: Mapping[tuple[str, bool], Tail] = field(default_factory=dict)

    def score(self, statistics: Mapping[tuple[str, bool], Floats], budget: float) -> dict[tuple[str, bool], Floats]:
        """Scores 0-100 of statistics (rows,), NaN where unknown; at 50 its part of `budget` pages a week is spent.

        Every DECADE points are tenfold rarer, so that pages of higher severities are a geometric series on openings.

        >>> seen = {("volume", False): np.array([0.0, 5.0, 50.0])}
        >>> Calibration(300.0).score(seen, 0.5)["volume", False].round().tolist()
        [33.0, 44.0, 80.0]
        """
        told = any(detector == "revolt" for detector, _ in statistics)
        out = {}
        for (detector, slow), statistic in statistics.items():
            part = 1.0 - FLASH_PART if slow else FLASH_PART
            if told:
                part *= REVOLT_PART if detector == "revolt" else 1.0 - REVOLT_PART
            rate = self._tail(detector, slow).rate(statistic)
            out[detector, slow] = np.clip(50.0 + DECADE * np.log10(SPENT * budget * part / rate), 0.0, 100.0)
        return out

    def learn(self, statistics: Mapping[tuple[str, bool], Floats], times: Floats) -> "Calibration":
        """The calibration after `statistics` (n,) were seen at POSIX `times` (n,)."""
        new = {key: self._tail(*key).learn(seen, times) for key, seen in statistics.items()}
        return Calibration(self.step, {**self.tails, **new})

    def _tail(self, detector: str, slow: bool) -> Tail:
        return self.tails.get((detector, slow)) or young(self.step)
