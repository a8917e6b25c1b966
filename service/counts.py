"""Reading a brand's packed buckets as arrays, with what is unknown."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from collectors.correct import Correction
from detectors.series import Floats, Series
from service import doubts, keys
from service.clock import iso
from service.store import Store

Flags = NDArray[np.bool_]

CODES = "mxsnwprahck"
"""A bucket's counters in the order they are packed; as in functions.lua."""
FIELDS = {
    "mentions": "m",
    "negative": "n",
    "negative_variance": "w",
    "positive": "p",
    "scored": "s",
    "excluded": "x",
    "authors": "a",
    "authors_approximate": "h",
    "reach": "r",
}
THOUSANDTHS = {"negative", "negative_variance"}
COUNTED, KNOWN = "c", "k"
"""A count that a source gave instead of posts, and for how many of a bucket's minutes it did."""
SHARE_WINDOW = 3600.0
"""Seconds of posts that estimate the negative share of counts."""


@dataclass
class SourceTable:
    """One source's buckets: columns of shape (n,), and which buckets are known."""

    columns: dict[str, Floats]
    complete: Flags

    @property
    def counted(self) -> bool:
        """Whether the source gives counts, so that its posts are a sample."""
        return bool(self.columns[KNOWN].any())


@dataclass
class Table:
    """A brand's buckets of `width` seconds from `start` (POSIX seconds), by source."""

    start: float
    width: int
    length: int
    sources: dict[str, SourceTable] = field(default_factory=dict)

    def total(self, name: str) -> Floats:
        """Return a field summed over the sources, shape (n,)."""
        out = np.zeros(self.length)
        for table in self.sources.values():
            column = table.columns[FIELDS[name]]
            if name == "mentions" and table.counted:
                column = table.columns[COUNTED]
            out += column / 1000 if name in THOUSANDTHS else column
        return out

    @property
    def complete(self) -> Flags:
        """Which buckets every source has told."""
        out = np.ones(self.length, dtype=bool)
        for table in self.sources.values():
            out &= table.complete
        return out & bool(self.sources)

    @property
    def times(self) -> Floats:
        """When the buckets begin, POSIX seconds, shape (n,)."""
        return np.asarray(self.start + self.width * np.arange(self.length), dtype=np.float64)

    def series(self, correction: Correction | None = None) -> dict[str, Series]:
        """Return what detectors see, by source: excluded mentions left out, NaN where a source is unknown.

        With a `correction` negative mentions are as many as the brand's labels say.
        """
        return {name: self._series(table, correction) for name, table in self.sources.items()}

    def _series(self, table: SourceTable, correction: Correction | None) -> Series:
        c, known = table.columns, table.complete
        scored, negative = c["s"], c["n"] / 1000
        if correction is not None:
            negative = correction.carried(self.times, negative, scored)
        mentions, authors = c["m"] - c["x"], c["a"]
        if table.counted:
            mentions = c[COUNTED]
            authors = np.where(c["m"] > 0, mentions * authors / np.maximum(c["m"], 1), np.nan)
            negative = mentions * _share(negative, scored, max(int(SHARE_WINDOW / self.width), 1))
            scored = np.minimum(scored, mentions)
        hide = np.where(known, 0.0, np.nan)
        return Series(self.start, self.width, mentions + hide, negative + hide, scored + hide, authors + hide)


def _share(negative: Floats, scored: Floats, window: int) -> Floats:
    """Return the negative share of the trailing `window` buckets, the whole table's where none was scored."""
    overall = negative.sum() / scored.sum() if scored.sum() else 0.0
    n, s = (np.concatenate([np.zeros(window), np.cumsum(x)]) for x in (negative, scored))
    top, below = n[window:] - n[:-window], s[window:] - s[:-window]
    return np.where(below > 0, top / np.maximum(below, 1), overall)


@dataclass(frozen=True)
class Coverage:
    """What is known of a brand's sources: first and last publication, gaps, and up to when each is complete.

    In the spans of `suspected` a source is not believed.
    """

    first: dict[str, float]
    last: dict[str, float]
    gaps: dict[str, list[tuple[float, float]]]
    until: dict[str, float]
    suspected: Mapping[str, list[tuple[float, float]]] = field(default_factory=dict)

    def holes(self, source: str) -> list[tuple[float, float]]:
        """Return the spans in which `source` told nothing, or is not believed."""
        return [*self.gaps.get(source, ()), *self.suspected.get(source, ())]

    def span(self, source: str, start: float, width: int, length: int) -> tuple[int, int] | None:
        """Return the first of the buckets that `source` told and the one after the last, None where one is missing."""
        end, until = start + width * length, self.until.get(source, math.inf)
        for begin, over in self.holes(source):
            if over >= end:
                until = min(until, begin)
            elif begin < end and over > start:
                return None
        first = max(math.floor((self.first[source] - start) / width), 0)
        return first, length if until >= end else max(math.floor((until - start) / width), 0)

    def flags(self, source: str, start: float, width: int, length: int, now: float) -> Flags:
        """Return which buckets `source` has told."""
        begins = start + width * np.arange(length)
        known = begins + width > self.first.get(source, math.inf)
        known &= begins < self.until.get(source, now)
        if source in self.until:
            known &= begins + width <= max(self.until[source], 0.0)
        for a, b in self.holes(source):
            known &= (begins + width <= a) | (begins >= b)
        return known


async def coverage(store: Store, brand: str, now: float) -> Coverage:
    """Read what is known of a brand's sources at `now` (POSIX seconds)."""
    since, gaps, until, suspected = await store.pipe(
        [
            ("HGETALL", keys.since(brand)),
            ("HGETALL", keys.gaps(brand)),
            ("HGETALL", keys.SOURCES),
            ("GET", keys.SUSPECTED),
        ]
    )
    seen: dict[str, dict[str, float]] = {"first": {}, "last": {}}
    for name, value in since.items():
        source, _, which = name.decode().partition(keys.SEPARATOR)
        seen[which][source] = float(value)
    holes: dict[str, list[tuple[float, float]]] = {}
    for name, value in gaps.items():
        source, _, begin = name.decode().partition(keys.SEPARATOR)
        holes.setdefault(source, []).append((float(begin), float(value) if value else math.inf))
    doubted = doubts.holes(doubts.unpacked(suspected), brand, now)
    return Coverage(seen["first"], seen["last"], holes, _told(brand, until), doubted)


def _told(brand: str, until: dict[bytes, bytes]) -> dict[str, float]:
    """Return up to when each source is complete: what it says itself, or the latest of what its collectors say."""
    said: dict[str, list[float]] = {}
    read: dict[str, list[float]] = {}
    for name, value in until.items():
        source, *of = name.decode().split(keys.SEPARATOR)
        if not of or of[0] == brand:
            (read if len(of) == 2 else said).setdefault(source, []).append(float(value))
    for source, times in read.items():
        said.setdefault(source, []).append(min(times))
    return {source: max(times) for source, times in said.items()}


async def read(
    store: Store, brand: str, start: float, end: float, width: int, now: float, sources: Sequence[str] | None = None
) -> Table:
    """Read the buckets that overlap `start` to `end` (POSIX seconds), of all sources or of some."""
    known = await coverage(store, brand, now)
    names = [s for s in sorted(known.first) if sources is None or s in sources]
    begin = math.floor(max(start, min(known.first.values(), default=start)) / width)
    table = Table(begin * width, width, max(math.ceil(end / width) - begin, 0))
    numbers = range(begin // keys.SEGMENT[width], (begin + table.length - 1) // keys.SEGMENT[width] + 1)
    commands = [("HGETALL", keys.segment(brand, name, width, n)) for name in names for n in numbers]
    answers = iter(await store.pipe(commands))
    for name in names:
        columns = {code: np.zeros(table.length) for code in (*FIELDS.values(), COUNTED, KNOWN)}
        for n in numbers:
            unpack(next(answers), n * keys.SEGMENT[width] - begin, columns)
        table.sources[name] = judged(columns, known, name, table, now)
    return table


def csv_rows(table: Table, correction: Correction | None = None) -> Iterator[str]:
    """Yield the table as `foreshock backtest` reads it, summed over sources; what one did not tell is empty."""
    yield "timestamp,mentions,negative,scored,authors"
    series = list(table.series(correction).values())
    if not series:
        return
    columns = [sum((getattr(s, name) for s in series), np.zeros(table.length)) for name in _CSV]
    begins = np.flatnonzero(np.isfinite(columns[0]))
    for row in range(int(begins[0]) if len(begins) else table.length, table.length):
        cells = [f"{column[row]:.6g}" if np.isfinite(column[row]) else "" for column in columns]
        yield ",".join([iso(table.start + row * table.width), *cells])


_CSV = ("mentions", "negative", "scored", "authors")


def judged(columns: dict[str, Floats], known: Coverage, source: str, table: Table, now: float) -> SourceTable:
    """Return a source's columns with which of its buckets are known."""
    flags = known.flags(source, table.start, table.width, table.length, now)
    found = SourceTable(columns, flags)
    if found.counted:
        found.complete &= columns[KNOWN] * 60 >= table.width
    return found


_bucket = msgspec.msgpack.Decoder(list[int])


def unpack(packed: dict[bytes, bytes], offset: int, columns: dict[str, Floats]) -> None:
    """Write a segment's buckets into columns, its bucket 0 at `offset`."""
    length = len(next(iter(columns.values())))
    rows = [(offset + int(name), _bucket.decode(value)) for name, value in packed.items()]
    rows = [(place, values) for place, values in rows if 0 <= place < length]
    if not rows:
        return
    table = np.zeros((len(rows), len(CODES)))
    for row, (_, values) in zip(table, rows, strict=True):
        row[: len(values)] = values
    places = np.array([place for place, _ in rows])
    for code, column in columns.items():
        column[places] = table[:, CODES.index(code)]
