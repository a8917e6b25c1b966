"""`/metrics`: what waits and for how long, what every brand's state says, written so that Prometheus reads it."""

import time
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from service import keys
from service.brand import Brand
from service.clock import SystemClock
from service.deadletters import bury
from service.exposition import Family, exposition
from service.metrics import scrape
from service.registry import Registry
from service.room import Room
from service.store import Store
from tests.deploy.contract import EXPORTED, WHERE_BEHIND
from tests.service.live import with_store

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
STATE: dict[str, Any] = {
    "window_mentions": 123,
    "expected": 100.25,
    "expected_upper": 140.5,
    "negative_share": None,
    "severity": 3,
    "scores": {"volume": 12.5, "revolt": None},
    "completeness": {"x": 0.9833, "feed": 1.0},
    "blind": False,
}


def read(text: bytes) -> Samples:
    families = text_string_to_metric_families(text.decode())
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


async def shown(store: Store, *brands: str) -> Samples:
    registry, room = Registry(store), Room(store)
    for name in brands:
        await registry.put_brand(Brand(name=name, query="x"))
    await room.look()
    return read(await scrape(store, SystemClock(), registry, room))


def of(samples: Samples, name: str) -> dict[tuple[str, ...], float]:
    """A metric's values by the values of its labels, in the labels' order."""
    return {tuple(v for _, v in labels): value for (found, labels), value in samples.items() if found == name}


async def wait(store: Store, brand: str, seconds: float, n: int = 1) -> str:
    """Have `n` batches wait on a brand's shard, since so many seconds; return the shard's label."""
    tag = keys.shard(brand)
    at = int(1000 * (time.time() - seconds))
    for i in range(n):
        await store.do("XADD", keys.ingest(tag), f"{at}-{i + 1}", "m", b"\x90")
    return tag.strip("{}")


def test_labels_of_any_text_are_read_back_as_they_were() -> None:
    family = Family("foreshock_mentions_total", "counter", "Mentions counted")
    names = ['The "Inn"', "back\\slash", "two\nlines", "Übel & Söhne", ""]
    for number, name in enumerate(names):
        family.add(number, brand=name)
    assert of(read(exposition([family])), "foreshock_mentions_total") == {(n,): i for i, n in enumerate(names)}


def test_a_brands_totals_and_state_are_shown_and_what_is_unknown_is_not(store_url: str) -> None:
    async def body(store: Store) -> None:
        totals = keys.totals("acme")
        await store.do("HSET", totals, "x\x1fnegative", 12, "feed\x1funscored", 7, "x\x1fdeleted", 2)
        await store.do("SET", keys.state("acme"), msgspec.json.encode(STATE))
        found = await shown(store, "acme", "new")
        assert of(found, "foreshock_mentions_total") == {("acme", "negative", "x"): 12, ("acme", "unscored", "feed"): 7}
        assert of(found, "foreshock_deleted_mentions_total") == {("acme", "x"): 2}
        assert of(found, "foreshock_window_mentions") == {("acme",): 123}
        assert of(found, "foreshock_expected_mentions_upper") == {("acme",): 140.5}
        assert of(found, "foreshock_negative_share") == {}
        assert of(found, "foreshock_anomaly_score") == {("acme", "volume"): 12.5}
        assert of(found, "foreshock_completeness_ratio") == {("acme", "x"): 0.9833, ("acme", "feed"): 1.0}
        assert of(found, "foreshock_episode_severity") == {("acme",): 3, ("new",): 0}

    with_store(store_url, body)


def test_a_shard_that_is_behind_says_how_many_and_how_late_and_the_others_nothing(store_url: str) -> None:
    async def body(store: Store) -> None:
        quiet = await shown(store)
        assert of(quiet, "foreshock_ingest_backlog_entries") == of(quiet, "foreshock_ingest_lag_seconds") == {}
        assert of(quiet, "foreshock_ingest_waiting_entries") == of(quiet, "foreshock_ingest_max_lag_seconds") == {(): 0}
        taken, waiting = await wait(store, "acme", 90, 3), await wait(store, "globex", 30)
        await store.read_group(keys.COUNTERS, "w", [keys.ingest(keys.shard("acme"))], count=2)
        found = await shown(store)
        assert of(found, "foreshock_ingest_backlog_entries") == {(taken,): 3, (waiting,): 1}
        assert of(found, "foreshock_ingest_waiting_entries") == {(): 4}
        assert of(found, "foreshock_ingest_pending_entries") == {(): 2}
        lag = of(found, "foreshock_ingest_lag_seconds")
        assert lag == {(taken,): pytest.approx(90, abs=20), (waiting,): pytest.approx(30, abs=20)}
        assert of(found, "foreshock_ingest_max_lag_seconds") == {(): lag[(taken,)]}

    with_store(store_url, body)


def test_a_store_that_came_back_empty_is_shown_before_any_worker_has_seen_it(store_url: str) -> None:
    async def body(store: Store) -> None:
        await store.do("FLUSHALL")
        await wait(store, "acme", 60)
        found = await shown(store)
        assert of(found, "foreshock_ingest_pending_entries") == {(): 0}
        assert of(found, "foreshock_ingest_max_lag_seconds")[()] == pytest.approx(60, abs=20)

    with_store(store_url, body)


def test_dead_letters_are_counted_as_they_come_and_shown_while_they_wait(store_url: str) -> None:
    async def body(store: Store) -> None:
        await bury(store, "acme", {"id": "1"}, "broken")
        await bury(store, "globex", {"id": "1"}, "broken", "kill")
        await store.do("DEL", keys.dead(keys.shard("globex")))
        await store.do("HSET", keys.dead_totals(keys.shard("acme")), "trimmed", 5)
        found = await shown(store)
        kinds = {("annotate",): 1, ("count",): 0, ("kill",): 1, ("read",): 0}
        assert of(found, "foreshock_dead_letters_total") == kinds
        assert of(found, "foreshock_dead_letters") == {(): 1}
        assert of(found, "foreshock_dead_letters_trimmed_total") == {(): 5}

    with_store(store_url, body)


def test_all_that_is_shown_is_in_the_contract(store_url: str) -> None:
    async def body(store: Store) -> None:
        await wait(store, "acme", 1)
        found = await shown(store, "acme")
        assert {name for name, _ in found} <= set(EXPORTED | WHERE_BEHIND)
        assert 0 < of(found, "foreshock_store_used_ratio")[()] < 0.5

    with_store(store_url, body)


@pytest.mark.slow
def test_a_scrape_of_ten_thousand_brands_takes_less_than_a_second(store_url: str) -> None:
    async def body(store: Store) -> None:
        names = [f"brand-{n}" for n in range(10_000)]
        sentiments = ("negative", "neutral", "positive", "unscored")
        fields = [x for s in ("x", "feed", "desk") for sentiment in sentiments for x in (f"{s}\x1f{sentiment}", 12_345)]
        state = msgspec.json.encode({**STATE, "negative_share": 0.2, "completeness": {"x": 1, "feed": 1, "desk": 0.9}})
        for i in range(0, len(names), 500):
            await store.pipe([("HSET", keys.totals(name), *fields) for name in names[i : i + 500]])
            await store.pipe([("SET", keys.state(name), state) for name in names[i : i + 500]])
        registry, room = Registry(store), Room(store)
        await registry.put_brands([Brand(name=name, query=name) for name in names])

        async def seconds() -> float:
            began = time.perf_counter()
            found = await scrape(store, SystemClock(), registry, room)
            took = time.perf_counter() - began
            assert found.count(b"\nforeshock_mentions_total{") == 120_000
            return took

        assert min([await seconds() for _ in range(5)]) < 1.0

    with_store(store_url, body)
