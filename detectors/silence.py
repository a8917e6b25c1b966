"""How likely a source's silence is chance: a quiet night, or a source that has stopped telling."""

import numpy as np
from numpy.typing import ArrayLike

from detectors.series import Floats


def chance(expected: ArrayLike, size: ArrayLike = np.inf) -> Floats:
    """Probability that nothing at all comes where `expected` counts were, any shapes that broadcast.

    The negative binomial at zero, (1 + m/r)^-r; exp(-m) where `size` r is infinite. `expected` is the forecast summed
    over the silence, so that a night counts for less than a day.

    >>> round(float(chance(3.0)), 4)
    0.0498
    >>> float(chance(3.0, 0.5)) > float(chance(3.0))
    True
    >>> float(chance(0.0))
    1.0
    """
    m, r = np.broadcast_arrays(np.asarray(expected, float), np.asarray(size, float))
    whole = np.isinf(r)
    r = np.where(whole, 1.0, r)
    return np.asarray(np.exp(np.where(whole, -m, -r * np.log1p(m / r))))
