"""Every bucket that REST shows, against the oracle's."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.chaos.load import BRANDS, DAYS, SOURCES, TICKETS
from tests.chaos.oracle import Bucket, Oracle

WIDTHS = (60, 300, 3600)


ALL = timedelta(seconds=DAYS + 3600)
"""As far back as the load goes."""
QUICK = {60: timedelta(hours=3), 300: timedelta(days=1), 3600: ALL}
"""How far back buckets are read, by width, where that must be quick; hours tell whether anything is missing."""


@dataclass
class Comparison:
    """What was compared and what differs; mentions missing (lost) and too many (twice) are the most of any width."""

    buckets: int = 0
    mentions: int = 0
    lost: int = 0
    twice: int = 0
    differences: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether every field of every bucket is what it must be."""
        return not (self.lost or self.twice or self.differences)


def compare(client: httpx.Client, oracle: Oracle, *, quick: bool = False) -> Comparison:
    """Compare every minute, five minutes and hour of every brand and source with the oracle."""
    found = Comparison()
    for width in WIDTHS:
        back = QUICK[width] if quick else ALL
        expected = oracle.buckets(width)
        mentions = lost = twice = 0
        for brand in BRANDS:
            for source in (*SOURCES, TICKETS):
                shown = series(client, brand, source, width, back)
                of = expected[brand, source]
                for row in shown:
                    bucket = of.pop(start_of(row), EMPTY)
                    found.differences += [
                        f"{brand} {source} {width} {row['start']}: {d}" for d in bucket.differences(row)
                    ]
                    mentions += row["mentions"]
                    lost += max(bucket.mentions - row["mentions"], 0)
                    twice += max(row["mentions"] - bucket.mentions, 0)
                found.buckets += len(shown)
                missing = 0 if back != ALL else sum(bucket.mentions for bucket in of.values())
                if missing:
                    found.differences.append(f"{brand} {source} {width}: buckets with {missing} mentions are not shown")
                lost += missing
        found.mentions = max(found.mentions, mentions)
        found.lost = max(found.lost, lost)
        found.twice = max(found.twice, twice)
    return found


EMPTY = Bucket()


def series(
    client: httpx.Client, brand: str, source: str | None, width: int, back: timedelta = ALL
) -> list[dict[str, Any]]:
    """Return a brand's buckets of one source, or of all, as far `back`."""
    now = datetime.now(UTC)
    bounds = {"start": (now - back).isoformat(), "end": (now + timedelta(minutes=5)).isoformat()}
    of = {"source": source} if source else {}
    answer = client.get(f"/v1/brands/{brand}/series", params={"step": str(width), **of, **bounds})
    assert answer.status_code == 200, answer.text
    buckets: list[dict[str, Any]] = answer.json()["buckets"]
    return buckets


def start_of(shown: dict[str, Any]) -> int:
    """Return a shown bucket's start, POSIX seconds."""
    return int(datetime.fromisoformat(shown["start"]).timestamp())
