"""One look at one brand: scores to standing, standing to episodes, and the state that people and Prometheus see."""

import json
from math import isfinite
from typing import Any

from detectors.looks import Looks
from service import crisis, keys
from service.clock import iso
from service.episode import Episode, Kind
from service.policy import Standing, follow
from service.store import Conflict
from service.watcher import Watcher

LONGEST_LOOK = 60.0
"""Seconds of calm that one look can vouch for: time in which nobody looked is not calm."""
BLIND_PART = 0.5
"""Part of the expected mentions that must be seen; below it a brand is blind."""
BLIND_SECONDS = 900.0
"""How long a brand must be blind, or see again, before that is told."""


async def look(watcher: Watcher, first: float, now: float, changed: set[tuple[str, int]], fence: int) -> None:
    """Judge a brand from `first` to `now` (POSIX seconds); `changed` are the (source, hour) to read again."""
    await watcher.minutes.advance(first, now, changed)
    await watcher.refit(first)
    if watcher.knows:
        assert watcher.watch is not None
        if await watcher.minutes.silences(watcher.watch, now, watcher.utc_offset(now)):
            watcher.fitted_at = 0.0  # what was taken for calm teaches nothing
        found, ends = watcher.look(first, now)
        for row, end in enumerate(float(e) for e in ends):
            seconds = min(end - watcher.looked_until, LONGEST_LOOK)
            watcher.looked_until = end
            await _crisis(watcher, found, row, end, seconds, fence)
        if len(ends):
            watcher.scores = {name: float(f.score[-1]) for name, f in found.findings.items()}
        await _blind(watcher, now, fence)
    await _state(watcher, now)


async def _crisis(watcher: Watcher, found: Looks, row: int, now: float, seconds: float, fence: int) -> None:
    was = watcher.standing.get("crisis", Standing())
    standing, event = follow(was, now, seconds, float(found.score[row]), float(found.flash[row]))
    watcher.standing["crisis"] = standing
    if event == "opened":
        await _save(watcher, await crisis.opened(watcher, found.verdicts(row)[0], now), standing, fence)
    elif event == "closed":
        await _end(watcher, "crisis", now, "an hour of calm", fence)
    elif standing.opened_at is not None and (event or row == len(found.end) - 1):
        await _go_on(watcher, found, row, now, event == "escalated", fence)


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
            await _save(watcher, changed, standing, fence)
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


async def _save(watcher: Watcher, episode: Episode, standing: Standing, fence: int) -> None:
    await watcher.episodes.save(episode, fence, json.dumps(standing.as_dict()))
    watcher.open[episode.kind] = episode.id


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
        await _save(watcher, crisis.blind(watcher, told, every, now), watcher.standing["blind"], fence)
    else:
        watcher.standing["blind"] = Standing()
        await _end(watcher, "blind", now, "enough is seen again", fence)


async def _state(watcher: Watcher, now: float) -> None:
    """Store what the board and `/metrics` show of a brand."""
    hour = watcher.minutes.last_hour(now)
    told, _, low, high = watcher.expected_hour(now)
    standing = watcher.standing.get("crisis", Standing())
    state: dict[str, Any] = {
        "at": iso(now),
        "window_mentions": hour["mentions"],
        "expected": _rounded(told) if watcher.knows else None,
        "expected_lower": low,
        "expected_upper": high,
        "negative_share": round(hour["negative"] / hour["scored"], 4) if hour["scored"] else None,
        "scores": {name: _rounded(score) for name, score in watcher.scores.items()},
        "severity": standing.severity if standing.opened_at is not None and not watcher.told_over else 0,
        "episode": None if watcher.told_over else watcher.open.get("crisis"),
        "completeness": {s: t["ratio"] for s, t in watcher.minutes.completeness(now).items()},
        "blind": watcher.standing.get("blind", Standing()).opened_at is not None,
    }
    await watcher.store.do("SET", keys.state(watcher.brand.name), json.dumps(state))


def _rounded(value: float) -> float | None:
    return round(value, 2) if isfinite(value) else None
