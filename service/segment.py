"""The last day of a source's minutes as memory holds them: only those in which anything was counted, packed small."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.series import Floats
from service import keys
from service.changes import Changes
from service.counts import CODES, COUNTED, KNOWN

MINUTE = 60
SEGMENT = keys.SEGMENT[MINUTE]
HELD = f"mxsna{COUNTED}{KNOWN}"
"""The counters of a minute that judging needs."""
POSTS = 5
"""How many of them, the first, are of posts and not of a source's own count."""

Whole = NDArray[np.int64]
Spots = NDArray[np.int32]
"""Minutes since 1970: what is asked of a `Day` is of the type it holds, so that nothing is converted."""


class Day(NamedTuple):
    """Minutes `at` (k,) since 1970 in which anything was counted, rising, and HELD counters (7, k), packed small.

    `counted` says whether the source gave a count itself. A day never changes; what changes it gives another.
    """

    at: Spots
    values: NDArray[np.unsignedinteger]
    counted: bool

    def place(self, minute: int) -> int:
        """Return where a minute stands, or would stand."""
        return int(self.at.searchsorted(np.int32(minute)))

    def row(self, minute: int) -> list[int]:
        """Return the counters of one minute."""
        place = self.place(minute)
        here = place < len(self.at) and self.at[place] == minute
        return self.values[:, place].tolist() if here else _NOTHING

    @property
    def leads(self) -> int:
        """Which of the HELD counters tells how much was said."""
        return HELD.index(COUNTED if self.counted else "m")

    def put(self, minute: int, row: list[int]) -> "Day":
        """Return the day with other counters in one minute, the same where they were so."""
        place, at, values = self.place(minute), self.at, self.values
        here = place < len(at) and at[place] == minute
        if row == (values[:, place].tolist() if here else _NOTHING):
            return self
        if not any(row):
            return _day(np.delete(at, place), np.delete(values, place, axis=1))
        if max(row) >> 8 * values.itemsize:
            values = values.astype(np.min_scalar_type(max(row)))
        if here:
            values = values.copy()
            values[:, place] = row
        else:
            column = np.array(row, dtype=values.dtype)[:, None]
            values = np.concatenate((values[:, :place], column, values[:, place:]), axis=1)
            at = np.concatenate((at[:place], np.array((minute,), dtype=np.int32), at[place:]))
        return _day(at, values) if self.counted or row[-1] else Day(at, values, False)

    def replaced(self, number: int, packed: Mapping[bytes, bytes]) -> "Day":
        """Return the day with another segment, as the store holds it."""
        first, last = self.place(number * SEGMENT), self.place((number + 1) * SEGMENT)
        new = np.fromiter(map(int, packed), np.int32, len(packed)) + np.int32(number * SEGMENT)
        rows, order = counters(list(packed.values())), new.argsort()
        some = order[rows[order].any(axis=1)]
        at = np.concatenate((self.at[:first], new[some], self.at[last:]))
        column = rows[some].T.astype(np.min_scalar_type(int(rows.max(initial=0))))
        return _day(at, np.concatenate((self.values[:, :first], column, self.values[:, last:]), axis=1))

    def since(self, minute: int) -> "Day":
        """Return the day from a minute on."""
        place = self.place(minute)
        return _day(self.at[place:].copy(), self.values[:, place:].copy())

    def sums(self, edges: Spots) -> Whole:
        """Return the POSTS counters summed between `edges`, minutes since 1970 that rise, shape (5, edges - 1)."""
        places = self.at.searchsorted(edges)
        begins, end = places[:-1], places[-1]
        some = begins < places[1:]
        if np.logical_and.reduce(some):  # quicker than all()
            return np.asarray(np.add.reduceat(self.values[:POSTS, :end], begins, axis=1, dtype=np.int64))
        found = np.zeros((POSTS, len(begins)), dtype=np.int64)
        if some.any():
            found[:, some] = np.add.reduceat(self.values[:POSTS, :end], begins[some], axis=1, dtype=np.int64)
        return found

    def total(self, span: Spots) -> list[int]:
        """Return the HELD counters summed from one minute of the span to the other."""
        first, last = self.at.searchsorted(span)
        found: list[int] = np.add.reduce(self.values[:, first:last], axis=1, dtype=np.int64).tolist()
        return found

    def dense(self, begin: int, length: int) -> Floats:
        """Return the counters of every minute from `begin` on, shape (7, length)."""
        found, inside = np.zeros((len(HELD), length)), slice(self.place(begin), self.place(begin + length))
        places = self.at[inside] - begin
        if len(places) and int(places[-1] - places[0]) + 1 == len(places):  # a slice is filled in a tenth of the time
            found[:, places[0] : places[-1] + 1] = self.values[:, inside]
        else:
            found[:, places] = self.values[:, inside]
        return found


_buckets = msgspec.msgpack.Decoder(list[list[int]])
_PLACES = [CODES.index(code) for code in HELD]
_ZEROS = [0] * len(CODES)
_NOTHING = [0] * len(HELD)
_EMPTY_BUCKET = b"\x90"


def _day(at: Spots, values: NDArray[np.unsignedinteger]) -> Day:
    return Day(at, values, bool(values[HELD.index(KNOWN)].any()))


EMPTY = _day(np.empty(0, dtype=np.int32), np.empty((len(HELD), 0), dtype=np.uint8))


def counters(packed: Sequence[bytes]) -> Whole:
    """Return the HELD counters of buckets as the store holds them, shape (n, 7); "" is one that is not there.

    They are decoded as one msgpack array, which is quicker.
    """
    rows = _buckets.decode(b"\xdd" + len(packed).to_bytes(4) + b"".join([one or _EMPTY_BUCKET for one in packed]))
    lengths = set(map(len, rows))
    width = max(lengths, default=0)
    if len(lengths) > 1:
        rows = [row + _ZEROS[len(row) : width] for row in rows]
    table = np.zeros((len(rows), len(CODES)), dtype=np.int64)
    table[:, :width] = np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * width).reshape(len(rows), width)
    return np.asarray(np.maximum(table[:, _PLACES], 0))


def mentions(row: Sequence[int]) -> int:
    """Return what HELD counters say of mentions, without the excluded, or what their source gave as their count."""
    return max(row[0] - row[1], row[HELD.index(COUNTED)])


def changed(old: Day, new: Day, begin: int, end: int) -> Changes:
    """Return what differs between two states of the minutes from `begin` to `end`."""
    if end <= begin:
        return Changes()
    was, now = (slice(day.place(begin), day.place(end)) for day in (old, new))
    if old.at[was].tobytes() == new.at[now].tobytes() and bool((old.values[:, was] == new.values[:, now]).all()):
        return Changes()
    more = new.dense(begin, end - begin) - old.dense(begin, end - begin)
    places = np.flatnonzero(more.any(axis=0))
    return Changes(np.asarray(MINUTE * (begin + places), dtype=np.float64), more[new.leads, places])
