"""One collector for all brands that configured a source alike: each post counts for those whose query matches."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from collectors.bluesky import BlueskyCollector, BlueskySettings
from collectors.collector import Batch
from collectors.mention import Mention
from collectors.outbound import Outbound
from service import keys
from service.brand import Brand
from service.collect import Collection
from service.completeness import Completeness
from service.ingest import Ingest, Receipt, drained
from service.polling import Polls
from service.settings import Settings
from service.store import Store
from service.worker import Worker
from tests.collectors.jetstream_network import JetstreamNetwork, event
from tests.service.live import with_store
from tests.service.test_way_in import NOW, At, Door

AT = NOW - timedelta(minutes=5)


class Listening:
    """A collection over one Jetstream; brands are configured as they come."""

    def __init__(self, store: Store, out: Outbound, url: str) -> None:
        self.door = Door(store)
        self.store = store
        self.url = url
        self.collection = Collection(store, At(), self.door.registry, out, Settings())

    async def watch(self, name: str, query: str, *more: Any) -> None:
        config = BlueskySettings(servers=(self.url,))
        await self.door.registry.put_brand(Brand(name=name, query=query, sources=[config, *more]))

    async def collectors(self) -> dict[str, BlueskyCollector]:
        found = await self.collection.wanted()
        return {name: one for name, one in found.items() if isinstance(one, BlueskyCollector)}

    async def poll(self) -> None:
        """Poll every collector once, and count what it gave."""
        for name, collector in (await self.collectors()).items():
            collector._stay, collector._silence, collector._connected = 0.2, 2.0, 0.1  # one batch
            await Polls(self.collection.way(name), name, collector).turn()
        worker = asyncio.create_task(Worker(self.store, At(), "w").run())
        await drained(self.store, self.door.registry.brands)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)

    async def counted(self, *brands: str) -> list[int]:
        return [await self.door.mentions(brand) for brand in brands]


def listen(store_url: str, network: JetstreamNetwork, body: Callable[[Listening], Awaitable[None]]) -> None:
    async def run(store: Store) -> None:
        async with Outbound(frozenset({network.host}), timeout=2) as out:
            await body(Listening(store, out, network.url))

    with network:
        with_store(store_url, run)


def test_one_connection_serves_all_brands_and_each_post_counts_once_for_those_it_matches(store_url: str) -> None:
    network = JetstreamNetwork(
        event(AT, "acme"), event(AT + timedelta(seconds=1), "acme, globex"), event(NOW, "weather")
    )

    async def body(listening: Listening) -> None:
        await listening.watch("acme", "acme")
        await listening.watch("globex", "globex")
        await listening.door.registry.put_brand(Brand(name="deaf", query="acme"))
        await listening.poll()
        assert len(network.cursors) == 1
        assert await listening.counted("acme", "globex", "deaf") == [2, 1, 0]
        await listening.poll()  # the last seconds come again
        assert await listening.counted("acme", "globex") == [2, 1]

    listen(store_url, network, body)


def test_an_edit_and_a_deletion_take_a_post_out_of_the_brands_that_it_was_of(store_url: str) -> None:
    network = JetstreamNetwork(event(AT, "acme and globex", key="3kpost"), event(AT, "acme", key="3kother"))

    async def body(listening: Listening) -> None:
        await listening.watch("acme", "acme")
        await listening.watch("globex", "globex")
        await listening.poll()
        assert await listening.counted("acme", "globex") == [2, 1]
        network.events = [event(AT + timedelta(minutes=1), "only globex", operation="update", key="3kpost")]
        await listening.poll()
        assert await listening.counted("acme", "globex") == [1, 1]
        network.events = [event(AT + timedelta(minutes=2), operation="delete", key="3kpost")]
        await listening.poll()
        assert await listening.counted("acme", "globex") == [1, 0]

    listen(store_url, network, body)


def test_an_edit_that_one_brand_reads_takes_nothing_from_another_that_it_matches_too(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        ingest = Ingest(store, At(), door.registry)
        article = {"id": "1", "source": "feed", "text": "acme and globex", "published_at": AT.isoformat()}
        edited = {**article, "text": "acme and globex again", "updated_at": NOW.isoformat()}
        for brand in ("acme", "globex"):
            await ingest.mentions([(0, Mention.model_validate(article))], Receipt(), only={brand})
        receipt = await ingest.mentions([(0, Mention.model_validate(edited))], Receipt(), only={"acme"})
        assert receipt.matched == 1
        await door.post()
        assert [await door.mentions(brand) for brand in ("acme", "globex", "initech")] == [1, 1, 0]

    with_store(store_url, body)


def test_a_brand_comes_and_goes_without_a_new_connection_and_only_its_own_completeness_goes(store_url: str) -> None:
    network = JetstreamNetwork(event(AT, "acme, globex"))

    async def until(listening: Listening, brand: str) -> dict[str, float]:
        said = Completeness(listening.store)
        await said.refresh()
        return said.of(brand)

    async def body(listening: Listening) -> None:
        await listening.watch("acme", "acme")
        (first,) = (await listening.collectors()).values()
        await listening.watch("globex", "globex")
        (second,) = (await listening.collectors()).values()
        assert first is second
        await listening.poll()
        expected = {"bluesky": (AT - timedelta(seconds=10)).timestamp()}
        assert [await until(listening, brand) for brand in ("acme", "globex")] == [expected, expected]
        await listening.door.registry.put_brand(Brand(name="globex", query="globex"))
        await listening.collection._forget(await listening.collection.wanted())
        assert [await until(listening, brand) for brand in ("acme", "globex")] == [expected, {}]
        assert len(await listening.collectors()) == 1

    listen(store_url, network, body)


def test_a_batch_that_was_not_taken_is_polled_for_again(store_url: str) -> None:
    network = JetstreamNetwork(event(AT, "acme"))

    async def body(listening: Listening) -> None:
        await listening.watch("acme", "acme")
        ((name, collector),) = (await listening.collectors()).items()
        way = listening.collection.way(name)
        collector._stay = collector._silence = 0.2
        batch: Batch = await collector.poll({}, NOW)
        assert len(batch.mentions) == 1  # and now the process dies: no cursor was stored
        assert await listening.store.do("HGET", keys.CURSORS, name) is None
        await Polls(way, name, collector).turn()
        await listening.poll()
        assert await listening.counted("acme") == [1]

    listen(store_url, network, body)
