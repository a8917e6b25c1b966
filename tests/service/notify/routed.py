"""Events that routes are tried with, and what is configured, without a store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from service.brand import Brand, Webhook
from service.episode import Event, EventType, Kind
from service.notify.channel import Channel
from service.notify.holes import imagined
from service.notify.mute import Mute
from service.notify.on_call import Duty, OnCall
from service.notify.route import Route, Told, notices


@dataclass(frozen=True)
class Configured:
    """What a registry would hold."""

    brands: Mapping[str, Brand] = field(default_factory=dict)
    webhooks: Mapping[str, Webhook] = field(default_factory=dict)
    channels: Mapping[str, Channel] = field(default_factory=dict)
    duties: Mapping[str, Duty] = field(default_factory=dict)
    routes: Sequence[Route] = ()
    mutes: Sequence[Mute] = ()


def at(text: str) -> float:
    """Return POSIX seconds of a time in ISO 8601."""
    return datetime.fromisoformat(text).timestamp()


def event(
    kind: EventType = "episode.opened",
    *,
    when: str = "2026-03-04T12:00:00Z",
    brand: str = "acme",
    of: Kind = "crisis",
    severity: int = 3,
    detector: str = "revolt",
    sources: Sequence[str] = (),
) -> Event:
    """Return an event of an episode."""
    instant = datetime.fromisoformat(when).astimezone(UTC)
    return imagined(brand, of, severity, detector, instant, kind, sources)


def told(
    what: Event,
    *routes: Route,
    duties: Sequence[Duty] = (),
    mutes: Sequence[Mute] = (),
    zone: str = "UTC",
) -> list[Told]:
    """Return who is told, looked at when it happened."""
    on_call = OnCall({duty.name: duty for duty in duties})
    return notices(what, routes, on_call, mutes, zone, what.at.timestamp())
