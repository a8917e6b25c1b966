"""Sources of which most brands move at once: they are suspected before the world, and the episodes say so."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import numpy as np

from detectors.together import Direction, together
from service import keys
from service.minutes import SILENT_SIZE
from service.segment import MINUTE
from service.store import Store
from service.watcher import Watcher

WINDOW = 15
"""Minutes that are compared with what is expected of them."""
EVERY = 60.0
"""Seconds between two looks."""
MOST_BRANDS = 200
"""Brands that are looked at: as many tell of a source as thousands would, in some 20 ms."""
STALE = 900.0
"""Seconds after which what a source told last says nothing of now."""


class Moved:
    """What is suspected of sources, looked at again every minute."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked_at = 0.0
        self._stored: dict[str, Direction] | None = None

    async def look(self, watchers: Iterable[Watcher], now: float) -> None:
        """See which sources' brands moved together by `now` (POSIX seconds); tell every watcher and the store."""
        if 0.0 <= now - self._looked_at < EVERY:
            return
        self._looked_at = now
        knowing = [watcher for watcher in watchers if watcher.knows]
        found = moved(list(islice(knowing, MOST_BRANDS)), now)
        for watcher in knowing:
            watcher.moved = found
        if found != self._stored:
            self._stored = found
            await self._store.do("SET", keys.MOVED, json.dumps(found))


def moved(watchers: Sequence[Watcher], now: float) -> dict[str, Direction]:
    """Return the sources most of whose brands rose, or fell, together."""
    seen: dict[str, list[tuple[float, float]]] = {}
    for watcher in watchers:
        assert watcher.watch is not None
        for source, normal in watcher.watch.normals.items():
            end = math.floor(min(watcher.minutes.told_until(source, now), now) / MINUTE) * MINUTE
            if now - end <= STALE:
                start = end - WINDOW * MINUTE
                expected = normal.mentions.mean(start, MINUTE, WINDOW, watcher.utc_offset(end)).sum()
                seen.setdefault(source, []).append((watcher.minutes.lately(source, end, WINDOW), float(expected)))
    found: dict[str, Direction] = {}
    for source, counts in seen.items():
        observed, expected = np.array(counts).T
        if direction := together(observed, expected, SILENT_SIZE):
            found[source] = direction
    return found


def sentence(directions: Mapping[str, str]) -> str | None:
    """Return what is said of it in an episode's reason, None where nothing is suspected."""
    told = [f"most brands {way} together on {source}" for source, way in sorted(directions.items())]
    return f"{', '.join(told)}: suspect the source before the world" if told else None
