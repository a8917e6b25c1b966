import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.policy import CALM_SECONDS, Standing, accepted, follow

MINUTE = 60.0
scores = st.one_of(st.floats(0.0, 100.0), st.just(float("nan")))


def play(looks: list[tuple[float, float]], seconds: float = MINUTE) -> tuple[Standing, list[tuple[int, str]]]:
    """Follow looks of (score, flash); the events with the number of the look that brought them."""
    standing, events = Standing(), []
    for i, (score, flash) in enumerate(looks):
        standing, event = follow(standing, i * seconds, seconds, score, flash)
        if event:
            events.append((i, event))
    return standing, events


def test_an_episode_opens_at_the_threshold_and_not_below() -> None:
    assert play([(49.9, 49.9)])[1] == []
    assert play([(50.0, 50.0)])[1] == [(0, "opened")]


def test_it_escalates_once_a_severity_and_never_for_what_was_worse_before() -> None:
    events = play([(s, s) for s in (52, 58, 61, 55, 69, 74, 62, 100)])[1]
    assert events == [(0, "opened"), (2, "escalated"), (5, "escalated"), (7, "escalated")]


def test_it_closes_after_an_hour_of_calm() -> None:
    standing, events = play([(55.0, 55.0)] + [(20.0, 20.0)] * 60)
    assert events == [(0, "opened"), (60, "closed")]
    assert standing == Standing(closed_at=standing.closed_at)


def test_a_bucket_that_is_nearly_strange_starts_the_hour_again() -> None:
    looks = [(55.0, 55.0)] + [(20.0, 20.0)] * 59 + [(47.0, 47.0)] + [(20.0, 20.0)] * 59
    assert play(looks)[1] == [(0, "opened")]


def test_unknown_data_neither_close_nor_open_nor_count_as_calm() -> None:
    nan = float("nan")
    standing, events = play([(55.0, 55.0)] + [(nan, nan)] * 500 + [(20.0, 20.0)] * 59)
    assert events == [(0, "opened")]
    assert standing.opened_at == 0.0
    assert play([(nan, nan)] * 10) == (Standing(), [])


def test_a_flash_is_over_when_minutes_are_calm_though_the_day_is_not() -> None:
    assert play([(60.0, 60.0)] + [(58.0, 20.0)] * 60)[1] == [(0, "opened"), (60, "closed")]


def test_a_slow_burn_stays_open_while_the_day_is_strange() -> None:
    assert play([(55.0, 20.0)] + [(55.0, 20.0)] * 200)[1] == [(0, "opened")]


def test_days_need_two_calm_looks() -> None:
    assert play([(55.0, 55.0), (20.0, 20.0), (20.0, 20.0)], 86400.0)[1] == [(0, "opened"), (2, "closed")]


def test_a_level_that_lasts_two_days_is_accepted_and_seven_buckets_where_they_are_days() -> None:
    assert [accepted(0.0, days * 86400.0, 300.0) for days in (1.9, 2.0)] == [False, True]
    assert [accepted(0.0, days * 86400.0, 86400.0) for days in (6, 7)] == [False, True]


@given(st.lists(st.tuples(scores, scores), max_size=200), st.integers(0, 200))
def test_what_is_kept_in_json_goes_on_where_it_stopped(looks: list[tuple[float, float]], cut: int) -> None:
    standing, before = play(looks[:cut])
    standing = Standing(**json.loads(json.dumps(standing.as_dict())))
    events = list(before)
    for i, (score, flash) in enumerate(looks[cut:], start=len(looks[:cut])):
        standing, event = follow(standing, i * MINUTE, MINUTE, score, flash)
        if event:
            events.append((i, event))
    assert (standing, events) == play(looks)


@given(st.lists(st.tuples(scores, scores), max_size=300))
def test_events_alternate_and_severity_only_rises_within_an_episode(looks: list[tuple[float, float]]) -> None:
    standing, was = Standing(), Standing()
    for i, (score, flash) in enumerate(looks):
        standing, event = follow(was, i * MINUTE, MINUTE, score, flash)
        if event == "opened":
            assert was.opened_at is None
            assert standing.severity >= 1
        elif event == "escalated":
            assert standing.severity > was.severity >= 1
        elif event == "closed":
            assert was.calm + MINUTE >= CALM_SECONDS
            assert standing == Standing(closed_at=standing.closed_at)
        elif was.opened_at is not None:
            assert (standing.opened_at, standing.severity) == (was.opened_at, was.severity)
        was = standing


@pytest.mark.parametrize("severity", range(5))
def test_an_episode_may_open_at_any_severity(severity: int) -> None:
    standing, event = follow(Standing(), 0.0, MINUTE, 50.0 + 10 * severity, 50.0)
    assert (standing.severity, event) == (severity + 1, "opened")
