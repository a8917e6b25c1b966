"""Planned events come from a calendar: whole, in the brand's own days, within bounds, or not at all."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest
from pydantic import ValidationError

from service.api.campaigns import AHEAD, BACK
from service.brand import MOST_CAMPAIGNS, Brand
from service.calendar import MOST_BYTES, MOST_EVENTS, CalendarError, planned
from service.registry import Registry
from service.store import Store
from tests.service.live import with_store
from tests.service.rest import serving

BERLIN = ZoneInfo("Europe/Berlin")
FIRST, LAST = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def event(*lines: str, name: str = "Sale") -> str:
    return "\r\n".join(["BEGIN:VEVENT", f"SUMMARY:{name}", *lines, "END:VEVENT", ""])


def calendar(*events: str) -> bytes:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\n{''.join(events)}END:VCALENDAR\r\n".encode()


def spans(*events: str, most: int = 1000) -> list[str]:
    """Begin and end in UTC, shortly."""
    found = planned(calendar(*events), BERLIN, FIRST, LAST, most)
    return [f"{p.start.astimezone(UTC):%m-%dT%H:%M}/{p.end.astimezone(UTC):%m-%dT%H:%M}" for p in found]


WEEKLY = ("UID:1", "DTSTART;TZID=Europe/Berlin:20260323T100000", "DTEND;TZID=Europe/Berlin:20260323T120000")


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["DTSTART:20260301T100000Z", "DTEND:20260301T120000Z"], ["03-01T10:00/03-01T12:00"]),
        (["DTSTART:20260301T100000Z", "DURATION:P1DT2H"], ["03-01T10:00/03-02T12:00"]),
        (["DTSTART:20260301T100000", "DURATION:PT1H"], ["03-01T09:00/03-01T10:00"]),
        (["DTSTART;TZID=America/New_York:20260301T100000", "DURATION:PT1H"], ["03-01T15:00/03-01T16:00"]),
        (["DTSTART;VALUE=DATE:20260301"], ["02-28T23:00/03-01T23:00"]),
        (["DTSTART;VALUE=DATE:20260328", "DTEND;VALUE=DATE:20260330"], ["03-27T23:00/03-29T22:00"]),
        (["DTSTART;VALUE=DATE:20251231", "DTEND;VALUE=DATE:20260102"], ["12-30T23:00/01-01T23:00"]),
        (["DTSTART:20250301T100000Z", "DTEND:20250301T120000Z"], []),
        (["DTSTART:20270301T100000Z", "DTEND:20270301T120000Z"], []),
        (["DTSTART:20260301T100000Z", "DTEND:20260301T120000Z", "STATUS:CANCELLED"], []),
    ],
)
def test_times_are_read_in_their_zone_and_days_in_the_brands(lines: list[str], found: list[str]) -> None:
    assert spans(event(*lines)) == found


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["RRULE:FREQ=WEEKLY;COUNT=2"], ["03-23T09:00/03-23T11:00", "03-30T08:00/03-30T10:00"]),
        (["RRULE:FREQ=WEEKLY;UNTIL=20260330T080000Z"], ["03-23T09:00/03-23T11:00", "03-30T08:00/03-30T10:00"]),
        (["RRULE:FREQ=WEEKLY;COUNT=2", "EXDATE;TZID=Europe/Berlin:20260323T100000"], ["03-30T08:00/03-30T10:00"]),
        (["RDATE:20260501T080000Z"], ["03-23T09:00/03-23T11:00", "05-01T08:00/05-01T10:00"]),
        (["RRULE:FREQ=MONTHLY;BYDAY=-1SU;COUNT=1"], ["03-29T08:00/03-29T10:00"]),
    ],
)
def test_what_recurs_is_expanded_by_wall_clock(lines: list[str], found: list[str]) -> None:
    assert spans(event(*WEEKLY, *lines)) == found


def test_what_recurs_for_ever_is_expanded_within_the_bounds() -> None:
    days = spans(event("DTSTART;VALUE=DATE:20100101", "RRULE:FREQ=DAILY"))
    assert (len(days), days[0], days[-1]) == (366, "12-31T23:00/01-01T23:00", "12-31T23:00/01-01T23:00")
    assert len(spans(event("DTSTART;VALUE=DATE:20100101", "RRULE:FREQ=YEARLY"))) == 2


def test_a_moved_occurrence_replaces_and_a_cancelled_one_removes() -> None:
    rule = event(*WEEKLY, "RRULE:FREQ=WEEKLY;COUNT=3")
    moved = event(
        "UID:1", "RECURRENCE-ID;TZID=Europe/Berlin:20260330T100000", "DTSTART:20260331T100000Z", "DURATION:PT1H"
    )
    gone = event(
        "UID:1", "RECURRENCE-ID:20260406T080000Z", "DTSTART:20260406T080000Z", "DURATION:PT1H", "STATUS:CANCELLED"
    )
    other = event("UID:2", *WEEKLY[1:])
    assert spans(rule, moved, gone) == ["03-23T09:00/03-23T11:00", "03-31T10:00/03-31T11:00"]
    assert spans(rule, other)[:2] == ["03-23T09:00/03-23T11:00"] * 2


GOOD = event("DTSTART:20260301T100000Z", "DURATION:PT1H")
DAY = "DTSTART;VALUE=DATE:20260301"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "no iCalendar"),
        (b"no calendar", "no iCalendar: Content line could not be parsed into parts: 'no calendar'"),
        (b"\xff\xfe\x00", "no iCalendar"),
        (calendar(GOOD)[:-20], "no iCalendar"),
        (event(DAY).encode(), "line 1: VEVENT; a calendar begins with BEGIN:VCALENDAR"),
        (calendar(GOOD, event()), "line 9, 'Sale': "),
        (calendar(GOOD, event("DTSTART:banana", "DURATION:PT1H")), "line 9, 'Sale': DTSTART: Expected"),
        (calendar(event(DAY, "DTEND:20260302T100000Z")), "line 4, 'Sale': "),
        (calendar(event("DTSTART:20260301T100000Z")), "it has no length; DTEND must be later than DTSTART"),
        (calendar(event("DTSTART:20260301T100000Z", "DTEND:20260301T090000Z")), "it has no length"),
        (
            calendar(event("DTSTART;TZID=Moon/Base:20260301T100000", "DURATION:PT1H")),
            "DTSTART: no time zone 'Moon/Base'",
        ),
        (calendar(event(DAY, "DTSTART;VALUE=DATE:20260302")), "DTSTART stands there 2 times"),
        (calendar(event(DAY, "RRULE:FREQ=BANANA")), "RRULE: Expected"),
        (calendar(event(DAY, "RRULE:FREQ=SECONDLY")), "RRULE: FREQ must be one of DAILY, MONTHLY, WEEKLY, YEARLY"),
        (calendar(event(DAY, "RRULE:FREQ=WEEKLY", "RRULE:FREQ=DAILY")), "RRULE stands there 2 times"),
        (calendar(event(DAY, "RRULE:FREQ=DAILY;BYMONTH=99")), "RRULE: BYMONTH goes from 1 to 12"),
        (calendar(event("DTSTART;VALUE=DATE:16000101", "RRULE:FREQ=DAILY")), "RRULE: more than 100000 occurrences"),
        (calendar(event(DAY, "RECURRENCE-ID;RANGE=THISANDFUTURE:20260301T000000Z")), "RANGE is not understood"),
        (calendar(event(DAY, "EXDATE:soon")), "EXDATE: "),
        (calendar(event("DTSTART:99991231T000000Z", "DURATION:P9999D")), "line 4, 'Sale'"),
        (calendar(GOOD) + b" " * MOST_BYTES, f"up to {MOST_BYTES} are read"),
        (calendar(GOOD * (MOST_EVENTS + 1)), f"more than {MOST_EVENTS} events"),
    ],
)
def test_what_is_no_calendar_is_one_line_that_says_where(text: bytes, said: str) -> None:
    with pytest.raises(CalendarError) as caught:
        planned(text, BERLIN, FIRST, LAST, 1000)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_more_than_may_be_planned_is_refused() -> None:
    daily = event("DTSTART;VALUE=DATE:20260201", "RRULE:FREQ=DAILY")
    assert len(spans(daily, most=335)) == 335
    with pytest.raises(
        CalendarError, match="line 4, 'Sale': more than 334 planned events from 2026-01-01 to 2027-01-01"
    ):
        spans(daily, most=334)


def test_a_name_is_one_short_line_whatever_it_was() -> None:
    (found,) = planned(calendar(event(DAY, name="a\\n" + "b" * 500)), BERLIN, FIRST, LAST, 9)
    assert found.name == "a " + "b" * 198
    (found,) = planned(calendar(event(DAY, name="")), BERLIN, FIRST, LAST, 9)
    assert found.name == "planned event"


class At:
    """A clock that stands."""

    replay = False

    async def now(self) -> float:
        return NOW.timestamp()


def put(store_url: str, body: Callable[[httpx.AsyncClient], Awaitable[None]]) -> None:
    async def run(store: Store) -> None:
        await Registry(store).put_brand(Brand(name="acme", query="acme", timezone="Europe/Berlin", budget=2))
        async with serving(store, clock=At()) as client:
            await body(client)

    with_store(store_url, run)


ICS = {"Content-Type": "text/calendar; charset=utf-8"}


def test_a_calendar_replaces_the_brands_campaigns_and_nothing_else(store_url: str) -> None:
    async def body(client: httpx.AsyncClient) -> None:
        for days, name in (("20260401", "Spring"), ("20260701", "Summer")):
            text = calendar(event(f"DTSTART;VALUE=DATE:{days}", name=name))
            answer = await client.put("/v1/brands/acme/campaigns", content=text, headers=ICS)
            assert answer.status_code == 200, answer.text
        campaign = {"name": "Summer", "start": "2026-06-30T22:00:00Z", "end": "2026-07-01T22:00:00Z"}
        bounds = {"start": (NOW - BACK).isoformat(), "end": (NOW + AHEAD).isoformat()}
        assert answer.json() == {k: v.replace("+00:00", "Z") for k, v in bounds.items()} | {"campaigns": [campaign]}
        brand = (await client.get("/v1/brands/acme")).json()
        assert (brand["campaigns"], brand["budget"], brand["query"]) == ([campaign], 2, "acme")
        answer = await client.put("/v1/brands/acme/campaigns", content=calendar(), headers=ICS)
        assert answer.json()["campaigns"] == []

    put(store_url, body)


def test_what_is_refused_changes_nothing_and_says_why(store_url: str) -> None:
    kept = calendar(event(DAY, name="Kept"))
    daily = calendar(*[event(DAY, "RRULE:FREQ=DAILY;COUNT=300")] * 4)

    async def body(client: httpx.AsyncClient) -> None:
        assert (await client.put("/v1/brands/acme/campaigns", content=kept, headers=ICS)).status_code == 200
        for path, content, headers, status, said in (
            ("nobody", kept, ICS, 404, "there is no brand 'nobody'"),
            ("acme", b"[]", {"Content-Type": "application/json"}, 415, "text/calendar is"),
            ("acme", b"nonsense", ICS, 422, "no iCalendar"),
            ("acme", calendar(event()), ICS, 422, "line 4, 'Sale'"),
            ("acme", daily, ICS, 422, f"more than {MOST_CAMPAIGNS} planned events"),
        ):
            answer = await client.put(f"/v1/brands/{path}/campaigns", content=content, headers=headers)
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert said in answer.json()["detail"]
        brand = (await client.get("/v1/brands/acme")).json()
        assert [campaign["name"] for campaign in brand["campaigns"]] == ["Kept"]

    put(store_url, body)


def test_the_bounds_reach_over_the_history_that_is_learned_from_and_a_year_ahead() -> None:
    assert timedelta(days=35) <= BACK
    assert timedelta(days=365) <= AHEAD


@pytest.mark.parametrize(
    ("given", "where", "said"),
    [
        ({"country": "de"}, ("country",), "no holidays are known of 'de'"),
        ({"country": "DEU"}, ("country",), "a code of ISO 3166-1 is expected"),
        ({"country": "DE", "subdivision": "XX"}, ("subdivision",), "DE has no subdivision 'XX'; there is BB, BE"),
        ({"subdivision": "BE"}, ("subdivision",), "a subdivision needs its country"),
    ],
)
def test_a_country_that_has_no_known_holidays_is_refused(
    given: dict[str, str], where: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        Brand.model_validate({"name": "acme", "query": "acme", **given})
    (found,) = caught.value.errors()
    assert found["loc"] == where
    assert said in found["msg"]


def test_a_brand_says_whose_holidays_are_its_own() -> None:
    brand = Brand.model_validate({"name": "acme", "query": "acme", "country": "DE", "subdivision": "BY"})
    assert (brand.country, brand.subdivision) == ("DE", "BY")
    assert Brand.model_validate_json(brand.model_dump_json()) == brand
    assert Brand(name="acme", query="acme").country is None
