"""Up to when every source has told all it will, of all brands: one read a tick, parsed only where it changed.

`report` says for one brand what is missing and why.
"""

import json
import math
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

from service import keys
from service.clock import iso
from service.counts import Coverage, Flags, coverage, read
from service.store import Store

LAG = "lag"
"""Why what is too young is missing: its source has not told it yet."""


class Completeness:
    """What is said in the store of every source; `of` gives a brand's part.

    `gapped` are brands of which a gap was noted; who reads it anew takes them out.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self.gapped: set[str] = set()
        self._said: dict[bytes, bytes] = {}
        self._gapped: dict[bytes, bytes] = {}
        self._shared: dict[str, float] = {}
        self._own: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)

    async def refresh(self) -> set[str] | None:
        """Read what is said now; return the brands for which that changed, None where it may be any."""
        said: dict[bytes, bytes]
        said, gapped = await self._store.pipe([("HGETALL", keys.SOURCES), ("HGETALL", keys.GAPPED)])
        moved = {brand.decode() for brand, _ in gapped.items() ^ self._gapped.items()}
        self.gapped |= moved
        self._gapped = gapped
        everywhere = False
        for field in {name for name, _ in said.items() ^ self._said.items()}:
            source, brand, collector = (*field.decode().split(keys.SEPARATOR), "", "")[:3]
            value = said.get(field)
            everywhere |= not brand
            moved.add(brand)
            if not brand:
                self._shared.pop(source, None)
                self._shared |= {source: float(value)} if value is not None else {}
            elif value is None:
                self._own[brand].pop((source, collector), None)
            else:
                self._own[brand][source, collector] = float(value)
        self._said = said
        return None if everywhere else moved

    def of(self, brand: str) -> dict[str, float]:
        """Return up to when each source is complete: what it says itself, or what all its collectors have read."""
        found, read = dict(self._shared), dict[str, float]()
        for (source, collector), until in self._own.get(brand, {}).items():
            if collector:
                read[source] = min(read.get(source, until), until)
            else:
                found[source] = max(found.get(source, until), until)
        for source, until in read.items():
            found[source] = max(found.get(source, until), until)
        return found


async def report(
    store: Store, brand: str, start: float, end: float, width: int, now: float, listens: Collection[str] = ()
) -> dict[str, Any]:
    """Return, by source, which buckets of `width` seconds from `start` to `end` (POSIX seconds) it did not tell.

    Why is `before` (it was not listened to), `gap` (it was silent, or no longer offers it), `uncounted` (its counts
    left it out), `suspected` (most brands moved together there), or what keeps it from telling now: `lag`, `error`,
    `limit`, `cap`, `full`. `moved_together` is `rise` or `fall` where most brands of the source do, so that the source
    itself is suspected. `watched_since` is when the brand joined a source that was read for others before and that does
    not read back for it. `listens` are the types of the brand's sources.
    """
    table, known = await read(store, brand, start, end, width, now), await coverage(store, brand, now)
    polled = await _polled(store, brand, known.until.keys() | set(listens))
    moved = json.loads(await store.do("GET", keys.MOVED) or "{}")
    found = {}
    for name in sorted(table.sources.keys() | polled.keys()):
        notes = polled.get(name, [])
        keeps = next((str(note["why"]) for note in notes if note.get("why")), LAG)
        flags = table.sources[name].complete if name in table.sources else None
        until, joined = known.until.get(name), _joined(known.gaps.get(name, ()))
        found[name] = {
            "watched_since": iso(joined) if joined else None,
            "complete_until": iso(until) if until else None,
            "lag_seconds": round(max(now - until, 0.0), 1) if until else None,
            "ratio": round(float(flags.mean()), 4) if flags is not None and len(flags) else None,
            "missing": _missing(known, name, flags, table.start, width, keeps) if flags is not None else [],
            "moved_together": moved.get(name),
            "collectors": [_shown(note) for note in notes],
        }
    return found


async def _polled(store: Store, brand: str, told: Collection[str]) -> dict[str, list[dict[str, Any]]]:
    """Return what collectors said of their last polls, by source, failures first; `told` may be of all brands."""
    found = defaultdict(list)
    for text in await store.do("HVALS", keys.COLLECTORS):
        note = json.loads(text)
        if note["brand"] == brand or (not note["brand"] and note["source"] in told):
            found[note["source"]].append(note)
    return {name: sorted(notes, key=lambda note: note.get("why") is None) for name, notes in found.items()}


def _shown(note: dict[str, Any]) -> dict[str, Any]:
    since = note.get("since")
    return {
        "asked_at": iso(note["at"]),
        "taken": note["taken"],
        "skipped": note.get("skipped", 0),
        "why": note.get("why"),
        "since": iso(since) if since else None,
        "error": note["error"],
    }


def _missing(known: Coverage, source: str, flags: Flags, start: float, width: int, keeps: str) -> list[dict[str, str]]:
    spans: list[tuple[float, float, str]] = []
    for row in range(len(flags)):
        begin = start + row * width
        if flags[row]:
            continue
        why = _why(known, source, begin, begin + width, keeps)
        if spans and spans[-1][1:] == (begin, why):
            spans[-1] = spans[-1][0], begin + width, why
        else:
            spans.append((begin, begin + width, why))
    return [{"start": iso(begin), "end": iso(end), "why": why} for begin, end, why in spans]


def _joined(gaps: Sequence[tuple[float, float]]) -> float:
    """Return when a brand joined a source that was read before, POSIX seconds; 0 where it did not."""
    return next((end for begin, end in gaps if begin == 0.0), 0.0)


def _why(known: Coverage, source: str, begin: float, end: float, keeps: str) -> str:
    gaps: Sequence[tuple[float, float]] = known.gaps.get(source, ())
    if end <= known.first.get(source, math.inf) or begin < _joined(gaps):
        return "before"
    if any(begin < b and end > a for a, b in gaps):
        return "gap"
    if any(begin < b and end > a for a, b in known.suspected.get(source, ())):
        return "suspected"
    return keeps if end > known.until.get(source, -math.inf) else "uncounted"
