"""Hours of a week by the wall clock of a time zone, as instants: exact, also in nights when clocks change."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from service.brand import time_zone

DAY_NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
EVERY_DAY: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES, WEEK_MINUTES = 1440, 10_080


def _clock(value: Any) -> str:
    """Return `HH:MM`; YAML reads 22:00 without quotes as 1320, a number to the base of 60."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < DAY_MINUTES:
        value = f"{value // 60:02d}:{value % 60:02d}"
    if not isinstance(value, str) or not re.fullmatch(r"([01]?[0-9]|2[0-3]):[0-5][0-9]", value):
        raise ValueError("a time of day from 00:00 to 23:59 is expected")
    return value.zfill(5)


Zone = Annotated[str, AfterValidator(time_zone)]
TimeOfDay = Annotated[str, BeforeValidator(_clock)]


def minute(clock: str) -> int:
    """Return minutes since midnight of `HH:MM`."""
    return int(clock[:2]) * 60 + int(clock[3:])


def instant(day: date, clock: str, zone: ZoneInfo) -> float:
    """Return POSIX seconds of a wall clock's time.

    What the clock shows twice is meant the first time; what it skips is as much after the jump.
    """
    return datetime.combine(day, time(minute(clock) // 60, minute(clock) % 60), zone).timestamp()


class Hours(BaseModel):
    """From `start` to `end` on the days on which it starts; an end that is not later is on the day after."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: TimeOfDay
    end: TimeOfDay
    days: list[Day] = Field(default_factory=lambda: list(EVERY_DAY), min_length=1)

    def end_of(self, at: float, zone: ZoneInfo) -> float | None:
        """Return when the hours that hold at `at` (POSIX seconds) end; None outside of them."""
        today = datetime.fromtimestamp(at, UTC).astimezone(zone).date()
        for day in (today - timedelta(days=1), today):
            if DAY_NAMES[day.weekday()] not in self.days:
                continue
            until = day + timedelta(days=minute(self.end) <= minute(self.start))
            end = instant(until, self.end, zone)
            if instant(day, self.start, zone) <= at < end:
                return end
        return None

    def minutes(self) -> Iterator[int]:
        """Give the minutes of a week, from Monday's midnight, that it holds."""
        first = minute(self.start)
        length = (minute(self.end) - first - 1) % DAY_MINUTES + 1
        for day in self.days:
            begin = DAY_NAMES.index(day) * DAY_MINUTES + first
            yield from (m % WEEK_MINUTES for m in range(begin, begin + length))


def within(hours: Sequence[Hours], at: float, zone: ZoneInfo) -> bool:
    """Say whether `at` (POSIX seconds) is in any of the hours; no hours are all hours."""
    return not hours or any(h.end_of(at, zone) is not None for h in hours)


def after(hours: Sequence[Hours], at: float, zone: ZoneInfo) -> float:
    """Return the first instant from `at` (POSIX seconds) on that is in none of the hours."""
    while ends := [end for h in hours if (end := h.end_of(at, zone)) is not None]:
        at = max(ends)
    return at


class QuietHours(BaseModel):
    """When nobody is told, but of what is as severe as `unless_severity`; the page waits for their end."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hours: list[Hours] = Field(min_length=1, max_length=20)
    unless_severity: int | None = Field(default=5, ge=1, le=5, description="null: nothing breaks through")

    @model_validator(mode="after")
    def _end_some_time(self) -> Self:
        if len({m for h in self.hours for m in h.minutes()}) == WEEK_MINUTES:
            raise ValueError("these quiet hours never end")
        return self

    def until(self, severity: int, at: float, zone: ZoneInfo) -> float:
        """Return from when on somebody may be told of what happens at `at` (POSIX seconds)."""
        if self.unless_severity is not None and severity >= self.unless_severity:
            return at
        return after(self.hours, at, zone)
