"""A stretch that is read again, through the whole way in: edits and deletions are taken out of the counts."""

import asyncio
from datetime import timedelta

from service.counts import read
from service.ingest import drained
from service.store import Store
from service.worker import Worker
from tests.collectors.searched_networks import DiscourseNetwork, HackerNewsNetwork
from tests.service.live import with_store
from tests.service.test_collect import MINUTE, Bench, bench


async def counted(b: Bench, brand: str) -> float:
    worker = asyncio.create_task(Worker(b.store, b.clock, "w").run())
    await drained(b.store, ["acme", "bravo"])
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)
    end = b.clock.at.timestamp()
    return float((await read(b.store, brand, end - 3600, end, 60, end)).total("mentions").sum())


def test_two_brands_read_a_forum_once_and_edits_and_deletions_change_their_counts(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", "bravo", type="discourse", url=network.url)
            network.post(MINUTE - timedelta(minutes=5), "acme and bravo")
            network.post(MINUTE - timedelta(minutes=6), "acme is late")
            network.post(MINUTE - timedelta(minutes=7), "acme again")
            while await b.turn() < 1:  # more pages
                pass
            assert len(network.asked) <= 8
            assert [await counted(b, brand) for brand in ("acme", "bravo")] == [3, 1]
            b.move(minutes=2)
            network.posts[1001] |= {"cooked": "<p>acme alone</p>", "updated_at": b.clock.at.isoformat()}
            network.posts[1002] |= {"cooked": "<p>never mind</p>", "updated_at": b.clock.at.isoformat()}
            del network.posts[1003]
            while await b.turn() < 1:
                pass
            assert [await counted(b, brand) for brand in ("acme", "bravo")] == [1, 0]

    with DiscourseNetwork() as network:
        with_store(store_url, body)


def test_an_edit_that_the_search_no_longer_finds_is_taken_out_of_the_counts(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", type="hackernews")
            network.post(MINUTE - timedelta(minutes=5), "acme is late")
            network.post(MINUTE - timedelta(minutes=6), "acme again")
            await b.turn()
            assert await counted(b, "acme") == 2
            b.move(minutes=2)
            del network.posts[1001]
            network.items[1001]["text"] = "never mind"
            await b.turn()
            assert await counted(b, "acme") == 1

    with HackerNewsNetwork() as network:
        with_store(store_url, body)
