"""A brand's counts over time, with what is unknown."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Series:
    """Counts of one brand in equal buckets.

    `start` is the POSIX time of the first bucket's begin, `step` its length in seconds. Every array has shape (n,);
    NaN is a gap: unknown, never zero. `negative` is the (possibly fractional) sum of P(negative) over `scored`.

    Raises:
        ValueError: a count is infinite or negative (the row is named), or an array has another length.

    >>> Series(0.0, 60.0, np.array([1.0, -2.0]))
    Traceback (most recent call last):
    ...
    ValueError: mentions, row 1: -2.0 is no count; counts are finite and not negative, NaN is a gap
    """

    start: float
    step: float
    mentions: Floats
    negative: Floats | None = None
    scored: Floats | None = None
    authors: Floats | None = None

    def __post_init__(self) -> None:
        for name in ("mentions", "negative", "scored", "authors"):
            values: Floats | None = getattr(self, name)
            if values is None:
                continue
            if values.shape != self.mentions.shape or values.ndim != 1:
                raise ValueError(
                    f"{name} has shape {values.shape}; mentions has {self.mentions.shape}, one row a bucket"
                )
            if not len(values) or (np.fmin.reduce(values) >= 0 and np.fmax.reduce(values) < np.inf):
                continue
            wrong = np.isinf(values) | (values < 0)
            if wrong.any():
                row = int(wrong.argmax())
                raise ValueError(
                    f"{name}, row {row}: {values[row]} is no count; counts are finite and not negative, NaN is a gap"
                )

    def __len__(self) -> int:
        return len(self.mentions)

    def times(self) -> Floats:
        """POSIX times at which the buckets begin, shape (n,)."""
        return np.asarray(self.start + self.step * np.arange(len(self)), dtype=np.float64)

    def rows(self, first: int, last: int) -> "Series":
        """Buckets `first` to `last` (not included), as views."""
        return Series(
            self.start + first * self.step,
            self.step,
            self.mentions[first:last],
            None if self.negative is None else self.negative[first:last],
            None if self.scored is None else self.scored[first:last],
            None if self.authors is None else self.authors[first:last],
        )
