"""What people said of the past: which buckets were crises for sure, and which were false alarms."""

from dataclasses import dataclass

import numpy as np

from detectors.series import Bools


@dataclass(frozen=True)
class Feedback:
    """What people said of buckets (n,).

    `left` teach the tail nothing: a crisis that was real is no false page, and a campaign is no normal week. `false`
    teach their full height. A bucket that is neither teaches what the watch makes of it.
    """

    left: Bools
    false: Bools

    def rows(self, first: int, last: int) -> "Feedback":
        """Buckets `first` to `last` (not included), as views.

        >>> said = Feedback(np.array([True, False]), np.array([False, True]))
        >>> said.rows(1, 2).false.tolist()
        [True]
        """
        return Feedback(self.left[first:last], self.false[first:last])


def unsaid(n: int) -> Feedback:
    """Nobody said anything of `n` buckets."""
    nothing = np.zeros(n, dtype=np.bool_)
    return Feedback(nothing, nothing)
