"""Sums over windows that end at a bucket, and how such sums spread: several lengths find the flash and the slow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.series import Floats

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0

FLASH = (5 * MINUTE, 15 * MINUTE, 30 * MINUTE)
"""Window lengths in seconds that see what is happening now."""

SLOW = (HOUR, 3 * HOUR, 6 * HOUR, DAY)
"""Window lengths in seconds in which what grows slowly adds up, to the slow burn of a day."""

PRIOR_SPREAD, PRIOR_WINDOWS = 0.1, 8.0
"""Inverse size before anything is known, and how many windows of data weigh as much as that belief."""

LEAST_SPREAD = 0.005
"""No brand is steadier than 7 % a window, whatever its short past says."""

ENOUGH_WINDOWS = 2000
"""Windows from which a spread is estimated: more change it by less than a hundredth."""

CUT = 3.0
"""Standard deviations at which a window's residual is cut while the spread is estimated."""


def windows(step: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Flash and slow window lengths in seconds for buckets of `step` seconds.

    >>> windows(300.0)
    ((300.0, 900.0, 1800.0), (3600.0, 10800.0, 21600.0, 86400.0))
    >>> windows(86400.0)
    ((86400.0,), (604800.0,))
    """
    flash = tuple(w for w in FLASH if w >= step) or (step,)
    slow = tuple(w for w in SLOW if w > max(step, flash[-1])) or (7 * step,)
    return flash, slow


def backwards(lengths: tuple[float, ...], step: float) -> NDArray[np.int64]:
    """How many buckets of `step` seconds each window holds, shape (windows,)."""
    return np.array([max(1, round(length / step)) for length in lengths])


def trailing(values: Floats, lengths: tuple[float, ...], step: float, rows: NDArray[np.int64]) -> Floats:
    """Sums of `values` (..., n) over the windows that end with each of `rows`, shape (..., windows, rows).

    A window may begin before the data.

    >>> trailing(np.array([1.0, 2.0, 4.0]), (60.0, 120.0), 60.0, np.array([1, 2])).tolist()
    [[2.0, 4.0], [3.0, 6.0]]
    """
    total = np.zeros((*values.shape[:-1], values.shape[-1] + 1))
    np.cumsum(values, axis=-1, out=total[..., 1:])
    back = backwards(lengths, step)
    return np.asarray(total[..., None, rows + 1] - total[..., np.maximum(rows + 1 - back[:, None], 0)])


def columns(values: Floats) -> Floats:
    """One brand's values (windows,) as a column (windows, 1); those of many looks (windows, looks) are columns already.

    >>> columns(np.array([1.0, 2.0])).shape, columns(np.ones((2, 5))).shape
    ((2, 1), (2, 5))
    """
    return values if values.ndim > 1 else values[:, None]


@dataclass(frozen=True)
class Spread:
    """How counts spread around the forecast, per window length.

    Taylor's power law (Taylor 1961, Nature 189) with exponent 3/2, which lies between the two usual negative binomials:
    variance = m + inverse * sqrt(rate * window) * m^1.5. Longer windows have their own, for neighbouring buckets go
    together and their sums spread more than independence says.

    `rate` is the brand's usual count a second, `inverse` (windows,) the squared relative spread at that rate; of many
    looks they are (looks,) and (windows, looks).
    """

    lengths: tuple[float, ...]
    rate: float | Floats
    inverse: Floats

    def size(self, mean: Floats) -> Floats:
        """Negative binomial size at `mean` (windows, rows), same shape."""
        usual = np.maximum(self.rate * np.array(self.lengths)[:, None], 1e-9)
        return np.asarray(np.sqrt(np.maximum(mean, 1e-9) / usual) / columns(self.inverse))


def beside(spreads: Sequence[Spread], rows: int) -> Spread:
    """The spreads of many brands as one, each for `rows` looks."""
    return Spread(
        spreads[0].lengths,
        np.repeat([one.rate for one in spreads], rows),
        np.repeat(np.array([one.inverse for one in spreads]).T, rows, axis=1),
    )


def spread(counts: Floats, expected: Floats, step: float, lengths: tuple[float, ...]) -> Spread:
    """Estimate from a past of `counts` and `expected` (n,), zero in both where nothing is known.

    By moments, with residuals cut at CUT standard deviations so that a crisis in the past does not hide the next one.
    """
    n = len(counts)
    both = np.array((counts, expected))
    rate = float(expected.sum() / max(np.count_nonzero(expected) * step, 1e-9))
    backwards = np.arange(n - 1, -1, -1, dtype=np.int64)
    inverse = []
    for length in lengths:
        k = max(1, round(length / step))
        rows = backwards[:: max(1, k // 4, n // ENOUGH_WINDOWS)]
        seen, mean = trailing(both, (length,), step, rows)[:, 0]
        usual = mean**1.5 * np.sqrt(max(rate * length, 1e-9))
        residual, weight, unit, guess = (seen - mean) ** 2, n / k, float(usual.mean()), PRIOR_SPREAD
        credit = PRIOR_SPREAD * PRIOR_WINDOWS * unit
        for _ in range(3):
            beyond = float((np.minimum(residual, CUT * CUT * (mean + usual * guess)) - mean).mean())
            guess = (beyond * weight + credit) / max(unit * (weight + PRIOR_WINDOWS), 1e-300)
            guess = max(guess, LEAST_SPREAD)
        inverse.append(guess)
    return Spread(lengths, rate, np.array(inverse))
