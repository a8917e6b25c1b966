"""The peer of weekly counts: Farrington Flexible, the rule of Farrington et al. (1996) as improved by Noufaily et al.

Farrington, Andrews, Beale & Catchpole, J. R. Statist. Soc. A 159 (1996); Noufaily et al., Statist. Med. 32 (2013),
sections 2 and 4; settings as in the R package surveillance (Salmon, Schumacher & Höhle, J. Statist. Softw. 70, 2016).
Public health offices use it every week. All series are judged at once.
"""

import numpy as np

from detectors import negbin
from detectors.series import Floats

YEAR, YEARS, HALF_WINDOW = 52, 5, 3
"""Weeks a year; years looked back; weeks on either side of this week's place in the year that share its level."""

BLOCK_WEEKS = 5
"""The other 45 weeks of the year are nine blocks of five, each with a level of its own."""

EXCLUDED = 26
"""Most recent weeks that teach nothing, lest an outbreak that has begun hide itself."""

NEEDED = YEARS * YEAR + HALF_WINDOW
"""Weeks before the first that can be judged."""

OUTLYING = 2.58
"""Anscombe residual above which a past week counts only as one over its square."""

TREND_P = 0.05
"""Largest p-value of a trend that is kept."""

STEPS, REFIT_STEPS, LEAST_LOG_MEAN = 8, 4, -15.0
"""Scoring steps of a fit, of one that begins at another's, and where the log mean of a level without counts stops."""


def tails(counts: Floats, week: int) -> tuple[Floats, Floats]:
    """Chance of the count of `week` or a higher one for each of `counts` (series, weeks), shape (series,) twice.

    First by the negative binomial (Noufaily et al. 2013, section 4.4), then by the normal law of the 2/3 power
    (Farrington et al. 1996, eq. 6). A week is flagged where the chance is at most alpha.

    Raises:
        ValueError: there are fewer than NEEDED weeks before `week`.

    >>> counts = np.random.default_rng(1).poisson(9.0, (2, 300)).astype(float)
    >>> counts[1, 299] = 30.0
    >>> [(chance <= 0.005).tolist() for chance in tails(counts, 299)]
    [[False, True], [False, True]]
    """
    from scipy.special import ndtr  # costs half a second to load

    if week < NEEDED:
        raise ValueError(f"week {week} can't be judged; {NEEDED} weeks before it are needed")
    past = np.arange(week - NEEDED, week - EXCLUDED)
    place = (past - (week - HALF_WINDOW)) % YEAR
    level = np.where(place <= 2 * HALF_WINDOW, 0, 1 + (place - 2 * HALF_WINDOW - 1) // BLOCK_WEEKS)
    levels = (level[:, None] == np.arange(level.max() + 1)).astype(np.float64)
    known = counts[:, past]
    time = (past - week) / YEAR  # zero now, so that the first coefficient is this week's log mean
    now, error, phi, trend_p = _fit(known, np.column_stack((levels, time)))
    without = (trend_p >= TREND_P) | (np.exp(now) > known.max(axis=1))
    if without.any():
        now[without], error[without], phi[without], _ = _fit(known[without], levels)
    mean, count = np.exp(now), counts[:, week]
    spread = np.sqrt(4.0 / 9.0 * np.cbrt(mean) * (phi + mean * error**2))
    power = (np.cbrt(count) ** 2 - np.cbrt(mean) ** 2) / spread
    return negbin.tail(count, mean, mean / np.maximum(phi - 1.0, 1e-12)), np.asarray(ndtr(-power))


def _fit(counts: Floats, design: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """First coefficient, its standard error, dispersion and the last coefficient's p-value of each of `counts`.

    Fitted, reweighted by the residuals (Farrington et al. 1996, eq. 4, with Noufaily's threshold), fitted again.
    """
    from scipy.special import stdtr

    n, p = design.shape
    weight = np.ones_like(counts)
    _, inverse, mean = _quasi_poisson(counts, design, weight, np.maximum(counts, 0.1), STEPS)
    phi = _dispersion(counts, mean, weight, p)
    leverage = mean * ((design @ inverse) * design).sum(axis=2)
    residual = 1.5 * (np.cbrt(counts) ** 2 * mean ** (-1.0 / 6.0) - np.sqrt(mean))
    residual /= np.sqrt(phi[:, None] * np.maximum(1.0 - leverage, 1e-6))
    weight = np.where(residual > OUTLYING, np.maximum(residual, 1.0) ** -2.0, 1.0)
    weight *= n / weight.sum(axis=1, keepdims=True)
    coefficients, inverse, mean = _quasi_poisson(counts, design, weight, mean, REFIT_STEPS)
    phi = _dispersion(counts, mean, weight, p)
    error = np.asarray(np.sqrt(phi[:, None] * np.maximum(inverse[:, [0, -1], [0, -1]], 1e-300)))
    trend_p = np.asarray(2.0 * stdtr(n - p, -np.abs(coefficients[:, -1]) / error[:, 1]))
    return coefficients[:, 0], error[:, 0], phi, trend_p


def _quasi_poisson(
    counts: Floats, design: Floats, weight: Floats, mean: Floats, steps: int
) -> tuple[Floats, Floats, Floats]:
    """Coefficients (series, p), inverse information (series, p, p) and means (series, n) by Fisher scoring."""
    nothing = 1e-9 * np.eye(design.shape[1])
    for _ in range(steps):
        inverse = np.asarray(np.linalg.inv(design.T @ ((weight * mean)[:, :, None] * design) + nothing), np.float64)
        working = (weight * (mean * np.log(mean) + counts - mean)) @ design
        coefficients = np.einsum("spq,sq->sp", inverse, working)
        mean = np.exp(np.clip(coefficients @ design.T, LEAST_LOG_MEAN, 30.0))
    return coefficients, inverse, mean


def _dispersion(counts: Floats, mean: Floats, weight: Floats, parameters: int) -> Floats:
    """Pearson's, at least 1: no public count is steadier than chance."""
    freedom = counts.shape[1] - parameters
    return np.asarray(np.maximum((weight * (counts - mean) ** 2 / mean).sum(axis=1) / freedom, 1.0))
