"""What is not believed of sources: spans in which most brands of one moved together, kept as long as counts are.

In such a span the source is unknown for its brands. What it tells of the `teller` of a rise, the brand that rose most,
is believed: so that where it was the world after all, one brand's people are paged, and not all or none.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import inf

from detectors.together import Direction
from service.policy import accepted

STEP = 60.0
"""Seconds of what is judged."""

Spans = list[tuple[float, float]]


@dataclass(frozen=True)
class Doubt:
    """Most brands of `source` moved one `way` from `begin` to `end` (POSIX seconds), None while they do."""

    source: str
    way: Direction
    begin: float
    end: float | None = None
    teller: str | None = None

    def settled(self, now: float) -> bool:
        """Whether it has become the new level, and is believed."""
        return accepted(self.begin, now if self.end is None else self.end, STEP)


def holes(found: Iterable[Doubt], brand: str, now: float) -> dict[str, Spans]:
    """Return in which spans a brand's sources are not believed."""
    spans: dict[str, Spans] = {}
    for one in found:
        if one.teller != brand and not one.settled(now):
            spans.setdefault(one.source, []).append((one.begin, inf if one.end is None else one.end))
    return spans


def ways(found: Iterable[Doubt], now: float) -> dict[str, Direction]:
    """Return which way the brands of a source move together now."""
    return {one.source: one.way for one in found if one.end is None and not one.settled(now)}


def risen(found: Iterable[Doubt]) -> dict[str, float]:
    """Return by source when its last rise ended (POSIX seconds): infinite where there is one."""
    ends: dict[str, float] = {}
    for one in found:
        if one.way == "rise":
            ends[one.source] = max(ends.get(one.source, 0.0), inf if one.end is None else one.end)
    return ends


def packed(found: Iterable[Doubt]) -> str:
    """Return doubts as the store keeps them."""
    return json.dumps([asdict(one) for one in found])


def unpacked(text: bytes | None) -> list[Doubt]:
    """Return what `packed` made."""
    return [Doubt(**one) for one in json.loads(text or "[]")]


def sentence(directions: Mapping[str, str]) -> str | None:
    """Return what is said of it in an episode's reason, None where nothing is suspected."""
    told = [f"most brands {way} together on {source}" for source, way in sorted(directions.items())]
    return f"{', '.join(told)}: suspect the source before the world" if told else None
