"""Late data: what was judged and changed since is judged again with what is now known.

It pages like live data where the window ended less than six hours ago and no episode covers that time; what an episode
covers updates it, what is older is annotated.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from math import inf
from typing import Any

import numpy as np

from detectors.looks import Looks
from detectors.scan import HOUR
from detectors.series import Floats, Series
from detectors.verdict import Verdict
from service import crisis, following
from service.annotations import annotate
from service.changes import AGAIN_SECONDS, KEPT_SECONDS, Changes
from service.clock import iso
from service.counts import read
from service.episode import Episode
from service.minutes import LOOKBACK
from service.policy import OPENS, Standing, follow, severity
from service.segment import MINUTE
from service.store import Conflict
from service.watcher import Watcher, within

TELL_SECONDS = 600.0
"""Late data of a brand are told at most this often; what comes in between is told together."""
NEAR_SECONDS = HOUR
"""What began or ended within the hour of calm that ends an episode belongs to it: it is the same rise."""


def due(watcher: Watcher, now: float) -> bool:
    """Whether something late is to be told."""
    return bool(watcher.late) and now - watcher.late_told_at >= TELL_SECONDS


def prepare(watcher: Watcher, now: float) -> None:
    """Say from when on to judge again: where something late is told, or mentions were taken from an open episode."""
    if not due(watcher, now):
        return
    opened = watcher.standing.get("crisis", Standing()).opened_at
    begins = [watcher.late.start, *([opened - MINUTE] if opened and watcher.late.gone else [])]
    watcher.again = min([watcher.again if watcher.again is not None else now, *begins])


async def judge(watcher: Watcher, found: Looks, ends: Floats, now: float, fence: int) -> None:
    """Follow from what was found at the first of its rows, which end at `ends` (POSIX seconds) and were judged before.

    Raises:
        Fenced: a newer ticker has taken over.
    """
    telling = due(watcher, now)
    opened = watcher.standing.get("crisis", Standing()).opened_at
    scores = found.score[: len(ends)]
    if opened is not None:
        if telling:
            await _rejudge(watcher, found, np.where(ends >= opened, scores, np.nan), opened, now, fence)
    elif (row := _worst(scores)) is not None and scores[row] >= OPENS:
        await _open(watcher, found, row, float(ends[row]), now, fence)
    if telling:
        await _annotate(watcher, now)
        watcher.late, watcher.late_told_at = Changes(), now


def _worst(scores: Floats) -> int | None:
    return int(np.nanargmax(scores)) if np.isfinite(scores).any() else None


async def _open(watcher: Watcher, found: Looks, row: int, end: float, now: float, fence: int) -> None:
    """Open an episode, unless one that is over covers the rise: that one is annotated, and nobody is paged twice."""
    verdict = found.verdicts(row)[0]
    onset = watcher.onset(verdict, end)
    if any(_covers(episode, onset, end) for episode in await watcher.crises()):
        return
    standing, _ = follow(Standing(), end, 0.0, float(found.score[row]), float(found.flash[row]))
    why = watcher.late.words() if watcher.late else None
    watcher.standing["crisis"] = standing
    await following.open_crisis(watcher, "crisis", found.verdicts(row), end, now, fence, why)


async def _rejudge(watcher: Watcher, found: Looks, scores: Floats, opened: float, now: float, fence: int) -> None:
    """Bring the open episode up to date with what is known now of the minutes since it opened; never silently."""
    identity, row = watcher.open.get("crisis"), _worst(scores)
    whole = opened > now - AGAIN_SECONDS  # all that it rests on was judged again
    for _ in range(following.TRIES):
        episode = await watcher.episodes.get(identity) if identity else None
        if episode is None or row is None or not _covers(episode, watcher.late.start, watcher.late.end, now):
            return
        verdicts = found.verdicts(row)
        if episode.state == "resolved":  # by a person: what it shows changes, not that it is over
            await _tell(watcher, await crisis.annotated(watcher, episode, verdicts[0], now))
            return
        changed = await crisis.rejudged(watcher, episode, verdicts, now, lower=whole and watcher.late.gone > 0)
        watcher.standing["crisis"] = replace(watcher.standing["crisis"], severity=max(severity(changed.score), 1))
        with suppress(Conflict):  # a person acted at this moment
            await watcher.save(changed, fence)
            return
    raise Conflict(f"the crisis of {watcher.brand.name} can't be judged again")


async def _annotate(watcher: Watcher, now: float) -> None:
    """Annotate the episodes that are over and cover what came late, and the brand with what none covers."""
    late, open_id = watcher.late, watcher.open.get("crisis")
    begin = max(late.start, now - KEPT_SECONDS)
    end = min(late.end + LOOKBACK, now - AGAIN_SECONDS)
    crises = await watcher.crises()
    over = [e for e in crises if e.id != open_id and _covers(e, begin, late.end)]
    if not over and begin >= end:
        return
    spans = [(e.started_at.timestamp(), _ended(e, now)) for e in crises]
    first = min([begin, *(e.started_at.timestamp() for e in over)])
    last = max([end, *(_ended(e, now) for e in over)])
    table = await read(watcher.store, watcher.brand.name, first - LOOKBACK, last, MINUTE, now)
    series = table.series(watcher.correction)
    if not series or watcher.watch is None:
        return
    for episode in over:
        worst = _find(watcher, series, episode.started_at.timestamp(), _ended(episode, now), [])
        await _tell(watcher, await crisis.annotated(watcher, episode, worst[1] if worst else None, now))
    if begin < end and (worst := _find(watcher, series, begin, end, spans)) and worst[1].score >= OPENS:
        await annotate(watcher.store, watcher.brand.name, _annotation(watcher, *worst, now))


def _find(
    watcher: Watcher, series: Mapping[str, Series], begin: float, end: float, spans: list[tuple[float, float]]
) -> tuple[float, Verdict] | None:
    """Return the worst that is found in the minutes that end after `begin`, up to `end`, `spans` left out; and when."""
    assert watcher.watch is not None
    buckets = next(iter(series.values()))
    ends = buckets.times() + MINUTE
    rows = np.flatnonzero((ends > begin) & (ends <= end))
    found = watcher.watch.look(
        series,
        rows=rows,
        mask=within(buckets, spans),
        campaign=watcher.campaign(buckets),
        utc_offset=watcher.utc_offset(end),
    )
    row = _worst(found.score)
    return None if row is None else (float(ends[rows[row]]), found.verdicts(row)[0])


async def _tell(watcher: Watcher, episode: Episode) -> None:
    """Store an episode that is over; what a person changes at this moment stands, and the note is left out."""
    with suppress(Conflict):
        await watcher.episodes.save(episode)


def _annotation(watcher: Watcher, end: float, verdict: Verdict, now: float) -> dict[str, Any]:
    return {
        "at": iso(now),
        "start": iso(end - verdict.window),
        "end": iso(end),
        "detector": verdict.detector,
        "score": round(verdict.score, 1),
        "observed": round(verdict.observed, 2),
        "expected": round(verdict.expected, 2),
        "note": f"{verdict.reason}; {watcher.late.words()}",
    }


def _ended(episode: Episode, now: float) -> float:
    ended = episode.calm_at or episode.closed_at
    return ended.timestamp() if ended else now


def _covers(episode: Episode, begin: float, end: float, now: float = inf) -> bool:
    return episode.started_at.timestamp() - NEAR_SECONDS < end and begin < _ended(episode, now) + NEAR_SECONDS
