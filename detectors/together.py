"""Whether all brands of a source move at once: then the source is suspected before the world.

A filter that broke, an index that stands still or one that delivers twice shows in every brand of a source; the world
seldom speaks more, or less, of most brands in the same minutes.
"""

from typing import Literal

import numpy as np

from detectors.negbin import tail
from detectors.series import Floats

Direction = Literal["rise", "fall"]

RARE = 0.001
"""Tail probability below which a brand has moved."""
LEAST_BRANDS = 5
"""Fewer brands than this say nothing of their source: with a chance of RARE each, five of ten move in one of 4e12 looks
if brands are independent."""
PART = 0.5
"""Part of the brands that must have moved the same way; the larger part of what a source tells has then changed."""
EFFECT = 2.0
"""The middle brand must have at least this many times, or this part of, what is expected: a holiday that all forecasts
missed moves all brands by a little."""


def together(observed: Floats, expected: Floats, size: float) -> Direction | None:
    """Say which way the brands of a source moved together, None where they did not.

    Args:
        observed: counts of one window, shape (brands,); NaN where the brand was not seen.
        expected: what was forecast for it, shape (brands,).
        size: negative binomial size of the counts; how sure the forecasts are.

    Works where at least LEAST_BRANDS expect enough to show a move; fails where the brands of an installation are of one
    industry, whose crisis is theirs together: one of them must then be judged as ever.

    >>> quiet = np.full(8, 40.0)
    >>> together(quiet, quiet, 10.0), together(3 * quiet, quiet, 10.0), together(0 * quiet, quiet, 10.0)
    (None, 'rise', 'fall')
    """
    seen = np.isfinite(observed) & np.isfinite(expected) & (expected > 0.0)
    o, e = observed[seen], expected[seen]
    if len(o) < LEAST_BRANDS:
        return None
    if _moved(tail(o, e, size), o >= EFFECT * e):
        return "rise"
    # Of a brand that is hardly spoken of, silence says nothing.
    able = 1.0 - tail(1.0, e, size) < RARE
    if _moved((1.0 - tail(o + 1.0, e, size))[able], (o <= e / EFFECT)[able]):
        return "fall"
    return None


def _moved(chance: Floats, far: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> bool:
    moved = int(((chance < RARE) & far).sum())
    return moved >= LEAST_BRANDS and moved >= PART * len(chance)
