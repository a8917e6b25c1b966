"""What GDELT's DOC API answers: JSON that is not always JSON, and refusals in plain text."""

import json
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from collectors.collector import CollectorError

SLOT = timedelta(minutes=15)
"""What GDELT reads the world's news in, and the finest step of its counts."""


def read_object(text: str) -> dict[str, Any] | None:
    """Read an answer; titles in it may hold backslashes and control characters that no JSON has."""
    for attempt in (text, re.sub(r'\\(?!["\\/bfnrtu])', r"\\\\", text)):
        try:
            found = json.loads(attempt, strict=False)
        except (ValueError, RecursionError):
            continue
        return found if isinstance(found, dict) else None
    return None


def read_timeline(answer: Mapping[str, Any]) -> dict[datetime, int]:
    """Return counts by quarter of an hour, without those in which GDELT read no article at all (`norm`).

    Raises:
        CollectorError: it is no timeline.
    """
    series = answer.get("timeline")
    points = series[0].get("data") if isinstance(series, list) and series and isinstance(series[0], dict) else None
    if not isinstance(points, list):
        raise CollectorError("GDELT answered with something that is no timeline")
    told: dict[datetime, int] = {}
    for point in points:
        with suppress(AttributeError, KeyError, TypeError, ValueError, OverflowError):
            at, count = instant_of(point["date"]), int(point["value"])
            if at == slot_of(at) and count >= 0 and point.get("norm") != 0:
                told[at] = count
    return told


def slot_of(at: datetime) -> datetime:
    """Return the begin of the quarter of an hour."""
    return at.astimezone(UTC) - timedelta(seconds=at.timestamp() % SLOT.total_seconds())


def instant_of(text: str) -> datetime:
    """Read a time as GDELT writes it, `20260308T113000Z`."""
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)


def plain(text: str) -> str:
    """Return the beginning of what was said in text or HTML, in one line."""
    return " ".join(re.sub(r"<[^>]*>", " ", text).split())[:200]
