"""One look at one brand: scores to standing, standing to episodes, and the state that people and Prometheus see."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

from detectors import fleet
from detectors.looks import Looks
from detectors.scan import HOUR
from detectors.series import Floats
from service import crisis, following, late
from service.asking import ask
from service.changes import AGAIN_SECONDS
from service.clock import iso
from service.episode import KINDS, Kind
from service.policy import Event, Standing, follow
from service.watcher import Watcher

LONGEST_LOOK = 60.0
"""Seconds of calm that one look can vouch for: time in which nobody looked is not calm."""
CALM = Standing()
QUIET = {"voice": 0.0}
"""Score of who is judged while nobody loud is heard."""
BLIND_PART = 0.5
"""Part of the expected mentions that must be seen; below it a brand is blind."""
BLIND_SECONDS = 900.0
"""How long a brand must be blind, or see again, before that is told."""


async def look(
    watchers: Sequence[Watcher], first: float, now: float, until: Callable[[str], dict[str, float]], fence: int
) -> None:
    """Judge brands from `first` to `now` (POSIX seconds).

    `until` says of a brand up to when each source has told all it will. What is read of minutes must have been taken in
    before.

    Raises:
        Fenced: a newer ticker has taken over.
    """
    for watcher in watchers:
        late.prepare(watcher, first)
        back = 0.0 if watcher.again is None else AGAIN_SECONDS
        watcher.minutes.advance(first, now, until(watcher.brand.name), back)
        if watcher.watch is None or not watcher.knows:
            continue
        if await watcher.minutes.silences(watcher.watch, now, watcher.utc_offset(now)):
            watcher.learns_at = 0.0  # what was taken for calm teaches nothing
    await following.read_open(watchers)
    due = [watcher for watcher in watchers if watcher.knows]
    while due:
        asked = [ask(watcher, first, now) for watcher in due]
        answers = iter(fleet.look([one for one, _, _ in asked if one is not None]))
        more = []
        for watcher, (one, ends, before) in zip(due, asked, strict=True):
            found = Looks(ends, {}) if one is None else watcher.listened(next(answers))
            if await take(watcher, found, ends, before, first, now, fence):
                more.append(watcher)
        due = more
    for watcher in watchers:
        watcher.looked_at = now


async def take(watcher: Watcher, found: Looks, ends: Floats, before: int, first: float, now: float, fence: int) -> bool:
    """Take what was found at `ends`, of which the first `before` were judged before; say whether more is to be asked.

    Raises:
        Conflict: an episode is changed by too many at once.
        Fenced: a newer ticker has taken over.
    """
    if await _follow(watcher, found, ends, before, first, fence):
        return True
    await _praise(watcher, first, fence)
    await _blind(watcher, now, fence)
    for kind in KINDS if watcher.episode else ():
        await following.go_on(watcher, kind, (), now, fence)  # a snooze ends though nothing is seen
    return False


async def _follow(watcher: Watcher, found: Looks, ends: Floats, before: int, first: float, fence: int) -> bool:
    """Follow what was found at `ends`, of which the first `before` were judged before; say whether more is due.

    An episode that ends is left out of what is judged after it.
    """
    watcher.again = None
    if before or watcher.late:
        await late.judge(watcher, found, ends[:before], first, fence)
    scores, flashes = found.score.tolist(), found.flash.tolist()
    for row in range(before, len(ends)):
        event = await _alarm(watcher, "crisis", found, row, scores[row], flashes[row], float(ends[row]), first, fence)
        more = row + 1 < len(ends)
        if event == "closed" or not more:
            watcher.scores = QUIET | found.scores(row)
        if event == "closed" and more:
            return True
    return False


async def _alarm(
    watcher: Watcher,
    kind: Kind,
    found: Looks,
    row: int,
    score: float,
    flash: float,
    end: float,
    first: float,
    fence: int,
) -> Event | None:
    """Follow the scores of a kind at `row`, known up to `end`; nobody hears of it before `first` (POSIX seconds)."""
    seconds = min(end - watcher.looked_until, LONGEST_LOOK)
    watcher.looked_until = end
    was = watcher.standing.get(kind, CALM)
    standing, event = follow(was, end, seconds, score, flash)
    watcher.standing[kind] = standing
    told = max(end, first)
    if event == "opened":
        await following.open_crisis(watcher, kind, found.verdicts(row), end, told, fence)
    elif event == "closed":
        await following.end(watcher, kind, end, "an hour of calm", fence)
    elif standing.opened_at is not None:
        if was.calm and not standing.calm:
            await following.keep_alarm(watcher, kind, fence)  # who takes over must not go on with the old calm
        await following.go_on(watcher, kind, found.verdicts(row), told, fence)
    return event


async def _praise(watcher: Watcher, first: float, fence: int) -> None:
    """Follow the hours whose praise was found; nobody hears of it before `first` (POSIX seconds)."""
    while watcher.praised:
        hour = watcher.praised[0]
        score, told = hour.verdict.score, max(hour.at, first)
        was = watcher.standing.get("opportunity", CALM)
        watcher.standing["opportunity"], event = follow(was, hour.end, HOUR, score, hour.flash)
        if event == "opened":
            await following.open_crisis(watcher, "opportunity", [hour.verdict], hour.end, told, fence)
        elif event == "closed":
            await following.end(watcher, "opportunity", told, "an hour of usual praise", fence)
        elif was.opened_at is not None:
            await following.go_on(watcher, "opportunity", [hour.verdict], told, fence)
        watcher.praise = score
        watcher.praised.pop(0)


async def _blind(watcher: Watcher, now: float, fence: int) -> None:
    """Open a blind episode when too little is seen for long enough, and end it when enough is seen again."""
    told, every, *_ = watcher.expected_hour(now)
    told += watcher.held_back(now)
    unseeing = every > 0 and told < BLIND_PART * every
    was = watcher.standing.get("blind", CALM)
    if unseeing == (was.opened_at is not None):
        watcher.blind_since = None
        return
    watcher.blind_since = watcher.blind_since or now
    if now - watcher.blind_since < BLIND_SECONDS:
        return
    watcher.blind_since = None
    if unseeing:
        watcher.standing["blind"] = Standing(opened_at=now, severity=1)
        await following.begin(watcher, "blind", crisis.unseen(watcher, told, every, now), now, now, now, fence)
    else:
        watcher.standing["blind"] = Standing()
        await following.end(watcher, "blind", now, "enough is seen again", fence)


def state(watcher: Watcher, now: float) -> dict[str, Any]:
    """Return what the board and `/metrics` show of a brand that was looked at by `now`."""
    hour = watcher.minutes.last_hour(now)
    told, _, low, high = watcher.expected_hour(now)
    episode = watcher.episode.get("crisis")
    shown = None if crisis.over(episode) else episode
    return {
        "at": iso(now),
        "judged_until": watcher.looked_until,
        "praise_judged_until": watcher.praised_until,
        **_counted(hour),
        "negative_share_corrected": watcher.negative_share(now),
        "expected": _rounded(told) if watcher.knows else None,
        "expected_lower": low,
        "expected_upper": high,
        "scores": {name: _rounded(score) for name, score in watcher.scores.items()},
        "praise": watcher.praise if watcher.praise is None else _rounded(watcher.praise),
        "severity": shown.severity if shown else 0,
        "episode": shown.id if shown else None,
        "completeness": watcher.minutes.ratios(now),
        "blind": watcher.standing.get("blind", CALM).opened_at is not None,
    }


def later(watcher: Watcher, now: float) -> dict[str, Any]:
    """Return the state of a brand of which nothing new came since it was looked at: its hour moves on."""
    moved = _counted(watcher.minutes.last_hour(now)) if watcher.state.get("window_mentions") else {}
    corrected = {"negative_share_corrected": watcher.negative_share(now)} if moved else {}
    return {**watcher.state, "at": iso(now), **moved, **corrected}


def _counted(hour: dict[str, float]) -> dict[str, Any]:
    share = round(hour["negative"] / hour["scored"], 4) if hour["scored"] else None
    return {"window_mentions": hour["mentions"], "negative_share": share}


def _rounded(value: float) -> float | None:
    return round(value, 2) if isfinite(value) else None
