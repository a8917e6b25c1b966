"""The ticker judges what is known, as it becomes known, and takes nothing else for calm."""

import json
from typing import Any

import pytest

from service import keys
from service.brand import Brand
from service.clock import SystemClock, iso
from service.episode import Episode
from service.episodes import Episodes
from service.ingest import heartbeat
from service.lease import Lease
from service.registry import Registry
from service.settings import Settings
from service.store import Fenced, Store
from service.ticker import Ticker
from tests.service.live import with_store
from tests.service.test_counting import count, row

HOURS = 14
NOW = 1_760_000_063.0
"""In the middle of a minute: 08:54:23 UTC."""
BRAND = Brand(name="acme", query="acme")


async def talk(
    store: Store,
    start: float,
    minutes: int,
    each: int,
    name: str,
    source: str = "x",
    brand: str = "acme",
    **change: Any,
) -> None:
    """Count `each` mentions a minute, all angry in a revolt (each > 1)."""
    rows = [
        row(
            id=f"{name}{m}-{n}",
            at=int(start + 60 * m + n % 60),
            **{
                "brand": brand,
                "source": source,
                "updated": 1,
                "author": f"{name}{m}-{n}",
                "negative": 800 if each > 1 or m % 6 == 0 else 100,
                "text": json.dumps(
                    {"id": f"{name}{m}-{n}", "source": source, "text": name, "published_at": iso(start + 60 * m)}
                ),
                **change,
            },
        )
        for m in range(minutes)
        for n in range(each)
    ]
    for i in range(0, len(rows), 200):
        await count(store, *rows[i : i + 200], now=start)


async def taken_over(store: Store, holder: str) -> Ticker:
    """The ticker of a process that takes the lease from the one before."""
    await store.do("HSET", keys.lease("tick"), "until", 0)
    ticker = Ticker(store, SystemClock(), Registry(store), Lease(store, holder, "tick"), Settings())
    assert await ticker.take() is not None
    return ticker


async def watched(store: Store) -> Ticker:
    """Half a day of one mention a minute up to NOW, and a ticker that holds the lease."""
    registry = Registry(store)
    await registry.put_brand(BRAND)
    await talk(store, NOW - NOW % 60 - HOURS * 3600, HOURS * 60, 1, "calm")
    ticker = Ticker(store, SystemClock(), registry, Lease(store, "me", "tick"), Settings())
    assert await ticker.take() is not None
    return ticker


async def storm(store: Store, ticker: Ticker) -> None:
    """Ten minutes of twenty angry mentions each, judged at their end."""
    await ticker.tick(NOW, NOW)
    await talk(store, NOW - NOW % 60, 10, 20, "storm")
    await ticker.tick(NOW + 600, NOW + 600)


async def state(store: Store) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await store.do("GET", keys.state("acme")))
    return found


async def crises(store: Store) -> list[Episode]:
    return (await Episodes(store).page("acme", None, 10, None))[0]


@pytest.mark.parametrize("lag", [None, 0.001, 30.0, 200.0])
def test_a_brand_is_judged_in_the_middle_of_a_minute_however_its_source_lags(store_url: str, lag: float | None) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        if lag is not None:
            await heartbeat(store, "x", NOW - lag)
        await ticker.tick(NOW, NOW)
        assert set((await state(store))["scores"]) == {"volume", "revolt", "voice"}
        await talk(store, NOW - NOW % 60 - 240, 16, 12, "storm")
        for later in (300.0, 600.0):
            if lag is not None:
                await heartbeat(store, "x", NOW + later - lag)
            await ticker.tick(NOW + later, NOW + later)
        (found,) = await crises(store)
        assert found.kind == "crisis"
        assert found.state == "open"
        assert (await state(store))["severity"] == found.severity

    with_store(store_url, body)


def test_hours_of_which_nothing_is_known_are_no_calm(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await storm(store, ticker)
        assert [e.state for e in await crises(store)] == ["open"]
        await talk(store, NOW + 660, 130, 1, "after")
        await heartbeat(store, "x", NOW + 660)  # nothing is known of what came later
        for later in (7800.0, 7805.0):
            await ticker.tick(NOW + later, NOW + later)
        assert [e.state for e in await crises(store)] == ["open"]

    with_store(store_url, body)


def test_what_a_person_resolved_does_not_ring_again_and_is_shown_as_over(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await storm(store, ticker)
        (found,) = await crises(store)
        over = found.opened_at
        await Episodes(store).change(
            found.id, lambda e: e.told(over, "episode.resolved", "ann", state="resolved", closed_at=over)
        )
        await talk(store, NOW + 660, 240, 1, "after")
        for minute in range(11, 251):
            await ticker.tick(NOW + 60 * minute, NOW + 60 * minute)
            assert (await state(store))["severity"] == 0
        (still,) = await crises(store)
        assert still.state == "resolved"
        assert still.calm_at is not None
        assert still.log[-1].by == "ann"

    with_store(store_url, body)


def test_a_pushed_source_that_falls_silent_is_unknown_since_its_last_word(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        for minute in range(5, 181, 5):
            await ticker.tick(NOW + 60 * minute, NOW + 60 * minute)
        assert (await state(store))["completeness"]["x"] == 0.0
        (found,) = await crises(store)
        assert found.kind == "blind"
        gaps = await store.do("HGETALL", keys.gaps("acme"))
        assert gaps == {f"x\x1f{int(NOW - NOW % 60)}".encode(): b""}

    with_store(store_url, body)


def test_a_ticker_whose_lease_was_taken_stops(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        newer = await taken_over(store, "other")
        await newer.tick(NOW + 5, NOW + 5)
        with pytest.raises(Fenced):
            await ticker.tick(NOW + 10, NOW + 10)

    with_store(store_url, body)


def test_who_takes_over_amid_an_episode_finds_it_as_strange_as_before(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await storm(store, ticker)
        before = max((await state(store))["scores"].values())
        heir = await taken_over(store, "heir")
        await heir.tick(NOW + 605, NOW + 605)
        (found,) = await crises(store)
        assert found.state == "open"
        assert max((await state(store))["scores"].values()) > before - 3.0

    with_store(store_url, body)
