"""Somebody always is on call, and turns change at the exact minute of the wall clock."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service.notify.on_call import Duty, OnCall, Override, Person
from tests.service.notify.routed import at

PEOPLE = [Person(name=name, channel=f"{name.lower()}-phone") for name in ("Ann", "Ben", "Cleo")]


def duty(**more: object) -> Duty:
    given_ = {"name": "pr", "people": PEOPLE, "starts": "2026-01-05", "timezone": "Europe/Berlin", **more}
    return Duty.model_validate(given_)


@pytest.mark.parametrize(
    ("when", "who"),
    [
        ("2026-01-05T09:00:00+01:00", "Ann"),
        ("2026-01-12T08:59:59+01:00", "Ann"),
        ("2026-01-12T09:00:00+01:00", "Ben"),
        ("2026-01-26T09:00:00+01:00", "Ann"),
        ("2026-01-05T08:59:59+01:00", "Cleo"),  # before it starts, turns are as they would have been
        ("2026-03-30T08:59:59+02:00", "Cleo"),  # the week in which clocks changed
        ("2026-03-30T09:00:00+02:00", "Ann"),
    ],
)
def test_a_week_changes_hands_at_the_minute_also_when_clocks_changed_in_it(when: str, who: str) -> None:
    assert duty().who(at(when)).name == who


def test_a_hand_over_in_the_hour_that_comes_twice_happens_once() -> None:
    nightly = duty(shift="1 day", hand_over="02:30", starts="2026-10-24")
    seen = [nightly.who(at("2026-10-25T02:00:00+02:00") + 60 * m).name for m in range(180)]
    assert seen == ["Ann"] * 30 + ["Ben"] * 150


def test_a_hand_over_in_the_hour_that_is_skipped_happens_once() -> None:
    nightly = duty(shift="1 day", hand_over="02:30", starts="2026-03-28")
    seen = [nightly.who(at("2026-03-29T01:00:00+01:00") + 60 * m).name for m in range(180)]
    assert seen == ["Ann"] * 90 + ["Ben"] * 90  # 02:30 that is not there is 03:30 of the new time


def test_shifts_of_hours_stay_at_the_same_time_of_day() -> None:
    halves = duty(shift="12 hours", hand_over="08:00", people=PEOPLE[:2])
    for day in ("2026-01-05", "2026-03-29", "2026-07-01", "2026-10-25"):
        offset = "+02:00" if "03-29" <= day[5:] < "10-25" else "+01:00"
        assert halves.who(at(f"{day}T08:00:00{offset}")).name == "Ann"
        assert halves.who(at(f"{day}T19:59:59{offset}")).name == "Ann"
        assert halves.who(at(f"{day}T20:00:00{offset}")).name == "Ben"


def test_an_override_holds_from_its_first_to_before_its_last_second_and_the_last_one_wins() -> None:
    first = {"start": "2026-01-06T00:00:00Z", "end": "2026-01-08T00:00:00Z", "person": "Cleo"}
    later = {"start": "2026-01-07T00:00:00Z", "end": "2026-01-07T12:00:00Z", "person": "Dora", "channel": "dora-mail"}
    covered = duty(overrides=[first, later])
    assert covered.who(at("2026-01-05T23:59:59Z")).name == "Ann"
    assert covered.who(at("2026-01-06T00:00:00Z")) == PEOPLE[2]
    assert covered.who(at("2026-01-07T11:59:59Z")).channel == "dora-mail"
    assert covered.who(at("2026-01-07T12:00:00Z")).name == "Cleo"
    assert covered.who(at("2026-01-08T00:00:00Z")).name == "Ann"
    assert covered.everybody() == {"ann-phone", "ben-phone", "cleo-phone", "dora-mail"}


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"shift": "a while"}, "12 hours, 1 day or 2 weeks"),
        ({"shift": "0 days"}, "12 hours, 1 day or 2 weeks"),
        ({"people": []}, "people"),
        ({"people": [PEOPLE[0], PEOPLE[0]]}, "stands here twice"),
        ({"timezone": "Mars/Olympus"}, "Europe/Berlin"),
        ({"overrides": [{"start": "2026-01-06T00:00:00Z", "end": "2026-01-07T00:00:00Z", "person": "Z"}]}, "channel"),
        ({"overrides": [{"start": "2026-01-06T00:00:00Z", "end": "2026-01-06T00:00:00Z", "person": "Ann"}]}, "later"),
    ],
)
def test_a_wrong_duty_says_what_would_be_right(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        duty(**wrong)


def test_names_mean_a_channel_or_whoever_has_the_duty() -> None:
    on_call = OnCall({"pr": duty()})
    assert on_call.channels(["mail", "pr"], at("2026-01-13T00:00:00Z")) == {"mail": "", "ben-phone": "Ben has pr"}
    assert on_call.everybody(["pr", "mail"]) == ["ann-phone", "ben-phone", "cleo-phone", "mail"]


shifts = st.one_of(
    st.integers(1, 48).map(lambda n: f"{n} hours"), st.integers(1, 9).map(lambda n: f"{n} days"), st.just("2 weeks")
)
clock = st.integers(0, 1439).map(lambda m: f"{m // 60:02d}:{m % 60:02d}")
zones = st.sampled_from(["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Auckland"])


@settings(deadline=None)
@given(
    shifts, clock, zones, st.dates(date(2009, 1, 1), date(2030, 1, 1)), st.integers(1, 4),
    st.floats(at("2010-01-01T00:00:00Z"), at("2030-01-01T00:00:00Z")),
)  # fmt: skip
def test_turns_follow_each_other_without_holes_and_never_go_back(
    shift: str, hand_over: str, zone: str, starts: date, many: int, when: float
) -> None:
    people = [Person(name=str(n), channel=f"c{n}") for n in range(many)]
    rota = Duty(name="d", people=people, starts=starts, shift=shift, hand_over=hand_over, timezone=zone)
    turns = [rota._turn(when + 1800 * n) for n in range(60)]
    assert all(0 <= b - a <= 2 for a, b in pairwise(turns))
    assert rota.who(when) == people[turns[0] % many]


def test_a_day_that_a_country_skipped_has_no_turn_and_nobody_has_two() -> None:
    rota = duty(shift="1 day", timezone="Pacific/Apia", starts="2011-12-28", hand_over="00:00")
    seen = [rota.who(at("2011-12-29T00:00:00-10:00") + 3600 * n).name for n in range(72)]
    assert seen == ["Ben"] * 24 + ["Ann"] * 24 + ["Ben"] * 24


def test_an_override_needs_a_zone() -> None:
    with pytest.raises(ValidationError, match="start"):
        Override.model_validate({"start": "2026-01-06T00:00:00", "end": "2026-01-07T00:00:00Z", "person": "Ann"})


def test_a_turn_lasts_as_long_as_it_says() -> None:
    rota = duty(shift="2 days", timezone="UTC")
    start = at("2026-01-05T09:00:00Z")
    ends = [n for n in range(6 * 24) if rota.who(start + 3600 * n) != rota.who(start + 3600 * n + 3600)]
    assert [timedelta(hours=n + 1).days for n in ends] == [2, 4, 6]
