"""The negative binomial as the law of counts: mean m, variance m + m²/r with size r; r = inf is the Poisson.

Sizes need not be whole, and neither need counts: a sum of P(negative) is a count with a fraction.
"""

import numpy as np
from numpy.typing import ArrayLike

from detectors.series import Floats

LARGE_SIZE = 1e8
"""Sizes above this are taken as the Poisson: the two then differ by less than the incomplete beta's rounding."""


def tail(count: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> Floats:
    """P(X >= count), any shapes that broadcast.

    NIST Digital Library of Mathematical Functions, 8.17.24 (negative binomial) and 8.4.10 (Poisson).

    >>> float(tail(0, 3.0, 2.0))
    1.0
    >>> round(float(tail(10, 3.0)), 6)
    0.001102
    >>> float(tail(10, 3.0, 2.0)) > float(tail(10, 3.0))
    True
    """
    from scipy.special import betainc, gammainc  # costs half a second to load

    k, m, r = np.broadcast_arrays(np.asarray(count, float), np.asarray(mean, float), np.asarray(size, float))
    poisson = r > LARGE_SIZE
    above, mean_, size_ = np.maximum(k, 1e-300), np.maximum(m, 1e-300), np.where(poisson, 1.0, r)
    p = np.where(poisson, gammainc(above, mean_), betainc(above, size_, mean_ / (mean_ + size_)))
    return np.asarray(np.where(k > 0, p, 1.0))


def surprise(count: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> Floats:
    """Normal quantile of the tail without special functions: -Φ⁻¹(P(X >= count)) or up to 0.4 less.

    The signed root of the deviance at the middle between `count` and the one below it (Barndorff-Nielsen & Cox,
    Inference and Asymptotics, 1994, section 6.6). It costs a few logarithms, so that whole histories can be scored.
    A NaN stays one.

    >>> round(float(surprise(10, 3.0)), 1)
    3.0
    >>> bool(surprise(2, 3.0) < 0 < surprise(5, 3.0))
    True
    """
    k, m, r = np.asarray(count, float), np.maximum(np.asarray(mean, float), 1e-12), np.asarray(size, float)
    y = np.maximum(k - 0.5, 0.0)
    r = np.minimum(r, LARGE_SIZE)
    deviance = y * np.log(np.maximum(y, 1e-300) / m) - (y + r) * np.log1p((y - m) / (m + r))
    return np.asarray(np.sign(y - m) * np.sqrt(np.maximum(2.0 * deviance, 0.0)))


def interval(mean: float, size: float = np.inf, coverage: float = 0.95) -> tuple[float, float]:
    """Smallest whole-number interval with at most (1 - coverage) / 2 outside on either side.

    >>> interval(3.0)
    (0.0, 7.0)
    >>> low, high = interval(3.0, 1.0); high > 7
    True
    """
    outside = (1.0 - coverage) / 2.0
    return _first(mean, size, outside, above=False), _first(mean, size, outside, above=True)


def _tail(count: float, mean: float, size: float) -> float:
    """The same as `tail` for one count, in a tenth of the time."""
    from scipy.special import betainc, gammainc

    above, mean = max(count, 1e-300), max(mean, 1e-300)
    p = gammainc(above, mean) if size > LARGE_SIZE else betainc(above, size, mean / (mean + size))
    return float(p) if count > 0 else 1.0


def _first(mean: float, size: float, outside: float, *, above: bool) -> float:
    """Smallest k with P(X > k) <= outside (`above`), or with P(X <= k) > outside; sought outwards from the mean."""

    def reached(k: float) -> bool:
        beyond = _tail(k + 1.0, mean, size)
        return beyond <= outside if above else 1.0 - beyond > outside

    low, high, stride = -1.0, float(np.floor(mean)), float(np.ceil(np.sqrt(mean + mean * mean / size))) + 1.0
    while not reached(high):
        low, high, stride = high, high + stride, stride * 2.0
    while not above and low < high - stride and reached(high - stride):
        high -= stride
    low = max(low, high - stride) if not above else low
    while high - low > 1.0:
        middle = float(np.floor((low + high) / 2.0))
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
