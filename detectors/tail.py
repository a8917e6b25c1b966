"""How often something is as strange as this: a generalised Pareto tail over the maxima of blocks of time."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from detectors.series import Floats

PEAKS = 0.2
"""Share of the blocks that are peaks, to which the tail is fitted."""

USUAL_SHAPE, SHAPE_WEIGHT, MOST_SHAPE = 0.25, 10.0, 0.6
"""Shape of the tail of bursts at large, how many peaks of its own outweigh it, and the heaviest that is believed."""

LEAST_SHAPE = 0.01
"""Exponential, or nearly: lighter tails are not believed."""

PRIOR = np.array([-0.25, 0.0, 0.15, 0.3, 0.4, 0.55, 0.75, 1.05, 1.5, 2.6])
"""Block maxima every brand starts with, in its own spreads above its middles, the highest of all windows: so they lie
for brands of every size, from one mention in fifteen minutes to seventeen a minute, once each is measured by its own
spread. Ten blocks are two and a half days."""


@dataclass(frozen=True)
class Tail:
    """Peaks over threshold (Pickands 1975).

    Above `threshold` lie `often` blocks a week, and their excess is generalised Pareto of `scale` and `shape`; of many
    looks each is (looks,).

    >>> tail = fitted(np.linspace(0.0, 3.0, 100), 28.0)
    >>> bool(tail.rate(np.array(2.9)) > tail.rate(np.array(9.0)) > 0)
    True
    """

    threshold: float | Floats
    scale: float | Floats
    shape: float | Floats
    often: float | Floats

    def rate(self, height: Floats) -> Floats:
        """Blocks a week whose maximum reaches `height`, same shape; NaN stays NaN.

        Below the threshold it goes on at the slope that it has there.
        """
        excess = (height - self.threshold) / self.scale
        beyond = (1.0 + self.shape * np.maximum(excess, 0.0)) ** (-1.0 / self.shape)
        return np.asarray(self.often * np.maximum(beyond, 1e-12) * np.exp(np.clip(-excess, 0.0, 50.0)))

    def reached(self, rate: float) -> float:
        """The height that is reached `rate` times a week: the inverse of `rate` beyond the threshold."""
        return float(self.threshold + self.scale / self.shape * ((self.often / rate) ** self.shape - 1.0))


def beside(tails: Sequence[Tail], rows: int) -> Tail:
    """The tails of many brands as one, each for `rows` looks."""
    return Tail(*np.repeat([(one.threshold, one.scale, one.shape, one.often) for one in tails], rows, axis=0).T)


@lru_cache(maxsize=8)
def young(a_week: float) -> Tail:
    """The tail of a brand that nothing is known of; `a_week` blocks make a week."""
    return fitted(np.empty(0), a_week)


def fitted(heights: Floats, a_week: float) -> Tail:
    """Fit to block maxima (n,) and PRIOR; shape by probability-weighted moments, drawn to USUAL_SHAPE.

    Hosking & Wallis 1987 (Technometrics 29), eq. 9.
    """
    ordered = np.sort(np.concatenate((PRIOR, heights)))
    threshold = float(ordered[int((1.0 - PEAKS) * (len(ordered) - 1))])
    excess = ordered[ordered > threshold] - threshold
    n, often = len(excess), a_week / len(ordered)
    if n == 0:
        return Tail(threshold, 1.0, USUAL_SHAPE, often)
    first = float(excess.mean())
    second = float(((1.0 - (np.arange(n) + 0.65) / n) * excess).mean())
    shape = 2.0 - first / (first - 2.0 * second) if first > 2.0 * second else MOST_SHAPE
    shape = (min(max(shape, LEAST_SHAPE), MOST_SHAPE) * n + USUAL_SHAPE * SHAPE_WEIGHT) / (n + SHAPE_WEIGHT)
    return Tail(threshold, max(first * (1.0 - shape), 1e-3), shape, often * n)
