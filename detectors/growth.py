"""How fast a revolt grows, and where it will be in some hours."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp, expm1, log

import numpy as np

from detectors.series import Bools, Floats

LEAST_EXCESS = 5.0
"""Counts above the expected that a growth rate needs; below, it is anyone's guess."""

POINTS = 24
"""Buckets are joined to at most this many before the fit: growth is smooth, and minutes are not."""

STEPS = 25
"""Newton's steps at most; six or seven do."""

PRIOR_RATE_HOURS = 0.25
"""Standard deviation of the growth rate before anything is seen, as the hours in which talk grows e-fold: talk that
doubles every ten minutes is within one, and a handful of counts cannot claim more."""

DAMPING_HOURS = 1.0
"""Half-life of the growth rate ahead (Gardner & McKenzie 1985, eq. 2): talk runs out of people who have not heard."""

AHEAD_HOURS = (1, 3, 6)
COVERED = 1.96
"""Standard errors of an interval that holds the truth 95 times of 100."""


@dataclass(frozen=True)
class Growth:
    """`doubling` in seconds with `low` and `high` (95 of 100), negative where it shrinks, infinite where it stands.

    `ahead` is the expected count an hour in 1, 3 and 6 hours, `ahead_low` and `ahead_high` its interval.
    """

    doubling: float
    low: float
    high: float
    ahead: Mapping[int, float]
    ahead_low: Mapping[int, float]
    ahead_high: Mapping[int, float]


def fit(observed: Floats, expected: Floats, step: float) -> Growth | None:
    """Fit exponential growth above `expected` to `observed` (n,), in buckets of `step` seconds from the onset to now.

    Poisson regression of observed on expected + exp(a + b t) by Fisher scoring, standard errors widened by the
    dispersion of what is left (McCullagh & Nelder 1989, section 4.5). NaN is unknown. None where the excess is too
    small or the buckets too few to tell.

    >>> minutes = np.arange(60.0)
    >>> growth = fit(2.0 * 2.0 ** (minutes / 15.0), np.zeros(60), 60.0)
    >>> round(growth.doubling / 60.0)
    15
    """
    known = np.isfinite(observed) & np.isfinite(expected)
    y, usual, t = _joined(observed, expected, known, step / 3600.0)
    if len(y) < 3 or float((y - usual).sum()) < LEAST_EXCESS:
        return None
    width = float(t[1] - t[0])
    now = float(t[-1] + width / 2.0)
    found = _scoring(y, usual, t - now)
    if found is None:
        return None
    height, rate, covariance = found
    error = float(np.sqrt(covariance[1, 1]))
    ahead, least, most = {}, {}, {}
    normal = float(usual[-1] / width)
    for hours in AHEAD_HOURS:
        reach = -expm1(-hours * log(2.0) / DAMPING_HOURS) * DAMPING_HOURS / log(2.0)
        spread = float(np.sqrt(covariance[0, 0] + 2.0 * reach * covariance[0, 1] + reach * reach * covariance[1, 1]))
        middle = height + rate * reach - log(width)
        ahead[hours], least[hours], most[hours] = (
            normal + exp(min(middle + side * COVERED * spread, 40.0)) for side in (0, -1, 1)
        )
    slowest = rate - COVERED * error
    high = _doubling(slowest) if slowest > 0 or rate < 0 else float("inf")
    return Growth(_doubling(rate), _doubling(rate + COVERED * error), high, ahead, least, most)


def _doubling(rate: float) -> float:
    """Seconds to double at `rate` an hour."""
    return log(2.0) / rate * 3600.0 if rate else float("inf")


def _joined(observed: Floats, expected: Floats, known: Bools, hours: float) -> tuple[Floats, Floats, Floats]:
    """Sums over groups of buckets that end now, and their middles in hours; groups not wholly known are out."""
    n = len(observed)
    each = max(1, -(-n // POINTS))
    groups = n // each
    cut = slice(n - groups * each, n)
    whole = known[cut].reshape(groups, each).all(axis=1)
    y = observed[cut].reshape(groups, each).sum(axis=1)[whole]
    usual = expected[cut].reshape(groups, each).sum(axis=1)[whole]
    middle = (np.arange(groups) + 0.5) * each * hours
    return y, usual, np.asarray(middle[whole], dtype=np.float64)


def _scoring(y: Floats, usual: Floats, t: Floats) -> tuple[float, float, Floats] | None:
    """Log height at t = 0, rate an hour, and their covariance, shape (2, 2); None where the fit runs away."""
    design = np.column_stack((np.ones_like(t), t))
    prior = np.diag([0.0, PRIOR_RATE_HOURS**2])
    beta = np.array([log(max(float((y - usual)[-3:].mean()), 0.5)), 0.0])
    for _ in range(STEPS):
        excess = np.exp(np.clip(design @ beta, -30.0, 40.0))
        mean = usual + excess
        slope = design * excess[:, None]
        information = slope.T @ (slope / mean[:, None]) + prior
        move = np.linalg.solve(information, slope.T @ ((y - mean) / mean) - prior @ beta)
        beta = beta + np.clip(move, -1.0, 1.0)
        if np.abs(move).max() < 1e-6:
            break
    else:
        return None
    dispersion = max(float(((y - mean) ** 2 / mean).sum()) / max(len(y) - 2, 1), 1.0)
    return float(beta[0]), float(beta[1]), np.asarray(np.linalg.inv(information) * dispersion)
