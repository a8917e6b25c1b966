"""A store that can't serve is refused with a sentence."""

import asyncio

import pytest
from redis.exceptions import ResponseError

from service import keys
from service.store import SCHEMA_VERSION, Store, StoreError, mended
from tests.service.live import with_store


def test_a_newer_schema_is_refused(store_url: str) -> None:
    async def body(store: Store) -> None:
        await store.do("SET", keys.SCHEMA, SCHEMA_VERSION + 1)
        with pytest.raises(StoreError, match="use the newer service"):
            await store.prepare()

    with_store(store_url, body)


def test_preparing_twice_changes_nothing(store_url: str) -> None:
    async def body(store: Store) -> None:
        await store.do("XADD", keys.ingest("{s000}"), "*", "rows", "[]")
        await store.prepare()
        assert await store.do("XLEN", keys.ingest("{s000}")) == 1

    with_store(store_url, body)


def test_a_store_that_came_back_empty_is_prepared_again(store_url: str) -> None:
    async def body(store: Store) -> None:
        await store.do("FLUSHALL")
        await store.do("FUNCTION", "FLUSH")
        with pytest.raises(ResponseError) as caught:
            await store.call("fs_drain", keys.dirty("{s000}"), 1)
        await mended(store, caught.value)
        assert await store.call("fs_drain", keys.dirty("{s000}"), 1) == []

    with_store(store_url, body)


def test_looking_at_a_store_changes_nothing_in_it(store_url: str) -> None:
    async def body() -> None:
        async with Store(store_url) as store:
            with pytest.raises(StoreError, match="nothing of Foreshock"):
                await store.inspect()
            assert await store.do("DBSIZE") == 0

    asyncio.run(body())


def test_an_address_that_is_none_is_said_so() -> None:
    with pytest.raises(StoreError, match="address can't be read"):
        Store("foo://secret@x")


def test_a_store_that_is_not_there_is_said_in_one_sentence() -> None:
    async def body() -> None:
        async with Store("redis://127.0.0.1:1") as store:
            await store.prepare()

    with pytest.raises(StoreError, match="the store can't be used") as caught:
        asyncio.run(body())
    assert "\n" not in str(caught.value)
