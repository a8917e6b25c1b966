"""A store that can't serve is refused with a sentence."""

import asyncio

import pytest

from service import keys
from service.store import SCHEMA_VERSION, Store, StoreError
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


def test_a_store_that_is_not_there_is_said_in_one_sentence() -> None:
    async def body() -> None:
        async with Store("redis://127.0.0.1:1") as store:
            await store.prepare()

    with pytest.raises(StoreError, match="the store can't be used") as caught:
        asyncio.run(body())
    assert "\n" not in str(caught.value)
