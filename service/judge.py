"""One look at one brand: scores to standing, standing to episodes, and the state that people and Prometheus see."""

import json
from math import isfinite
from typing import Any

from detectors.looks import Looks
from detectors.series import Floats
from service import crisis, keys
from service.clock import iso
from service.episode import Episode, Kind
from service.policy import Standing, follow
from service.store import Conflict
from service.watcher import Watcher

BLIND_PART = 0.5
"""Part of the expected mentions that must be seen; below it a brand is blind."""
BLIND_SECONDS = 900.0
"""How long a brand must be blind, or see again, before that is told."""


async def look(watcher: Watcher, ends: Floats, before: float, changed: set[tuple[str, int]], fence: int) -> None:
    """Judge a brand at `ends` (POSIX seconds, rising); `before` is the last look, `changed` what to read again."""
    now = float(ends[-1])
    await watcher.minutes.advance(float(ends[0]), now, changed)
    await watcher.refit(float(ends[0]))
    scores: dict[str, float] = {}
    if watcher.knows:
        assert watcher.watch is not None
        await watcher.minutes.silences(watcher.watch, now, watcher.utc_offset(now))
        found = watcher.look(ends)
        for row, end in enumerate(float(e) for e in ends):
            await _crisis(watcher, found, row, end, end - before, fence)
            before = end
        scores = {name: float(f.score[-1]) for name, f in found.findings.items()}
        await _blind(watcher, now, fence)
    await _state(watcher, now, scores)


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
        if episode is None or episode.state == "resolved":
            await watcher.episodes.save_alarm(watcher.brand.name, kind, alarm, fence)
            return
        try:
            await watcher.episodes.save(crisis.resolved(episode, now, why), fence, alarm)
        except Conflict:
            continue
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


async def _state(watcher: Watcher, now: float, scores: dict[str, float]) -> None:
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
        "scores": {name: _rounded(score) for name, score in scores.items()},
        "severity": standing.severity if standing.opened_at is not None else 0,
        "episode": watcher.open.get("crisis"),
        "completeness": {s: t["ratio"] for s, t in watcher.minutes.completeness(now).items()},
        "blind": watcher.standing.get("blind", Standing()).opened_at is not None,
    }
    await watcher.store.do("SET", keys.state(watcher.brand.name), json.dumps(state))


def _rounded(value: float) -> float | None:
    return round(value, 2) if isfinite(value) else None
