"""The episode's life: the one table of which change is allowed when, and the condition rebuilt from the log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

State = Literal["open", "acknowledged", "snoozed", "resolved"]
EventType = Literal[
    "episode.opened",
    "episode.updated",
    "episode.escalated",
    "episode.acknowledged",
    "episode.snoozed",
    "episode.woken",
    "episode.assigned",
    "episode.noted",
    "episode.feedback",
    "episode.resolved",
    "episode.reopened",
]
PAGES: frozenset[EventType] = frozenset(
    {"episode.opened", "episode.escalated", "episode.woken", "episode.reopened"},
)
"""Events that somebody must be woken for."""

_STAYS: Mapping[State | None, State] = {"open": "open", "acknowledged": "acknowledged", "snoozed": "snoozed"}
_ALWAYS: Mapping[State | None, State] = {**_STAYS, "resolved": "resolved"}

TABLE: Mapping[EventType, Mapping[State | None, State]] = {
    "episode.opened": {None: "open"},
    "episode.updated": _ALWAYS,
    "episode.escalated": {"open": "open", "acknowledged": "acknowledged", "snoozed": "open"},
    "episode.acknowledged": dict.fromkeys(_STAYS, "acknowledged"),
    "episode.snoozed": dict.fromkeys(_STAYS, "snoozed"),
    "episode.woken": {"snoozed": "open"},
    "episode.assigned": _STAYS,
    "episode.noted": _ALWAYS,
    "episode.feedback": _ALWAYS,
    "episode.resolved": dict.fromkeys(_STAYS, "resolved"),
    "episode.reopened": {"resolved": "open"},
}
"""What happens, in which states it may (None: there is no episode yet), and the state that each leads to."""


class Refused(ValueError):
    """A change that is not allowed in the episode's state; the message is one sentence for who asked."""


class Entry(Protocol):
    """One thing that happened, and what it changed beside the state: None is no change."""

    @property
    def type(self) -> EventType:
        """What happened."""
        ...

    @property
    def severity(self) -> int | None:
        """How severe it is since."""
        ...

    @property
    def snoozed_until(self) -> datetime | None:
        """When the snooze ends."""
        ...

    @property
    def assignee(self) -> str | None:
        """Whose it is since."""
        ...

    @property
    def feedback(self) -> str | None:
        """What people say it was."""
        ...


@dataclass(frozen=True)
class Condition:
    """How an episode stands: all of it follows from its log."""

    state: State
    severity: int
    snoozed_until: datetime | None = None
    assignee: str | None = None
    feedback: str | None = None


def leads_to(state: State | None, event: EventType) -> State:
    """Return the state after `event`; `state` is None where there is no episode yet.

    Raises:
        Refused: it may not happen in this state.

    >>> leads_to("snoozed", "episode.woken")
    'open'
    """
    after = TABLE[event].get(state)
    if after is None:
        what = event.removeprefix("episode.")
        raise Refused(f"an episode that is {state or 'not there'} can't be {what}")
    return after


def step(was: Condition | None, entry: Entry) -> Condition:
    """Return how an episode stands after one thing more; `was` is None before it opened.

    Raises:
        Refused: it may not happen as the episode stood.
    """
    state = leads_to(was.state if was else None, entry.type)
    was = was or Condition(state, severity=0)
    until = (entry.snoozed_until or was.snoozed_until) if state == "snoozed" else None
    return Condition(
        state,
        severity=was.severity if entry.severity is None else entry.severity,
        snoozed_until=until,
        assignee=was.assignee if entry.assignee is None else entry.assignee,
        feedback=was.feedback if entry.feedback is None else entry.feedback,
    )


def rebuild(log: Iterable[Entry]) -> Condition | None:
    """Return how an episode stands after all of its log; None for an empty one.

    Raises:
        Refused: the log is not one that this table allows.
    """
    condition = None
    for entry in log:
        condition = step(condition, entry)
    return condition


def returns(state: State, began: float, ended: float | None, at: float, within: float) -> bool:
    """Say whether what is strange at `at` is the return of an episode that `began` and `ended` (POSIX seconds).

    It is within `within` seconds of the end; what was before it began (late data) is another episode.

    >>> returns("resolved", 0.0, 3600.0, 7200.0, 6 * 3600.0)
    True
    """
    return state == "resolved" and ended is not None and began <= at < ended + within


def wakes(state: State, until: datetime | None, now: datetime, calm: float) -> bool:
    """Say whether a snooze is over by `now` while it goes on; `calm` are the seconds since it was last strange.

    One that is calm just now waits: it is woken when it is strange again, or resolved after its hour of calm.
    """
    return state == "snoozed" and until is not None and now >= until and calm == 0.0
