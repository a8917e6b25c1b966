"""Proper scores of a forecast of counts, the negative binomial: the continuous ranked probability and the log score.

Smaller is better, and no other law than the true one is expected to do better (Gneiting & Raftery 2007, JASA 102). The
first is in mentions and forgives an outlier its distance alone, the second is in nats and does not.
"""

import numpy as np
from numpy.typing import ArrayLike

from detectors import negbin
from detectors.series import Floats

STRIDE, REACH = 0.2, 30.0
"""Step and reach of the quadrature, in log units: its error is below 1e-9 of the value at any mean and size."""


def crps(count: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> Floats:
    """E|X - count| - E|X - X'| / 2 for X, X' of the law of `negbin`; any shapes that broadcast.

    Gneiting & Raftery 2007, eq. 21. The first part is closed (Wei & Held 2014, TEST 23); the second is `difference`.
    Counts may have a fraction.

    >>> round(float(crps(3, 3.0)), 4), round(float(crps(9, 3.0)), 4), round(float(crps(9, 3.0, 2.0)), 4)
    (0.3881, 5.0468, 4.7338)
    """
    y, m, r = np.broadcast_arrays(np.asarray(count, float), np.asarray(mean, float), np.asarray(size, float))
    below = np.floor(y)
    at_most = 1.0 - negbin.tail(below + 1.0, m, r)
    part = 1.0 - negbin.tail(below, m * (1.0 + 1.0 / r), r + 1.0)  # E[X; X <= y] = m P(X* < y), X* of size r + 1
    part = np.where(below > 0, part, 0.0)
    return np.asarray(y * (2.0 * at_most - 1.0) + m * (1.0 - 2.0 * part) - difference(m, r) / 2.0)


def difference(mean: ArrayLike, size: ArrayLike = np.inf) -> Floats:
    """E|X - X'|, Gini's mean difference of the law, any shapes that broadcast.

    From the characteristic function φ, since |d| = 1/π ∫ (1 - cos dt) / (1 - cos t) dt over 0 to π for whole d; with
    tan(t/2) = eˣ it is 1/π ∫ (1 - |φ|²) e⁻ˣ dx over the line, where equal steps converge exponentially (Trefethen &
    Weideman 2014, SIAM Review 56). The closed form's hypergeometric function fails where sizes are large.

    >>> round(float(difference(1.0)), 6), round(float(difference(1.0, 1.0)), 6)
    (1.047555, 1.333333)
    """
    m, r = np.broadcast_arrays(np.asarray(mean, float)[..., None], np.asarray(size, float)[..., None])
    poisson = r > negbin.LARGE_SIZE
    size_ = np.where(poisson, 1.0, r)
    variance = m * (1.0 + m / np.where(poisson, np.inf, r))
    lowest = -REACH - 0.5 * float(np.log(max(4.0 * variance.max(initial=0.0), 1.0)))
    x = np.arange(lowest, REACH, STRIDE)
    far = 1.0 / (1.0 + np.exp(-2.0 * x))
    exponent = np.where(poisson, 4.0 * m * far, size_ * np.log1p(4.0 * variance / size_ * far))
    return np.asarray((-np.expm1(-exponent) * np.exp(-x)).sum(axis=-1) * STRIDE / np.pi)


def log_score(count: ArrayLike, mean: ArrayLike, size: ArrayLike = np.inf) -> Floats:
    """Minus the log of the probability of `count`, any shapes that broadcast; between whole counts, interpolated by Γ.

    >>> round(float(log_score(0, 3.0)), 4), round(float(log_score(3, 3.0, 2.0)), 4)
    (3.0, 1.9788)
    """
    from scipy.special import gammaln  # costs half a second to load

    y, m, r = np.broadcast_arrays(np.asarray(count, float), np.asarray(mean, float), np.asarray(size, float))
    m = np.maximum(m, 1e-300)
    poisson = r > negbin.LARGE_SIZE
    size_ = np.where(poisson, 1.0, r)
    wide = gammaln(size_) - gammaln(y + size_) + size_ * np.log1p(m / size_) + y * np.log((m + size_) / m)
    return np.asarray(np.where(poisson, m - y * np.log(m), wide) + gammaln(y + 1.0))
