"""The public holidays of a country, or of a part of it."""

from datetime import date, timedelta
from functools import lru_cache

EPOCH = date(1970, 1, 1)
AHEAD = timedelta(days=14)
"""How far holidays are told ahead: further than a forecast is followed."""


def country(code: str) -> str:
    """Return a country's code, checked.

    Raises:
        ValueError: it is none, or its holidays are not known.
    """
    if len(code) != 2 or code not in _known():
        raise ValueError(f"no holidays are known of {code!r}; a code of ISO 3166-1 is expected, as DE or US")
    return code


def subdivision(country: str | None, code: str) -> str:
    """Return the code of a part of `country`, checked.

    Raises:
        ValueError: the country has none of this name, or is not given.
    """
    if country is None:
        raise ValueError("a subdivision needs its country")
    there = _known()[country]
    if code not in there:
        known = f"there is {', '.join(there)}" if there else "none are known"
        raise ValueError(f"{country} has no subdivision {code!r}; {known}")
    return code


@lru_cache(maxsize=1024)
def holidays_of(country: str, subdivision: str | None, first: date, last: date) -> frozenset[int]:
    """Return the public holidays from `first` to `last`, both included, as local days since 1 January 1970.

    >>> days = holidays_of("DE", None, date(2026, 12, 24), date(2026, 12, 31))
    >>> [str(EPOCH + timedelta(days=day)) for day in sorted(days)]
    ['2026-12-25', '2026-12-26']
    """
    import holidays  # a tenth of a second; only brands that name a country need it

    found = holidays.country_holidays(country, subdiv=subdivision, years=range(first.year, last.year + 1))
    return frozenset((day - EPOCH) // timedelta(days=1) for day in found if first <= day <= last)


def around(country: str | None, subdivision: str | None, first: float, now: float) -> frozenset[int]:
    """Return the public holidays from POSIX time `first` until some days after `now`, as `holidays_of`."""
    if country is None:
        return frozenset()
    begin, end = (EPOCH + timedelta(days=at // 86_400.0) for at in (first, now))
    return holidays_of(country, subdivision, begin, end + AHEAD)


@lru_cache(maxsize=1)
def _known() -> dict[str, list[str]]:
    """Countries with their subdivisions."""
    import holidays

    return holidays.list_supported_countries(include_aliases=False)
