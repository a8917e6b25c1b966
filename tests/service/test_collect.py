"""The runtime of collectors: nothing twice, nothing lost, within limit and cap, and what is missing is said."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.outbound import Outbound
from service import keys, metrics
from service.brand import Brand
from service.collect import Collection
from service.completeness import report
from service.counts import read
from service.doctor import _inside
from service.ingest import drained
from service.ledger import Caps, Ledger
from service.polling import Polls
from service.registry import Registry
from service.room import Room
from service.settings import Settings
from service.store import Store
from service.worker import Worker
from tests.collectors.networks import Asked, FeedNetwork, Network, Reply, XNetwork
from tests.service.live import with_store
from tests.service.rest import serving

NOW = datetime(2026, 3, 8, 12, 0, 40, tzinfo=UTC)
MINUTE = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)


class Watch:
    """A clock that the test moves."""

    replay = False

    def __init__(self) -> None:
        self.at = NOW

    async def now(self) -> float:
        return self.at.timestamp()


class Bench:
    """A collection without its loop: the test says who polls, and when."""

    def __init__(self, store: Store, network: Network, out: Outbound) -> None:
        self.store, self.network, self.clock = store, network, Watch()
        self.registry = Registry(store)
        settings = Settings(x_bearer_token="let-me-in", x_base_url=network.url, hackernews_base_url=network.url)
        self.collection = Collection(store, self.clock, self.registry, out, settings)

    async def watch(self, *names: str, **source: Any) -> "Bench":
        source = source or {"type": "x", "posts": False}
        for name in names:
            await self.registry.put_brand(Brand.model_validate({"name": name, "query": name, "sources": [source]}))
        return self

    async def polls(self) -> list[Polls]:
        found = await self.collection.wanted()
        return [Polls(self.collection.way(name), name, collector) for name, collector in found.items()]

    async def turn(self) -> float:
        (only,) = await self.polls()
        return await only.turn()

    def move(self, **span: float) -> None:
        self.clock.at += timedelta(**span)
        if isinstance(self.network, XNetwork):
            self.network.now = self.clock.at

    async def note(self) -> dict[str, Any]:
        (text,) = await self.store.do("HVALS", keys.COLLECTORS)
        found: dict[str, Any] = json.loads(text)
        return found

    async def known(self, minutes: int = 15) -> list[bool]:
        """Whether each of the last minutes is known of the brand acme."""
        end = self.clock.at.timestamp()
        table = await read(self.store, "acme", end - 60 * minutes, end, 60, end)
        return [bool(flag) for flag in table.complete[-minutes - 1 :]]


@asynccontextmanager
async def bench(store: Store, network: Network) -> AsyncIterator[Bench]:
    async with Outbound(frozenset({network.host}), timeout=5) as out:
        yield Bench(store, network, out)


def test_a_source_that_fails_is_unknown_since_then_and_its_return_fills_the_gap(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme")
            network.post(MINUTE - timedelta(minutes=3), "acme")
            assert 285 <= await b.turn() <= 315
            assert await b.known() == [True] * 15 + [False]
            b.move(minutes=10)
            network.failures.extend(Reply(503) for _ in range(2))
            assert 2.5 <= await b.turn() <= 5.0
            assert await b.known() == [True] * 5 + [False] * 11, "unknown, not zero"
            end = b.clock.at.timestamp()
            told = (await report(store, "acme", end - 900, end, 60, end))["x"]
            assert [m["why"] for m in told["missing"]] == ["error"]
            assert told["missing"][0]["start"] == "2026-03-08T12:00:00Z"
            assert told["collectors"][0]["error"].startswith("X refused the request: 503")
            began = (await b.note())["since"]
            b.move(minutes=1)
            await b.turn()
            assert (await b.note())["since"] == began, "since when it fails"
            before = await store.do("SMEMBERS", keys.dirty(keys.shard("acme")))
            await store.do("DEL", keys.dirty(keys.shard("acme")))
            assert before
            network.post(MINUTE + timedelta(minutes=4), "acme")
            await b.turn()
            assert await b.known(10) == [True] * 10 + [False]
            end = b.clock.at.timestamp()
            table = await read(store, "acme", end - 900, end, 60, end)
            assert table.total("mentions").sum() == 2
            assert await store.do("EXISTS", keys.dirty(keys.shard("acme"))), "the ticker judges what was filled"
            assert (await b.note())["error"] is None

    with XNetwork(NOW) as network:
        with_store(store_url, body)


def test_a_poll_that_fails_as_nobody_foresaw_is_an_error_and_tried_less_and_less_often(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme")
            (polls,) = await b.polls()
            ((name, _),) = (await b.collection.wanted()).items()
            await store.do("HSET", keys.CURSORS, name, json.dumps({"counted_until": 5}))
            assert 2.5 <= await polls.turn() <= 5.0 <= await polls.turn() <= 10.0
            assert ((await b.note())["why"], network.asked) == ("error", [])
            assert "could not be read (TypeError)" in (await b.note())["error"]

    with XNetwork(NOW) as network:
        with_store(store_url, body)


def test_a_poll_that_dies_before_its_cursor_is_stored_counts_once(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", type="x", counts=False, posts_per_poll=1000)
            for n in range(130):
                network.post(MINUTE - timedelta(minutes=5, seconds=n / 10), f"acme {n}")
            ((name, collector),) = (await b.collection.wanted()).items()
            cursor: Mapping[str, Any] = {}
            for died in (True, True, False, False):
                batch = await collector.poll(json.loads(json.dumps(dict(cursor))), b.clock.at)
                await b.collection.take(name, collector, batch)
                cursor = cursor if died else batch.cursor
            worker = asyncio.create_task(Worker(store, b.clock, "w").run())
            await drained(store, ["acme"])
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
            end = b.clock.at.timestamp()
            assert (await read(store, "acme", end - 900, end, 60, end)).total("mentions").sum() == 130

    with XNetwork(NOW) as network:
        with_store(store_url, body)


def test_at_the_cap_the_source_stops_says_so_and_becomes_unknown(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme")
            await Ledger(store).set_caps(Caps(brand_cap=0.06))
            network.post(MINUTE - timedelta(minutes=3), "acme")
            for _ in range(6):
                await b.turn()
                b.move(minutes=5)
            assert len(network.asked) == 3, "a poll may take up to $0.05, and $0.015 are spent"
            note = await b.note()
            assert note["why"] == "cap"
            assert note["error"] == (
                "the month's cap of $0.06 for brand acme is reached; "
                "reading goes on with 2026-04-01, or with a higher cap"
            )
            assert await b.known(25) == [True] * 5 + [False] * 21
            async with serving(store, clock=b.clock) as client:
                told = (await client.get("/v1/brands/acme/completeness?step=60")).json()["sources"]["x"]
                assert told["missing"][-1]["why"] == "cap"
                costs = (await client.get("/v1/costs")).json()
                assert costs["spent"] == 0.015
                assert costs["items"][0]["brand"] == "acme"
                assert costs["warnings"][0].endswith("its cap of $0.06 stops it before")
                assert (await client.put("/v1/costs/caps", json={"brand_cap": -1})).status_code == 422
                assert (await client.put("/v1/costs/caps", json={"brand_cap": 5})).status_code == 200
            shown = await metrics.scrape(store, b.clock, b.registry, Room(store))
            assert b'foreshock_collector_cost_dollars_total{source="x"} 0.015' in shown
            assert b'foreshock_collector_forecast_dollars{source="x"}' in shown
            await b.turn()
            assert len(network.asked) == 4, "a higher cap lets it go on"
            assert await b.known(10) == [True] * 10 + [False]

    with XNetwork(NOW) as network:
        with_store(store_url, body)


def test_posts_get_what_the_counts_leave_and_never_stop_them(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", type="x")
            await Ledger(store).set_caps(Caps(brand_cap=3.0))
            asked = []
            for _ in range(24):
                for n in range(100):
                    network.post(b.clock.at - timedelta(seconds=60 + n), f"acme {n}")
                while await b.turn() == 0.0:
                    pass
                asked.append(len(network.asked))
                b.move(minutes=5)
            paths = [asked.path.split("/")[3] for asked in network.asked]
            assert paths.count("counts") == 24, "every five minutes"
            assert 1 <= paths.count("search") <= 3, "half a dollar each, of a week's seventy cents"

    with XNetwork(NOW) as network:
        with_store(store_url, body)


def test_a_request_that_may_have_been_billed_stays_charged_and_a_refused_one_does_not(store_url: str) -> None:
    async def spent(store: Store) -> float:
        return sum(s.dollars for s in await Ledger(store).spent(NOW.timestamp()))

    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme")
            network.failures.append(Reply(429))
            await b.turn()
            assert await spent(store) == 0.0

        async with bench(store, network) as b:
            network.failures.append(Reply(200, b"{", length=100))
            await b.registry.refresh()
            await b.turn()
            assert await spent(store) == 0.05

    with XNetwork(NOW) as network:
        with_store(store_url, body)


def test_a_hundred_brands_share_a_limit_and_each_is_served(store_url: str) -> None:
    """The network allows 40 requests a window, and 100 brands ask for one each: three windows serve all of them."""
    window, reset = {"left": 40}, str(int(time.time()) + 900)

    def answer(asked: Asked) -> Reply:
        if window["left"] == 0:
            refused.append(asked)
            return Reply(429, headers={"x-rate-limit-remaining": "0", "x-rate-limit-reset": reset})
        window["left"] -= 1
        sound = network.counted(asked)
        headers = {"x-rate-limit-remaining": str(window["left"]), "x-rate-limit-reset": reset}
        return Reply(sound.status, sound.body, {**sound.headers, **headers})

    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch(*(f"brand-{n:03d}" for n in range(100)), type="x", counts=False)
            waiting = await b.polls()
            for _ in range(3):
                waits = await asyncio.gather(*(polls.turn() for polls in waiting))
                waiting = [polls for polls, wait in zip(waiting, waits, strict=True) if wait > 400]
                window["left"] = 40
                b.collection._limiters["x"]._routes.clear()  # the window is over
            assert waiting == []
            assert len({asked.params["query"] for asked in network.asked}) == 100
            assert len(refused) <= 8, "those that were under way together, before the first answer came"

    refused: list[Asked] = []
    with _Windowed(NOW) as network:
        network.limited = answer
        with_store(store_url, body)


class _Windowed(XNetwork):
    """X with a limit."""

    limited: Any = None

    def counted(self, asked: Asked) -> Reply:
        return super().answer(asked)

    def answer(self, asked: Asked) -> Reply:
        reply: Reply = self.limited(asked)
        return reply


def test_a_source_without_its_key_says_what_to_set(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with Outbound() as out:
            registry = Registry(store)
            await registry.put_brand(
                Brand.model_validate({"name": "acme", "query": "acme", "sources": [{"type": "x"}]})
            )
            collection = Collection(store, Watch(), registry, out, Settings(name="me"))
            await collection._look()
            await collection._look()
            findings = [finding.what for finding in await _inside(store, Settings())]
            assert "x of acme: X needs a bearer token; set FORESHOCK_X_BEARER_TOKEN" in findings

    with_store(store_url, body)


def test_an_unfinished_configuration_change_keeps_collectors_that_did_not_change(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", type="feed", url=network.url)
            first = await b.collection.wanted()
            await b.watch("globex", type="feed", url=network.url)
            second = await b.collection.wanted()
            assert len(second) == 2
            assert all(second[name] is collector for name, collector in first.items())
            assert await b.collection.wanted() is second

    with FeedNetwork() as network:
        with_store(store_url, body)


@pytest.mark.parametrize(
    "path", ["completeness?step=7", "completeness?start=2026-03-08T12:00:00Z&end=2026-03-08T11:00:00Z"]
)
def test_a_question_about_completeness_that_makes_no_sense_is_refused(store_url: str, path: str) -> None:
    async def body(store: Store) -> None:
        async with serving(store) as client:
            await client.put("/v1/brands/acme", json={"query": "acme"})
            assert (await client.get(f"/v1/brands/acme/{path}")).status_code == 422
            assert (await client.get("/v1/brands/nobody/completeness")).status_code == 404
            assert (await client.get("/v1/brands/acme/completeness")).json()["sources"] == {}

    with_store(store_url, body)


def test_a_source_of_all_brands_that_fails_is_shown_to_each_of_them(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", "globex", type="mastodon", server=network.url, stream=False)
            network.failures.append(Reply(503))
            await b.turn()
            async with serving(store, clock=b.clock) as client:
                for name in ("acme", "globex"):
                    told = (await client.get(f"/v1/brands/{name}/completeness")).json()["sources"]["mastodon"]
                    assert told["collectors"][0]["why"] == "error"

    with Network() as network:
        with_store(store_url, body)


def test_a_website_that_asks_not_to_be_read_is_unknown_and_says_why(store_url: str) -> None:
    async def outside(_host: str, _port: int) -> list[str]:
        return ["93.184.216.34"]

    async def body(store: Store) -> None:
        async with Outbound(proxy=network.url, resolve=outside, timeout=5) as out:
            b = await Bench(store, network, out).watch("acme", type="feed", url="http://news.example/feed")
            await b.turn()
            assert ((await b.note())["why"], (await b.note())["complete_until"]) == ("error", None)
            assert (await b.note())["error"] == "http://news.example asks robots not to read this address (robots.txt)"
            assert not any(await b.known())

    with Network(lambda _: Reply(200, b"User-agent: *\nDisallow: /feed")) as network:
        with_store(store_url, body)
    assert [asked.target for asked in network.asked] == ["http://93.184.216.34/robots.txt"]
