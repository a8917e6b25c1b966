"""The Episode: what people see, acknowledge and snooze; its JSON is `docs/episode.md`."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from collectors.mention import Instant
from service.lifecycle import PAGES as PAGES
from service.lifecycle import Condition, step
from service.lifecycle import EventType as EventType
from service.lifecycle import State as State

DRILL = ".drill"
"""Ends the ids of drills; no brand's name has a dot."""

Kind = Literal["crisis", "opportunity", "blind"]
KINDS: tuple[Kind, ...] = ("crisis", "opportunity", "blind")


class LogEntry(BaseModel):
    """One thing that happened to an episode, and what it changed beside the state; null is no change."""

    at: Instant
    type: EventType
    by: str
    note: str | None = None
    severity: int | None = None
    snoozed_until: Instant | None = None
    assignee: str | None = None
    feedback: str | None = None


class Span(BaseModel):
    """A time in which an episode was on."""

    start: Instant
    end: Instant


class Ahead(BaseModel):
    """How fast it grows, and the mentions an hour it leads to in 1, 3 and 6 hours; intervals hold 95 of 100."""

    doubling_minutes: float | None
    low: float | None
    high: float | None
    ahead: dict[str, float] = Field(default_factory=dict)
    ahead_low: dict[str, float] = Field(default_factory=dict)
    ahead_high: dict[str, float] = Field(default_factory=dict)


class Episode(BaseModel):
    """One crisis of one brand, with its proof."""

    model_config = ConfigDict(ser_json_inf_nan="null")

    id: str
    version: int = 1
    kind: Kind
    brand: str
    state: State = "open"
    severity: int = Field(ge=1, le=5)
    severity_rule: str = ""
    detector: str
    score: float
    opened_at: Instant
    started_at: Instant
    updated_at: Instant
    closed_at: Instant | None = None
    calm_at: Instant | None = None
    reopened_at: Instant | None = None
    returned_at: Instant | None = None
    earlier: list[Span] = Field(default_factory=list)
    paged_at: Instant | None = None
    paged_rate: dict[str, float] = Field(default_factory=dict)
    snoozed_until: Instant | None = None
    assignee: str | None = None
    observed: float
    expected: float
    low: float
    high: float
    p_value: float | None
    window_seconds: float
    method: str
    reason: str
    budget: float
    growth: Ahead | None = None
    evidence: dict[str, Any] = Field(default_factory=dict)
    completeness: dict[str, dict[str, Any]] = Field(default_factory=dict)
    replay_command: str
    drill: bool = False
    feedback: str | None = None
    log: list[LogEntry] = Field(default_factory=list)

    @property
    def condition(self) -> Condition | None:
        """How it stands, as its log says; None before it opened."""
        if not self.log:
            return None
        return Condition(self.state, self.severity, self.snoozed_until, self.assignee, self.feedback)

    @property
    def began(self) -> datetime:
        """When it began, the last time that it did (an estimate)."""
        return self.returned_at or self.started_at

    @property
    def ended(self) -> datetime | None:
        """When it was over; None while it goes on."""
        return self.calm_at or self.closed_at

    def told(self, at: datetime, kind: EventType, by: str, note: str | None = None, **change: Any) -> "Episode":
        """Return the episode after something happened to it, its version raised and its log longer.

        Its condition follows from the log (`lifecycle.step`); `change` are its other fields.

        Raises:
            Refused: this may not happen in its state.
        """
        was = self.condition
        said = {name: change.get(name) for name in ("snoozed_until", "assignee", "feedback")}
        severity = change.get("severity", self.severity)
        if was is None or severity != was.severity:
            said["severity"] = severity
        entry = LogEntry(at=at, type=kind, by=by, note=note, **said)
        now = step(was, entry)
        change |= {"version": self.version + 1, "updated_at": at, "log": [*self.log, entry], **vars(now)}
        if kind == "episode.resolved":
            change["closed_at"] = at
        if kind == "episode.reopened":
            change |= {"reopened_at": at, "closed_at": None, "calm_at": None}
        if kind in PAGES:
            change["paged_at"] = at
        return self.model_copy(update=change)


class Event(BaseModel):
    """What is told over SSE and to webhooks; `id` is one an occurrence, however often it is sent."""

    id: str
    type: EventType
    at: Instant
    brand: str
    episode: Episode


def event_of(episode: Episode) -> Event:
    """Return the event of the newest entry in an episode's log; its id follows from the episode's and the version."""
    last = episode.log[-1]
    return Event(
        id=f"evt_{episode.id.removeprefix('ep_')}_{episode.version}",
        type=last.type,
        at=last.at,
        brand=episode.brand,
        episode=episode,
    )


def new_id(brand_shard: str, opened_at: float, brand: str) -> str:
    """Return the id of an episode: its shard and its opening, so that the same opening is the same episode."""
    return f"ep_{brand_shard.strip('{}')}_{int(opened_at * 1000):012x}_{brand}"


def names(identity: str, brand: str, kind: Kind) -> bool:
    """Say whether an id is that of a brand's episode of a kind, as far as the id alone can tell."""
    return identity.split("_", 3)[-1] in {brand, f"{brand}-{kind}"}


def shard_of(identity: str) -> str | None:
    """Return the hash tag that an episode's id names; None where it names none."""
    parts = identity.split("_", 2)
    return f"{{{parts[1]}}}" if len(parts) == 3 and parts[0] == "ep" and parts[1][:1] == "s" else None


def open_first(episodes: Iterable[Episode]) -> list[Episode]:
    """Return episodes newest first."""
    return sorted(episodes, key=lambda e: (e.opened_at, e.id), reverse=True)
