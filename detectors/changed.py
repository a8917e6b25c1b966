"""Since when counts differ from what was expected: the most likely change point of a Poisson scan."""

from typing import Literal

import numpy as np

from detectors.series import Floats


def since(observed: Floats, expected: Floats, way: Literal["rise", "fall"]) -> int:
    """Return the first bucket of the suffix that differs most from what was expected, `len(observed)` where none does.

    The log likelihood ratio of a suffix of O observed and E expected is O log(O / E) - (O - E), counted only where it
    moved that way (Kulldorff 1997, A spatial scan statistic, section 3, with one cluster and a known baseline).
    Reversed arrays give the end of a change.

    Args:
        observed: counts, shape (n,); a bucket that is not known has 0 here and in `expected`.
        expected: what was forecast, shape (n,).
        way: whether a rise or a fall is looked for.

    Works where the change was a jump; where it crept, it says when it was most of the way.

    >>> calm, half = np.full(30, 20.0), np.full(10, 10.0)
    >>> since(np.append(calm, half), np.full(40, 20.0), "fall")
    30
    >>> since(calm, calm, "rise")
    30
    """
    o, e = (np.cumsum(x[::-1])[::-1] for x in (observed, expected))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(o > 0.0, o * np.log(o / e), 0.0) - (o - e)
    moved = (o > e if way == "rise" else o < e) & np.isfinite(ratio)
    best = np.where(moved, ratio, 0.0)
    return int(best.argmax()) if best.any() else len(observed)
