"""What the store says of changed minutes reaches the ticker, in whichever form it was said."""

import msgspec

from service import keys
from service.segment import SEGMENT
from service.store import Store
from tests.service.live import with_store
from tests.service.test_counting import count, row
from tests.service.test_ticker import NOW, state, talk, watched

MINUTE = int(NOW) // 60
NUMBER, OFFSET = divmod(MINUTE, SEGMENT)


def test_a_young_minute_is_told_with_its_counters_and_an_older_one_by_its_segment(store_url: str) -> None:
    async def body(store: Store) -> None:
        young = row(id="young", brand="acme", source="x", at=int(NOW))
        old = row(id="old", brand="acme", source="x", at=int(NOW) - 3 * 3600)
        await count(store, young, old, now=NOW)
        told = await store.call("fs_changed", keys.dirty(keys.shard("acme")), 1)
        found = dict(zip(told[::2], told[1::2], strict=True))
        one, other = f"acme\x1fx\x1f{NUMBER}\x1f{OFFSET}".encode(), f"acme\x1fx\x1f{(MINUTE - 180) // SEGMENT}".encode()
        assert found.keys() == {one, other}
        assert found[one] == await store.do("HGET", keys.segment("acme", "x", 60, NUMBER), OFFSET)
        assert msgspec.msgpack.decode(found[one])[0] == 1
        assert found[other] == b""
        assert await store.call("fs_changed", keys.dirty(keys.shard("acme")), 1) == []

    with_store(store_url, body)


def test_a_segment_that_is_named_as_a_whole_is_read_as_a_whole(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        before = (await state(store))["window_mentions"]
        packed = msgspec.msgpack.encode([7, 0, 7, 700, 0, 0, 0, 7])
        await store.do("HSET", keys.segment("acme", "x", 60, NUMBER), OFFSET - 1, packed, OFFSET, packed)
        await ticker.tick(NOW + 1, NOW + 1)
        assert (await state(store))["window_mentions"] == before
        await store.do("SADD", keys.dirty(keys.shard("acme")), f"acme\x1fx\x1f{NUMBER}")
        await ticker.tick(NOW + 2, NOW + 2)
        assert (await state(store))["window_mentions"] == before - 1 + 7 + 7

    with_store(store_url, body)


def test_minutes_that_change_while_a_brand_waits_are_all_known_when_it_is_looked_at(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        for later in (0, 5, 10):
            await ticker.tick(NOW + later, NOW + later, patient=False)
        watcher = ticker.watchers.get("acme")
        assert watcher is not None
        brands = {"acme": watcher.brand}
        for n in range(3):
            await talk(store, NOW - NOW % 60 - 60 * n, 1, n + 1, f"murmur{n}")
            await ticker.watchers.drain(brands, await ticker.take() or 0)
        await ticker.watchers.take([watcher.brand], NOW + 15, NOW + 15)
        assert [watcher.minutes.said("x", MINUTE - n)[0] for n in range(4)] == [1, 3, 4, 1]
        assert not ticker.watchers.changed

    with_store(store_url, body)


def test_a_waiting_brand_jumps_once_more_is_said_in_this_minute_or_the_last_than_is_normal(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        for later in (0, 5):
            await ticker.tick(NOW + later, NOW + later, patient=False)
        found = ticker.watchers
        brands = {w.brand.name: w.brand for w in found.all()}

        async def told(begin: float, each: int, name: str) -> list[str]:
            await talk(store, begin, 1, each, name)
            await found.drain(brands, await ticker.take() or 0)
            return found.jumped(["acme"], NOW + 10)

        this = NOW - NOW % 60
        assert await told(this, 1, "murmur") == []
        assert await told(this - 120, 20, "before") == []
        assert await told(this - 60, 20, "last") == ["acme"]
        assert await told(this, 20, "storm") == ["acme"]

    with_store(store_url, body)
