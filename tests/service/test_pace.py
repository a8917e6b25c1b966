"""Many brands: a calm one is looked at seldom, one whose counts jump at once, and all are learned beside the looks."""

import asyncio
import json

from service import keys
from service.brand import Brand
from service.clock import SystemClock, posix
from service.lease import Lease
from service.pace import MOST_SECONDS, QUIET_SECONDS, Pace, most_in_calm
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from service.ticker import Ticker
from tests.service.live import with_store
from tests.service.test_ticker import NOW, state, talk, watched


async def ticked(ticker: Ticker, now: float) -> None:
    """One tick as it is on the system's clock, with what it learns."""
    await ticker.tick(now, now, patient=False)
    ticker._learn_beside(now)
    if ticker._learning:
        await asyncio.wait({ticker._learning})


async def judged_until(store: Store) -> float:
    return float((await state(store))["judged_until"])


def test_calm_brands_wait_longer_under_load_up_to_a_minute_and_less_when_it_is_over() -> None:
    pace = Pace(5.0)
    for _ in range(10):
        pace.spent(2.0, 5.0)
    assert pace.calm_seconds == MOST_SECONDS
    for _ in range(10):
        pace.spent(0.5, 5.0)
    assert pace.calm_seconds == MOST_SECONDS
    for _ in range(10):
        pace.spent(0.1, 5.0)
    assert not pace.stretched


def test_every_calm_brand_is_due_once_in_its_period_and_not_all_at_once() -> None:
    pace = Pace(5.0)
    pace.calm_seconds = 60.0
    names = [f"brand-{n}" for n in range(600)]
    looked = dict.fromkeys(names, 0.0)
    due = []
    for now in range(5, 605, 5):
        due.append([n for n in names if pace.due(n, looked[n], float(now))])
        looked |= dict.fromkeys(due[-1], float(now))
    assert max(map(len, due)) < 100
    assert [sum(name in some for some in due) for name in names] == [10] * 600


def test_a_brand_of_which_nothing_new_comes_is_not_looked_at_but_shown_as_judged(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticked(ticker, NOW)
        await ticked(ticker, NOW + 5)
        assert set((await state(store))["scores"]) == {"volume", "revolt", "voice"}
        first = await judged_until(store)
        seen = []
        for later in range(10, 400, 5):
            await ticked(ticker, NOW + later)
            assert NOW + later - posix((await state(store))["at"]) <= 66
            seen.append(await judged_until(store))
        assert 1 < len(set(seen)) <= 2 + 400 // QUIET_SECONDS
        assert seen[0] == first

    with_store(store_url, body)


def test_a_brand_whose_counts_jump_is_looked_at_in_the_next_tick_however_long_calm_ones_wait(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        for later in (0, 5, 10):
            await ticked(ticker, NOW + later)
        ticker._pace.calm_seconds = 60.0
        before = await judged_until(store)
        await talk(store, NOW - NOW % 60, 1, 1, "murmur")
        await ticked(ticker, NOW + 15)
        assert await judged_until(store) == before
        await talk(store, NOW - NOW % 60, 1, 12, "jump")
        await ticked(ticker, NOW + 20)
        assert await judged_until(store) == NOW + 20

    with_store(store_url, body)


def test_what_is_normal_in_a_minute_and_three_deviations_more_are_calm() -> None:
    assert [most_in_calm(usual) for usual in (0.0, 4.0, 100.0)] == [2.0, 12.0, 132.0]


def test_brands_without_data_cost_no_fit_and_stand_as_not_judged(store_url: str) -> None:
    async def body(store: Store) -> None:
        registry = Registry(store)
        assert await registry.put_brands([Brand(name=f"brand-{n}", query=f"brand{n}") for n in range(500)]) == 500
        ticker = Ticker(store, SystemClock(), registry, Lease(store, "me", "tick"), Settings())
        await ticker.take()
        for later in range(0, 300, 60):
            await ticked(ticker, NOW + later)
            assert ticker._learning is None
        found = json.loads(await store.do("GET", keys.state("brand-7")))
        assert (found["window_mentions"], found["expected"], found["scores"]) == (0, None, {})

    with_store(store_url, body)


def test_the_source_that_was_waited_for_is_judged_when_it_has_told(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await store.do("HSET", keys.SOURCES, "x\x1facme", NOW - 30)
        for later in (0, 5):
            await ticked(ticker, NOW + later)
        watcher = ticker._watchers.get("acme")
        assert watcher is not None
        before = watcher.looked_until
        await talk(store, NOW - NOW % 60, 1, 1, "murmur")
        await ticked(ticker, NOW + 10)
        await ticked(ticker, NOW + 100)
        assert watcher.looked_until == before
        await store.do("HSET", keys.SOURCES, "x\x1facme", NOW + 90)
        await ticked(ticker, NOW + 105)
        assert watcher.looked_until == before + 60 + 60

    with_store(store_url, body)
