"""What a stream spends for its brands is charged, whatever happens to the store or the money meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from redis.exceptions import RedisError

from collectors.collector import Price
from service import keys
from service.clock import SystemClock
from service.ledger import Caps, Ledger, Month
from service.purse import BrandsPurse
from service.store import Store
from tests.service.live import with_store

PRICES = {"acme": Price(0.1), "globex": Price(0.1)}


def with_purse(url: str, body: Callable[[BrandsPurse], Awaitable[None]]) -> None:
    async def run(store: Store) -> None:
        await body(BrandsPurse(store, Ledger(store), SystemClock(), "stream", "x"))

    with_store(url, run)


async def spent(purse: BrandsPurse) -> dict[str, float]:
    return {one.brand: one.dollars for one in await purse.ledger.spent(await purse.clock.now())}


def test_what_was_spent_while_the_store_failed_is_charged_once_it_answers(store_url: str) -> None:
    async def body(purse: BrandsPurse) -> None:
        await purse.fill(PRICES, {})
        ledger = keys.ledger(Month.of(await purse.clock.now()).name)
        await purse.store.do("RENAME", ledger, f"{ledger}:away")
        await purse.store.do("SET", ledger, "no ledger")
        with pytest.raises(RedisError):
            await purse.fill(PRICES, {"acme": 0.02, "globex": 0.03})
        await purse.store.do("RENAME", f"{ledger}:away", ledger)
        await purse.fill({}, {"acme": 0.01})
        assert await spent(purse) == {"acme": 0.03, "globex": 0.03}

    with_purse(store_url, body)


def test_posts_under_way_when_the_money_ended_are_charged_beyond_the_cap(store_url: str) -> None:
    async def body(purse: BrandsPurse) -> None:
        await purse.ledger.set_caps(Caps(brand_cap=0.1))
        assert await purse.fill(PRICES, {}) == {}
        assert list(await purse.fill(PRICES, {"acme": 0.1})) == ["acme"]
        assert list(await purse.fill(PRICES, {"acme": 0.015})) == ["acme"]
        assert await spent(purse) == {"acme": 0.115, "globex": 0.0}

    with_purse(store_url, body)


def test_two_streams_that_settle_at_once_charge_what_was_spent_once(store_url: str) -> None:
    async def body(purse: BrandsPurse) -> None:
        await purse.fill(PRICES, {})
        await asyncio.gather(*(purse.fill(PRICES, {"acme": 0.02}) for _ in range(4)))
        await purse.fill({}, {})
        assert await spent(purse) == {"acme": 0.08, "globex": 0.0}

    with_purse(store_url, body)
