"""What is asked of the detectors for a brand: the minutes that became known since the last look."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from detectors.fleet import FEW, Ask, edges_of
from detectors.series import Floats
from detectors.watch import Watch
from service.changes import AGAIN_SECONDS
from service.minutes import LOOKBACK
from service.segment import MINUTE
from service.watcher import Watcher, within

Asked = tuple[Ask | None, Floats, int]


def ask(watcher: Watcher, first: float, now: float) -> Asked:
    """Ask of what became known since the last look; return it, if there is any, and its instants (POSIX seconds).

    Rows are the minutes up to `now` that any source has told, since the last look, or since `first` where this is
    the first one; the running minute is judged as far as it went, and again. A source that tells late is judged
    when it has told. Before them stand, so many as the third answer says, those that were judged and are `again`.
    """
    assert watcher.watch is not None
    watch, minutes = watcher.watch, watcher.minutes
    if watcher.looked_until >= first - AGAIN_SECONDS and not _left_out(watcher, now):
        plain = _plain(watcher, watch, now)
        if plain is not None:
            return plain
    known = minutes.known_rows(now)
    ends = np.minimum(minutes.ends(known), now)
    looked = watcher.looked_until
    since = max(looked, first - AGAIN_SECONDS) if looked else min(first, *ends[-1:]) - MINUTE
    again = watcher.again
    due = ends > (since if again is None else min(since, max(again, first - AGAIN_SECONDS)))
    known, ends = known[due], ends[due]
    if not len(known):
        return None, ends, 0
    last = float(minutes.ends(known[-1:])[0])
    recent = minutes.series(last, watcher.correction)
    buckets = next(iter(recent.values()))
    asked = Ask(
        watch,
        recent,
        tuple(known.tolist()),
        exposure=1.0 - (last - float(ends[-1])) / MINUTE,
        mask=within(buckets, watcher.closed) if watcher.closed else None,
        campaign=watcher.campaign(buckets) if watcher.brand.campaigns else None,
        utc_offset=watcher.utc_offset(now),
    )
    return asked, ends, int(np.searchsorted(ends, since, side="right"))


def _left_out(watcher: Watcher, now: float) -> bool:
    """Whether minutes of the last day may be left out or changed, or were judged and are `again`."""
    begin = now - LOOKBACK - MINUTE
    if not watcher.closed and not watcher.brand.campaigns:
        return watcher.again is not None or watcher.correction is not None
    return (
        watcher.again is not None
        or watcher.correction is not None
        or any(end > begin for _, end in watcher.closed)
        or any(c.start.timestamp() < now and c.end.timestamp() > begin for c in watcher.brand.campaigns)
    )


def _plain(watcher: Watcher, watch: Watch, now: float) -> Asked | None:
    """The same where few minutes are due and all is known of the day before: their sums alone are enough, and cheap."""
    minutes = watcher.minutes
    span = minutes.plain()
    if span is None:
        return None
    start = minutes.start
    last = min(span[1], math.ceil((now - start) / MINUTE))
    begin = math.floor((watcher.looked_until - start) / MINUTE)
    if begin >= last or min(start + MINUTE * last, now) <= watcher.looked_until:
        return None, np.empty(0), 0
    if last - begin > FEW or span[0] > max(begin + 1 - round(LOOKBACK / MINUTE), 0):
        return None
    few = _few(watch.step, start, begin, last, now)
    offset = watcher.utc_offset(now)
    return Ask(watch, minutes.summed(few.rows, few.edges), few.rows, few.exposure, utc_offset=offset), few.ends, 0


class _Few(NamedTuple):
    """Rows that are asked of, when they end (POSIX seconds), the edges of their windows, the last one's exposure."""

    rows: tuple[int, ...]
    ends: Floats
    edges: tuple[int, ...]
    exposure: float


@lru_cache(maxsize=64)
def _few(fitted: float, start: float, begin: int, last: int, now: float) -> _Few:
    """Return rows from `begin` to `last` (not included); brands that were last looked at together share them."""
    rows = tuple(range(begin, last))
    ends = np.array([min(start + MINUTE * (row + 1), now) for row in rows], dtype=np.float64)
    ends.flags.writeable = False
    return _Few(rows, ends, edges_of(fitted, MINUTE, rows), 1.0 - (start + MINUTE * last - float(ends[-1])) / MINUTE)
