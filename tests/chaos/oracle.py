"""What must be counted of all that was sent: a model that shares nothing with the service but the annotator.

A mention is known by (brand, source, id); the highest `updated_at` wins, whatever the order, a deletion takes it out,
and a count replaces what was said of its minutes. The model is fair where order matters: it takes no copies of one text
and not many posts of one author (an edit or a deletion that comes first may change which of them are excluded); beyond
64 distinct authors it gives bounds, since what the service keeps there is an estimate from which nothing is taken back.
"""

import functools
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from collectors.annotate import annotate

EXACT_AUTHORS = 64
"""Distinct authors of a bucket up to which the service is exact."""
ESTIMATE = 0.05
"""Relative error allowed beyond: six standard errors of the estimate (0.81 %)."""
Place = tuple[str, str]
"""Brand and source."""


@dataclass
class Bucket:
    """What one bucket of a brand and source must show; `ever` holds the authors of overtaken versions, too."""

    mentions: int = 0
    reach: int = 0
    scored: int = 0
    negative: int = 0
    positive: int = 0
    authors: set[Any] = field(default_factory=set)
    ever: set[Any] = field(default_factory=set)

    def differences(self, shown: dict[str, Any]) -> Iterator[str]:
        """Yield what a bucket as REST shows it has wrong; `negative` is in thousandths here."""
        for name in ("mentions", "reach", "scored", "positive"):
            if shown[name] != getattr(self, name):
                yield f"{name} is {shown[name]}, not {getattr(self, name)}"
        if round(1000 * shown["negative"]) != self.negative:
            yield f"negative is {shown['negative']}, not {self.negative / 1000}"
        if shown["excluded"]:
            yield f"excluded is {shown['excluded']}, not 0"
        low, high = self.author_bounds()
        if not low <= shown["authors"] <= high:
            yield f"authors is {shown['authors']}, not within {low} to {high}"

    def author_bounds(self) -> tuple[int, int]:
        """Return the least and the most distinct authors that may be shown."""
        if len(self.ever) <= EXACT_AUTHORS:
            return len(self.authors), len(self.authors)
        return math.floor(len(self.authors) * (1 - ESTIMATE)), math.ceil(len(self.ever) * (1 + ESTIMATE))


@functools.lru_cache(maxsize=100_000)
def judged(text: str) -> tuple[int, int, int]:
    """Return what a text counts for: scored, P(negative) in thousandths, positive."""
    note = annotate(text)
    assert not note.spam, f"the load must hold no spam: {text!r}"
    return int(note.scored), round(1000 * (note.negative or 0.0)), int(note.sentiment == "positive")


def milliseconds(instant: str) -> int:
    """Return POSIX milliseconds of an ISO 8601 time with its offset."""
    return round(1000 * datetime.fromisoformat(instant).timestamp())


class Oracle:
    """Takes everything that is sent, in any order and any number of times."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str, str], tuple[float, int, Any, tuple[int, int, int, int] | None]] = {}
        self._ever: dict[Place, set[tuple[int, Any]]] = defaultdict(set)
        self._counts: dict[Place, dict[int, int]] = defaultdict(dict)

    def mention(self, sent: dict[str, Any], brands: Sequence[str], gone: Sequence[str] = ()) -> None:
        """Take one mention as it is sent; `brands` are those that it is about, `gone` those it is not any more."""
        published = milliseconds(sent["published_at"])
        at, deleted = published // 1000, sent.get("deleted", False)
        updated = milliseconds(sent["updated_at"]) if "updated_at" in sent else math.inf if deleted else published
        author = sent["author"]["id"] if "author" in sent else ("nobody", sent["id"])
        adds = None if deleted else (*judged(sent["text"]), sent.get("author", {}).get("followers", 0))
        for brand in (*brands, *gone):
            out = deleted or brand in gone
            key = (brand, sent["source"], sent["id"])
            if not out:
                self._ever[brand, sent["source"]].add((at // 60, author))
            if key not in self._versions or self._versions[key][0] < updated:
                self._versions[key] = (updated, at, author, None if out else adds)

    def count(self, sent: dict[str, Any]) -> None:
        """Take a count, which replaces what was said of its minutes."""
        first, minutes = milliseconds(sent["start"]) // 60_000, sent["seconds"] // 60
        for i in range(minutes):
            share = sent["count"] * (i + 1) // minutes - sent["count"] * i // minutes
            self._counts[sent["brand"], sent["source"]][first + i] = share

    @property
    def mentions(self) -> int:
        """How many mentions count at the end, summed over brands."""
        return sum(version[3] is not None for version in self._versions.values())

    def buckets(self, width: int) -> dict[Place, dict[int, Bucket]]:
        """Return every bucket of `width` seconds that is not empty, by place and start (POSIX seconds)."""
        found: dict[Place, dict[int, Bucket]] = defaultdict(lambda: defaultdict(Bucket))
        for (brand, source, _), (_, at, author, adds) in self._versions.items():
            if adds is None:
                continue
            bucket = found[brand, source][at // width * width]
            bucket.mentions += 1
            bucket.scored += adds[0]
            bucket.negative += adds[1] * adds[0]
            bucket.positive += adds[2] * adds[0]
            bucket.reach += adds[3]
            bucket.authors.add(author)
        for place, ever in self._ever.items():
            for minute, author in ever:
                found[place][minute * 60 // width * width].ever.add(author)
        for place, minutes in self._counts.items():
            for minute, share in minutes.items():
                found[place][minute * 60 // width * width].mentions += share
        return found
