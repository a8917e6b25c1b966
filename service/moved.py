"""Sources of which most brands move at once: they are suspected before the world, and not believed until it is over."""

import json
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil, floor
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from detectors.changed import since
from detectors.series import Floats
from detectors.together import LEAST_BRANDS, Direction, together
from detectors.watch import HISTORY_SECONDS
from service import keys
from service.doubts import Doubt, packed, unpacked, ways
from service.minutes import LOOKBACK, SILENT_SIZE
from service.segment import MINUTE
from service.store import Store
from service.watcher import Watcher

WINDOWS = (5, 15)
"""Minutes that are compared with what is expected of them: a flood shows in five before it pages."""
BACK = 60
"""Minutes in which a begin, or an end, is looked for."""
STALE = 15
"""Minutes after which what a source told last says nothing of now."""
MOST_BRANDS = 200
"""Brands that are looked at: as many tell of a source as thousands would, in some 20 ms."""
FILLED = 0.75
"""Part of what is expected that the middle brand must have for a fall to be called filled; half of it made the fall."""
ONE_RISE = 3600.0
"""Seconds within which a source that rises again is told of by the same brand."""

Found = tuple[Doubt, ...]
N = TypeVar("N", np.float64, np.int64)

log = logging.getLogger("foreshock.ticker")


@dataclass(frozen=True)
class Part:
    """Minutes to judge, from `first` to `last` (POSIX seconds), and what is suspected then."""

    first: float
    last: float
    suspected: Found


class Moved:
    """What is suspected of sources."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._found: Found | None = None

    def clear(self) -> None:
        """Forget all: the store is read anew."""
        self._found = None

    async def look(self, watchers: Iterable[Watcher], first: float, now: float) -> list[Part]:
        """See which sources' brands moved together, minute by minute from `first` to `now` (POSIX seconds).

        What is read of minutes must have been taken in before. A minute is judged with what is suspected at its end.
        """
        if self._found is None:
            self._found = tuple(unpacked(await self._store.do("GET", keys.SUSPECTED)))
        some = sorted((w for w in watchers if w.knows), key=lambda watcher: watcher.brand.name)[:MOST_BRANDS]
        sources = _seen(some, first, now) if len(some) >= LEAST_BRANDS else []
        marks = [(first, self._found)]
        for n in range(round((now - first) / MINUTE) + 1):
            end, before = first + MINUTE * n, marks[-1][1]
            found = tuple(one for one in before if _stands(one, some, end))
            for source in sources:
                found = source.follow(found, end)
            if found != before:
                marks = [*(marks if end > first else []), (end, found)]
        if marks[-1][1] != self._found:
            self._found = marks[-1][1]
            await self._tell(now)
        lasts = [*(at - MINUTE for at, _ in marks[1:]), now]
        return [Part(at, last, found) for (at, found), last in zip(marks, lasts, strict=True)]

    async def _tell(self, now: float) -> None:
        assert self._found is not None
        moving = ways(self._found, now)
        log.warning("most brands move together on: %s", ", ".join(f"{s} ({w})" for s, w in moving.items()) or "none")
        stored = [("SET", keys.MOVED, json.dumps(moving)), ("SET", keys.SUSPECTED, packed(self._found))]
        await self._store.pipe(stored)


def _stands(one: Doubt, watchers: Sequence[Watcher], now: float) -> bool:
    """Whether a suspicion is still of use: it is not older than what is fitted, and what fell was not filled since."""
    if one.end is None:
        return True
    if one.way == "rise" or one.end < now - LOOKBACK:
        return one.end > now - HISTORY_SECONDS
    length, parts = round((one.end - one.begin) / MINUTE), []
    for watcher in watchers:
        normal = watcher.watch.normals.get(one.source) if watcher.watch else None
        if normal is not None:
            expected = normal.mentions.mean(one.begin, MINUTE, length, watcher.utc_offset(one.end)).sum()
            parts.append(watcher.minutes.lately(one.source, one.end, length) / max(float(expected), 1e-9))
    return not parts or float(np.median(parts)) < FILLED


@dataclass(frozen=True)
class _Seen:
    """A source's brands by minutes from POSIX `start`; nothing is counted where it is not known.

    `observed`, `expected` and `known` (minutes) are sums of all minutes before each one, `told` is the minute after the
    last known one before each; shape (brands, minutes + 1).
    """

    source: str
    start: float
    names: list[str]
    observed: Floats
    expected: Floats
    known: NDArray[np.int64]
    told: NDArray[np.int64]

    def follow(self, found: Found, end: float) -> Found:
        """Return what is suspected at `end` (POSIX seconds)."""
        row = ceil((end - self.start) / MINUTE)
        open_one = next((one for one in found if one.source == self.source and one.end is None), None)
        seen, moving = False, set[Direction]()
        strangest: tuple[float, str] = (0.0, "")
        for window in WINDOWS:
            last = self.told[:, row]
            some = np.flatnonzero((last > row - STALE) & (last >= window))
            last = last[some]
            known = self.known[some, last] - self.known[some, last - window]
            some, last = some[2 * known >= window], last[2 * known >= window]
            observed, expected = (
                sums[some, last] - sums[some, last - window] for sums in (self.observed, self.expected)
            )
            seen |= len(observed) >= LEAST_BRANDS
            if (way := together(observed, expected, SILENT_SIZE)) is not None:
                moving.add(way)
                far = (observed - expected) / np.sqrt(expected + expected**2 / SILENT_SIZE + 1e-9)
                top = int(far.argmax())
                strangest = max(strangest, (float(far[top]), self.names[some[top]]))
        if open_one is None:
            return (*found, *(self._begun(way, row, strangest[1], found) for way in sorted(moving)[:1]))
        if not seen or open_one.way in moving:
            return found
        return tuple(self._ended(one, row) if one is open_one else one for one in found)

    def _begun(self, way: Direction, row: int, strangest: str, found: Found) -> Doubt:
        first = max(row - BACK, 0)
        begin = self.start + MINUTE * (first + since(*self._total(first, row), way))
        teller = strangest if way == "rise" else None
        for one in found:
            if one.source == self.source and one.way == way and one.end is not None and begin - one.end < ONE_RISE:
                teller = one.teller
        return Doubt(self.source, way, begin, None, teller)

    def _ended(self, one: Doubt, row: int) -> Doubt:
        first = max(row - BACK, floor((one.begin - self.start) / MINUTE), 0)
        observed, expected = self._total(first, row)
        length = len(observed) - since(observed[::-1], expected[::-1], one.way)
        return replace(one, end=self.start + MINUTE * (first + max(length, 1)))

    def _total(self, first: int, row: int) -> tuple[Floats, Floats]:
        """Return what all brands together had, and were expected to have, in the minutes from `first` to `row`."""
        observed, expected = (np.diff(sums[:, first : row + 1].sum(axis=0)) for sums in (self.observed, self.expected))
        return observed, expected


def _seen(watchers: Sequence[Watcher], first: float, now: float) -> list[_Seen]:
    """Return what every source of enough brands told from BACK minutes before `first` to `now` (POSIX seconds)."""
    start = (floor(first / MINUTE) - BACK) * MINUTE
    length = ceil((now - start) / MINUTE)
    counts: dict[str, list[tuple[str, Floats, Floats]]] = {}
    for watcher in watchers:
        assert watcher.watch is not None
        offset = watcher.utc_offset(now)
        for source, normal in watcher.watch.normals.items():
            observed = watcher.minutes.told_minutes(source, start, length, now)
            expected = normal.mentions.mean(start, MINUTE, length, offset)
            expected[-1] *= 1.0 - (start + MINUTE * length - now) / MINUTE  # the running minute, as far as it went
            counts.setdefault(source, []).append((watcher.brand.name, observed, expected))
    return [_beside(source, start, rows) for source, rows in counts.items() if len(rows) >= LEAST_BRANDS]


def _beside(source: str, start: float, rows: list[tuple[str, Floats, Floats]]) -> _Seen:
    observed, expected = (np.array([row[n] for row in rows]) for n in (1, 2))
    known = np.isfinite(observed)
    told = np.maximum.accumulate(np.where(known, np.arange(1, known.shape[1] + 1), 0), axis=1)
    sums = (_sums(np.where(known, observed, 0.0)), _sums(np.where(known, expected, 0.0)), _sums(known.astype(np.int64)))
    return _Seen(source, start, [row[0] for row in rows], *sums, np.pad(told, ((0, 0), (1, 0))))


def _sums(counts: NDArray[N]) -> NDArray[N]:
    return np.pad(np.cumsum(counts, axis=1), ((0, 0), (1, 0)))
