"""Who is on call: people who take turns at an exact minute, and exceptions; somebody always is."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from collectors.mention import Instant
from service.brand import BrandName
from service.notify.hours import TimeOfDay, Zone, minute

_HOURS = {"hour": 1, "day": 24, "week": 168}


def _shift(value: Any) -> str:
    found = re.fullmatch(r"([1-9][0-9]{0,2}) (hour|day|week)s?", value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a length like 12 hours, 1 day or 2 weeks is expected")
    return f"{found[1]} {found[2]}s" if found[1] != "1" else f"1 {found[2]}"


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(_Config):
    """Somebody who takes turns, and the channel that reaches them."""

    name: str = Field(min_length=1, max_length=100)
    channel: BrandName


class Override(_Config):
    """Somebody else has the duty from `start` to `end`: one of `people`, or anybody with a `channel`."""

    start: Instant
    end: Instant
    person: str = Field(min_length=1, max_length=100)
    channel: BrandName | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> Self:
        if self.end <= self.start:
            raise ValueError("end must be later than start")
        return self


class Duty(_Config):
    """A rotation: the first of `people` begins on `starts` at `hand_over`, by the wall clock of `timezone`."""

    name: BrandName
    people: list[Person] = Field(min_length=1, max_length=100)
    starts: date
    shift: Annotated[str, BeforeValidator(_shift)] = "1 week"
    hand_over: TimeOfDay = "09:00"
    timezone: Zone = "UTC"
    overrides: list[Override] = Field(default_factory=list, max_length=1000)

    @model_validator(mode="after")
    def _people_are_known(self) -> Self:
        known = [p.name for p in self.people]
        if len(set(known)) < len(known):
            raise ValueError("people: a name stands here twice")
        for override in self.overrides:
            if override.channel is None and override.person not in known:
                raise ValueError(f"overrides: {override.person!r} is not one of people: give a channel")
        return self

    def who(self, at: float) -> Person:
        """Return who has the duty at `at` (POSIX seconds); of overrides that overlap the last one holds."""
        turn = self.people[self._turn(at) % len(self.people)]
        for override in self.overrides:
            if override.start.timestamp() <= at < override.end.timestamp():
                turn = self._stands_in(override)
        return turn

    def everybody(self) -> frozenset[str]:
        """Return the channels of all who may have the duty."""
        stand_ins = {o.channel for o in self.overrides if o.channel is not None}
        return frozenset(stand_ins | {p.channel for p in self.people})

    def _stands_in(self, override: Override) -> Person:
        if override.channel is not None:
            return Person(name=override.person, channel=override.channel)
        return next(p for p in self.people if p.name == override.person)

    def _turn(self, at: float) -> int:
        """Return the number of the turn that holds at `at`; negative before the first, which is a turn as well."""
        zone = ZoneInfo(self.timezone)
        wall = datetime.fromtimestamp(at, UTC).astimezone(zone).replace(tzinfo=None)
        number = (wall - self._first) // self._length
        while self._starts(number + 1, zone) <= at:  # an hour that the clock shows twice
            number += 1
        while self._starts(number, zone) > at:  # an hour that the clock skips
            number -= 1
        return number

    def _starts(self, number: int, zone: ZoneInfo) -> float:
        return (self._first + number * self._length).replace(tzinfo=zone).timestamp()

    @property
    def _first(self) -> datetime:
        at = minute(self.hand_over)
        return datetime.combine(self.starts, time(at // 60, at % 60))

    @property
    def _length(self) -> timedelta:
        number, unit = self.shift.split(" ")
        return timedelta(hours=int(number) * _HOURS[unit.removesuffix("s")])


@dataclass(frozen=True)
class OnCall:
    """All duties, by name, beside the channels that are known."""

    duties: Mapping[str, Duty] = field(default_factory=dict)

    def channels(self, names: Sequence[str], at: float) -> dict[str, str]:
        """Return the channels that `names` (of channels or duties) mean at `at`, each with who has the duty or ""."""
        found: dict[str, str] = {}
        for name in names:
            duty = self.duties.get(name)
            if duty is None:
                found.setdefault(name, "")
            else:
                person = duty.who(at)
                found.setdefault(person.channel, f"{person.name} has {name}")
        return found

    def everybody(self, names: Sequence[str]) -> list[str]:
        """Return every channel that `names` (of channels or duties) may ever mean."""
        all_of = ((self.duties[n].everybody() if n in self.duties else {n}) for n in names)
        return sorted({channel for channels in all_of for channel in channels})
