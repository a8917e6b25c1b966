"""How the accuracy card writes a figure."""

from collections.abc import Mapping

Values = Mapping[str, float]

MISSED = 360.0
"""Minutes that stand for a revolt that was not caught in time."""


def sure(values: Values, name: str, digits: int | None = 0) -> str:
    """Return a figure with its interval, where it has one."""

    def told(value: float) -> str:
        return number(value) if digits is None else f"{value:.{digits}f}"

    if name not in values:
        return "–"
    if f"{name}_low" not in values:
        return told(values[name])
    return f"{told(values[name])} [{told(values[f'{name}_low'])} to {told(values[f'{name}_high'])}]"


def with_rate(values: Values, name: str, rate: str) -> str:
    """Return what was found, and in brackets the false pages a week that came with it."""
    return f"{values[name]:.0f} ({values[rate]:.2f})" if name in values else "–"


def minutes(value: float) -> str:
    """Return a delay."""
    return "missed" if value >= MISSED else f"{value:g}"


def number(value: float | None) -> str:
    """Return three digits, or all before the point."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value == int(value) or abs(value) >= 1000 else f"{value:.3g}"


def long(hours: int) -> str:
    """Return a length of time in words.

    >>> long(6), long(72), long(336)
    ('6 hours', '3 days', '2 weeks')
    """
    for length, word in ((168, "week"), (24, "day")):
        if hours >= length:
            count = hours // length
            return f"{count} {word}{'s' * (count > 1)}"
    return f"{hours} hours"
