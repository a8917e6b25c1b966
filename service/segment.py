"""Four hours of one source's minutes as memory holds them: only what is not zero, packed small."""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
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


class Segment(NamedTuple):
    """The minutes of a segment in which anything was counted: offsets (k,) and HELD counters (7, k), packed small.

    `counted` says whether the source gave a count itself.
    """

    offsets: NDArray[np.uint8]
    values: NDArray[np.unsignedinteger]
    counted: bool

    def dense(self) -> Floats:
        """Return the counters of every minute, shape (7, SEGMENT)."""
        found = np.zeros((len(HELD), SEGMENT))
        found[:, self.offsets] = self.values
        return found


_buckets = msgspec.msgpack.Decoder(list[list[int]])
_PLACES = [CODES.index(code) for code in HELD]
_ZEROS = [0] * len(CODES)


def segment(packed: Mapping[bytes, bytes]) -> Segment:
    """Return a segment as the store holds it; its buckets are decoded as one msgpack array, which is quicker."""
    rows = _buckets.decode(b"\xdc" + len(packed).to_bytes(2) + b"".join(packed.values()))
    if len(set(map(len, rows))) > 1:
        rows = [row + _ZEROS[len(row) :] for row in rows]
    width = len(rows[0]) if rows else 0
    table = np.zeros((len(rows), len(CODES)), dtype=np.int64)
    table[:, :width] = np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * width).reshape(len(rows), width)
    offsets = np.fromiter(map(int, packed), dtype=np.uint8, count=len(packed))
    order = offsets.argsort()
    values = np.maximum(table[order][:, _PLACES].T, 0)
    small = np.min_scalar_type(int(values.max(initial=0)))
    return Segment(offsets[order], values.astype(small), bool(values[HELD.index(KNOWN)].any()))


EMPTY = segment({})


def mentions(packed: bytes) -> int:
    """Return what was counted in a minute as the store holds it: mentions, or what its source gave as their count."""
    (row,) = _buckets.decode(b"\x91" + packed)
    row += _ZEROS[len(row) :]
    return max(row[CODES.index("m")] - row[CODES.index("x")], row[CODES.index(COUNTED)])


def changed(old: Segment, new: Segment, begin: float, judged_until: float) -> Changes:
    """Return what differs between two states of the segment that begins at `begin`, in what was judged."""
    judged_minutes = min(int((judged_until - begin) // MINUTE), SEGMENT)
    if _same(old, new, judged_minutes):
        return Changes()
    before, after = old.dense(), new.dense()
    places = np.flatnonzero((before != after).any(axis=0)[:judged_minutes])
    if not len(places):
        return Changes()
    mentions = HELD.index(COUNTED if new.counted else "m")
    return Changes(np.asarray(begin + MINUTE * places), (after - before)[mentions, places])


def add(sums: Floats, part: Segment, begin: int, edges: tuple[int, ...]) -> None:
    """Add a segment whose first minute is row `begin` to the sums between `edges`, shape (7, edges - 1)."""
    first, last = bisect_right(edges, begin) - 1, bisect_left(edges, begin + SEGMENT) - 1
    if 0 <= first == last < len(edges) - 1:
        sums[:, first] += np.add.reduce(part.values, axis=1, dtype=np.int64)
    elif first < len(edges) - 1 and last >= 0:
        total = np.zeros((len(HELD), len(part.offsets) + 1), dtype=np.int64)
        np.cumsum(part.values, axis=1, out=total[:, 1:])
        sums += np.diff(total[:, part.offsets.searchsorted(np.subtract(edges, begin))])


def _same(old: Segment, new: Segment, minutes: int) -> bool:
    """Whether two states hold the same counts in the first minutes: most often only the newest changes."""
    here, there = (int(one.offsets.searchsorted(minutes)) for one in (old, new))
    return (
        here == there
        and old.offsets[:here].tobytes() == new.offsets[:here].tobytes()
        and bool((old.values[:, :here] == new.values[:, :here]).all())
    )
