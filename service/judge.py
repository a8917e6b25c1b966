"""One look at one brand: scores to standing, standing to episodes, and the state that people and Prometheus see."""

import json
from math import isfinite
from typing import Any

from detectors.looks import Looks
from service import crisis, late
from service.changes import AGAIN_SECONDS
from service.clock import iso
from service.episode import Kind
from service.policy import Event, Standing, follow
from service.store import Conflict
from service.watcher import Watcher

LONGEST_LOOK = 60.0
"""Seconds of calm that one look can vouch for: time in which nobody looked is not calm."""
BLIND_PART = 0.5
"""Part of the expected mentions that must be seen; below it a brand is blind."""
BLIND_SECONDS = 900.0
"""How long a brand must be blind, or see again, before that is told."""


async def look(watcher: Watcher, first: float, now: float, until: dict[str, float], fence: int) -> None:
    """Judge a brand from `first` to `now` (POSIX seconds); `until` says up to when each source has told all it will.

    What is read of its minutes must have been taken in before.

    Raises:
        Fenced: a newer ticker has taken over.
    """
    minutes = watcher.minutes
    late.prepare(watcher, first)
    minutes.advance(first, now, until, 0.0 if watcher.again is None else AGAIN_SECONDS)
    if watcher.knows:
        assert watcher.watch is not None
        if await minutes.silences(watcher.watch, now, watcher.utc_offset(now)):
            watcher.learns_at = 0.0  # what was taken for calm teaches nothing
        while await _judge(watcher, first, now, fence):
            pass
        await _blind(watcher, now, fence)
    watcher.looked_at = now


async def _judge(watcher: Watcher, first: float, now: float, fence: int) -> bool:
    """Judge what is due; say whether more is: an episode that ends is left out of what is judged after it."""
    found, ends, before = watcher.look(first, now)
    watcher.again = None
    if before or watcher.late:
        await late.judge(watcher, found, ends[:before], first, fence)
    for row in range(before, len(ends)):
        event = await _crisis(watcher, found, row, float(ends[row]), first, fence)
        watcher.scores = {name: float(f.score[row]) for name, f in found.findings.items()}
        if event == "closed" and row + 1 < len(ends):
            return True
    return False


async def _crisis(watcher: Watcher, found: Looks, row: int, end: float, first: float, fence: int) -> Event | None:
    """Follow what was found at `row`, known up to `end`; nobody hears of it before `first` (POSIX seconds)."""
    seconds = min(end - watcher.looked_until, LONGEST_LOOK)
    watcher.looked_until = end
    was = watcher.standing.get("crisis", Standing())
    standing, event = follow(was, end, seconds, float(found.score[row]), float(found.flash[row]))
    watcher.standing["crisis"] = standing
    if event == "opened":
        await watcher.save(await crisis.opened(watcher, found.verdicts(row)[0], end, max(end, first)), standing, fence)
    elif event == "closed":
        await _end(watcher, "crisis", end, "an hour of calm", fence)
    elif standing.opened_at is not None and (event or row == len(found.end) - 1):
        await _go_on(watcher, found, row, end, event == "escalated", fence)
    return event


async def _go_on(watcher: Watcher, found: Looks, row: int, now: float, escalated: bool, fence: int) -> None:
    """Keep the open episode up to date, and tell when it got worse."""
    identity, standing = watcher.open.get("crisis"), watcher.standing["crisis"]
    verdicts = found.verdicts(row)
    if identity is None or not verdicts:
        return
    for _ in range(3):
        episode = await watcher.episodes.get(identity)
        if episode is None:
            return
        watcher.told_over = episode.state == "resolved" and not escalated
        changed = await crisis.went_on(watcher, episode, verdicts[0], now, escalated)
        if changed is None:
            return
        try:
            await watcher.save(changed, standing, fence)
        except Conflict:
            continue
        return


async def _end(watcher: Watcher, kind: Kind, now: float, why: str, fence: int) -> None:
    identity = watcher.open.pop(kind, None)
    alarm = json.dumps(watcher.standing[kind].as_dict())
    for _ in range(3):
        episode = await watcher.episodes.get(identity) if identity else None
        if episode is None:
            await watcher.episodes.save_alarm(watcher.brand.name, kind, alarm, fence)
            return
        over = episode.state == "resolved"  # by a person, before it was calm
        ended = crisis.calmed(episode, now) if over else crisis.resolved(episode, now, why)
        try:
            await watcher.episodes.save(ended, fence, alarm, tell=not over)
        except Conflict:
            continue
        watcher.told_over = False
        if kind == "crisis":
            watcher.closed.append((episode.started_at.timestamp(), now))
        return


async def _blind(watcher: Watcher, now: float, fence: int) -> None:
    """Open a blind episode when too little is seen for long enough, and end it when enough is seen again."""
    told, every, *_ = watcher.expected_hour(now)
    unseeing = every > 0 and told < BLIND_PART * every
    was = watcher.standing.get("blind", Standing())
    if unseeing == (was.opened_at is not None):
        watcher.blind_since = None
        return
    watcher.blind_since = watcher.blind_since or now
    if now - watcher.blind_since < BLIND_SECONDS:
        return
    watcher.blind_since = None
    if unseeing:
        watcher.standing["blind"] = Standing(opened_at=now, severity=1)
        await watcher.save(crisis.blind(watcher, told, every, now), watcher.standing["blind"], fence)
    else:
        watcher.standing["blind"] = Standing()
        await _end(watcher, "blind", now, "enough is seen again", fence)


def state(watcher: Watcher, now: float) -> dict[str, Any]:
    """Return what the board and `/metrics` show of a brand that was looked at by `now`."""
    hour = watcher.minutes.last_hour(now)
    told, _, low, high = watcher.expected_hour(now)
    standing = watcher.standing.get("crisis", Standing())
    return {
        "at": iso(now),
        "judged_until": watcher.looked_until,
        **_counted(hour),
        "expected": _rounded(told) if watcher.knows else None,
        "expected_lower": low,
        "expected_upper": high,
        "scores": {name: _rounded(score) for name, score in watcher.scores.items()},
        "severity": standing.severity if standing.opened_at is not None and not watcher.told_over else 0,
        "episode": None if watcher.told_over else watcher.open.get("crisis"),
        "completeness": {s: t["ratio"] for s, t in watcher.minutes.completeness(now).items()},
        "blind": watcher.standing.get("blind", Standing()).opened_at is not None,
    }


def later(watcher: Watcher, now: float) -> dict[str, Any]:
    """Return the state of a brand of which nothing new came since it was looked at: its hour moves on."""
    moved = _counted(watcher.minutes.last_hour(now)) if watcher.state.get("window_mentions") else {}
    return {**watcher.state, "at": iso(now), **moved}


def _counted(hour: dict[str, float]) -> dict[str, Any]:
    share = round(hour["negative"] / hour["scored"], 4) if hour["scored"] else None
    return {"window_mentions": hour["mentions"], "negative_share": share}


def _rounded(value: float) -> float | None:
    return round(value, 2) if isfinite(value) else None
