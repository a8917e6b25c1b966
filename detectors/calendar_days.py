"""Holidays in the rhythm of the week: a holiday is taken to be like a Sunday."""

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]

SUNDAY = 6
"""0 is Monday."""


def as_weekdays(days: Whole, holidays: Collection[int] = (), like: int = SUNDAY) -> Whole:
    """The weekday whose rhythm each of `days` follows, same shape, 0 is Monday: its own, on a holiday `like`'s.

    `days` are local days since 1 January 1970, `holidays` the same. Where a forecaster asks a bucket for its weekday,
    in the fit and ahead, this answers: then a holiday teaches Sundays and is forecast as one.

    >>> thursday_to_sunday = np.arange(4)
    >>> as_weekdays(thursday_to_sunday).tolist()
    [3, 4, 5, 6]
    >>> as_weekdays(thursday_to_sunday, holidays={1}).tolist()
    [3, 6, 5, 6]
    """
    weekday = np.asarray((days + 3) % 7)  # 1 January 1970 was a Thursday
    if not holidays:
        return weekday
    return np.where(np.isin(days, np.fromiter(holidays, np.int64, len(holidays))), like, weekday)
