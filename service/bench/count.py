"""`foreshock bench count`: the worker and the store alone, without the way in: for a profiler."""

import argparse
import asyncio
import random
import time

import msgspec

from service import keys
from service.bench import Figures
from service.bench.ingest import settled, watch_brands
from service.bench.load import LIVE_SECONDS, SOURCES, record
from service.bench.running import empty_store
from service.bench.texts import brand_names
from service.clock import SystemClock
from service.ingest import ENTRY
from service.store import Store
from service.worker import Worker

MENTIONS = 100_000


def measure(arguments: argparse.Namespace) -> Figures:
    """Annotate and count 100,000 mentions that wait on the shards, in this process."""
    return asyncio.run(_measure(brand_names(arguments.brands)))


async def _measure(names: list[str]) -> Figures:
    async with empty_store() as store:
        await watch_brands(store, names)
        await _wait_to_be_counted(store, names)
        await store.do("CONFIG", "RESETSTAT")
        worker = asyncio.create_task(Worker(store, SystemClock(), "bench").run())
        began, used = time.perf_counter(), time.process_time()
        await settled(store)
        seconds, python = time.perf_counter() - began, time.process_time() - used
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        commands = await store.do("INFO", "commandstats")
        totals = await store.pipe([("HVALS", keys.totals(name)) for name in names])
    counted = sum(int(value) for values in totals for value in values)
    return {
        "brands": len(names),
        "counted": counted,
        "expected": MENTIONS,
        "counted_per_second": MENTIONS / seconds,
        "us_per_mention_python": 1e6 * python / MENTIONS,
        "us_per_mention_fs_count": commands["cmdstat_fcall"]["usec"] / MENTIONS,
        "mentions_per_call": MENTIONS / commands["cmdstat_fcall"]["calls"],
    }


async def _wait_to_be_counted(store: Store, names: list[str]) -> None:
    chance, now = random.Random(1), time.time()  # noqa: S311 - a bench's mentions
    waiting: dict[str, list[tuple[str, bytes]]] = {}
    for n in range(MENTIONS):
        name, at = chance.choice(names), now - chance.random() * LIVE_SECONDS
        mention = msgspec.json.encode(record(chance, chance.choice(SOURCES), str(n), at, name))
        waiting.setdefault(keys.ingest(keys.shard(name)), []).append((name, mention))
    commands = [
        ("XADD", stream, "*", "m", msgspec.msgpack.encode(rows[i : i + ENTRY]))
        for stream, rows in waiting.items()
        for i in range(0, len(rows), ENTRY)
    ]
    for i in range(0, len(commands), 100):
        await store.pipe(commands[i : i + 100])
