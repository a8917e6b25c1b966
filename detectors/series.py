"""A brand's counts over time, with what is unknown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """Counts of one brand in equal buckets.

    `start` is the POSIX time of the first bucket's begin, `step` its length in seconds. Every array has shape (n,);
    NaN is a gap: unknown, never zero. `negative` is the (possibly fractional) sum of P(negative) over `scored`.
    """

    start: float
    step: float
    mentions: Floats
    negative: Floats | None = None
    scored: Floats | None = None
    authors: Floats | None = None

    def __len__(self) -> int:
        return len(self.mentions)
