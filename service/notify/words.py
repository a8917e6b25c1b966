"""Figures as people say them: counts, spans, chances, times of day."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from math import floor, isfinite, log10
from zoneinfo import ZoneInfo

LANGUAGES = {
    "ar": "Arabic", "de": "German", "en": "English", "es": "Spanish", "fr": "French", "hi": "Hindi", "id": "Indonesian",
    "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch", "pl": "Polish", "pt": "Portuguese",
    "ru": "Russian", "sv": "Swedish", "tr": "Turkish", "zh": "Chinese", "unknown": "unknown",
}  # fmt: skip
LEAST_CHANCE = 1e-9
"""A law of counts is not known to hold further out than this."""
SCALES = ((1e9, "billion"), (1e6, "million"))
WEEK_HOURS, YEAR_WEEKS = 168.0, 52.0


def count(value: float) -> str:
    """Return what was counted: whole, thousands set apart; small fractions with one digit.

    >>> count(1234.4), count(2.25), count(0.0)
    ('1,234', '2.2', '0')
    """
    if abs(value) < 10 and value != round(value):
        return f"{value:.1f}"
    return f"{value:,.0f}"


def about(value: float) -> str:
    """Return an estimate to two digits: more would be pretended.

    >>> about(712.0), about(1_240_000), about(8.4), about(0.0)
    ('710', '1.2 million', '8', '0')
    """
    if not isfinite(value) or value <= 0:
        return "0"
    rounded = round(value, 1 - floor(log10(value))) if value >= 10 else max(round(value), 1)
    for size, name in SCALES:
        if rounded >= size:
            return f"{rounded / size:.2g} {name}" if rounded < 100 * size else f"{rounded / size:.0f} {name}"
    return f"{rounded:,.0f}"


def plural(number: float, one: str, many: str = "") -> str:
    """Return a number with its noun.

    >>> plural(1, "post"), plural(1200, "post")
    ('1 post', '1,200 posts')
    """
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def span(seconds: float) -> str:
    """Return a length of time to two units.

    >>> span(1800), span(3600), span(5400), span(86400), span(200000), span(20)
    ('30 minutes', 'an hour', '1 h 30 min', 'a day', '2 days 7 h', 'less than a minute')
    """
    minutes = round(seconds / 60)
    days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if minutes < 1:
        return "less than a minute"
    if days:
        return ("a day" if days == 1 else f"{days} days") + (f" {hours} h" if hours else "")
    if hours and rest:
        return f"{hours} h {rest} min"
    if hours:
        return "an hour" if hours == 1 else f"{hours} hours"
    return plural(rest, "minute")


def chance(p: float | None) -> str:
    """Return a probability as one in so many, "" where there is none.

    >>> chance(4.1e-7), chance(0.02), chance(1e-30)
    ('1 in 2.4 million', '1 in 50', 'fewer than 1 in a billion')
    """
    if p is None:
        return ""
    return "fewer than 1 in a billion" if p < LEAST_CHANCE else f"1 in {about(1 / p)}"


def often(a_week: float) -> str:
    """Return how often something comes that comes so many times a week.

    >>> often(0.5), often(1.0), often(2.0), often(0.01)
    ('once in 2 weeks', 'once a week', '2 times a week', 'once in 2 years')
    """
    if a_week > 1:
        return f"{a_week:.2g} times a week"
    weeks = 1 / a_week
    if weeks < 1.5:
        return "once a week"
    return f"once in {weeks:.0f} weeks" if weeks < 1.5 * YEAR_WEEKS else f"once in {weeks / YEAR_WEEKS:.0f} years"


def moment(at: datetime, zone: str) -> str:
    """Return a day and a time where the brand is.

    >>> from datetime import UTC
    >>> moment(datetime(2026, 3, 1, 12, 5, tzinfo=UTC), "Europe/Berlin")
    'Sun 1 Mar 13:05'
    """
    local = at.astimezone(ZoneInfo(zone))
    return f"{local:%a} {local.day} {local:%b %H:%M}"


def shares(parts: Mapping[str, float], names: Mapping[str, str] | None = None, most: int = 4) -> str:
    """Return the largest parts of a whole in per cent.

    >>> shares({"x": 90, "reddit": 10})
    'x 90 %, reddit 10 %'
    """
    total = sum(parts.values())
    ranked = sorted(parts.items(), key=lambda part: -part[1])
    told = [f"{(names or {}).get(n, n)} {percent(c / total)}" for n, c in ranked[:most] if c > 0]
    more = len([c for _, c in ranked if c > 0]) - most
    return ", ".join(told) + (f" and {more} more" if more > 0 else "")


def percent(share: float) -> str:
    """Return a share in per cent.

    >>> percent(0.123), percent(0.001)
    ('12 %', 'under 1 %')
    """
    return "under 1 %" if 0 < share < 0.01 else f"{100 * share:.0f} %"


def listed(names: Iterable[str]) -> str:
    """Return names as a sentence lists them.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    *some, last = list(names) or [""]
    return f"{', '.join(some)} and {last}" if some else last


def lasted(start: datetime, end: datetime) -> str:
    """Return how long something lasted.

    >>> from datetime import UTC
    >>> lasted(datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 15, 20, tzinfo=UTC))
    '3 h 20 min'
    """
    return span(max(end - start, timedelta(0)).total_seconds())
