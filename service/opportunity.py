"""Opportunities: praise that is out of the ordinary, found by the hour beside the looks (`docs/advocates.md`)."""

import asyncio
import logging
import time
import zlib
from collections.abc import Iterable

import numpy as np
from redis.exceptions import RedisError

from detectors import advocates
from detectors.advocates import STEP, Surge, glad
from detectors.scan import DAY
from detectors.series import Series
from detectors.statistic import Rows
from detectors.watch import HISTORY_SECONDS, Watch
from service.counts import COUNTED, Table, read
from service.feedback import times, within
from service.policy import CLOSES
from service.store import Store
from service.watcher import Praised, Watcher

SETTLE, SPREAD = 180.0, 600
"""Seconds after an hour's end at which it is judged, for networks tell minutes late; and over how many brands share."""
PATIENCE = 3 * STEP
"""Seconds that an hour which no source has told yet is waited for."""
BACK = 6 * STEP
"""Hours that ended longer ago are judged no more: an opportunity is gone by then."""
LEAST_SECONDS = 3 * DAY
"""Praise is judged by the hour, so that what is usual shows after days."""
LEAST = 3.0
"""Mentions below which an hour can't be a surge, as `detectors.statistic.LEAST_NEGATIVE`."""
EPISODES = 100
"""Newest episodes whose times do not say what is usual."""
REST = 1.0
"""Times as long as a brand took nothing is done for the next: the looks at crises go first."""

log = logging.getLogger("foreshock.opportunity")


class Opportunities:
    """Finds the praise of all brands; what it holds in memory can be had again from the store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._learned: dict[str, Watch] = {}
        self._task: asyncio.Task[None] | None = None

    def beside(self, watchers: Iterable[Watcher], now: float) -> None:
        """Begin to find what is due at `now` (POSIX seconds) beside the ticker, unless that is under way."""
        if self._task is not None and not self._task.done():
            return
        due = [watcher for watcher in watchers if _due(watcher, now)]
        self._task = asyncio.create_task(self._quietly(due, now)) if due else None

    async def find(self, watchers: Iterable[Watcher], now: float) -> None:
        """Find what is due at `now` (POSIX seconds), one brand after the other; `judge` follows it."""
        for watcher in watchers:
            if _due(watcher, now):
                await self._find(watcher, now)

    def stop(self) -> None:
        """End what is under way, and forget."""
        if self._task is not None:
            self._task.cancel()
        self._task = None
        self._learned.clear()

    async def _quietly(self, watchers: list[Watcher], now: float) -> None:
        try:
            for watcher in watchers:
                began = time.monotonic()
                await self.find([watcher], now)
                await asyncio.sleep(REST * (time.monotonic() - began))
        except (RedisError, OSError) as error:
            log.warning("praise is judged later (%s)", type(error).__name__)

    async def _find(self, watcher: Watcher, now: float) -> None:
        end = _hour(watcher, now)
        begin = max(watcher.praised_until or end - STEP, end - BACK)
        said = watcher.minutes.last_hour(end, round((end - begin) / 60.0))["mentions"]
        if (said < LEAST and "opportunity" not in watcher.open) or watcher.minutes.first > end - LEAST_SECONDS:
            watcher.praised_until = end
            return
        history = praise(await read(self._store, watcher.brand.name, end - HISTORY_SECONDS, end, round(STEP), end))
        first = next(iter(history.values()), None)
        if first is None:
            watcher.praised_until = end
            return
        rows = np.arange(max(round((begin - first.start) / STEP), 0), len(first))
        found = await self._surge(watcher, history, rows, end)
        known = np.flatnonzero(np.isfinite(found.score)).tolist()
        ends = first.start + STEP * (rows + 1.0)
        watcher.praised_until = max(float(ends[known[-1]]) if known else begin, end - PATIENCE)
        for row in known:
            at, flash = float(ends[row]), float(found.flash[row])
            watcher.praised.append(Praised(at, at + _wait(watcher), flash, found.verdict(row)))
        if known and max(found.score[known]) >= CLOSES:
            watcher.due_at = 0.0

    async def _surge(self, watcher: Watcher, history: dict[str, Series], rows: Rows, end: float) -> Surge:
        name, offset, first = watcher.brand.name, watcher.utc_offset(end), next(iter(history.values()))
        learned = self._learned.get(name)
        if learned is None or end - learned.until >= advocates.REFIT_SECONDS:
            spans = []
            for episode in (await watcher.episodes.page(name, None, EPISODES, None))[0]:
                if episode.kind in {"crisis", "opportunity"}:
                    over, latest = times(episode, watcher.open.get(episode.kind), end)
                    spans += [*over, latest]
            mask, campaign = within(first, spans), watcher.campaign(first)
            if learned is None:  # the hours that are to be judged must not say what is usual
                n = int(rows[0]) if len(rows) else len(first)
                past = {source: series.rows(0, n) for source, series in history.items()}
                learned = await asyncio.to_thread(advocates.first_fit, past, mask[:n], campaign[:n], offset)
            else:
                learned = await asyncio.to_thread(advocates.fit, history, learned, mask, campaign, offset)
            self._learned[name] = learned
        return advocates.look(learned, history, rows, offset)


def _wait(watcher: Watcher) -> float:
    """Return how long after its end an hour is judged: brands take turns."""
    return SETTLE + zlib.crc32(watcher.brand.name.encode()) % SPREAD


def _hour(watcher: Watcher, now: float) -> float:
    """Return the end of the last hour that may be judged at `now`."""
    return (now - _wait(watcher)) // STEP * STEP


def _due(watcher: Watcher, now: float) -> bool:
    return watcher.knows and _hour(watcher, now) > watcher.praised_until


def praise(table: Table) -> dict[str, Series]:
    """Return what `detectors.advocates` sees, by source: positive mentions where `Table.series` has the negative."""
    found = {}
    for name, series in table.series().items():
        columns = table.sources[name].columns
        positive = np.minimum(columns["p"], columns["s"])
        if table.sources[name].counted:  # posts are a sample, which estimates the share
            positive = columns[COUNTED] * positive / np.maximum(columns["m"], 1.0)
        found[name] = glad(series, positive + np.where(np.isfinite(series.mentions), 0.0, np.nan))
    return found
