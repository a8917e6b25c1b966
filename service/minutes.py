"""The last day of a brand's minutes in memory: only what changed is read again, and only what is not zero is held."""

import math
from collections.abc import Iterable, KeysView, Mapping
from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from collectors.correct import Correction
from detectors import silence
from detectors.fleet import Summed
from detectors.series import Bools, Floats, Series
from detectors.watch import Watch, lookback
from service import keys
from service.changes import AGAIN_SECONDS, KEPT_SECONDS, Changes
from service.counts import COUNTED, Coverage, SourceTable, Table, judged
from service.doubts import Spans
from service.segment import EMPTY, HELD, MINUTE, SEGMENT, Day, Spots, changed
from service.store import Store

LOOKBACK = lookback(MINUTE)
"""Seconds that the longest window looks back."""
SILENT_SECONDS = 900.0
"""A pushed source that is silent for less is never called unknown."""
SILENT_CHANCE = 1e-6
"""A silence that chance gives more often is taken for calm: one minute in two years of looking every minute."""
SILENT_SIZE = 10.0
"""Negative binomial size of the expected count: the forecast itself may be off by a third."""

Rows = NDArray[np.int64]
Place = tuple[str, int]
"""A source and the number of one of its minutes, or of one of its segments of minutes, since 1970."""
_HOUR = np.zeros(60)
_NO_SUMS = (np.empty(0, dtype=np.int32), np.empty((4, 0)))
NOTHING = Changes()
ALL = slice(0, 60)
"""All minutes of an hour."""


class Minutes:
    """A brand's minutes up to now, and what is known of them; `advance` before anything is asked."""

    def __init__(self, store: Store, brand: str) -> None:
        self._store = store
        self._brand = brand
        self._held: dict[str, Day] = {}
        self._oldest = 0
        self._known = Coverage({}, {}, {}, {})
        self._table = Table(0.0, MINUTE, 0)
        self._last = 0.0
        self._ready = True
        self._names: list[str] = []
        self._told: dict[str, tuple[int, int] | None] = {}
        self._plain: tuple[tuple[int, int] | None, ...] = ()
        self._sums: dict[str, tuple[Spots, Floats]] = {}

    @property
    def sources(self) -> dict[str, SourceTable]:
        """The minutes by source, as of the last `advance`; made when they are asked for."""
        if not self._ready:
            self._ready = True
            for source in self._names:
                dense = self._held[source].dense(round(self._table.start) // MINUTE, self._table.length)
                columns = dict(zip(HELD, dense, strict=True))
                self._table.sources[source] = judged(columns, self._known, source, self._table, self._last)
        return self._table.sources

    @property
    def start(self) -> float:
        """POSIX seconds at which row 0 begins, as of the last `advance`."""
        return self._table.start

    @property
    def first(self) -> float:
        """POSIX seconds of the first that was ever said; infinite where nothing was."""
        return min(self._known.first.values(), default=math.inf)

    @property
    def latest(self) -> float:
        """POSIX seconds at which the last minute ends in which anything was said."""
        return max(self._known.last.values(), default=-math.inf) // MINUTE * MINUTE + MINUTE

    def remember(self, since: Mapping[bytes, bytes], gaps: Mapping[bytes, bytes] | None) -> None:
        """Take in what the store says of when each source spoke first and last, and of its gaps."""
        for name, value in since.items():
            source, _, which = name.decode().partition(keys.SEPARATOR)
            (self._known.first if which == "first" else self._known.last)[source] = float(value)
            self._held.setdefault(source, EMPTY)
        self._forget()
        if gaps is not None:
            self._known.gaps.clear()
        for name, value in (gaps or {}).items():
            source, _, begin = name.decode().partition(keys.SEPARATOR)
            self._known.gaps.setdefault(source, []).append((float(begin), float(value) if value else math.inf))

    def doubt(self, suspected: Mapping[str, Spans]) -> float | None:
        """Take in the spans in which sources are not believed; say since when one is again, or None."""
        old = self._known.suspected
        if suspected == old:
            return None
        self._known = replace(self._known, suspected=suspected)
        self._forget()
        ends = {name: dict(spans) for name, spans in suspected.items()}
        known = [(ends.get(name, {}).get(a, a), b) for name, spans in old.items() for a, b in spans]
        return min((since for since, before in known if since < before), default=None)

    def told_minutes(self, source: str, start: float, length: int, now: float) -> Floats:
        """Return what a source told in each minute from `start` (POSIX seconds), suspected or not, NaN where unknown.

        The excluded are left out. Needs no `advance`.
        """
        day = self._held.get(source, EMPTY)
        columns = dict(zip(HELD, day.dense(round(start) // MINUTE, length), strict=True))
        known = replace(self._known, suspected={})
        told = judged(columns, known, source, Table(start, MINUTE, length), now)
        counts = columns[COUNTED] if told.counted else columns["m"] - columns["x"]
        return np.where(told.complete, counts, np.nan)

    def places(self, first: float, last: float) -> list[Place]:
        """Return all that is to be held of the known sources while `first` to `last` (POSIX seconds) is judged."""
        self._oldest = _number(first - LOOKBACK - AGAIN_SECONDS)
        numbers = range(self._oldest, _number(last + SEGMENT * MINUTE) + 1)  # networks' clocks may run ahead
        return [(source, number) for source in self._held for number in numbers]

    def unheard(self, changed: Iterable[Place]) -> bool:
        """Whether a change of these segments may have moved the first word of a source."""
        return any(s not in self._known.first or n * SEGMENT * MINUTE < self._known.first[s] for s, n in changed)

    def held(self, changed: Iterable[Place]) -> list[Place]:
        """Return those of the changed segments that are held in memory."""
        return [(source, number) for source, number in changed if number >= self._oldest]

    def put(self, rows: Iterable[tuple[Place, list[int]]], judged_until: float) -> Changes:
        """Hold the HELD counters of minutes; return which that end by `judged_until` (POSIX seconds) changed."""
        begins, more, oldest = [], [], self._oldest * SEGMENT
        for (source, minute), row in rows:
            old = self._held.setdefault(source, EMPTY)
            if minute < oldest or (new := old.put(minute, row)) is old:
                continue
            self._hold(source, new, minute)
            if (minute + 1) * MINUTE <= judged_until:
                begins.append(float(minute * MINUTE))
                more.append(float(row[new.leads] - old.row(minute)[new.leads]))
        return Changes(np.array(begins), np.array(more)) if begins else NOTHING

    def take(self, read: Iterable[tuple[Place, Mapping[bytes, bytes]]], judged_until: float) -> Changes:
        """Hold the segments that were read; return which minutes that end by `judged_until` (POSIX seconds) changed."""
        changes, judged_minutes = NOTHING, int(judged_until // MINUTE)
        for (source, number), packed in read:
            old = self._held.setdefault(source, EMPTY)
            new = old.replaced(number, packed)
            self._hold(source, new)
            begin = number * SEGMENT
            changes = changes.joined(changed(old, new, begin, min(begin + SEGMENT, judged_minutes)))
        return changes

    def _hold(self, source: str, day: Day, minute: int = 0) -> None:
        """Hold a source's day, of which nothing changed before `minute`."""
        if source in self._sums and minute < self._sums[source][0][-2]:
            del self._sums[source]
        if day.counted != self._held[source].counted:
            self._forget()
        self._held[source] = day
        if len(day.at):
            self._known.last[source] = max(self._known.last.get(source, 0.0), float(day.at[-1]) * MINUTE)

    def said(self, source: str, minute: int) -> list[int]:
        """Return the HELD counters of a minute since 1970."""
        return self._held.get(source, EMPTY).row(minute)

    def older(self, changed: Iterable[Place], now: float) -> Changes:
        """Return what changed before what is held, of which nobody knows any more what it was."""
        spans = [
            (float(number * SEGMENT * MINUTE), float((number + 1) * SEGMENT * MINUTE))
            for _, number in changed
            if number < self._oldest and now - KEPT_SECONDS < number * SEGMENT * MINUTE
        ]
        return Changes(spans=tuple(spans)) if spans else NOTHING

    def advance(self, first: float, last: float, until: dict[str, float], back: float = 0.0) -> None:
        """Look at the minutes from a lookback and `back` seconds before `first` up to `last` (POSIX seconds).

        `until` says up to when each source has told all it will.
        """
        self._oldest = _number(first - LOOKBACK - AGAIN_SECONDS)
        start = math.floor((first - LOOKBACK - back) / MINUTE) * MINUTE
        length = math.ceil(last / MINUTE) - start // MINUTE
        if self._known.until != until:
            self._known = replace(self._known, until=until)
            self._forget()
        if self._ready or start != self._table.start or length != self._table.length:
            self._table = Table(start, MINUTE, length)
            self._forget()
        self._last, self._ready = last, False
        for source, day in self._held.items():
            if len(day.at) and day.at[0] < self._oldest * SEGMENT:
                self._hold(source, day.since(self._oldest * SEGMENT))
        if not self._plain:
            self._names = [source for source in self._held if source in self._known.first]

    def _forget(self) -> None:
        """Let go of what was found of what is told."""
        self._told.clear()
        self._plain = ()

    def rest(self) -> None:
        """Let go of what `advance` made ready: of thousands of brands it would be gigabytes."""
        if self._ready:
            self._table = Table(0.0, MINUTE, 0)

    def told(self, source: str) -> tuple[int, int] | None:
        """Return the first row that a source has told and the one after the last, None where it has a gap."""
        if source not in self._told:
            whole, start, length = not self._held[source].counted, self._table.start, self._table.length
            self._told[source] = self._known.span(source, start, MINUTE, length) if whole else None
        return self._told[source]

    def plain(self) -> tuple[int, int] | None:
        """Return the first row that every source told and the one after the last, None where these differ."""
        if not self._plain:
            self._plain = (self._span(),)
        return self._plain[0]

    def _span(self) -> tuple[int, int] | None:
        spans = [self.told(source) for source in self._names]
        some = [span for span in spans if span is not None]
        if len(some) < len(spans) or not some or len({last for _, last in some}) > 1:
            return None
        return max(first for first, _ in some), some[0][1]

    def summed(self, rows: tuple[int, ...], edges: tuple[int, ...]) -> dict[str, Summed]:
        """Return what detectors see of `rows` that are `plain`, summed between `edges`, by source."""
        found, start = {}, self._table.start
        between = _spots(edges, round(start) // MINUTE)
        for source in self._names:
            found[source] = Summed(start, MINUTE, rows[-1] + 1, self._counts(source, between))
        return found

    def _counts(self, source: str, between: Spots) -> Floats:
        """Return what detectors see between edges, of which the last two are a minute apart.

        While that minute runs nothing but its own counts changes, most often.
        """
        day, (edges, known) = self._held[source], self._sums.get(source, _NO_SUMS)
        if edges is between:
            counts, (m, x, s, n, a, *_) = known.copy(), day.row(int(between[-1]) - 1)
            counts[:, -1] = m - x, n / 1000, s, a
            return counts
        sums = day.sums(between)
        counts = np.empty((4, sums.shape[1]))
        counts[0], counts[1], counts[2:] = sums[0] - sums[1], sums[3] / 1000, sums[2::2]
        self._sums[source] = between, counts
        return counts

    def _judge(self, now: float) -> None:
        for name, table in self.sources.items():
            self.sources[name] = judged(table.columns, self._known, name, self._table, now)

    def rows(self, ends: Floats) -> Rows:
        """Return the row that holds the minute before each of `ends` (POSIX seconds)."""
        return (np.ceil((ends - self._table.start) / MINUTE) - 1).astype(np.int64)

    def _row(self, end: float) -> int:
        return math.ceil((end - self._table.start) / MINUTE) - 1

    def known_rows(self, end: float) -> Rows:
        """Return the rows up to the minute that holds `end` that any source has told, the running minute included."""
        length = self._row(end) + 1
        told = np.zeros(length, dtype=np.bool_)
        for table in self.sources.values():
            told |= table.complete[:length]
        return np.flatnonzero(told)

    def ends(self, rows: Rows) -> Floats:
        """Return when the minutes of `rows` end, POSIX seconds."""
        return np.asarray(self._table.start + (rows + 1.0) * MINUTE)

    def series(self, end: float, correction: Correction | None = None) -> dict[str, Series]:
        """Return what detectors see up to the minute that holds `end`, by source, as `Table.series` does."""
        length = self._row(end) + 1
        cut = Table(self._table.start, MINUTE, length, {n: _cut(t, length) for n, t in self.sources.items()})
        return cut.series(correction)

    async def silences(self, watch: Watch, end: float, utc_offset: float) -> bool:
        """Note which pushed sources fell silent or spoke again by `end`; say whether that changed what is known."""
        changed = False
        for name in self._names:
            if name in self._known.until or name not in watch.normals:
                continue
            open_gap = next((a for a, b in self._known.gaps.get(name, ()) if math.isinf(b)), None)
            if open_gap is None and 0.0 <= end - self._known.last.get(name, 0.0) < SILENT_SECONDS - MINUTE:
                continue
            if self.sources[name].counted:
                continue
            heard = self._heard(name, end)
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
        rows = np.flatnonzero(self.sources[source].columns["m"][: self._row(end) + 1])
        if len(rows):
            return np.asarray(self._table.start + (rows + 1.0) * MINUTE)
        last = self._known.last.get(source, math.inf)
        return np.array([math.floor(last / MINUTE + 1) * MINUTE]) if last < end else np.empty(0)

    async def _gap(self, source: str, begin: float, end: float) -> None:
        field = f"{source}{keys.SEPARATOR}{int(begin)}"
        await self._store.do("HSET", keys.gaps(self._brand), field, "" if math.isinf(end) else int(end))
        others = [g for g in self._known.gaps.get(source, []) if g[0] != begin]
        self._known.gaps[source] = [*others, (begin, end)]
        self._forget()

    def completeness(self, end: float) -> dict[str, dict[str, float]]:
        """Return, by source, the share of the last hour that it told, and up to when it is complete (POSIX seconds)."""
        ratios = self.ratios(end)
        return {name: {"ratio": ratio, "complete_until": self._until(name, end)} for name, ratio in ratios.items()}

    def ratios(self, end: float) -> dict[str, float]:
        """Return, by source, the share of the hour before `end` that it told."""
        if self.told_hour(self._known.first.keys(), end):
            return dict.fromkeys(self._names, 1.0)
        hours = {name: self.known_hour(name, end) for name in self._names}
        return {name: 1.0 if hour is ALL else round(len(_HOUR[hour]) / 60.0, 3) for name, hour in hours.items()}

    def told_hour(self, sources: KeysView[str], end: float) -> bool:
        """Whether all of `sources` are known to have told all of the hour before `end`; quicker than `known_hour`."""
        span, row = self.plain(), self._row(end)
        return span is not None and span[0] <= row - 59 and row < span[1] and sources <= self._known.first.keys()

    def known_hour(self, source: str, end: float) -> slice | Bools:
        """Return which of the 60 minutes before `end` a source has told; `ALL` itself where it told all."""
        row = self._row(end)
        if source not in self._known.first:
            return slice(0, 0)
        if (span := self.told(source)) is not None:
            begin, last = min(max(span[0] - row + 59, 0), 60), min(max(span[1] - row + 59, 0), 60)
            return ALL if last - begin == 60 else slice(begin, last)
        found = np.zeros(60, dtype=np.bool_)
        told = self.sources[source].complete[max(row - 59, 0) : row + 1]
        found[60 - len(told) :] = told
        return found

    def _until(self, source: str, end: float) -> float:
        gap = next((a for a, b in self._known.holes(source) if a <= end < b), end)
        return min(self._known.until.get(source, end), gap)

    def told_until(self, source: str, now: float) -> float:
        """Return up to when `source` has told all it will, POSIX seconds; `now` where it says nothing of that."""
        return self._known.until.get(source, now)

    def lately(self, source: str, end: float, minutes: int) -> float:
        """Return what `source` told in the `minutes` before `end` (POSIX seconds), without the excluded."""
        day, last = self._held.get(source), math.ceil(end / MINUTE)
        if day is None:
            return 0.0
        own = day.total(_spots((0, minutes), last - minutes))
        return float(own[HELD.index(COUNTED)] if day.counted else own[0] - own[1])

    def last_hour(self, end: float, minutes: int = 60) -> dict[str, float]:
        """Return what was counted in the hour before `end`, or in its last `minutes`. Needs no `advance`.

        `mentions` are without the excluded.
        """
        last = math.ceil(end / MINUTE)
        sums, mentions, span = [0] * len(HELD), 0, _spots((0, minutes), last - minutes)
        for day in self._held.values():
            own = day.total(span)
            mentions += own[HELD.index(COUNTED)] if day.counted else own[0] - own[1]
            sums = own if len(self._held) == 1 else [a + b for a, b in zip(sums, own, strict=True)]
        _, excluded, scored, negative = map(float, sums[:4])
        return {"mentions": float(mentions), "scored": scored, "negative": negative / 1000, "excluded": excluded}


@lru_cache(maxsize=64)
def _spots(edges: tuple[int, ...], begin: int) -> Spots:
    """Return rows as minutes since 1970, row 0 being `begin`; many brands are asked of the same."""
    return np.array(edges, dtype=np.int32) + np.int32(begin)


def _number(at: float) -> int:
    """Return the segment that holds an instant (POSIX seconds)."""
    return math.floor(at / MINUTE / SEGMENT)


def _cut(table: SourceTable, length: int) -> SourceTable:
    return SourceTable({c: column[:length] for c, column in table.columns.items()}, table.complete[:length])
