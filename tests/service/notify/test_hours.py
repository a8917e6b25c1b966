"""Hours follow the wall clock, to the second, in every zone and in nights when clocks change."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service.notify.hours import EVERY_DAY, Hours, QuietHours, after, within
from tests.service.notify.routed import at

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Hours(start="22:00", end="07:00")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu")


@pytest.mark.parametrize(
    ("when", "until"),
    [
        ("2026-01-05T21:59:59+01:00", None),
        ("2026-01-05T22:00:00+01:00", "2026-01-06T07:00:00+01:00"),
        ("2026-01-06T06:59:59+01:00", "2026-01-06T07:00:00+01:00"),
        ("2026-01-06T07:00:00+01:00", None),
        ("2026-03-28T23:00:00+01:00", "2026-03-29T07:00:00+02:00"),  # an hour is skipped: 8 hours of night
        ("2026-10-24T23:00:00+02:00", "2026-10-25T07:00:00+01:00"),  # an hour comes twice: 10 hours
    ],
)
def test_a_night_begins_and_ends_at_the_minute_also_when_clocks_change(when: str, until: str | None) -> None:
    assert NIGHT.end_of(at(when), BERLIN) == (at(until) if until else None)


def test_an_end_that_the_clock_skips_is_as_much_after_the_jump_and_one_that_comes_twice_is_the_first() -> None:
    early = Hours(start="22:00", end="02:30")
    assert early.end_of(at("2026-03-29T01:59:00+01:00"), BERLIN) == at("2026-03-29T03:30:00+02:00")
    assert early.end_of(at("2026-10-25T02:29:00+02:00"), BERLIN) == at("2026-10-25T02:30:00+02:00")
    assert early.end_of(at("2026-10-25T02:10:00+01:00"), BERLIN) is None


def test_days_are_those_on_which_hours_start() -> None:
    friday = Hours(start="18:00", end="09:00", days=["fri"])
    assert within([friday], at("2026-01-09T18:00:00Z"), ZoneInfo("UTC"))
    assert within([friday], at("2026-01-10T08:59:00Z"), ZoneInfo("UTC"))
    assert not within([friday], at("2026-01-09T08:00:00Z"), ZoneInfo("UTC"))
    assert not within([friday], at("2026-01-10T18:00:00Z"), ZoneInfo("UTC"))


def test_no_hours_are_all_hours_and_an_equal_start_and_end_are_a_whole_day() -> None:
    assert within([], 0.0, BERLIN)
    sunday = Hours(start="00:00", end="00:00", days=["sun"])
    assert sunday.end_of(at("2026-03-29T00:00:00+01:00"), BERLIN) == at("2026-03-30T00:00:00+02:00")


@pytest.mark.parametrize(("given_", "is_"), [("9:05", "09:05"), (1320, "22:00"), ("00:00", "00:00"), (0, "00:00")])
def test_times_without_quotes_that_yaml_reads_as_numbers_are_understood(given_: object, is_: str) -> None:
    assert Hours.model_validate({"start": given_, "end": "12:00"}).start == is_


@pytest.mark.parametrize("wrong", ["24:00", "7", "12:60", "noon", True, 1440, -1, 7.5, None])
def test_what_is_no_time_of_day_is_refused_and_what_is_one_said(wrong: object) -> None:
    with pytest.raises(ValidationError, match="from 00:00 to 23:59"):
        Hours.model_validate({"start": wrong, "end": "12:00"})


def test_quiet_hours_that_never_end_are_refused() -> None:
    halves = [Hours(start="00:00", end="12:00"), Hours(start="12:00", end="00:00")]
    with pytest.raises(ValidationError, match="never end"):
        QuietHours(hours=halves)
    assert QuietHours(hours=[halves[0], Hours(start="12:00", end="23:59")])


def test_hours_that_touch_or_overlap_end_together() -> None:
    weekend = [Hours(start="18:00", end="00:00", days=["fri"]), Hours(start="00:00", end="00:00", days=["sat", "sun"])]
    assert after([*weekend, NIGHT], at("2026-01-09T19:00:00Z"), ZoneInfo("UTC")) == at("2026-01-12T07:00:00Z")


def test_what_is_severe_enough_breaks_through() -> None:
    quiet = QuietHours(hours=[NIGHT], unless_severity=4)
    night = at("2026-01-05T23:00:00+01:00")
    assert quiet.until(4, night, BERLIN) == night
    assert quiet.until(3, night, BERLIN) == at("2026-01-06T07:00:00+01:00")
    assert QuietHours(hours=[NIGHT], unless_severity=None).until(5, night, BERLIN) > night


clock = st.integers(0, 1439).map(lambda m: f"{m // 60:02d}:{m % 60:02d}")


@settings(deadline=None)
@given(
    st.lists(
        st.builds(Hours, start=clock, end=clock, days=st.lists(st.sampled_from(EVERY_DAY), min_size=1, max_size=3)),
        min_size=1,
        max_size=3,
    ),
    st.floats(at("2026-01-01T00:00:00Z"), at("2026-12-31T00:00:00Z")),
    st.sampled_from(ZONES),
)
def test_the_first_instant_after_hours_is_in_none_of_them_and_all_before_it_is_in_one(
    hours: list[Hours], when: float, zone: str
) -> None:
    end = after(hours, when, ZoneInfo(zone))
    assert end >= when
    assert not within(hours, end, ZoneInfo(zone))
    for part in (0.0, 0.3, 0.7, 0.999):
        instant = when + part * (end - when)
        assert instant == end or within(hours, instant, ZoneInfo(zone))
