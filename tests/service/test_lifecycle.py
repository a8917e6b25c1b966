"""The episode's life: what is allowed when, and that the log alone tells how it stands."""

from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import policy
from service.episode import Episode, LogEntry
from service.lifecycle import PAGES, TABLE, EventType, Refused, State, leads_to, rebuild, returns, wakes
from tests.service.test_lease import AT, episode

STATES: tuple[State, ...] = get_args(State)
EVENTS: tuple[EventType, ...] = get_args(EventType)
HOUR = 3600.0


def in_state(state: State) -> Episode:
    """An episode brought to a state by what people do."""
    later = AT + timedelta(hours=1)
    return {
        "open": episode(),
        "acknowledged": episode().told(AT, "episode.acknowledged", "ann"),
        "snoozed": episode().told(AT, "episode.snoozed", "ann", snoozed_until=later),
        "resolved": episode().told(AT, "episode.resolved", "ann"),
    }[state]


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("event", EVENTS)
def test_an_episode_changes_as_its_table_says_and_what_is_refused_is_one_clear_line(
    state: State, event: EventType
) -> None:
    before = in_state(state)
    if state in TABLE[event]:
        after = before.told(AT, event, "ann")
        assert (after.state, after.version) == (TABLE[event][state], before.version + 1)
        assert after.log[-1].type == event
    else:
        with pytest.raises(Refused) as refused:
            before.told(AT, event, "ann")
        assert str(refused.value) == f"an episode that is {state} can't be {event.removeprefix('episode.')}"


def test_every_event_is_in_the_table_and_only_the_first_opens() -> None:
    assert set(TABLE) == set(EVENTS)
    assert [event for event in EVENTS if None in TABLE[event]] == ["episode.opened"]
    with pytest.raises(Refused, match="not there"):
        leads_to(None, "episode.updated")
    assert rebuild([]) is None


def test_every_page_leads_to_a_state_in_which_it_is_heard() -> None:
    for event in PAGES:
        assert set(TABLE[event].values()) <= {"open", "acknowledged"}


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(1, 5), st.sampled_from(["ann", "ben"])), max_size=40))
def test_the_log_alone_tells_how_an_episode_stands(acts: list[tuple[EventType, int, str]]) -> None:
    found = episode()
    for n, (event, number, who) in enumerate(acts):
        at = AT + timedelta(minutes=n)
        changes: dict[str, dict[str, Any]] = {
            "episode.snoozed": {"snoozed_until": at + timedelta(minutes=number)},
            "episode.assigned": {"assignee": who},
            "episode.feedback": {"feedback": "real" if number > 2 else "false alarm"},
            "episode.updated": {"severity": number},
            "episode.escalated": {"severity": number},
            "episode.reopened": {"severity": number},
        }
        change = changes.get(event, {})
        try:
            found = found.told(at, event, who, **change)
        except Refused:
            assert found.state not in TABLE[event]
            continue
        for name, value in change.items():
            assert getattr(found, name) == value
        stored = Episode.model_validate_json(found.model_dump_json())
        assert rebuild(stored.log) == stored.condition == found.condition
        assert (found.snoozed_until is not None) == (found.state == "snoozed")
        assert (found.closed_at is not None) == (found.state == "resolved")
        assert found.opened_at == AT


def test_an_entry_that_changes_nothing_but_the_state_says_so() -> None:
    assert in_state("acknowledged").log[-1] == LogEntry(at=AT, type="episode.acknowledged", by="ann")
    assert in_state("open").log[-1].severity == 3


@pytest.mark.parametrize(
    ("state", "ended", "at", "back"),
    [
        ("resolved", HOUR, HOUR, True),
        ("resolved", HOUR, 7 * HOUR - 1, True),
        ("resolved", HOUR, 7 * HOUR, False),
        ("resolved", HOUR, -1.0, False),
        ("resolved", HOUR, 0.0, True),
        ("resolved", None, HOUR, False),
        ("open", HOUR, HOUR, False),
    ],
)
def test_what_comes_back_within_six_hours_of_its_end_is_the_same_episode(
    state: State, ended: float | None, at: float, back: bool
) -> None:
    assert returns(state, 0.0, ended, at, policy.AFTER_SECONDS) == back


def test_a_snooze_ends_at_its_end_where_it_goes_on_and_waits_while_it_is_calm() -> None:
    until = AT + timedelta(hours=1)
    assert wakes("snoozed", until, until, 0.0)
    assert not wakes("snoozed", until, until - timedelta(seconds=1), 0.0)
    assert not wakes("snoozed", until, until, 60.0)
    assert not wakes("acknowledged", None, until, 0.0)
