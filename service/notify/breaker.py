"""A channel that fails again and again is left alone for a while, then probed by one notice: pure.

Its state is the process's own: what it learned in some seconds, the next process learns again for the price of some
tries, and a store that is away can't keep a channel closed. The notices wait in the store, so that none is lost.
"""

from dataclasses import dataclass, replace

FAILURES = 5
"""Failures in a row that open it."""
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 40.0
"""Seconds until it is probed; doubled with every probe that fails, and less than a minute, since pages wait."""


@dataclass(frozen=True)
class Breaker:
    """How one channel does; `until` is when it may be tried again (POSIX seconds).

    `probing`: one try is under way.
    """

    failures: int = 0
    until: float = 0.0
    pause: float = 0.0
    probing: bool = False

    def waits(self, now: float) -> float | None:
        """Return until when to wait; None where a try may be made."""
        if self.failures < FAILURES:
            return None
        if self.probing:
            return max(self.until, now) + FIRST_PAUSE
        return self.until if now < self.until else None

    def begun(self) -> "Breaker":
        """Return it with a try under way; where it is open, that one is the probe."""
        return replace(self, probing=self.failures >= FAILURES)

    def told(self, now: float, good: bool) -> "Breaker":
        """Return it after a try.

        >>> Breaker(failures=4).told(100.0, good=False).waits(100.0)
        105.0
        """
        if good:
            return Breaker()
        if self.failures + 1 < FAILURES:
            return replace(self, failures=self.failures + 1, probing=False)
        pause = min(2 * self.pause, LONGEST_PAUSE) if self.pause else FIRST_PAUSE
        return Breaker(self.failures + 1, now + pause, pause)
