"""When did it begin? The estimate that a cumulative sum gives of a change that was found later."""

import numpy as np

from detectors.series import Floats

RISE = 2.0
"""How many times the expected count a bucket must hold to count as risen: less is a busy hour."""


def onset(observed: Floats, expected: Floats) -> int:
    """Return the first row of the rise that the last row belongs to, for counts and their forecast, both (n,).

    The last row at which the cumulative sum S = max(0, S + observed - RISE * expected) stood at zero, plus one (Page
    1954, Biometrika 41, "Continuous inspection schemes", section 3.1). The last row itself where nothing rose; row 0
    where the sum never stood at zero.

    >>> onset(np.array([2.0, 1.0, 2.0, 9.0, 14.0, 30.0]), np.full(6, 2.0))
    3

    Raises:
        ValueError: there are no rows.
    """
    if not len(observed):
        raise ValueError("no rows: an onset needs at least one bucket")
    total = np.cumsum(observed - RISE * expected)
    floor = np.minimum.accumulate(np.minimum(total, 0.0))
    zero = np.flatnonzero(total <= floor)
    return min(int(zero[-1]) + 1, len(observed) - 1) if len(zero) else 0
