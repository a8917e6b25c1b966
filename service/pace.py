"""How often a brand is looked at: at every tick while there is time, a calm one seldom where there are many."""

import math
import zlib

MINUTE = 60.0
MOST_SECONDS = 60.0
"""A calm brand of which something new is said is looked at this often at the least."""
QUIET_SECONDS = 300.0
"""One of which nothing new is said is looked at this often: its counts can only sink, and it may have fallen silent."""
BUSY, IDLE = 0.2, 0.05
"""Parts of a core: above the first calm brands are looked at half as often, below the second twice as often."""


class Pace:
    """The seconds between two looks at a calm brand: as short as a tick, and up to MOST_SECONDS under load."""

    def __init__(self, tick_seconds: float) -> None:
        self._tick = tick_seconds
        self.calm_seconds = tick_seconds

    @property
    def stretched(self) -> bool:
        """Whether calm brands wait for more than a tick."""
        return self.calm_seconds > self._tick

    def spent(self, seconds: float, elapsed: float) -> None:
        """Adapt to what a tick cost: `seconds` of a core in the time that elapsed since the last one."""
        part = seconds / max(elapsed, self._tick)
        if part > BUSY:
            self.calm_seconds = min(2.0 * self.calm_seconds, MOST_SECONDS)
        elif part < IDLE:
            self.calm_seconds = max(self.calm_seconds / 2.0, self._tick)

    def next(self, name: str, now: float, *, calm: bool) -> float:
        """Return when a brand that is looked at `now` is looked at again where nothing new comes."""
        return _end(name, now, QUIET_SECONDS) if calm else _end("", now, MINUTE)

    def due(self, name: str, looked_at: float, now: float) -> bool:
        """Whether a calm brand that was last looked at `looked_at` and of which something new came is due `now`.

        >>> pace = Pace(5.0)
        >>> pace.due("acme", 100.0, 105.0)
        True
        >>> pace.spent(2.0, 5.0)
        >>> pace.due("acme", 100.0, 104.0), pace.due("acme", 100.0, 110.0)
        (False, True)
        """
        return not self.stretched or now >= _end(name, looked_at, self.calm_seconds)


def _end(name: str, now: float, period: float) -> float:
    """Return when the period that holds `now` ends; each name has periods of its own, to spread the work."""
    phase = zlib.crc32(name.encode()) % 1009 / 1009.0
    return (math.floor(now / period + phase) + 1.0 - phase) * period


def most_in_calm(usual: float) -> float:
    """Return the count above which a brand is looked at at once, where `usual` is normal.

    Three standard deviations of a Poisson count and the two mentions that are nothing anywhere.

    >>> most_in_calm(0.0), most_in_calm(25.0)
    (2.0, 42.0)
    """
    return usual + 3.0 * math.sqrt(usual) + 2.0
