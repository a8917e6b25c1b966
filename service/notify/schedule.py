"""When a notice is tried again: pure, so that it is exact on any clock."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

MINUTE, HOUR = 60.0, 3600.0

WEBHOOKS = (0.0, 5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds from one try to the next, as Standard Webhooks recommends: about three days, for who repairs it."""
PAGES = (
    0.0, 10.0, 20.0, 30.0, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
    *(HOUR,) * 3, *(2 * HOUR,) * 4, *(4 * HOUR,) * 3,
)  # fmt: skip
"""Somebody waits for it: four tries within a minute, then growing, for a day; what is older wakes nobody."""
SPREAD = 0.1
"""Part of a pause of a minute or more by which a page comes earlier, as its id says: a channel's pages come apart."""
LONGEST_ASKED = 24 * HOUR
"""Seconds that a receiver's Retry-After may put off a try."""


@dataclass(frozen=True)
class Manner:
    """How a type of channel is told.

    `pauses` are seconds before each try; `spread` see SPREAD. `people`: what is over is no page any more, later news
    take the place of news, and what is too much for the channel is told together.
    """

    pauses: Sequence[float]
    spread: float = 0.0
    people: bool = True


MANNERS: Mapping[str, Manner] = {
    "webhook": Manner(WEBHOOKS, people=False),
    "alertmanager": Manner(PAGES, SPREAD, people=False),
    "slack": Manner(PAGES, SPREAD),
    "apprise": Manner(PAGES, SPREAD),
}
"""By type of channel."""


def tries(manner: Manner, notice: str) -> list[float]:
    """Return when a notice is tried, in seconds since it was first due.

    >>> tries(MANNERS["webhook"], "n")[:4]
    [0.0, 5.0, 305.0, 2105.0]
    """
    part = manner.spread * (zlib.crc32(notice.encode()) % 1000) / 1000
    return list(accumulate(pause * (1 - part) if pause >= MINUTE else pause for pause in manner.pauses))


def again(manner: Manner, notice: str, first: float, now: float, asked: float | None = None) -> float | None:
    """Return when a notice that was first due at `first` is tried after a try at `now`; None where that was the last.

    It is the next instant of the schedule, however many were missed, and not before `asked` seconds from now, as the
    receiver wants it. Times are POSIX seconds.
    """
    due = next((first + after for after in tries(manner, notice) if first + after > now), None)
    if due is None or asked is None:
        return due
    return max(due, now + min(asked, LONGEST_ASKED))
