"""What changed of minutes that were judged before: how many mentions came late, how many were taken out."""

from dataclasses import dataclass, field

import numpy as np

from detectors.series import Floats
from service.clock import iso

MINUTE = 60.0
AGAIN_SECONDS = 6 * 3600.0
"""Late data page only for windows that ended less than this ago; what is older is annotated."""
KEPT_SECONDS = 8 * 86_400.0
"""How long minutes are kept, and how late a mention may come."""


@dataclass(frozen=True)
class Changes:
    """Begins of the minutes (k,) that changed, POSIX seconds, and by how many mentions (k,), an edit by none.

    `spans` (begin, end) are of longer ago: all that is known is that something changed there.
    """

    minutes: Floats = field(default_factory=lambda: np.empty(0))
    mentions: Floats = field(default_factory=lambda: np.empty(0))
    spans: tuple[tuple[float, float], ...] = ()

    def __bool__(self) -> bool:
        return bool(len(self.minutes) or self.spans)

    def joined(self, other: "Changes") -> "Changes":
        """Return both."""
        if not other:
            return self
        return Changes(
            np.concatenate((self.minutes, other.minutes)),
            np.concatenate((self.mentions, other.mentions)),
            self.spans + other.spans,
        )

    def ended_by(self, instant: float) -> "Changes":
        """Return what changed in minutes that ended by `instant` (POSIX seconds)."""
        some = self.minutes + MINUTE <= instant
        return Changes(self.minutes[some], self.mentions[some], self.spans)

    @property
    def start(self) -> float:
        """Begin of the first of them, POSIX seconds; infinite where there is none."""
        return min([float(self.minutes.min(initial=np.inf)), *(begin for begin, _ in self.spans)])

    @property
    def end(self) -> float:
        """End of the last of them, POSIX seconds."""
        return max([float(self.minutes.max(initial=-np.inf)) + MINUTE, *(end for _, end in self.spans)])

    @property
    def gone(self) -> int:
        """How many mentions were taken out."""
        return int(-self.mentions[self.mentions < 0].sum())

    @property
    def came(self) -> int:
        """How many mentions came late."""
        return int(self.mentions[self.mentions > 0].sum())

    def words(self) -> str:
        """Return what is to be said of them.

        >>> Changes(np.array([0.0, 60.0]), np.array([3.0, -1.0])).words()
        'late data: 3 mentions came, 1 was taken out after 1970-01-01T00:00:00Z to 1970-01-01T00:02:00Z had been judged'
        """
        came = [f"{self.came} mention{'s'[: self.came != 1]} came"] if self.came else []
        gone = [f"{self.gone} {'was' if self.gone == 1 else 'were'} taken out"] if self.gone else []
        what = ["mentions came or were changed"] if self.spans or not came + gone else came + gone
        return f"late data: {', '.join(what)} after {iso(self.start)} to {iso(self.end)} had been judged"
