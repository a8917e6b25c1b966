"""X's stream in the runtime: each brand pays for its own posts, and what its money does not reach is unknown."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

from collectors.collector import Collector
from collectors.x_stream import XStream
from service import keys
from service.completeness import report
from service.counts import read
from service.ingest import drained
from service.ledger import Caps, Ledger
from service.polling import Polls
from service.store import Store
from service.worker import Worker
from tests.collectors.x_stream_network import XStreamNetwork
from tests.service.live import with_store
from tests.service.test_collect import NOW, Bench, bench

STREAMED: dict[str, Any] = {"type": "x", "stream": True, "counts": False}


async def stream_of(b: Bench) -> tuple[str, XStream]:
    found: dict[str, Collector] = await b.collection.wanted()
    ((name, collector),) = [(n, c) for n, c in found.items() if isinstance(c, XStream)]
    collector._stay = 0.05
    return name, collector


async def listen(b: Bench, enough: Callable[[], Awaitable[object]]) -> None:
    """Keep the stream running as the runtime does, until `enough`."""
    name, collector = await stream_of(b)
    task = asyncio.create_task(Polls(b.collection.way(name), name, collector).turn())
    try:
        async with asyncio.timeout(20):
            while not await enough():
                await asyncio.sleep(0.02)
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def spent(b: Bench) -> dict[str, float]:
    return {s.brand: s.dollars for s in await Ledger(b.store).spent(b.clock.at.timestamp())}


async def complete_until(b: Bench, brand: str) -> float:
    told = await b.store.do("HGETALL", keys.SOURCES)
    return max((float(v) for k, v in told.items() if k.decode().split(keys.SEPARATOR)[:2] == ["x", brand]), default=0.0)


async def count(b: Bench) -> float:
    worker = asyncio.create_task(Worker(b.store, b.clock, "w").run())
    await drained(b.store, ["acme"])
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    end = b.clock.at.timestamp()
    return float((await read(b.store, "acme", end - 900, end, 60, end)).total("mentions").sum())


def test_one_stream_serves_all_brands_beside_their_own_counts_and_each_pays_for_its_posts(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", "globex", type="x", stream=True)
            assert len(await b.collection.wanted()) == 3
            for name, collector in (await b.collection.wanted()).items():
                if name.startswith("acme"):
                    await Polls(b.collection.way(name), name, collector).turn()
            assert {asked.path for asked in network.asked} == {"/2/tweets/counts/recent"}, "no search for a sample"
            posts = [network.post(NOW, text) for text in ("acme", "acme", "globex")]
            network.script += [network.line(post) for post in posts]

            async def enough() -> bool:
                return await spent(b) == {"acme": 0.015, "globex": 0.005}

            await listen(b, enough)
            assert await count(b) == 0, "a sample of what the counts will say"

    with XStreamNetwork(NOW) as network:
        with_store(store_url, body)


def test_at_its_cap_a_brand_is_taken_off_the_stream_and_unknown_from_then_on_and_others_go_on(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", "globex", **STREAMED)
            await Ledger(store).set_caps(Caps(brand_cap=0.3))
            await listen(b, lambda: store.do("EXISTS", keys.CURSORS))
            b.move(minutes=2)
            posts = [network.post(b.clock.at, f"acme {n}") for n in range(60)]
            network.script += [network.line(post) for post in posts]

            async def taken_off() -> bool:
                return network.values == ["globex"] and bool(await note_of(b, "acme"))

            await listen(b, taken_off)
            read_for = (await spent(b))["acme"]
            assert 0.2 < read_for <= 0.3
            assert 40 <= await count(b) <= round(read_for / 0.005), "none that was not paid"
            note, stopped = await note_of(b, "acme"), await complete_until(b, "acme")
            assert note["why"] == "cap"
            assert note["error"].startswith("the month's cap of $0.3 for brand acme is reached")
            assert NOW.timestamp() <= stopped < b.clock.at.timestamp()
            b.move(minutes=10)
            network.post(b.clock.at - timedelta(minutes=5), "acme, while nobody could pay")

            async def others_go_on() -> bool:
                return await complete_until(b, "globex") > stopped + 60

            await listen(b, others_go_on)
            assert await complete_until(b, "acme") == stopped
            end = b.clock.at.timestamp()
            told = (await report(store, "acme", end - 900, end, 60, end))["x"]
            assert told["missing"][-1]["why"] == "cap"
            await Ledger(store).set_caps(Caps(brand_cap=5.0))

            async def goes_on() -> bool:  # and what X still offers is read
                return await count(b) == 61 and await complete_until(b, "acme") > stopped

            await listen(b, goes_on)
            assert not await note_of(b, "acme")

    with XStreamNetwork(NOW) as network:
        with_store(store_url, body)


async def note_of(b: Bench, brand: str) -> dict[str, Any]:
    """What the stream says of one brand alone."""
    name, _ = await stream_of(b)
    text = await b.store.do("HGET", keys.COLLECTORS, brand + name)
    return dict(json.loads(text)) if text else {}


def test_a_process_that_dies_amid_the_stream_counts_nothing_twice_and_misses_nothing(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", **STREAMED)
            posts = [network.post(NOW - timedelta(minutes=2, seconds=n), f"acme {n}") for n in range(5)]
            network.script += [network.line(network.post(NOW, f"acme {n}")) for n in range(5)]
            name, collector = await stream_of(b)
            async for batch in collector.stream({}, b.clock.at):
                await b.collection.take(name, collector, batch)
                if await count(b) == 10:
                    break  # and the process dies, with no cursor stored
            assert await store.do("HGET", keys.CURSORS, name) is None
            b.move(minutes=5)
            network.script += [network.line(network.post(b.clock.at, "acme again"))]

            async def all_there() -> bool:
                return await count(b) >= 11 and await complete_until(b, "acme") >= NOW.timestamp()

            await listen(b, all_there)
            assert await count(b) == 11
            assert len(posts) == 5

    with XStreamNetwork(NOW) as network:
        with_store(store_url, body)
