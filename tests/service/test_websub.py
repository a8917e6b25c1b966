"""Feeds that a hub pushes, with a real store, REST and hub: asked, proven, counted once, renewed, and left."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest

from collectors.outbound import Outbound
from service import keys
from service.brand import Brand
from service.collect import Collection
from service.ingest import drained
from service.polling import Polls
from service.registry import Registry
from service.search import search
from service.settings import Settings
from service.store import Store
from service.websub import Subscriptions, public, subscriptions
from service.worker import Worker
from tests.collectors.hub_network import HubNetwork, entry
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.test_collect import Watch

DAY = 86_400
ADDRESS = "https://foreshock.example"


@dataclass
class Installation:
    """A collection and its REST, a brand that reads the network's feed, and a clock in the test's hands."""

    store: Store
    network: HubNetwork
    clock: Watch
    registry: Registry
    collection: Collection
    hubs: Subscriptions
    client: httpx.AsyncClient

    async def watch(self, *names: str) -> None:
        sources = [{"type": "feed", "url": f"{self.network.url}/feed.xml"}]
        for name in names:
            await self.registry.put_brand(Brand.model_validate({"name": name, "query": name, "sources": sources}))

    async def poll(self) -> list[float]:
        await self.registry.refresh()
        found = await self.collection.wanted()
        return [await Polls(self.collection.way(name), name, one).turn() for name, one in found.items()]

    async def tend(self) -> None:
        await self.hubs.tend(await self.collection.wanted())

    async def verify(self, **more: object) -> httpx.Response:
        return await self.client.get(f"/v1/websub/{self.network.name()}", params=self.network.intent(**more))

    async def push(self, *items: str, method: str = "sha256", signed: bool = True) -> httpx.Response:
        body = self.network.document(*items)
        headers = self.network.signature(body if signed else b"other", method)
        return await self.client.post(f"/v1/websub/{self.network.name()}", content=body, headers=headers)

    async def texts(self, brand: str = "acme") -> list[str]:
        worker = asyncio.create_task(Worker(self.store, self.clock, "w").run())
        await drained(self.store, [brand])
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        return sorted(m["text"] for m in (await search(self.store, [brand], "", 50, None))["items"])

    async def listed(self) -> list[dict[str, object]]:
        headers = {"Authorization": "Bearer fsk_tests-only"}
        found: list[dict[str, object]] = (await self.client.get("/v1/websub", headers=headers)).json()["items"]
        return found


@asynccontextmanager
async def installation(store: Store, network: HubNetwork, address: str = ADDRESS) -> AsyncIterator[Installation]:
    clock, registry, settings = Watch(), Registry(store), Settings(public_url=address, name="me")
    async with (
        Outbound(frozenset({network.host, network.host.replace("127.0.0.1", "localhost")}), timeout=5) as out,
        serving(store, clock=clock, settings=settings) as client,
    ):
        del client.headers["Authorization"]
        collection = Collection(store, clock, registry, out, settings)
        hubs = Subscriptions(store, clock, out, address)
        yield Installation(store, network, clock, registry, collection, hubs, client)


def run(url: str, body: Callable[[Installation], Awaitable[None]], address: str = ADDRESS) -> None:
    with HubNetwork(entry("urn:1", "acme is late")) as network:

        async def with_parts(store: Store) -> None:
            async with installation(store, network, address) as i:
                await i.watch("acme")
                await i.poll()
                await body(i)

        with_store(url, with_parts)


def test_what_is_pushed_is_counted_at_once_and_what_polling_finds_too_counts_once(store_url: str) -> None:
    async def body(i: Installation) -> None:
        await i.tend()
        (wish,) = i.network.wishes
        assert wish["hub.callback"].startswith(f"{ADDRESS}/v1/websub/")
        assert (wish["hub.topic"], len(i.network.name())) == (f"{i.network.url}/feed.xml?self", 43)
        answer = await i.verify(lease_seconds=10 * DAY)
        assert (answer.status_code, answer.text) == (200, "c" * 32)
        assert answer.headers["content-type"].startswith("text/plain")
        assert answer.headers["x-content-type-options"] == "nosniff"
        for method in ("sha1", "sha512"):
            assert (await i.push(entry("urn:2", "acme lost my bag"), method=method)).status_code == 202
        assert await i.texts() == ["acme is late", "acme lost my bag"]
        i.network.publish(entry("urn:2", "acme lost my bag"), entry("urn:1", "acme is late"))
        await i.tend()
        (pause,) = await i.poll()
        assert 570 <= pause <= 630, "slower than a feed that nobody pushes"
        assert await i.texts() == ["acme is late", "acme lost my bag"]
        assert len(i.network.wishes) == 1
        (shown,) = await i.listed()
        assert (shown["pushes"], shown["until"]) == (True, "2026-03-18T12:00:40Z")

    run(store_url, body)


def test_a_hub_that_verifies_before_it_answers_is_heard(store_url: str) -> None:
    async def body(i: Installation) -> None:
        said: list[int] = []

        def verify() -> None:
            path = f"{i.client.base_url}/v1/websub/{i.network.name()}"
            said.append(httpx.get(path, params=i.network.intent(), trust_env=False).status_code)

        i.network.wished = verify
        await i.tend()
        assert said == [200]
        assert [item["pushes"] for item in await i.listed()] == [True]

    run(store_url, body)


def test_nothing_unsigned_or_not_asked_for_is_taken(store_url: str) -> None:
    async def body(i: Installation) -> None:
        await i.tend()
        for wrong in ({"topic": "https://other.example/"}, {"mode": "unsubscribe"}, {"challenge": ""}, {"mode": "x"}):
            assert (await i.verify(**wrong)).status_code == 404
        guess = await i.client.get(f"/v1/websub/{'a' * 43}", params=i.network.intent())
        assert guess.status_code == 404
        assert not (await i.listed())[0]["pushes"]
        await i.verify()
        said = await i.push(entry("urn:2", "acme forged"), signed=False)
        assert (said.status_code, said.text) == (202, "")
        assert (await i.client.post(f"/v1/websub/{i.network.name()}", content=b"<rss/>")).status_code == 202
        assert (await i.client.post(f"/v1/websub/{'a' * 43}", content=b"<rss/>")).status_code == 410
        body = b"no feed"
        headers = i.network.signature(body)
        nothing = await i.client.post(f"/v1/websub/{i.network.name()}", content=body, headers=headers)
        assert nothing.status_code == 202
        assert await i.texts() == ["acme is late"]
        (asked, _), *_ = (await subscriptions(i.store)).values()
        assert asked.secret not in repr(asked)
        assert asked.secret not in str(await i.listed())
        assert (await i.client.get("/v1/websub")).status_code == 401

    run(store_url, body)


def test_a_lease_is_renewed_before_it_ends_and_a_hub_that_forgot_is_asked_again(store_url: str) -> None:
    async def body(i: Installation) -> None:
        await i.tend()
        await i.verify(lease_seconds=10 * DAY)
        first = i.network.wishes[0]
        i.clock.at += timedelta(days=7)
        await i.tend()
        assert len(i.network.wishes) == 1
        i.clock.at += timedelta(days=1, minutes=1)
        await i.tend()
        await i.tend()
        assert i.network.wishes == [first, first], "the same callback and secret, once"
        i.clock.at += timedelta(minutes=10)
        await i.tend()
        assert len(i.network.wishes) == 3, "it did not answer"
        await i.verify(lease_seconds=10 * DAY)
        i.clock.at += timedelta(days=7)
        await i.tend()
        assert len(i.network.wishes) == 3

    run(store_url, body)


def test_a_hub_that_refuses_leaves_the_feed_to_polling_and_is_asked_again_after_a_day(store_url: str) -> None:
    async def body(i: Installation) -> None:
        await i.tend()
        await i.verify()
        assert (await i.verify(mode="denied", reason="too many")).status_code == 200
        await i.tend()
        (pause,) = await i.poll()
        assert pause <= 315
        (shown,) = await i.listed()
        assert (shown["pushes"], shown["why"]) == (False, "refused: too many")
        assert len(i.network.wishes) == 1
        i.clock.at += timedelta(days=1)
        await i.tend()
        assert len(i.network.wishes) == 2

    run(store_url, body)


def test_a_hub_that_is_broken_is_asked_less_and_less_often(store_url: str) -> None:
    async def body(i: Installation) -> None:
        i.network.status = 500
        asked = []
        for _ in range(100):
            before = len(i.network.wishes)
            await i.tend()
            asked += [True] if len(i.network.wishes) > before else [False]
            i.clock.at += timedelta(minutes=10)
        assert [n for n, was in enumerate(asked) if was] == [0, 1, 3, 7, 15, 31, 63]
        (shown,) = await i.listed()
        assert shown["why"] == "the hub answered 500"

    run(store_url, body)


def test_a_stranger_s_feed_opens_no_other_host_of_ours_to_its_hub(store_url: str) -> None:
    async def body(i: Installation) -> None:
        i.network.hub = i.network.url.replace("127.0.0.1", "localhost") + "/hub"
        i.network.publish(entry("urn:2", "acme again"))
        i.clock.at += timedelta(minutes=10)
        await i.poll()
        await i.tend()
        assert i.network.wishes == []
        (shown,) = await i.listed()
        assert shown["why"] == "the hub is at a host of our own network, and the feed is not"

    run(store_url, body)


def test_a_feed_that_nobody_reads_any_more_is_unsubscribed_from(store_url: str) -> None:
    async def body(i: Installation) -> None:
        await i.watch("globex")
        await i.poll()
        await i.tend()
        await i.verify()
        await i.registry.drop_brand("acme")
        await i.tend()
        assert len(i.network.wishes) == 1, "another brand reads it"
        await i.registry.drop_brand("globex")
        assert (await i.push(entry("urn:3", "globex"))).status_code == 410
        await i.tend()
        assert i.network.wishes[-1]["hub.mode"] == "unsubscribe"
        assert "hub.secret" not in i.network.wishes[-1]
        assert (await i.verify(mode="subscribe")).status_code == 404
        i.clock.at += timedelta(seconds=1)
        assert (await i.verify()).status_code == 200
        await i.tend()
        assert await i.listed() == []
        assert await i.store.do("EXISTS", keys.WEBSUB_SAID) == 0
        assert len(i.network.wishes) == 2

    run(store_url, body)


def test_a_hub_that_ignores_a_farewell_is_told_three_times(store_url: str) -> None:
    async def body(i: Installation) -> None:
        await i.tend()
        await i.verify(lease_seconds=10 * DAY)
        i.network.named = False
        i.network.publish(entry("urn:1", "acme is late"), entry("urn:9", "acme again"))
        i.clock.at += timedelta(minutes=10)
        await i.poll()
        for _ in range(12):
            await i.tend()
            i.clock.at += timedelta(minutes=10)
        assert [wish["hub.mode"] for wish in i.network.wishes] == ["subscribe"] + 3 * ["unsubscribe"]
        assert await i.listed() == []

    run(store_url, body)


def test_a_query_that_was_changed_and_not_yet_read_keeps_the_subscription(store_url: str) -> None:
    async def body(i: Installation) -> None:
        await i.tend()
        await i.verify()
        sources = [{"type": "feed", "url": f"{i.network.url}/feed.xml"}]
        changed = {"name": "acme", "query": "acme AND bag", "sources": sources}
        await i.registry.put_brand(Brand.model_validate(changed))
        await i.tend()
        assert len(i.network.wishes) == 1
        assert (await i.push(entry("urn:2", "acme lost my bag"), entry("urn:3", "acme"))).status_code == 202
        assert await i.texts() == ["acme is late", "acme lost my bag"]

    run(store_url, body)


def test_the_process_that_collects_asks_the_hubs_of_its_feeds(store_url: str) -> None:
    async def body(i: Installation) -> None:
        running = asyncio.create_task(i.collection.run())
        async with asyncio.timeout(30):
            while not i.network.wishes:
                await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        assert (await i.verify()).status_code == 200

    run(store_url, body)


def test_an_installation_that_no_hub_could_reach_asks_none(store_url: str) -> None:
    async def body(i: Installation) -> None:
        wanted, before = await i.collection.wanted(), asyncio.all_tasks()
        i.hubs.keep(wanted)
        await asyncio.gather(*(asyncio.all_tasks() - before))
        assert i.network.wishes == []

    run(store_url, body, "http://127.0.0.1:8470")


@pytest.mark.parametrize(
    ("url", "reachable"),
    [
        ("https://foreshock.example.com", True),
        ("https://foreshock.example.com:8443/pulse", True),
        ("http://93.184.216.34", True),
        ("http://127.0.0.1:8470", False),
        ("http://localhost:8470", False),
        ("http://[::1]:8470", False),
        ("http://10.1.2.3", False),
        ("http://foreshock", False),
        ("http://foreshock.internal", False),
        ("http://foreshock.svc.cluster.local", False),
        ("", False),
    ],
)
def test_only_a_public_address_is_told_to_hubs(url: str, reachable: bool) -> None:
    assert public(url) is reachable
