"""Who is told of an event, when and why."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from service.episode import PAGES, EventType
from service.notify.mute import Mute
from service.notify.on_call import Duty
from service.notify.route import FOLLOW, Route, Told
from tests.service.notify.routed import at, event, told

NIGHT = {"hours": [{"start": "22:00", "end": "07:00"}], "unless_severity": 5}


def route(name: str = "r", to: str | list[str] = "mail", **more: object) -> Route:
    return Route.model_validate({"name": name, "to": [to] if isinstance(to, str) else to, **more})


def mute(**given_: object) -> Mute:
    return Mute.model_validate({"name": "m", "end": "2026-03-04T13:00:00Z", **given_})


def pr(**more: object) -> Duty:
    people = [{"name": "Ann", "channel": "ann"}, {"name": "Ben", "channel": "ben"}]
    return Duty.model_validate({"name": "pr", "people": people, "starts": "2026-03-02", **more})


def to(found: list[Told]) -> list[str]:
    return [one.channel for one in found]


@pytest.mark.parametrize(
    ("filters", "fits"),
    [
        ({}, True),
        ({"brands": ["acme"]}, True),
        ({"brands": ["other"]}, False),
        ({"kinds": ["blind"]}, False),
        ({"detectors": ["revolt"]}, True),
        ({"detectors": ["volume", "voice"]}, False),
        ({"severity_from": 3}, True),
        ({"severity_from": 4}, False),
        ({"severity_to": 3}, True),
        ({"severity_to": 2}, False),
        ({"departments": ["communications"]}, True),
        ({"departments": ["marketing", "support"]}, True),
        ({"departments": ["marketing", "product"]}, False),
        ({"sources": ["zendesk"]}, True),
        ({"sources": ["feed"]}, False),
        ({"hours": [{"start": "12:00", "end": "12:01"}]}, True),
        ({"hours": [{"start": "12:01", "end": "18:00"}]}, False),
        ({"hours": [{"start": "11:00", "end": "18:00"}], "timezone": "Europe/Berlin"}, True),
        ({"hours": [{"start": "11:00", "end": "13:00"}], "timezone": "Europe/Berlin"}, False),
        ({"hours": [{"start": "08:00", "end": "18:00", "days": ["mon", "tue"]}]}, False),
    ],
)
def test_a_route_is_there_for_what_fits_all_its_filters(filters: dict[str, object], fits: bool) -> None:
    found = told(event(sources=["x", "zendesk"]), route(**filters))
    assert found == ([Told("mail", True, "route r")] if fits else [])


@pytest.mark.parametrize(
    ("department", "of"),
    [
        ("marketing", {"of": "opportunity", "detector": "advocates"}),
        ("marketing", {"detector": "volume"}),
        ("communications", {"detector": "volume"}),
        ("communications", {"of": "blind", "detector": "blind"}),
        ("support", {"sources": ["zendesk"]}),
        ("product", {"sources": ["x", "appstore"]}),
        ("HR", {"sources": ["glassdoor"]}),
    ],
)
def test_what_concerns_a_department_reaches_it(department: str, of: dict[str, object]) -> None:
    assert to(told(event(**of), route(departments=[department]))) == ["mail"]  # type: ignore[arg-type]


def test_an_opportunity_wakes_nobody_in_communications() -> None:
    assert told(event(of="opportunity", detector="advocates"), route(departments=["communications"])) == []


@pytest.mark.parametrize("kind", sorted(PAGES))
def test_every_page_reaches_who_asks_for_pages(kind: EventType) -> None:
    assert told(event(kind), route()) == [Told("mail", True, "route r")]


@pytest.mark.parametrize("kind", ["episode.updated", "episode.noted", "episode.assigned", "episode.feedback"])
def test_what_is_no_page_goes_only_to_who_asks_for_it(kind: EventType) -> None:
    assert told(event(kind), route()) == []
    assert told(event(kind), route(events="all")) == [Told("mail", False, "route r")]
    assert told(event(kind), route(events=[kind, "episode.opened"])) == [Told("mail", False, "route r")]
    assert told(event(kind), route(events=["episode.opened"])) == []


@pytest.mark.parametrize("kind", sorted(FOLLOW))
def test_an_end_goes_to_all_whom_a_page_may_have_reached_however_filters_stand_by_then(kind: EventType) -> None:
    narrow = route(
        to=["mail", "pr"],
        severity_to=2,
        detectors=["voice"],
        hours=[{"start": "01:00", "end": "02:00"}],
        escalate=[{"after_minutes": 5, "to": ["boss"]}],
    )
    found = told(event(kind), narrow, duties=[pr()], mutes=[mute()])
    assert to(found) == ["ann", "ben", "boss", "mail"]
    assert all(one.only_if_paged and not one.page and one.after_seconds == 0 for one in found)
    assert told(event(kind, brand="other"), route(brands=["acme"])) == []


def test_who_asks_for_all_hears_of_an_end_without_a_page() -> None:
    found = told(event("episode.resolved"), route(), route("log", "log", events="all"))
    assert found == [
        Told("mail", False, "route r", only_if_paged=True),
        Told("log", False, "route log"),
    ]
    (muted,) = told(event("episode.resolved"), route(events="all"), mutes=[mute()])
    assert muted.only_if_paged


def test_a_channel_that_several_routes_name_is_told_once_at_the_earliest() -> None:
    late = route("late", quiet=NIGHT)
    now = route("now", severity_from=2)
    night = event(when="2026-03-04T23:00:00Z")
    assert told(night, late, now) == told(night, now, late) == [Told("mail", True, "route now")]


def test_quiet_hours_delay_a_page_to_their_end_in_the_brands_zone() -> None:
    night = event(when="2026-03-28T23:30:00+01:00", severity=4)
    (one,) = told(night, route(quiet=NIGHT), zone="Europe/Berlin")
    assert one == Told("mail", True, "route r: after quiet hours", 6.5 * 3600)  # clocks go forward in that night
    assert told(event(when="2026-03-28T23:30:00+01:00", severity=5), route(quiet=NIGHT), zone="Europe/Berlin") == [
        Told("mail", True, "route r")
    ]


def test_in_quiet_hours_updates_are_left_out_and_an_end_waits() -> None:
    everything = route(events="all", quiet=NIGHT)
    assert told(event("episode.updated", when="2026-03-04T23:00:00Z"), everything) == []
    assert told(event("episode.resolved", when="2026-03-04T23:00:00Z"), everything) == [
        Told("mail", False, "route r: after quiet hours", 8 * 3600, only_if_paged=True)
    ]


def test_a_duty_is_who_has_it_when_the_page_goes_out() -> None:
    before, after = "2026-03-09T08:59:59Z", "2026-03-09T09:00:00Z"
    assert told(event(when=before), route(to="pr"), duties=[pr()]) == [Told("ann", True, "route r: Ann has pr")]
    assert told(event(when=after), route(to="pr"), duties=[pr()]) == [Told("ben", True, "route r: Ben has pr")]
    late = {"hours": [{"start": "22:00", "end": "09:00"}]}
    (one,) = told(event(when="2026-03-09T03:00:00Z"), route(to="pr", quiet=late), duties=[pr()])
    assert (one.channel, one.why) == ("ben", "route r: after quiet hours, Ben has pr")


def test_nobody_acknowledging_leads_up_level_by_level() -> None:
    chain = [{"after_minutes": 5, "to": ["mail"]}, {"after_minutes": 15, "to": ["boss", "pr"]}]
    found = told(event(when="2026-03-09T08:50:00Z"), route(escalate=chain), duties=[pr()])
    five, fifteen = (f"route r: nobody acknowledged for {n} minutes" for n in (5, 15))
    assert found == [
        Told("mail", True, "route r"),
        Told("mail", True, five, 300, "acknowledged"),
        Told("boss", True, fifteen, 900, "acknowledged"),
        Told("ben", True, f"{fifteen}, Ben has pr", 900, "acknowledged"),  # the turn changed in between
    ]
    assert to(told(event("episode.updated"), route(escalate=chain, events="all"))) == ["mail"]


def test_an_escalation_counts_from_when_the_page_was_told_and_keeps_quiet_hours_too() -> None:
    chain = [{"after_minutes": 10, "to": ["boss"]}, {"after_minutes": 30, "to": ["chief"]}]
    late = told(event(when="2026-03-04T23:00:00Z"), route(escalate=chain, quiet=NIGHT))
    assert [(one.channel, one.after_seconds) for one in late] == [
        ("mail", 8 * 3600),
        ("boss", 8 * 3600 + 600),
        ("chief", 8 * 3600 + 1800),
    ]
    evening = told(event(when="2026-03-04T21:55:00Z"), route(escalate=chain, quiet=NIGHT))
    assert [one.after_seconds for one in evening] == [0, 9 * 3600 + 300, 9 * 3600 + 1500]


def test_a_mute_holds_a_page_back_to_its_end_and_says_so() -> None:
    found = told(event(), route(escalate=[{"after_minutes": 5, "to": ["boss"]}]), mutes=[mute()])
    assert found == [
        Told("mail", True, "route r: muted by m", muted="m"),
        Told("mail", True, "route r: after mute m", 3600),
        Told("boss", True, "route r: nobody acknowledged for 5 minutes", 3900, "acknowledged"),
    ]
    assert told(event("episode.updated"), route(events="all"), mutes=[mute()]) == []


def test_mutes_and_quiet_hours_that_follow_each_other_are_waited_for_together() -> None:
    mutes = [mute(), mute(name="n", start="2026-03-04T12:30:00Z", end="2026-03-04T22:30:00Z")]
    (said, later) = told(event(), route(quiet=NIGHT), mutes=mutes)
    assert said.muted == "m"
    assert later == Told(
        "mail", True, "route r: after quiet hours", at("2026-03-05T07:00:00Z") - at("2026-03-04T12:00Z")
    )


def test_a_route_despite_mutes_is_told_and_then_nothing_is_muted_for_its_channel() -> None:
    found = told(event(), route(), route("log", despite_mutes=True), mutes=[mute()])
    assert found == [Told("mail", True, "route log")]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"to": []}, "to"),
        ({"severity_from": 4, "severity_to": 3}, "must not be lower"),
        ({"severity_to": 6}, "severity_to"),
        ({"events": "some"}, "'pages' or 'all'"),
        ({"departments": ["sales"]}, "marketing"),
        ({"escalate": [{"after_minutes": 5, "to": ["a"]}, {"after_minutes": 5, "to": ["b"]}]}, "must rise"),
        ({"escalate": [{"after_minutes": 0, "to": ["a"]}]}, "greater than 0"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_route_says_what_would_be_right(wrong: dict[str, object], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Route.model_validate({"name": "r", "to": ["mail"], **wrong})


clock = st.integers(0, 1439).map(lambda m: f"{m // 60:02d}:{m % 60:02d}")
hours = st.lists(st.fixed_dictionaries({"start": clock, "end": clock}), max_size=2)
quiet = st.one_of(st.none(), st.fixed_dictionaries({"hours": hours, "unless_severity": st.sampled_from([None, 3, 5])}))
instants = st.floats(at("2026-01-01T00:00:00Z"), at("2026-12-31T00:00:00Z")).map(
    lambda s: datetime.fromtimestamp(s, UTC)
)
routes = st.builds(
    lambda name, to_, more: (name, to_, more),
    st.sampled_from("abc"),
    st.lists(st.sampled_from(["mail", "chat", "pr"]), min_size=1, max_size=2),
    st.fixed_dictionaries({
        "hours": hours,
        "quiet": quiet,
        "brands": st.sampled_from([[], ["acme"], ["other"]]),
        "severity_from": st.integers(1, 5),
        "escalate": st.sampled_from([[], [{"after_minutes": 5, "to": ["pr"]}]]),
    }),
)  # fmt: skip
mutes_ = st.lists(
    st.builds(lambda day, n: mute(name=f"m{n}", start=day, end=day.replace(year=2027)), instants, st.integers(0, 9)),
    max_size=2,
)


@settings(deadline=None)
@given(
    st.lists(routes, max_size=3, unique_by=lambda r: r[0]),
    mutes_,
    instants,
    st.sampled_from(["UTC", "Europe/Berlin"]),
    st.integers(1, 5),
)
def test_a_page_reaches_somebody_once_unless_it_is_muted_or_no_route_fits(
    given_: list[tuple[str, list[str], dict[str, object]]],
    mutes: list[Mute],
    when: datetime,
    zone: str,
    severity: int,
) -> None:
    there = []
    for name, names, more in given_:
        try:
            there.append(route(name, names, **more))
        except ValidationError:  # quiet hours that never end, or none at all
            continue
    what = event(when=when.isoformat(), severity=severity)
    found = told(what, *there, duties=[pr()], mutes=mutes, zone=zone)
    fitting = [r for r in there if r.fits(what.episode, when.timestamp(), zone)]
    first = [one for one in found if one.unless is None and one.muted is None]
    assert bool(first) == bool(fitting)
    assert len({one.channel for one in first}) == len(first)
    assert len({(one.channel, one.why) for one in found}) == len(found)
    assert all(one.after_seconds >= 0 and one.page for one in found)
    if not mutes and severity == 5 and any(r.quiet is None or r.quiet.unless_severity for r in fitting):
        assert any(one.after_seconds == 0 for one in first)
