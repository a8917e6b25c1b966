"""When nobody would be told of a crisis: looked for ahead, so that it is not found out by missing one."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from service.brand import Brand
from service.clock import iso
from service.episode import Episode, Event, EventType, Kind
from service.notify.references import unknown
from service.notify.route import Route
from service.notify.routing import Configured, all_routes, receivers

AHEAD = 8 * 86_400
"""Seconds that are looked through: a week, and a day more where clocks change in it."""
SHOWN = 5
"""Brands that a line names."""
DETECTORS = ("revolt", "volume", "voice")
"""What may lead a crisis."""


@dataclass(frozen=True)
class Hole:
    """Brands of whose worst crisis nobody would be told if `detector` found it at `at` (POSIX seconds)."""

    brands: tuple[str, ...]
    detector: str
    at: float


def imagined(
    brand: str,
    kind: Kind,
    severity: int,
    detector: str,
    at: datetime,
    event: EventType = "episode.opened",
    sources: Sequence[str] = (),
) -> Event:
    """Return an event that did not happen, for asking who would be told of it."""
    episode = Episode(
        id=f"ep_imagined_{brand}",
        kind=kind,
        brand=brand,
        severity=severity,
        detector=detector,
        score=50.0,
        opened_at=at,
        started_at=at,
        updated_at=at,
        observed=0.0,
        expected=0.0,
        low=0.0,
        high=0.0,
        p_value=None,
        window_seconds=3600.0,
        method="",
        reason="",
        budget=0.5,
        evidence={"sources": dict.fromkeys(sources, 1)},
        replay_command="",
    )
    return Event(id="evt_imagined", type=event, at=at, brand=brand, episode=episode)


def holes(has: Configured, now: float) -> list[Hole]:
    """Return the first hole ahead for each group of brands with the same routes and time zone, and each detector.

    Mutes are meant and no holes; quiet hours delay and are none either. Empty where no channel is configured: then
    episodes are for the board and for who listens.
    """
    if not has.channels:
        return []
    routes = [r for r in all_routes(has) if r.name not in has.webhooks and r.asks_for("episode.opened")]
    alike: dict[tuple[str, tuple[int, ...]], list[Brand]] = defaultdict(list)
    for brand in has.brands.values():
        watching = tuple(n for n, route in enumerate(routes) if route.watches(brand.name, "crisis"))
        alike[brand.timezone, watching].append(brand)
    found = []
    for (zone, watching), brands in alike.items():
        names = tuple(brand.name for brand in brands)
        for detector in DETECTORS:
            at = _first([routes[n] for n in watching], names[0], detector, zone, now)
            if at is not None:
                found.append(Hole(names, detector, at))
    return found


def untold(has: Configured, now: float) -> Iterator[str]:
    """Give a line for each hole, and for each name of a route or a duty that is not there."""
    if not has.channels and not has.webhooks:
        yield "no channel and no webhook is configured: episodes are told to nobody"
    for _, what in unknown(receivers(has), list(has.duties.values()), has.routes):
        yield f"routes and duties: {what}"
    for hole in holes(has, now):
        names, more = ", ".join(hole.brands[:SHOWN]), len(hole.brands) - SHOWN
        names += f" and {more} more" if more > 0 else ""
        yield f"no route serves a crisis of severity 5 ({hole.detector}) at {iso(hole.at)} of {names}"


def _first(routes: Sequence[Route], brand: str, detector: str, zone: str, now: float) -> float | None:
    """Return the first instant at which no route is there, by going from the end of hours to the end of hours."""
    worst = imagined(brand, "crisis", 5, detector, datetime.fromtimestamp(now, UTC)).episode
    there = [route for route in routes if route.suits(worst)]
    if any(not route.hours for route in there):
        return None
    at = now
    while at < now + AHEAD:
        ends = [hours.end_of(at, route.zone(zone)) for route in there for hours in route.hours]
        later = [end for end in ends if end is not None]
        if not later:
            return at
        at = max(later)
    return None
