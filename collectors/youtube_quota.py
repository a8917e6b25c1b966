"""YouTube's units of a day: how many were spent, how many may be by now, and when there are new ones."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

AHEAD = timedelta(hours=1)
"""How much of the day may be spent before its time, so that what is written at once can be read at once."""
DAY = timedelta(days=1)


@cache
def _pacific() -> ZoneInfo:
    return ZoneInfo("America/Los_Angeles")


def _day(now: datetime) -> tuple[datetime, datetime]:
    """Return when the day of the quota began and when it ends."""
    begun = now.astimezone(_pacific()).replace(hour=0, minute=0, second=0, microsecond=0)
    return begun, begun + DAY  # of the wall clock, so that days of 23 and 25 hours are right


def today(quota: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Return the `day`, and the `units` and `searches` spent in it: none where `quota` is of another day."""
    day = _day(now)[0].date().isoformat()
    return dict(quota) if quota.get("day") == day else {"day": day, "units": 0, "searches": 0}


def allowed(units: int, now: datetime) -> float:
    """Return how many of the day's `units` a turn may have spent by now, so that they last to the day's end."""
    begun, end = _day(now)
    spent = now.timestamp() - begun.timestamp() + AHEAD.total_seconds()
    return units * min(1.0, spent / (end.timestamp() - begun.timestamp()))


def until(now: datetime) -> float:
    """Return the seconds until the quota begins anew."""
    return _day(now)[1].timestamp() - now.timestamp()


def search_due(quota: Mapping[str, Any], last: float | None, per_day: int, now: datetime) -> bool:
    """Whether it is time for the next of `per_day` searches."""
    waited = last is None or now.timestamp() - last >= DAY.total_seconds() / per_day
    return waited and int(quota["searches"]) < per_day
