"""`foreshock bench ingest`: the way in at full load, from the first post to the last count, on all of the real service.

The service runs as users run it (`foreshock serve`: store, counting, judging, board); generator, client and store share
the machine's processors with it. First it is loaded as fast as it answers: the rate is that of the whole, from the
first post until the last mention is counted and its stream entry gone, so that a growing queue can't flatter it. Then
mentions come at half of that rate, evenly, and the time from acceptance to count is measured. At last every bucket of
every brand is read and compared with what the generator says.
"""

import argparse
import asyncio
import time
from collections import Counter
from dataclasses import dataclass

import numpy as np

from service import keys
from service.bench import BenchError, Figures
from service.bench.client import Client, Watch
from service.bench.load import MENTIONS, SOURCES, Bucket, Load
from service.bench.memory import brand_state_bytes, hours_in_memory, mention_bytes, quiet_brand_bytes
from service.bench.running import OTHERS, Running, running
from service.bench.texts import brand_names, query
from service.brand import Brand
from service.counts import unpack
from service.registry import Registry
from service.store import Store

CONNECTIONS = 16
"""Requests under way at a time, at full load."""
MORE_CONNECTIONS = 16
"""At a constant rate a request must not wait for the answer of another."""
KNOWN_SECONDS = 60.0
"""Seconds in which the service must have looked at each brand once."""
LAST_LOOKS = 2.0
"""Seconds that the watch has to find what was counted last."""
STUCK = 30.0
"""Seconds without progress after which what waits is given up."""
LEAST_US = 0.05
"""Microseconds a mention below which a command of the store is not listed."""
BACK = 12 * 3600
"""Seconds back in which nothing may be counted that is not expected: longer than any mention is late."""


@dataclass
class Session:
    """One service under load, and what it was asked to count."""

    service: Running
    store: Store
    load: Load
    clients: list[Client]

    async def as_fast_as_it_answers(self, seconds: float) -> float:
        """Post for so long; return the seconds until all is counted."""
        began = time.perf_counter()

        async def keep_posting(client: Client) -> None:
            while time.perf_counter() < began + seconds:
                await client.post(self.load.take())

        await asyncio.gather(*(keep_posting(client) for client in self.clients[:CONNECTIONS]))
        await settled(self.store)
        return time.perf_counter() - began

    async def steadily(self, rate: float, seconds: float, watch: Watch) -> None:
        """Post at a constant rate (mentions a second), whatever is still under way."""
        free: asyncio.LifoQueue[Client] = asyncio.LifoQueue()
        for client in self.clients:
            free.put_nowait(client)

        async def post(client: Client) -> None:
            sending = self.load.take()
            await client.post(sending)
            watch.accepted(sending.watched)
            free.put_nowait(client)

        began, posts = time.perf_counter(), []
        for n in range(max(round(rate * seconds / MENTIONS), 1)):
            await asyncio.sleep(max(began + n * MENTIONS / rate - time.perf_counter(), 0))
            posts.append(asyncio.create_task(post(await free.get())))
        await asyncio.gather(*posts)
        await settled(self.store)
        until = time.perf_counter() + LAST_LOOKS  # what is not counted by then never will be: the comparison says so
        while watch.waiting and time.perf_counter() < until:
            await asyncio.sleep(0.01)


def measure(arguments: argparse.Namespace) -> Figures:
    """Measure rate, latency, exactness and memory."""
    if not (arguments.brands > 0 and 0 < arguments.match <= 1 and arguments.seconds > 0):
        raise BenchError("--brands and --seconds must be above 0, --match above 0 and at most 1")
    try:
        names = brand_names(arguments.brands)
    except ValueError as error:
        raise BenchError(str(error)) from None
    load = Load(names, arguments.match, time.time())
    with running(arguments.mode, arguments.apis) as service:
        found = asyncio.run(_loaded(service, load, names, arguments))
    found |= asyncio.run(mention_bytes())
    found["hours_of_this_rate_in_16_gib"] = hours_in_memory(found, arguments.brands)
    quiet = asyncio.run(quiet_brand_bytes(arguments.quiet_brands))
    return found | {"bytes_per_quiet_brand": quiet + found["bytes_per_brand_state"]}


async def _loaded(service: Running, load: Load, names: list[str], arguments: argparse.Namespace) -> Figures:
    async with Store(service.store_url) as store:
        await watch_brands(store, names)
        clients = [Client(service) for _ in range(MORE_CONNECTIONS)]
        session = Session(service, store, load, clients)
        # Every process that answers compiles the queries with its first request.
        await asyncio.gather(*(client.post(load.take()) for client in clients))
        await settled(store)
        await _known(store, names)
        posted, matched = load.posted, load.expected().total()
        before, commands_before = service.processor_seconds(), await _commands(store)
        seconds = await session.as_fast_as_it_answers(arguments.seconds)
        used, commands = service.processor_seconds(), await _commands(store)
        posted, matched = load.posted - posted, load.expected().total() - matched
        found = {
            "brands": len(names),
            "match": arguments.match,
            "workers": sum(role == "worker" for role in service.roles().values()),
            "apis": sum(role == "api" for role in service.roles().values()),
            "posted": posted,
            "seconds": seconds,
            "mentions_per_second": posted / seconds,
            "matched_per_second": matched / seconds,
        }
        rate = arguments.rate or found["mentions_per_second"] / 2
        found |= await _latency(session, rate, arguments.seconds)
        for role, total in used.items():
            spent = total - before.get(role, 0.0)
            found[f"processors_{role}"] = spent / seconds
            if role != OTHERS:
                found[f"us_per_mention_{role}"] = 1e6 * spent / posted
        for command, total in commands.items():
            spent = (total - commands_before.get(command, 0.0)) / posted
            if spent > LEAST_US:
                found[f"us_per_mention_store_{command}"] = spent
        found |= {f"resident_mib_{role}": mib for role, mib in service.resident_mib().items()}
        found["refused_429"] = sum(client.refused for client in clients)
        for client in clients:
            client.close()
        found["bytes_per_brand_state"] = await brand_state_bytes(store, names)
        return found | await compared(store, names, load.expected(), time.time())


async def _latency(session: Session, rate: float, seconds: float) -> Figures:
    watch = Watch(session.service.store_url)
    watching = asyncio.create_task(watch.run())
    try:
        await session.steadily(rate, seconds, watch)
    finally:
        watching.cancel()
    if not watch.seconds:
        raise BenchError("of the mentions that were accepted at the constant rate none was counted")
    half, most = np.percentile(watch.seconds, (50, 99))
    return {
        "steady_mentions_per_second": rate,
        "steady_mentions_timed": len(watch.seconds),
        "accepted_to_counted_p50_ms": 1000 * float(half),
        "accepted_to_counted_p99_ms": 1000 * float(most),
    }


async def watch_brands(store: Store, names: list[str]) -> None:
    """Make the brands of the bench known to the service."""
    brands = [Brand(name=name, query=query(name)) for name in names]
    await store.pipe([("HSET", keys.BRANDS, b.name, b.model_dump_json()) for b in brands])
    await store.do("INCR", keys.VERSION)
    await Registry(store).refresh()


async def _known(store: Store, names: list[str]) -> None:
    """Wait until the service has looked at every brand: that it does once, however long it runs."""
    until = time.monotonic() + KNOWN_SECONDS
    while not all(await store.pipe([("EXISTS", keys.state(name)) for name in names])):
        if time.monotonic() > until:
            raise BenchError(f"after {KNOWN_SECONDS:.0f} s the service has not looked at every brand")
        await asyncio.sleep(0.5)


async def _commands(store: Store) -> dict[str, float]:
    """Return the microseconds that the store has spent in each command; in those inside functions, in both."""
    found = await store.do("INFO", "commandstats")
    return {name.removeprefix("cmdstat_").replace("|", "_"): float(of["usec"]) for name, of in found.items()}


async def settled(store: Store) -> None:
    """Wait until no shard has an entry that waits to be counted or acknowledged; nothing may be posted meanwhile.

    Raises:
        BenchError: entries wait, and nothing is done about them.
    """
    streams, moved, before = [keys.ingest(tag) for tag in keys.all_shards()], time.monotonic(), None
    while streams:
        lengths = await store.pipe([("XLEN", stream) for stream in streams])
        if lengths != before:
            moved, before = time.monotonic(), lengths
        if time.monotonic() - moved > STUCK:
            raise BenchError(f"{sum(lengths)} entries wait to be counted, and none was for {STUCK:.0f} s")
        streams = [stream for stream, length in zip(streams, lengths, strict=True) if length]
        # While one is not empty there is no need to ask for the others.
        until = time.monotonic() + 1.0
        while streams and time.monotonic() < until and await store.do("XLEN", streams[0]):
            await asyncio.sleep(0.01)


async def compared(store: Store, names: list[str], expected: Counter[Bucket], now: float) -> Figures:
    """Compare all buckets of the last hours, of all three widths, with what is expected by the minute."""
    wrong, counted = 0, 0
    for width in keys.SEGMENT:
        wanted: Counter[Bucket] = Counter()
        for (brand, source, minute), count in expected.items():
            wanted[brand, source, minute // width * width] += count
        found = await _buckets(store, names, width, now)
        wrong += sum(found[bucket] != wanted[bucket] for bucket in found.keys() | wanted.keys())
        counted = found.total() if width == min(keys.SEGMENT) else counted
    dead = sum(await store.pipe([("XLEN", keys.dead(tag)) for tag in keys.all_shards()]))
    return {"counted": counted, "expected": expected.total(), "wrong_buckets": wrong, "dead_letters": dead}


async def _buckets(store: Store, names: list[str], width: int, now: float) -> Counter[Bucket]:
    size = keys.SEGMENT[width]
    numbers = range(int(now - BACK) // width // size, int(now) // width // size + 1)
    places = [(name, source, n) for name in names for source in SOURCES for n in numbers]
    found: Counter[Bucket] = Counter()
    for i in range(0, len(places), 1000):
        some = places[i : i + 1000]
        answers = await store.pipe([("HGETALL", keys.segment(brand, source, width, n)) for brand, source, n in some])
        for (brand, source, n), packed in zip(some, answers, strict=True):
            if packed:
                columns = {"m": np.zeros(size)}
                unpack(packed, 0, columns)
                for offset in np.flatnonzero(columns["m"]):
                    found[brand, source, (n * size + int(offset)) * width] = int(columns["m"][offset])
    return found
