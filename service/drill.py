"""A drill: a made-up revolt that goes the way of a real one, from the event log to the receivers, and is followed.

It enters as an episode, not as mentions: made-up mentions would stand in the brand's counts, its baseline, totals and
costs, and a filter in every reader of them could be forgotten in one. From the event log on nothing knows it from a
real one. What finds a crisis before that is tried by `foreshock demo` and `foreshock replay`.
"""

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from service import keys
from service.clock import iso
from service.episode import DRILL, Episode, Event, event_of, new_id
from service.episodes import Episodes
from service.lifecycle import Refused
from service.notify import delivery_log
from service.notify.delivery_log import Delivery
from service.notify.route import Told
from service.notify.routing import receivers, told
from service.registry import Registry
from service.store import Conflict, Store

BY = "drill"
SEVERITY = 4
LOOK = 0.2
"""Seconds between two looks at the delivery log."""
MOST = 200
"""Deliveries of a drill that are read."""


@dataclass(frozen=True)
class Arrival:
    """What became of a channel: `outcome` is delivered, failed, lost, dropped, muted, waiting, later or not told.

    `seconds` from the begin to that; `later` has those after which it would be told.
    """

    channel: str
    outcome: str
    seconds: float | None
    detail: str = ""
    why: str = ""


@dataclass(frozen=True)
class Report:
    """A drill and which channels it reached."""

    episode: str
    brand: str
    severity: int
    started_at: str
    channels: list[Arrival] = field(default_factory=list)

    @property
    def arrived(self) -> bool:
        """Whether every channel that had to be told at once was, and there is one."""
        now = [a for a in self.channels if a.outcome not in ("later", "muted", "not told")]
        return bool(now) and all(a.outcome == "delivered" for a in now)


def revolt(brand: str, now: datetime, severity: int = SEVERITY) -> Episode:
    """Return a made-up episode of a brand, marked as such wherever it is shown."""
    post = {
        "source": BY,
        "id": "1",
        "text": "This post is made up: it is a drill.",
        "url": None,
        "author": {"id": BY, "name": "Nobody (drill)", "followers": 0},
        "published_at": iso(now.timestamp()),
    }
    evidence: dict[str, Any] = {
        "first_mentions": [post],
        "top_mentions": [post],
        "top_terms": [{"term": "drill", "count": 60, "expected": 0.0}],
        "sources": {BY: 60},
    }
    return Episode(
        id=new_id(keys.shard(brand), now.timestamp(), brand + DRILL),
        version=0,
        kind="crisis",
        brand=brand,
        severity=severity,
        severity_rule=f"{severity} of 5: that is what the drill asked for",
        detector="revolt",
        score=90.0,
        opened_at=now,
        started_at=now,
        updated_at=now,
        observed=60.0,
        expected=5.0,
        low=1.0,
        high=10.0,
        p_value=None,
        window_seconds=900.0,
        method="none: a drill's figures are made up",
        reason="DRILL: this is a test of how alerts reach you, nothing has happened",
        budget=0.5,
        evidence=evidence,
        completeness={},
        replay_command="",
        drill=True,
    ).told(now, "episode.opened", BY, "a drill")


async def drill(
    store: Store, registry: Registry, brand: str, now: datetime, severity: int = SEVERITY, seconds: float = 30.0
) -> Report:
    """Open a drill of a watched brand, follow it for so long at the most, resolve it, and say whom it reached.

    Raises:
        Conflict: another drill of the brand began in the same millisecond.
    """
    await registry.refresh()
    episode = revolt(brand, now, severity)
    event, episodes = event_of(episode), Episodes(store)
    expected = told(registry, event)
    began = time.time()
    await episodes.save(episode)
    try:
        log = await _followed(store, event, expected, began + seconds)
    finally:
        await asyncio.shield(_resolve(episodes, episode, now))
    arrivals = [_arrival(one, log, began) for one in expected if one.unless is None]
    arrivals += [_escalation(one) for one in expected if one.unless is not None]
    named = {one.channel for one in expected}
    arrivals += [Arrival(n, "not told", None, "no route sends it there") for n in receivers(registry) if n not in named]
    return Report(episode.id, brand, severity, iso(now.timestamp()), arrivals)


async def _followed(store: Store, event: Event, expected: list[Told], until: float) -> list[Delivery]:
    """Return the event's deliveries once all that are due at once ended, or at `until`."""
    direct = {one.channel for one in expected if one.unless is None and one.after_seconds <= 0 and one.muted is None}
    while True:
        found, _ = await delivery_log.page(store, episode=event.episode.id, limit=MOST)
        log = [one for one in found if one.event == event.id]
        ended = {one.channel for one in log if one.outcome != "failed"}
        if direct <= ended or time.time() >= until:
            return log
        await asyncio.sleep(LOOK)


async def _resolve(episodes: Episodes, episode: Episode, now: datetime) -> None:
    """End the drill, unless somebody did."""
    try:
        await episodes.change(
            episode.id, lambda e: e.told(max(now, e.updated_at), "episode.resolved", BY, "the drill is over")
        )
    except (Refused, Conflict):
        return


def _arrival(one: Told, log: list[Delivery], began: float) -> Arrival:
    if one.muted is not None:
        return Arrival(one.channel, "muted", None, f"muted by {one.muted}", one.why)
    if one.after_seconds > 0:
        return Arrival(one.channel, "later", round(one.after_seconds, 1), one.why, one.why)
    last = next((d for d in log if d.channel == one.channel), None)  # the newest stands first
    if last is None:
        return Arrival(one.channel, "waiting", None, "no try was made; does a worker tell?", one.why)
    return Arrival(one.channel, last.outcome, round(last.at - began, 2), last.detail, one.why)


def _escalation(one: Told) -> Arrival:
    return Arrival(one.channel, "later", round(one.after_seconds, 1), "unless somebody acknowledges", one.why)
