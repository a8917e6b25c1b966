"""When most brands of a source move together, the source is suspected, and the episodes say so."""

import json

import pytest

from service import keys
from service.brand import Brand
from service.clock import SystemClock
from service.completeness import report
from service.episodes import Episodes
from service.ingest import heartbeat
from service.lease import Lease
from service.moved import sentence
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from service.ticker import Ticker
from tests.service.live import with_store
from tests.service.test_ticker import talk
from tests.service.weeks import counted

NOW = 1_760_000_100.0
"""A whole number of 5 minutes, so that weeks end there."""
NAMES = [f"brand-{n}" for n in range(6)]


async def fleet(store: Store) -> Ticker:
    """Six brands with two weeks behind them."""
    registry = Registry(store)
    for n, name in enumerate(NAMES):
        await registry.put_brand(Brand(name=name, query=name))
        await counted(store, name, NOW, 14, seed=n)
        await talk(store, NOW - 1200, 20, 1, f"{name}-calm", brand=name)
        await heartbeat(store, f"x{keys.SEPARATOR}{name}", NOW + 86_400)
    ticker = Ticker(store, SystemClock(), registry, Lease(store, "me", "tick"), Settings())
    assert await ticker.take() is not None
    await ticker.tick(NOW, NOW)
    return ticker


@pytest.mark.parametrize(("rising", "suspected"), [(6, {"x": "rise"}), (1, {})])
def test_a_rise_of_all_brands_is_said_in_their_episodes_and_one_brands_is_its_own(
    store_url: str, rising: int, suspected: dict[str, str]
) -> None:
    async def body(store: Store) -> None:
        ticker = await fleet(store)
        for name in NAMES:
            await talk(store, NOW, 20, 40 if name in NAMES[:rising] else 1, name, brand=name)
        for minute in range(1, 19):
            await ticker.tick(NOW + 60 * minute, NOW + 60 * minute)
        assert json.loads(await store.do("GET", keys.MOVED) or "{}") == suspected
        (episode,) = (await Episodes(store).page(NAMES[0], None, 5, None))[0]
        assert episode.evidence["moved_together"] == suspected
        assert ("suspect the source" in episode.reason) == bool(suspected)
        told = await report(store, NAMES[0], NOW, NOW + 900, 60, NOW + 1020)
        assert told["x"]["moved_together"] == suspected.get("x")

    with_store(store_url, body)


def test_the_sentence_names_source_and_direction() -> None:
    assert sentence({}) is None
    assert sentence({"x": "rise", "feed": "fall"}) == (
        "most brands fall together on feed, most brands rise together on x: suspect the source before the world"
    )
