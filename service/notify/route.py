"""Who is told of an event, when and why: pure, from what is configured."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, model_validator

from service.brand import BrandName
from service.episode import PAGES, Episode, Event, EventType, Kind
from service.notify.department import Department, carrying, concerned
from service.notify.hours import Hours, QuietHours, Zone, within
from service.notify.mute import Mute
from service.notify.on_call import OnCall

FOLLOW: frozenset[EventType] = frozenset({"episode.acknowledged", "episode.snoozed", "episode.resolved"})
"""What those hear of whom a page reached."""
MOST_LEVELS = 10


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Level(_Config):
    """Whom a page goes to when nobody acknowledged it so many minutes after it was first told."""

    after_minutes: float = Field(gt=0, le=7 * 1440)
    to: list[BrandName] = Field(min_length=1, max_length=50)


class Route(_Config):
    """Which events go to which channels, and who is on call for them; what is left out fits all."""

    name: BrandName
    to: list[BrandName] = Field(min_length=1, max_length=1000, description="names of channels and duties")
    brands: list[BrandName] = Field(default_factory=list, max_length=10_000)
    kinds: list[Kind] = Field(default_factory=list)
    detectors: list[str] = Field(default_factory=list, max_length=20)
    departments: list[Department] = Field(default_factory=list)
    sources: list[str] = Field(default_factory=list, max_length=100, description="one that carries a tenth of it")
    severity_from: int = Field(default=1, ge=1, le=5)
    severity_to: int = Field(default=5, ge=1, le=5)
    events: Literal["pages", "all"] | list[EventType] = "pages"
    hours: list[Hours] = Field(default_factory=list, max_length=20, description="when the route is there at all")
    quiet: QuietHours | None = None
    timezone: Zone | None = Field(default=None, description="of hours and quiet; by default the brand's")
    escalate: list[Level] = Field(default_factory=list, max_length=MOST_LEVELS)
    despite_mutes: bool = False
    weekly: bool = Field(default=False, description="its channels get the weekly note, and others only if they ask")

    @model_validator(mode="after")
    def _rises(self) -> Self:
        if self.severity_to < self.severity_from:
            raise ValueError("severity_to must not be lower than severity_from")
        minutes = [level.after_minutes for level in self.escalate]
        if any(b <= a for a, b in pairwise(minutes)):
            raise ValueError("escalate: after_minutes must rise from level to level")
        return self

    def named(self) -> list[str]:
        """Return the channels and duties that it names, also for escalation."""
        return list(dict.fromkeys([*self.to, *(name for level in self.escalate for name in level.to)]))

    def zone(self, brand_timezone: str) -> ZoneInfo:
        """Return the time zone of its hours."""
        return ZoneInfo(self.timezone or brand_timezone)

    def watches(self, brand: str, kind: Kind) -> bool:
        """Say whether it is there for a brand's episodes of a kind."""
        return (not self.brands or brand in self.brands) and (not self.kinds or kind in self.kinds)

    def asks_for(self, event: EventType) -> bool:
        """Say whether it wants events of a type."""
        if self.events == "pages":
            return event in PAGES
        return self.events == "all" or event in self.events

    def fits(self, episode: Episode, at: float, brand_timezone: str) -> bool:
        """Say whether it is there for an episode as it stands, at an instant (POSIX seconds)."""
        return self.suits(episode) and within(self.hours, at, self.zone(brand_timezone))

    def suits(self, episode: Episode) -> bool:
        """Say whether it is there for an episode as it stands, at some time."""
        return (
            self.watches(episode.brand, episode.kind)
            and self.severity_from <= episode.severity <= self.severity_to
            and (not self.detectors or episode.detector in self.detectors)
            and (not self.departments or not concerned(episode).isdisjoint(self.departments))
            and (not self.sources or not carrying(episode).isdisjoint(self.sources))
        )


@dataclass(frozen=True)
class Told:
    """One channel that is told of an event; `why` says which route, and differs for each telling of a channel.

    `after_seconds` counts from `now`: 0 is at once, else after quiet hours or a mute, or an escalation. `unless`
    "acknowledged": only while nobody acknowledged (or snoozed, or resolved) it. `only_if_paged`: only where a page of
    the episode arrived. `muted` names the mute that holds: nothing is sent, the log says so. A page that waits is
    dropped when its episode is resolved meanwhile.
    """

    channel: str
    page: bool
    why: str
    after_seconds: float = 0.0
    unless: Literal["acknowledged"] | None = None
    only_if_paged: bool = False
    muted: str | None = None


def notices(
    event: Event, routes: Sequence[Route], duty: OnCall, mutes: Sequence[Mute], brand_timezone: str, now: float
) -> list[Told]:
    """Return who is told of an event, looked at `now` (POSIX seconds; the event's own time tells the same again).

    `mutes` are the brand's (`mute.of_brand`). Every route that fits counts; a channel that several name is told once,
    at the earliest. A page waits for the end of mutes and quiet hours, what is no page is left out in them.
    Acknowledged, snoozed and resolved go to whom a page reached, however the routes' filters stand by then.
    """
    told = [t for route in routes for t in _Telling(event, route, duty, mutes, brand_timezone, now).told()]
    return [*_direct(told), *_escalations(told)]


def _direct(told: Sequence[Told]) -> Iterator[Told]:
    """Give each channel its best telling that is no escalation, and that it is muted where nothing goes out now."""
    first = [t for t in told if t.unless is None]
    for channel in dict.fromkeys(t.channel for t in first):
        mine = [t for t in first if t.channel == channel]
        sent = [t for t in mine if t.muted is None]
        best = min(sent, key=lambda t: (t.only_if_paged, not t.page, t.after_seconds)) if sent else None
        if best is None or best.after_seconds > 0:
            yield from [t for t in mine if t.muted is not None][:1]
        if best is not None:
            yield best


def _escalations(told: Sequence[Told]) -> Iterator[Told]:
    seen = set()
    for one in sorted((t for t in told if t.unless is not None), key=lambda t: t.after_seconds):
        if (one.channel, one.after_seconds) not in seen:
            seen.add((one.channel, one.after_seconds))
            yield one


@dataclass(frozen=True)
class _Telling:
    """One event by one route."""

    event: Event
    route: Route
    duty: OnCall
    mutes: Sequence[Mute]
    timezone: str
    now: float

    def told(self) -> Iterator[Told]:
        event, route = self.event, self.route
        asked = route.asks_for(event.type) and route.fits(event.episode, self.now, self.timezone)
        if event.type in FOLLOW:
            if asked or route.watches(event.brand, event.episode.kind):
                yield from self._follow(asked)
        elif asked and event.type in PAGES:
            yield from self._page()
        elif asked and self._free(self.now)[0] == self.now:
            yield from self._at(self.now, "", page=False)

    def _follow(self, asked: bool) -> Iterator[Told]:
        """Give it to all whom a page may have reached, also those whose turn is over; to who asked for it anyway."""
        at, why = self._after_quiet(self.now)
        muted = self._mute(self.now) is not None
        to = set(self.duty.channels(self.route.to, at)) if asked and not muted and at == self.now else set()
        for channel in self.duty.everybody(self.route.named()):
            yield Told(channel, False, self._why(why), at - self.now, only_if_paged=channel not in to)

    def _page(self) -> Iterator[Told]:
        mute = self._mute(self.now)
        if mute is not None:
            for channel in self.duty.channels(self.route.to, self.now):
                yield Told(channel, True, self._why(f"muted by {mute[1]}"), muted=mute[1])
        at, waited = self._free(self.now)
        yield from self._at(at, waited, page=True)
        before = 0.0
        for level in self.route.escalate:
            at, _ = self._free(at + 60 * (level.after_minutes - before))
            before = level.after_minutes
            for channel, who in self.duty.channels(level.to, at).items():
                why = self._why(f"nobody acknowledged for {level.after_minutes:g} minutes", who)
                yield Told(channel, True, why, at - self.now, unless="acknowledged")

    def _at(self, at: float, waited: str, *, page: bool) -> Iterator[Told]:
        for channel, who in self.duty.channels(self.route.to, at).items():
            yield Told(channel, page, self._why(waited, who), at - self.now)

    def _why(self, *said: str) -> str:
        more = ", ".join(filter(None, said))
        return f"route {self.route.name}: {more}" if more else f"route {self.route.name}"

    def _free(self, at: float) -> tuple[float, str]:
        """Return from when on neither mute nor quiet hours hold, and what was waited for last."""
        why = ""
        while True:
            mute = self._mute(at)
            if mute is not None:
                at, why = mute[0], f"after mute {mute[1]}"
                continue
            end, waited = self._after_quiet(at)
            if end == at:
                return at, why
            at, why = end, waited

    def _after_quiet(self, at: float) -> tuple[float, str]:
        if self.route.quiet is None:
            return at, ""
        end = self.route.quiet.until(self.event.episode.severity, at, self.route.zone(self.timezone))
        return end, "after quiet hours" if end > at else ""

    def _mute(self, at: float) -> tuple[float, str] | None:
        """Return the end and the name of the mute that holds longest."""
        if self.route.despite_mutes:
            return None
        ends = ((mute.end_of(self.event.episode, at), mute.name) for mute in self.mutes)
        return max(((end, name) for end, name in ends if end is not None), default=None)
