"""What `/metrics` shows of the way in: what waits to be counted, for how long, and what could not be counted."""

import time
from typing import Any

from redis.exceptions import ResponseError

from service import keys
from service.deadletters import KINDS
from service.exposition import Family
from service.store import Store


async def ingest_families(store: Store) -> list[Family]:
    """Read the backlog of every shard, and the dead letters."""
    tags = keys.all_shards()
    commands = [("XLEN", keys.ingest(tag)) for tag in tags]
    commands += [("XLEN", keys.dead(tag)) for tag in tags] + [("HGETALL", keys.dead_totals(tag)) for tag in tags]
    answers = await store.pipe(commands)
    n = len(tags)
    behind = {tag: int(length) for tag, length in zip(tags, answers[:n], strict=True) if length}
    return [*await _backlog(store, behind), *_dead(sum(answers[n : 2 * n]), answers[2 * n :])]


async def _backlog(store: Store, behind: dict[str, int]) -> list[Family]:
    each = Family("foreshock_ingest_backlog_entries", "gauge", "Batches of a shard that wait to be counted, if any")
    total = Family("foreshock_ingest_waiting_entries", "gauge", "Batches of all shards that wait to be counted")
    age = Family("foreshock_ingest_lag_seconds", "gauge", "Age of a shard's oldest batch that is not counted, if any")
    most = Family("foreshock_ingest_max_lag_seconds", "gauge", "Age of the oldest batch that is not counted")
    taken = Family("foreshock_ingest_pending_entries", "gauge", "Batches that a worker has taken and not counted yet")
    pending, oldest = await _oldest(store, list(behind))
    now = time.time()  # entries are named by the store's clock, whatever clock the service runs on
    lags = {tag: max(now - at, 0.0) for tag, at in oldest.items()}
    for tag, length in behind.items():
        each.add(length, shard=tag.strip("{}"))
    for tag, lag in lags.items():
        age.add(round(lag, 3), shard=tag.strip("{}"))
    total.add(sum(behind.values()))
    most.add(round(max(lags.values(), default=0.0), 3))
    taken.add(pending)
    return [each, total, age, most, taken]


async def _oldest(store: Store, tags: list[str]) -> tuple[int, dict[str, float]]:
    """Return how many entries of these shards are taken, and when each shard's oldest came (POSIX seconds).

    What is counted leaves the stream, and workers take in order: the oldest is the first that is taken, or else the
    first that waits. Only the latter must be read, as no command gives its name alone.
    """
    try:
        taken = await store.pipe([("XPENDING", keys.ingest(tag), keys.COUNTERS) for tag in tags])
    except ResponseError as error:
        if "NOGROUP" not in str(error):
            raise
        taken = [{"pending": 0}] * len(tags)  # a store that came back empty, before any worker has seen it
    oldest = {tag: _seconds(t["min"]) for tag, t in zip(tags, taken, strict=True) if t["pending"]}
    rest = [tag for tag in tags if tag not in oldest]
    waiting = await store.pipe([("XRANGE", keys.ingest(tag), "-", "+", "COUNT", 1) for tag in rest])
    oldest |= {tag: _seconds(entries[0][0]) for tag, entries in zip(rest, waiting, strict=True) if entries}
    return sum(t["pending"] for t in taken), oldest


def _dead(waiting: int, totals: list[dict[bytes, bytes]]) -> list[Family]:
    buried = Family("foreshock_dead_letters_total", "counter", "Mentions ever set aside, by where it went wrong")
    for kind in KINDS:
        buried.add(_sum(totals, kind), kind=kind)
    trimmed = Family("foreshock_dead_letters_trimmed_total", "counter", "Dead letters that made way for newer ones")
    trimmed.add(_sum(totals, "trimmed"))
    held = Family("foreshock_dead_letters", "gauge", "Dead letters that wait for somebody")
    held.add(waiting)
    return [buried, trimmed, held]


def _sum(totals: list[dict[bytes, bytes]], field: str) -> int:
    return sum(int(some.get(field.encode(), 0)) for some in totals)


def _seconds(identity: Any) -> float:
    text = identity.decode() if isinstance(identity, bytes) else str(identity)
    return int(text.partition("-")[0]) / 1000
