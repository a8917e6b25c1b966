"""From where an alarm stands to the stored episode: begun, kept up to date, woken, ended."""

import json
from collections.abc import Sequence

from detectors.verdict import Verdict
from service import crisis, lifecycle
from service.crisis import Content
from service.episode import Episode, Kind
from service.frozen import freeze
from service.policy import AFTER_SECONDS
from service.store import Conflict
from service.watcher import Watcher

TRIES = 3
"""People act on an episode in the same milliseconds once at the most."""


async def read_open(watchers: Sequence[Watcher]) -> None:
    """Read the open episodes of brands, in one round trip: people may have changed them since the last look."""
    asked = [(watcher, kind, identity) for watcher in watchers for kind, identity in watcher.open.items()]
    if not asked:
        return
    found = await asked[0][0].episodes.many([identity for _, _, identity in asked])
    for (watcher, kind, _), episode in zip(asked, found, strict=True):
        watcher.episode.pop(kind, None)
        if episode is not None:
            watcher.episode[kind] = episode


async def open_crisis(
    watcher: Watcher,
    kind: Kind,
    verdicts: Sequence[Verdict],
    end: float,
    now: float,
    fence: int,
    late: str | None = None,
) -> None:
    """Begin an episode of what was found at `end`, told at `now` (POSIX seconds); `late` says why so late.

    Raises:
        Conflict: the episode is changed by too many at once.
        Fenced: a newer ticker has taken over.
    """
    start = watcher.onset(verdicts[0], end)
    content = await crisis.found(watcher, verdicts, start, end, now, late)
    await begin(watcher, kind, content, start, end, now, fence)


async def begin(
    watcher: Watcher, kind: Kind, content: Content, start: float, end: float, now: float, fence: int
) -> None:
    """Open an episode that shows `content`, or reopen the last one, where it ended within its window.

    Raises:
        Conflict: the episode is changed by too many at once.
        Fenced: a newer ticker has taken over.
    """
    for _ in range(TRIES):
        last = await watcher.episodes.newest(watcher.brand.name, kind)
        if last is not None and not _returns(last, end):
            last = None
        try:
            await watcher.save(crisis.begun(watcher, kind, last, content, start, now), fence)
        except Conflict:
            continue
        return
    raise Conflict(f"the {kind} of {watcher.brand.name} can't be opened")


def _returns(last: Episode, end: float) -> bool:
    ended = last.ended.timestamp() if last.ended else None
    return lifecycle.returns(last.state, last.started_at.timestamp(), ended, end, AFTER_SECONDS)


async def go_on(watcher: Watcher, kind: Kind, verdicts: Sequence[Verdict], now: float, fence: int) -> None:
    """Keep an open episode up to date: wake it where its snooze is over, tell where it got worse.

    Raises:
        Conflict: the episode is changed by too many at once.
        Fenced: a newer ticker has taken over.
    """
    for _ in range(TRIES):
        episode, changed = watcher.episode.get(kind), None
        if episode is None:
            return
        if lifecycle.wakes(episode.state, episode.snoozed_until, crisis.at(now), watcher.standing[kind].calm):
            changed = await crisis.woken(watcher, episode, verdicts, now)
        elif verdicts:
            changed = await crisis.went_on(watcher, episode, verdicts, now)
        if changed is None:
            return
        try:
            await watcher.save(changed, fence)
        except Conflict:
            await read_open([watcher])
            continue
        return
    raise Conflict(f"the {kind} of {watcher.brand.name} can't be kept up to date")


async def keep_alarm(watcher: Watcher, kind: Kind, fence: int) -> None:
    """Store where an alarm stands, and nothing else.

    Raises:
        Fenced: a newer ticker has taken over.
    """
    alarm = json.dumps(watcher.standing[kind].as_dict())
    await watcher.episodes.save_alarm(watcher.brand.name, kind, alarm, fence)


async def end(watcher: Watcher, kind: Kind, now: float, why: str, fence: int) -> None:
    """End an episode whose alarm is over; nothing is told where a person had resolved it before.

    Raises:
        Conflict: the episode is changed by too many at once.
        Fenced: a newer ticker has taken over.
    """
    alarm = json.dumps(watcher.standing[kind].as_dict())
    for _ in range(TRIES):
        episode = watcher.episode.get(kind)
        if episode is None:
            await keep_alarm(watcher, kind, fence)
        else:
            over = crisis.over(episode)
            ended = crisis.calmed(episode, now) if over else crisis.resolved(episode, now, why)
            await freeze(watcher, ended, now)
            try:
                await watcher.episodes.save(ended, fence, alarm, tell=not over)
            except Conflict:
                await read_open([watcher])
                continue
            if kind == "crisis":
                watcher.closed.append((episode.began.timestamp(), now))
        watcher.open.pop(kind, None)
        watcher.episode.pop(kind, None)
        return
    raise Conflict(f"the {kind} of {watcher.brand.name} can't be ended")
