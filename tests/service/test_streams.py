"""A source that keeps its connection: batches count while it is open, and each is kept before the next one."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import Any

import pytest

from collectors.bluesky import DECLARATION, BlueskyCollector, BlueskySettings
from collectors.collector import Batch, CollectorError, Price
from collectors.outbound import Outbound
from service import keys
from service.brand import Brand
from service.ledger import Caps, Ledger
from service.polling import Polls
from service.store import Store
from tests.collectors.jetstream_network import JetstreamNetwork, event, micros
from tests.service.live import with_store
from tests.service.test_shared_sources import AT, Listening, listen
from tests.service.test_way_in import NOW


async def soon(found: Any) -> None:
    """Wait until what is asked for is so."""
    async with asyncio.timeout(15):
        while not await found():
            await asyncio.sleep(0.01)


async def cursor(listening: Listening) -> int:
    told = await listening.store.do("HVALS", keys.CURSORS)
    return int(json.loads(told[0])["time_us"]) if told else 0


def test_a_connection_gives_batch_after_batch_and_each_is_kept(store_url: str) -> None:
    network = JetstreamNetwork(event(AT, "acme"))

    async def body(listening: Listening) -> None:
        await listening.watch("acme", "acme")
        ((name, collector),) = (await listening.collectors()).items()
        collector._stay = 0.1
        task = asyncio.create_task(Polls(listening.collection.way(name), name, collector).run())
        for n in range(3):
            last = AT + timedelta(seconds=n)
            if n:
                network.live.put(event(last, f"acme {n}"))

            async def kept(last: datetime = last) -> bool:
                return await cursor(listening) == micros(last)

            await soon(kept)
        assert len(network.cursors) == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await listening.door.post()
        assert await listening.counted("acme") == [3]

    listen(store_url, network, body)


def test_a_connection_that_breaks_is_said_and_the_next_goes_on_from_the_last_batch(store_url: str) -> None:
    network = JetstreamNetwork(event(AT, "acme"), event(AT + timedelta(seconds=1), "acme"))
    network.breaks_after = 1

    async def body(listening: Listening) -> None:
        await listening.watch("acme", "acme")
        ((name, collector),) = (await listening.collectors()).items()
        collector._stay, collector._silence = 0.1, 0.5
        polls = Polls(listening.collection.way(name), name, collector)
        assert 2.5 <= await polls.turn() <= 5.0
        assert await cursor(listening) == micros(AT)
        (text,) = await listening.store.do("HVALS", keys.COLLECTORS)
        assert json.loads(text)["why"] == "error"
        network.breaks_after = None
        await polls.turn()
        assert await cursor(listening) == micros(AT + timedelta(seconds=1))
        assert network.cursors[-1] == micros(AT - timedelta(seconds=5))

    listen(store_url, network, body)


def test_a_server_that_only_repeats_itself_is_left_for_the_next_one() -> None:
    async def run(*urls: str) -> Batch:
        async with Outbound(frozenset({"127.0.0.1"}), timeout=2) as out:
            collector = BlueskyCollector(BlueskySettings(servers=urls), out, stay=0.1, silence=0.1)
            return await collector.poll({"time_us": micros(AT), "server": urls[0]}, NOW)

    stuck, sound = JetstreamNetwork(event(AT)), JetstreamNetwork(event(AT), event(AT + timedelta(seconds=2)))
    with stuck, sound:
        batch = asyncio.run(run(stuck.url, sound.url))
    assert batch.cursor == {"time_us": micros(AT + timedelta(seconds=2)), "server": sound.url}


def test_a_connection_ends_after_its_time() -> None:
    async def run(url: str) -> int:
        async with Outbound(frozenset({"127.0.0.1"}), timeout=2) as out:
            collector = BlueskyCollector(BlueskySettings(servers=(url,)), out, stay=0.01, connected=0.3)
            given = 0
            async with aclosing(collector.stream({}, NOW)) as batches:
                async for _ in batches:
                    given += 1
                    network.live.put(event(AT + timedelta(seconds=given)))
            return given

    with JetstreamNetwork(event(AT)) as network:
        assert asyncio.run(run(network.url)) >= 2
    assert len(network.cursors) == 1


class Bought:
    """A stream of which every batch costs, and that notes whether it was closed."""

    declaration = DECLARATION

    def __init__(self, *costs: float | CollectorError) -> None:
        self.costs = costs
        self.closed = False

    def price(self, _cursor: Mapping[str, Any], _now: datetime) -> Price:
        return Price(1.0)

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        raise AssertionError(f"the stream is taken instead, at {now} from {cursor}")

    async def stream(self, cursor: Mapping[str, Any], now: datetime) -> AsyncGenerator[Batch, None]:
        try:
            for cost in self.costs:
                if isinstance(cost, CollectorError):
                    raise cost
                number = cursor.get("n", 0) + 1
                cursor = {"n": number}
                yield Batch(cursor=cursor, cost=cost, complete_until=now)
        finally:
            self.closed = True


@pytest.mark.parametrize(
    ("costs", "kept", "spent", "why"),
    [
        ((0.25, 0.25), 2, 0.5, None),
        ((1.0, 1.0, 1.0), 2, 2.0, "cap"),
        ((0.25, CollectorError("gone")), 1, 1.25, "error"),
        ((0.25, CollectorError("gone", unpaid=True)), 1, 0.25, "error"),
    ],
    ids=["whole", "cap", "broken", "broken before it cost"],
)
def test_every_batch_of_a_stream_is_paid_for_alone(
    store_url: str, costs: tuple[float, ...], kept: int, spent: float, why: str | None
) -> None:
    async def body(store: Store) -> None:
        async with Outbound() as out:
            listening = Listening(store, out, "ws://127.0.0.1:1/subscribe")
            await listening.door.registry.put_brand(Brand(name="acme", query="acme"))
            await Ledger(store).set_caps(Caps(brand_cap=2.0))
            name, stream = keys.SEPARATOR.join(("acme", "bluesky", "acme", "{}")), Bought(*costs)
            await Polls(listening.collection.way(name), name, stream).turn()
            assert json.loads(await store.do("HGET", keys.CURSORS, name)) == {"n": kept}
            assert sum(s.dollars for s in await Ledger(store).spent(NOW.timestamp())) == spent
            (text,) = await store.do("HVALS", keys.COLLECTORS)
            assert (json.loads(text)["why"], stream.closed) == (why, True)

    with_store(store_url, body)
