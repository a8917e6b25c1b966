"""The last day of a brand's minutes in memory: only what changed is read again."""

import math
from dataclasses import replace

import numpy as np

from detectors import silence
from detectors.series import Bools, Floats, Series
from detectors.watch import Watch, lookback
from service import keys
from service.counts import COUNTED, FIELDS, KNOWN, Coverage, SourceTable, Table, coverage, judged, read, unpack
from service.store import Store

MINUTE, HOUR = 60, 3600
LOOKBACK = lookback(MINUTE)
"""Seconds that the longest window looks back."""
SILENT_SECONDS = 900.0
"""A pushed source that is silent for less is never called unknown."""
SILENT_CHANCE = 1e-6
"""A silence that chance gives more often is taken for calm: one minute in two years of looking every minute."""
SILENT_SIZE = 10.0
"""Negative binomial size of the expected count: the forecast itself may be off by a third."""


class Minutes:
    """A brand's minutes up to now, and what is known of them."""

    def __init__(self, store: Store, brand: str) -> None:
        self._store = store
        self._brand = brand
        self._table: Table | None = None
        self._known = Coverage({}, {}, {}, {})
        self.sources: dict[str, SourceTable] = {}

    async def advance(self, first: float, last: float, changed: set[tuple[str, int]]) -> None:
        """Hold the minutes from a lookback before `first` up to `last`; `changed` are (source, hour) to read again."""
        self._known = await coverage(self._store, self._brand)
        start = math.floor((first - LOOKBACK) / HOUR) * HOUR
        end = math.ceil(last / HOUR) * HOUR + HOUR  # clocks of networks may run ahead into the next hour
        table = self._table
        if table is None or table.start > start or set(table.sources) != set(self._known.first):
            self._table = await read(self._store, self._brand, start, end, MINUTE, last)
        else:
            self._table = _moved(table, start, end)
            await self._reload(self._table, changed)
        self._judge(last)

    async def _reload(self, table: Table, changed: set[tuple[str, int]]) -> None:
        begin = int(table.start // HOUR)
        wanted = [(s, h) for s, h in changed if s in table.sources and 0 <= h - begin < table.length // MINUTE]
        commands = [("HGETALL", keys.segment(self._brand, s, MINUTE, h)) for s, h in wanted]
        for (source, hour), packed in zip(wanted, await self._store.pipe(commands), strict=True):
            columns, offset = table.sources[source].columns, (hour - begin) * MINUTE
            for column in columns.values():
                column[offset : offset + MINUTE] = 0.0
            unpack(packed, offset, columns)

    def _judge(self, now: float) -> None:
        assert self._table is not None
        self.sources = {
            name: judged(found.columns, self._known, name, self._table, now)
            for name, found in self._table.sources.items()
        }

    def rows(self, ends: Floats) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the row that holds the minute before each of `ends` (POSIX seconds)."""
        assert self._table is not None
        return (np.ceil((ends - self._table.start) / MINUTE) - 1).astype(np.int64)

    def known_rows(self, end: float) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """Return the rows up to the minute that holds `end` that any source has told, the running minute included."""
        length = int(self.rows(np.array([end]))[0]) + 1
        told = np.zeros(length, dtype=np.bool_)
        for table in self.sources.values():
            told |= table.complete[:length]
        return np.flatnonzero(told)

    def ends(self, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
        """Return when the minutes of `rows` end, POSIX seconds."""
        assert self._table is not None
        return np.asarray(self._table.start + (rows + 1.0) * MINUTE)

    def series(self, end: float) -> dict[str, Series]:
        """Return what detectors see up to the minute that holds `end`, by source."""
        assert self._table is not None
        length = int(self.rows(np.array([end]))[0]) + 1
        cut = replace(self._table, length=length, sources={n: _cut(t, length) for n, t in self.sources.items()})
        return cut.series()

    async def silences(self, watch: Watch, end: float, utc_offset: float) -> bool:
        """Note which pushed sources fell silent or spoke again by `end`; say whether that changed what is known."""
        changed = False
        for name, table in self.sources.items():
            if name in self._known.until or name not in watch.normals or table.counted:
                continue
            heard = self._heard(name, end)
            open_gap = next((a for a, b in self._known.gaps.get(name, ()) if math.isinf(b)), None)
            if open_gap is None and len(heard) and end - heard[-1] >= SILENT_SECONDS:
                begin = max(float(heard[-1]), end - LOOKBACK)
                mean = watch.normals[name].mentions.mean(begin, MINUTE, int(end - begin) // MINUTE, utc_offset)
                if silence.chance(mean.sum(), SILENT_SIZE) < SILENT_CHANCE:
                    await self._gap(name, float(heard[-1]), math.inf)
                    changed = True
            elif open_gap is not None and (heard > open_gap).any():
                await self._gap(name, open_gap, float(heard[heard > open_gap][0]) - MINUTE)
                changed = True
        if changed:
            self._judge(end)
        return changed

    def _heard(self, source: str, end: float) -> Floats:
        """Return the ends of the minutes up to `end` in which a source said something; the last one at the least."""
        assert self._table is not None
        row = int(self.rows(np.array([end]))[0])
        rows = np.flatnonzero(self.sources[source].columns["m"][: row + 1])
        if len(rows):
            return np.asarray(self._table.start + (rows + 1.0) * MINUTE)
        last = self._known.last.get(source, math.inf)
        return np.array([math.floor(last / MINUTE + 1) * MINUTE]) if last < end else np.empty(0)

    async def _gap(self, source: str, begin: float, end: float) -> None:
        field = f"{source}{keys.SEPARATOR}{int(begin)}"
        await self._store.do("HSET", keys.gaps(self._brand), field, "" if math.isinf(end) else int(end))
        others = [g for g in self._known.gaps.get(source, []) if g[0] != begin]
        self._known.gaps[source] = [*others, (begin, end)]

    def completeness(self, end: float) -> dict[str, dict[str, float]]:
        """Return, by source, the share of the last hour that it told, and up to when it is complete (POSIX seconds)."""
        row = int(self.rows(np.array([end]))[0])
        return {
            name: {
                "ratio": round(float(table.complete[max(row - 59, 0) : row + 1].mean()), 3),
                "complete_until": self._until(name, end),
            }
            for name, table in self.sources.items()
        }

    def known_hour(self, source: str, end: float) -> Bools:
        """Return which of the 60 minutes before `end` a source has told, shape (60,)."""
        row = int(self.rows(np.array([end]))[0])
        found = np.zeros(60, dtype=np.bool_)
        table = self.sources.get(source)
        if table is not None:
            told = table.complete[max(row - 59, 0) : row + 1]
            found[60 - len(told) :] = told
        return found

    def _until(self, source: str, end: float) -> float:
        gap = next((a for a, b in self._known.gaps.get(source, ()) if a <= end < b), end)
        return min(self._known.until.get(source, end), gap)

    def last_hour(self, end: float) -> dict[str, float]:
        """Return what was counted in the hour before `end`; `mentions` without the excluded."""
        row = int(self.rows(np.array([end]))[0])
        part = slice(max(row - 59, 0), row + 1)
        sums = {c: sum(float(t.columns[c][part].sum()) for t in self.sources.values()) for c in "sx"}
        mentions = sum(
            float((t.columns[COUNTED] if t.counted else t.columns["m"] - t.columns["x"])[part].sum())
            for t in self.sources.values()
        )
        negative = sum(float(t.columns["n"][part].sum()) / 1000 for t in self.sources.values())
        return {"mentions": mentions, "scored": sums["s"], "negative": negative, "excluded": sums["x"]}


def _cut(table: SourceTable, length: int) -> SourceTable:
    return SourceTable({c: column[:length] for c, column in table.columns.items()}, table.complete[:length])


def _moved(table: Table, start: float, end: float) -> Table:
    """Return the table from `start` to `end`; minutes that were not held are empty: nothing was counted in them yet."""
    length = int(end - start) // MINUTE
    if table.start == start and table.length == length:
        return table
    shift = int(start - table.start) // MINUTE
    moved = Table(start, MINUTE, length)
    for name, old in table.sources.items():
        columns = {}
        for code in (*FIELDS.values(), COUNTED, KNOWN):
            column = np.zeros(length)
            kept = old.columns[code][shift : shift + length]
            column[: len(kept)] = kept
            columns[code] = column
        moved.sources[name] = SourceTable(columns, np.zeros(length, dtype=bool))
    return moved
