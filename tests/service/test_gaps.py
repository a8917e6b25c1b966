"""What a source did not tell a brand is unknown, and never zero: the ticker and the report know it at once."""

from datetime import timedelta

from service import keys
from service.completeness import report
from service.counts import read
from service.gaps import missed
from service.ingest import heartbeat
from service.store import Store
from tests.collectors.jetstream_network import JetstreamNetwork, event
from tests.service.live import with_store
from tests.service.test_shared_sources import AT, Listening, listen
from tests.service.test_ticker import NOW as TICK
from tests.service.test_ticker import watched
from tests.service.test_way_in import NOW


def test_a_running_ticker_hears_of_a_gap_before_it_judges_it(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        source = f"x{keys.SEPARATOR}acme"
        await heartbeat(store, source, TICK)
        await ticker.tick(TICK, TICK)
        watcher = ticker.watchers.get("acme")
        assert watcher is not None
        assert watcher.state["completeness"]["x"] >= 0.98
        later = TICK - TICK % 60 + 3600
        await missed(store, "acme", "x", later - 3000, later - 600)
        await heartbeat(store, source, later)
        await ticker.tick(later, later)
        assert watcher is ticker.watchers.get("acme")
        assert watcher.state["completeness"]["x"] == round(20 / 60, 3)

    with_store(store_url, body)


def test_a_brand_that_joins_a_source_is_unknown_before_and_the_others_are_not(store_url: str) -> None:
    network = JetstreamNetwork(event(AT, "acme"), event(AT, "globex, edited", operation="update", key="2222222222222"))

    async def body(listening: Listening) -> None:
        await listening.watch("acme", "acme")
        await listening.poll()
        network.events = [event(AT + timedelta(minutes=1), "acme, globex")]
        await listening.watch("globex", "globex")
        await listening.poll()
        joined = AT + timedelta(seconds=50)
        end = NOW.timestamp()
        told = {name: await report(listening.store, name, end - 3600, end, 60, end) for name in ("acme", "globex")}
        assert told["acme"]["bluesky"]["watched_since"] is None
        shown = told["globex"]["bluesky"]
        assert shown["watched_since"] == f"{joined:%Y-%m-%dT%H:%M:%SZ}"
        assert {span["why"] for span in shown["missing"]} == {"before", "lag"}
        assert shown["missing"][0]["why"] == "before"
        network.events = [event(AT + timedelta(seconds=s), "weather") for s in (70, 180)]
        await listening.poll()
        table = await read(listening.store, "globex", end - 3600, end, 60, end)
        known = [at for at, flag in zip(table.times.tolist(), table.complete.tolist(), strict=True) if flag]
        assert known
        assert known[0] >= joined.timestamp()

    listen(store_url, network, body)


def test_a_brand_that_comes_back_is_unknown_since_it_went(store_url: str) -> None:
    network = JetstreamNetwork(event(AT, "acme, globex"))

    async def body(listening: Listening) -> None:
        await listening.watch("acme", "acme")
        await listening.watch("globex", "globex")
        await listening.poll()
        (config,) = listening.door.registry.brands["globex"].sources
        brand = listening.door.registry.brands["globex"]
        await listening.door.registry.put_brand(brand.model_copy(update={"sources": []}))
        await listening.collection._forget(await listening.collection.wanted())
        network.events = [event(AT + timedelta(minutes=3), "acme")]
        await listening.poll()
        await listening.door.registry.put_brand(brand.model_copy(update={"sources": [config]}))
        network.events = [event(AT + timedelta(minutes=4), "acme")]
        await listening.poll()
        end = NOW.timestamp()
        spans = (await report(listening.store, "globex", AT.timestamp(), end, 60, end))["bluesky"]["missing"]
        assert [span["why"] for span in spans] == ["gap", "lag"]

    listen(store_url, network, body)


def test_gaps_that_touch_are_one_and_short_ones_are_forgotten_with_their_minutes(store_url: str) -> None:
    async def body(store: Store) -> None:
        for begin, end in ((1000, 1300), (1300, 1600), (2000, 2300)):
            await missed(store, "acme", "x", begin, end)
        await missed(store, "acme", "feed", 1300, 1600)
        await missed(store, "acme", "feed", 10_000, 20_000)
        noted = await store.do("HGETALL", keys.gaps("acme"))
        sep = keys.SEPARATOR
        assert {name.decode(): int(end) for name, end in noted.items()} == {
            f"x{sep}1000": 1600, f"x{sep}2000": 2300, f"feed{sep}1300": 1600, f"feed{sep}10000": 20_000,
        }  # fmt: skip
        later = 40 * 86_400
        await missed(store, "acme", "x", later, later + 300)
        left = {name.decode() for name in await store.do("HGETALL", keys.gaps("acme"))}
        assert left == {f"feed{sep}10000", f"x{sep}{later}"}

    with_store(store_url, body)
