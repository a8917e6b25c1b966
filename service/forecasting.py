"""Which forecaster serves each brand: once a day its own past decides, in a process apart, one brand after the other.

The process also learns what is slow to learn of the chosen one's rhythm; the ticker only follows it.
"""

import asyncio
import json
import logging
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from redis.exceptions import RedisError

from detectors.choose import LEAST_DAYS, Choice, choose
from detectors.forecaster import FORECASTERS, Forecaster
from detectors.hourly import Following, Hours, Rhythm, Slow
from detectors.prophet_forecast import Calendar, prophet
from detectors.series import Bools, Series
from service import keys
from service.apart import Crowded, TooLong, apart
from service.clock import iso
from service.holidays_of import around
from service.store import Store
from service.watcher import Watcher

EVERY = 86_400.0
"""Seconds between two choices of a brand."""
PATIENCE = 240.0
"""Seconds that a choice may take, after which the robust forecaster serves; it takes some twenty on a free core."""
AGAIN = 900.0
"""Seconds after which a choice is tried again that could not be made because the store was away or others worked."""
REST = 1.0
"""How long nothing is chosen after a choice, in times of what it took: half a core at the most."""

log = logging.getLogger("foreshock.forecasting")


@dataclass(frozen=True)
class Decided:
    """A choice, and what the chosen forecaster learned of each of the brand's series."""

    choice: Choice
    learned: list[tuple[Hours, Rhythm | None]]


def decide(
    history: Mapping[str, Series], unknown: Bools, holidays: frozenset[int], utc_offset: float, scratch: str
) -> Decided | None:
    """Choose for a brand's series by source, `unknown` (n,) left out; None where too little is known.

    Made to be run apart: temporary files go to the directory `scratch`, whoever ends this process.
    """
    tempfile.tempdir = scratch
    first = next(iter(history.values()))
    total = np.where(unknown, np.nan, np.sum([series.mentions for series in history.values()], axis=0))
    forecasters = _forecasters(holidays)
    choice = choose(first.start, first.step, total, utc_offset, forecasters=forecasters)
    if choice is None:
        return None
    chosen = forecasters[choice.chosen]
    if not isinstance(chosen, Slow):
        return Decided(choice, [])
    memory = Following(chosen)
    for series in history.values():
        for counts in (series.mentions, series.negative):
            if counts is not None:
                memory(series.start, series.step, np.where(unknown, np.nan, counts), utc_offset)
    return Decided(choice, memory.learned)


def _forecasters(holidays: frozenset[int]) -> dict[str, Forecaster]:
    return {**FORECASTERS, "prophet": prophet(Calendar(holidays))}


class Forecasting:
    """The choices of the process that judges, beside its looks; what it holds is decided anew after a restart."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._at: dict[str, float] = {}
        self._task: asyncio.Task[None] | None = None
        self._rests_until = 0.0

    def beside(self, watchers: Iterable[Watcher], now: float) -> None:
        """Begin the choice that is due for longest at `now` (POSIX seconds), unless one is under way or just was."""
        if (self._task is not None and not self._task.done()) or time.monotonic() < self._rests_until:
            return
        old = now - LEAST_DAYS * 86_400.0
        due = [w for w in watchers if w.knows and w.minutes.first <= old and self._last(w) + EVERY <= now]
        if due:
            self._task = asyncio.create_task(self._choose(min(due, key=self._last), now))

    def stop(self) -> None:
        """End what is under way, and forget."""
        if self._task is not None:
            self._task.cancel()
        self._task = None
        self._at.clear()

    def _last(self, watcher: Watcher) -> float:
        return self._at.get(watcher.brand.name, 0.0)

    async def _choose(self, watcher: Watcher, now: float) -> None:
        began = time.monotonic()
        self._at[watcher.brand.name] = now
        try:
            await choose_for(self._store, watcher, now)
        except (RedisError, OSError, Crowded) as error:
            self._at[watcher.brand.name] = now - EVERY + AGAIN
            log.warning("no forecaster was chosen for %s (%s)", watcher.brand.name, type(error).__name__)
        self._rests_until = time.monotonic() + REST * (time.monotonic() - began)


async def choose_for(store: Store, watcher: Watcher, now: float, patience: float = PATIENCE) -> None:
    """Choose the forecaster that `watcher` learns with from now on, and store the report.

    Raises:
        Crowded: this process has too much other work under way.
    """
    known = await watcher.history(now)
    if known is None:
        return
    history, mask, campaign = known
    began, why, decided = time.monotonic(), None, None
    brand, offset = watcher.brand, watcher.utc_offset(now)
    with tempfile.TemporaryDirectory(prefix="foreshock-forecasting-", ignore_cleanup_errors=True) as scratch:
        try:
            began_at = next(iter(history.values())).start
            days = await asyncio.to_thread(around, brand.country, brand.subdivision, began_at, now)
            decided = await apart(patience, decide, history, mask | campaign, days, offset, scratch)
            why = None if decided else "too little of the last week is known"
        except TooLong:
            why = f"it took more than {patience:.0f} s"
        except (ValueError, RuntimeError) as error:
            why = "it failed"
            log.warning("no forecaster was chosen for %s: %s", brand.name, error)
    chosen = decided.choice.chosen if decided else "robust"
    forecaster = FORECASTERS[chosen] if chosen != "robust" else None
    if decided is not None and isinstance(forecaster, Slow):
        forecaster = Following(forecaster, decided.learned, anew=False)
    watcher.forecaster = forecaster
    report = {
        "at": iso(now),
        "chosen": chosen,
        "why": why,
        "days": decided.choice.days if decided else 0,
        "seconds": round(time.monotonic() - began, 1),
        "scores": {n: _rounded(asdict(s)) for n, s in decided.choice.scores.items()} if decided else {},
    }
    await store.do("SET", keys.forecasters(brand.name), json.dumps(report))


def _rounded(score: dict[str, float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in score.items()}


async def forecasters(store: Store, brand: str) -> dict[str, Any] | None:
    """Return the report of a brand's last choice (docs/store.md); None where there was none."""
    found: dict[str, Any] | None = json.loads(await store.do("GET", keys.forecasters(brand)) or "null")
    return found
