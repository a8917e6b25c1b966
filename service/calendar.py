"""Planned events from iCalendar (RFC 5545): each occurrence a span, recurring ones expanded within bounds."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

MOST_BYTES, MOST_EVENTS = 1_000_000, 5000
"""Of a calendar; each event takes a third of a millisecond to read."""
MOST_STEPS = 100_000
"""Occurrences of one event that are gone through from its first on: daily for 270 years."""
RECURS = {"DAILY", "WEEKLY", "MONTHLY", "YEARLY"}
LARGEST = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366}
"""What a rule may name; beyond, it would be looked for until the year 9999."""
ONCE = ("DTSTART", "DTEND", "DURATION", "RRULE", "RECURRENCE-ID")
TIMES = {*ONCE, "RDATE", "EXDATE"}
"""What must be understood of an event; the rest is only its name."""
LONGEST_NAME = 200

Day = date | datetime


class CalendarError(ValueError):
    """The calendar cannot be used; one line says where and what would be right."""


@dataclass(frozen=True)
class Planned:
    """One occurrence of a planned event; both ends know their time zone."""

    name: str
    start: datetime
    end: datetime


def planned(text: bytes, zone: tzinfo, first: datetime, last: datetime, most: int) -> list[Planned]:
    """All that takes place between `first` and `last`, by start; days and times without a zone are of `zone`.

    Cancelled events are left out; a moved or cancelled occurrence (RECURRENCE-ID) stands for the one it replaces.

    Raises:
        CalendarError: it is too large, no calendar, plans more than `most`, or has an event that is not understood.
    """
    events = _events(text, zone)
    replaced = {(event.uid, event.replaces) for event in events if event.replaces is not None}
    found: list[Planned] = []
    for event in events:
        for begin, end in event.spans(last):
            if end <= first or (event.replaces is None and (event.uid, begin) in replaced):
                continue
            found.append(Planned(event.name, begin, end))
            if len(found) > most:
                raise CalendarError(f"{event.where}: more than {most} planned events from {first:%F} to {last:%F}")
    return sorted(found, key=lambda p: (p.start, p.end, p.name))


def _events(text: bytes, zone: tzinfo) -> "list[_Event]":
    from icalendar import Calendar  # loaded only where a calendar is given

    if len(text) > MOST_BYTES:
        raise CalendarError(f"the calendar has {len(text)} bytes; up to {MOST_BYTES} are read: leave the past out")
    lines = [n for n, line in enumerate(text.splitlines(), 1) if line.strip().upper() == b"BEGIN:VEVENT"]
    if len(lines) > MOST_EVENTS:
        raise CalendarError(f"line {lines[MOST_EVENTS]}: more than {MOST_EVENTS} events; leave the past out")
    try:
        calendar = Calendar.from_ical(text)
    except (ValueError, KeyError, IndexError, RecursionError) as error:
        raise CalendarError(f"no iCalendar: {' '.join(str(error).split())[:200]}") from None
    if calendar.name != "VCALENDAR":
        raise CalendarError(f"line 1: {calendar.name}; a calendar begins with BEGIN:VCALENDAR")
    found = calendar.walk("VEVENT")
    if len(lines) != len(found):
        lines = [1] * len(found)
    events = [_Event(event, line, zone) for event, line in zip(found, lines, strict=True)]
    return [event for event in events if not event.cancelled or event.replaces is not None]


class _Event:
    """One VEVENT with its times in one zone; they are moved by wall clock, as people plan."""

    def __init__(self, event: Any, line: int, zone: tzinfo) -> None:
        self._event = event
        summary = event.get("SUMMARY", "")
        name = " ".join(str(summary[0] if isinstance(summary, list) else summary).split())
        self.name = name[:LONGEST_NAME] or "planned event"
        self.where = f"line {line}, {self.name[:60]!r}"
        self.uid = str(event.get("UID", ""))
        self.cancelled = str(event.get("STATUS", "")).upper() == "CANCELLED"
        self._check()
        try:
            self._read(event, zone)
        except (ValueError, OverflowError) as error:
            raise self._error(str(error)) from None
        if self._length <= timedelta(0):
            raise self._error("it has no length; DTEND must be later than DTSTART, or DURATION above zero")

    def _read(self, event: Any, zone: tzinfo) -> None:
        begin, end = event.start, event.end
        self._zone = (begin.tzinfo if isinstance(begin, datetime) else None) or zone
        self._begin = self._local(begin)
        self._whole_days = not isinstance(begin, datetime)
        self._days = self._local(end) - self._begin
        self._length = self._instant(self._local(end)) - self._instant(self._begin)
        self.replaces = self._instant(self._local(event["RECURRENCE-ID"].dt)) if "RECURRENCE-ID" in event else None

    def spans(self, last: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Begin and end of all occurrences that begin before `last`, in UTC."""
        if self.cancelled:
            return
        without = {self._instant(at) for at in self._listed("EXDATE")}
        try:
            for local in self._begins(last):
                begin = self._instant(local)
                if begin >= last or begin in without:
                    continue
                yield begin, self._instant(local + self._days) if self._whole_days else begin + self._length
        except CalendarError:
            raise
        except (ValueError, OverflowError) as error:
            raise self._error(str(error)) from None

    def _begins(self, last: datetime) -> Iterable[datetime]:
        if self.replaces is not None:
            return [self._begin]
        rule = [self._begin] if "RRULE" not in self._event else self._ruled(last)
        return sorted({*rule, *self._listed("RDATE")})

    def _ruled(self, last: datetime) -> Iterator[datetime]:
        from dateutil.rrule import rrulestr

        rule = dict(self._event["RRULE"])
        if str(rule.get("FREQ", [""])[0]) not in RECURS:
            raise self._error(f"RRULE: FREQ must be one of {', '.join(sorted(RECURS))}: it is planned by days")
        for part, largest in (*LARGEST.items(), ("INTERVAL", 1000)):
            if not all(1 <= abs(int(number)) <= largest for number in rule.get(part, [])):
                raise self._error(f"RRULE: {part} goes from 1 to {largest}")
        until = rule.pop("UNTIL", [None])[0]
        until = None if until is None else self._instant(self._local(until))
        try:
            text = type(self._event["RRULE"])(rule).to_ical().decode()
            occurrences = rrulestr(text, dtstart=self._begin)
        except (ValueError, TypeError) as error:
            raise self._error(f"RRULE: {error}") from None
        for step, at in enumerate(occurrences):
            if self._instant(at) >= last or (until is not None and self._instant(at) > until):
                return
            if step >= MOST_STEPS:
                raise self._error(f"RRULE: more than {MOST_STEPS} occurrences; begin it later")
            yield at

    def _listed(self, name: str) -> list[datetime]:
        """RDATE's or EXDATE's times; of a period its begin."""
        lists = self._event.get(name, [])
        times = [item.dt for each in (lists if isinstance(lists, list) else [lists]) for item in each.dts]
        return [self._local(at[0] if isinstance(at, tuple) else at) for at in times]

    def _check(self) -> None:
        for name, said in self._event.errors:
            if name in TIMES:
                raise self._error(f"{name}: {said}")
        for name in ONCE:
            value = self._event.get(name)
            if isinstance(value, list):
                raise self._error(f"{name} stands there {len(value)} times")
            if value is None or name == "RRULE":
                continue
            params = value.params
            if "TZID" in params and isinstance(value.dt, datetime) and value.dt.tzinfo is None:
                raise self._error(f"{name}: no time zone {params['TZID']!r}; a name like Europe/Berlin is expected")
            if "RANGE" in params:
                raise self._error(f"{name}: RANGE is not understood; end the RRULE and begin another event")

    def _local(self, at: Day) -> datetime:
        """By the wall clock of the event's zone, without it."""
        if not isinstance(at, datetime):
            return datetime.combine(at, time())
        return at if at.tzinfo is None else at.astimezone(self._zone).replace(tzinfo=None)

    def _instant(self, local: datetime) -> datetime:
        return local.replace(tzinfo=self._zone).astimezone(UTC)

    def _error(self, what: str) -> CalendarError:
        return CalendarError(f"{self.where}: {' '.join(what.split())[:200]}")
