"""The share of mentions that are negative: how strange are k of s, where p is usual?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from detectors.scan import CUT, DAY, ENOUGH_WINDOWS, HOUR, PRIOR_WINDOWS, columns, trailing
from detectors.series import Floats

MEMORY_DAYS = 7.0
"""Half-life in days of the usual share: it moves with the news of the week, not with that of the hour."""

PRIOR_SHARE, PRIOR_SCORED = 0.15, 10.0
"""Negative share of brands at large, and how many scored mentions of its own outweigh it."""

PRIOR_CORRELATION, LEAST_CORRELATION = 0.02, 0.001
"""Correlation of two mentions' sentiment in one window before anything is known, and its floor."""


@dataclass(frozen=True)
class Share:
    """Usual negative share `p` and the within-window correlation (windows,) of the beta-binomial.

    Of many looks they are (looks,) and (windows, looks).

    The variance of k of s is s p (1-p) (1 + (s-1) correlation) (Williams 1975, Biometrics 31, eq. 2).
    """

    lengths: tuple[float, ...]
    p: float | Floats
    correlation: Floats

    def surprise(self, negative: Floats, scored: Floats) -> Floats:
        """Signed root of the binomial deviance over the root of its variance factor, shape (windows, rows).

        >>> share = Share((3600.0,), 0.1, np.array([0.01]))
        >>> share.surprise(np.array([[3.0, 60.0]]), np.array([[4.0, 200.0]])).round(1).tolist()
        [[2.5, 4.5]]
        """
        k = np.maximum(np.minimum(negative, scored) - 0.5, 0.0)
        usual, rest = scored * self.p, scored * (1.0 - self.p)
        deviance = _part(k, usual) + _part(scored - k, rest)
        factor = 1.0 + np.maximum(scored - 1.0, 0.0) * columns(self.correlation)
        return np.asarray(np.sign(k - usual) * np.sqrt(np.maximum(2.0 * deviance, 0.0) / factor))


def beside(shares: Sequence[Share], rows: int) -> Share:
    """The shares of many brands as one, each for `rows` looks."""
    return Share(
        shares[0].lengths,
        np.repeat([one.p for one in shares], rows),
        np.repeat(np.array([one.correlation for one in shares]).T, rows, axis=1),
    )


def _part(seen: Floats, usual: Floats) -> Floats:
    """One term of the deviance; nothing where nothing was seen."""
    return np.asarray(seen * np.log(np.maximum(seen, 1e-300) / np.maximum(usual, 1e-300)))


def fit(negative: Floats, scored: Floats, step: float, lengths: tuple[float, ...]) -> Share:
    """Estimate from a past of `negative` and `scored` (n,), zero in both where nothing is known."""
    p, both = _usual(negative, scored, step), np.array((negative, scored))
    rows = np.arange(len(negative) - 1, -1, -1, dtype=np.int64)
    correlation = []
    for length in lengths:
        n = max(1, round(length / step))
        some = rows[:: max(1, n // 4, len(negative) // ENOUGH_WINDOWS)]
        k, s = trailing(both, (length,), step, some)[:, 0]
        plain = s * p * (1.0 - p)
        pairs = plain * np.maximum(s - 1.0, 0.0)
        unit, weight, guess = float(pairs.mean()), len(negative) / n, PRIOR_CORRELATION
        for _ in range(3):
            beyond = float((np.minimum((k - s * p) ** 2, CUT * CUT * (plain + pairs * guess)) - plain).mean())
            credit = PRIOR_CORRELATION * PRIOR_WINDOWS * unit
            guess = max((beyond * weight + credit) / max(unit * (weight + PRIOR_WINDOWS), 1e-300), LEAST_CORRELATION)
        correlation.append(min(guess, 1.0))
    return Share(lengths, p, np.array(correlation))


def _usual(negative: Floats, scored: Floats, step: float) -> float:
    """The share over the past, recent weeks first, hours of revolt cut."""
    width = max(1, round(HOUR / step))
    whole = len(negative) // width * width
    if whole == 0:
        k, s = negative, scored
    else:
        k = negative[-whole:].reshape(-1, width).sum(axis=1)
        s = scored[-whole:].reshape(-1, width).sum(axis=1)
    memory = np.exp2(-np.arange(len(k))[::-1] * width * step / (MEMORY_DAYS * DAY))
    cut = k
    for _ in range(3):
        p = float(((cut * memory).sum() + PRIOR_SHARE * PRIOR_SCORED) / ((s * memory).sum() + PRIOR_SCORED))
        cut = np.minimum(k, s * p + CUT * np.sqrt(s * p * (1.0 - min(p, 1.0)) * (1.0 + PRIOR_CORRELATION * s)) + 1.0)
    return min(max(p, 0.005), 0.95)
