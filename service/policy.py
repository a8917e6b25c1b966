"""When an episode opens, escalates and closes: one rule for the live ticker and for the backtest."""

from dataclasses import asdict, dataclass, replace
from math import isnan
from typing import Any, Literal

OPENS = 50.0
"""Score at which the alert budget lets a page go out."""

SEVERITY_POINTS = 10.0
"""Score points from one severity to the next: a tenfold rarer chance."""

WORST = 5
"""Highest severity."""

CLOSES = 45.0
"""Score below which a bucket is calm: three times as common as what opens."""

CALM_SECONDS, CALM_LOOKS = 3600.0, 2
"""An hour of calm, and at least two looks, end an episode."""

AFTER_SECONDS = 6 * 3600.0
"""After an episode only the windows of minutes show another rise: the slow ones still hold what is left of the last.
In the service the episode is reopened by it, and no second one opens."""

ACCEPT_SECONDS, ACCEPT_LOOKS = 2 * 86400.0, 7
"""After two days (and at least seven buckets) what is still high is the new level, and the baseline may learn it."""

Event = Literal["opened", "escalated", "closed"]


@dataclass(frozen=True)
class Standing:
    """Where a brand stands between two looks; plain numbers, kept in the store.

    `opened_at` is the POSIX time of the episode that is open, None where none is; `severity` the worst so far, `calm`
    the known seconds and `looks` the known looks since it was last strange, `slow` whether it shows in the slow windows
    only. `closed_at` is when the last one closed.
    """

    opened_at: float | None = None
    severity: int = 0
    calm: float = 0.0
    looks: int = 0
    slow: bool = False
    closed_at: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; `Standing(**values)` is the way back."""
        return asdict(self)


def severity(score: float) -> int:
    """1 to 5, 0 below the threshold.

    >>> [severity(s) for s in (49.9, 50.0, 60.0, 100.0)]
    [0, 1, 2, 5]
    """
    return 0 if not score >= OPENS else min(WORST, 1 + int((score - OPENS) / SEVERITY_POINTS))


def follow(standing: Standing, at: float, seconds: float, score: float, flash: float) -> tuple[Standing, Event | None]:
    """Take one look into account: at POSIX time `at`, over `seconds` since the look before.

    `score` is the highest of all detectors of crisis, `flash` that of their windows of minutes; NaN is unknown,
    which changes nothing: missing data never close an episode. An episode that opened on a flash closes when the flash
    is over; one that showed in the slow windows only waits for those.

    >>> follow(Standing(), 0.0, 300.0, 55.0, 55.0)
    (Standing(opened_at=0.0, severity=1, calm=0.0, looks=0, slow=False, closed_at=None), 'opened')
    """
    if isnan(score):
        return standing, None
    now = severity(score)
    if standing.opened_at is None:
        lately = standing.closed_at is not None and at < standing.closed_at + AFTER_SECONDS
        if not now or (lately and not flash >= OPENS):
            return standing, None
        return Standing(at, now, slow=not flash >= OPENS), "opened"
    if now > standing.severity:
        slow = standing.slow and not flash >= OPENS
        return replace(standing, severity=now, calm=0.0, looks=0, slow=slow), "escalated"
    if (score if standing.slow else flash) >= CLOSES:
        return replace(standing, calm=0.0, looks=0), None
    calm = replace(standing, calm=standing.calm + seconds, looks=standing.looks + 1)
    if calm.calm >= CALM_SECONDS and calm.looks >= CALM_LOOKS:
        return Standing(closed_at=at), "closed"
    return calm, None


def accepted(opened_at: float, now: float, step: float) -> bool:
    """Whether an episode that opened at `opened_at` and is still open has become the new level by `now`.

    >>> accepted(0.0, 86400.0, 300.0), accepted(0.0, 172800.0, 300.0)
    (False, True)
    """
    return now - opened_at >= max(ACCEPT_SECONDS, ACCEPT_LOOKS * step)
