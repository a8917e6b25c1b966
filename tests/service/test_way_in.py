"""The way in, door to bucket: what is accepted is counted once, for the brands that it is of."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.mention import Count, Mention
from service import keys
from service.brand import Brand
from service.counts import read
from service.ingest import Busy, Ingest, Receipt, drained
from service.registry import Registry
from service.search import search
from service.store import Store
from service.worker import Worker
from tests.service.live import with_store

NOW = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
BRANDS = {"acme": "acme", "globex": "globex", "initech": "initech"}


class At:
    """A clock that stands."""

    replay = False

    async def now(self) -> float:
        return NOW.timestamp()


class Door:
    """A way in with its worker; `post` returns when all is counted."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.registry = Registry(store)
        self.ingest = Ingest(store, At(), self.registry)

    async def open(self) -> "Door":
        for name, query in BRANDS.items():
            await self.registry.put_brand(Brand(name=name, query=query))
        return self

    async def post(self, *mentions: dict[str, Any]) -> Receipt:
        items = [Mention.model_validate(m) for m in mentions]
        receipt = await self.ingest.mentions(enumerate(items), Receipt())
        worker = asyncio.create_task(Worker(self.store, At(), "w").run())
        await drained(self.store, self.registry.brands)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        return receipt

    async def mentions(self, brand: str) -> int:
        start = NOW.timestamp() - 8 * 86_400
        return int((await read(self.store, brand, start, NOW.timestamp(), 60, NOW.timestamp())).total("mentions").sum())

    async def texts(self, brand: str) -> list[str]:
        return [m["text"] for m in (await search(self.store, [brand], "", 50, None))["items"]]


def mention(text: str, minutes: float = 5, **more: Any) -> dict[str, Any]:
    at = NOW - timedelta(minutes=minutes)
    return {"id": "1", "source": "x", "text": text, "published_at": at.isoformat(), **more}


def edited(minutes: float = 1) -> str:
    return (NOW - timedelta(minutes=minutes)).isoformat()


def test_an_edit_counts_for_the_brands_of_its_new_text_only(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        await door.post(mention("acme and globex, awful"))
        assert [await door.mentions(b) for b in BRANDS] == [1, 1, 0]
        await door.post(mention("acme and initech, fine", updated_at=edited()))
        assert [await door.mentions(b) for b in BRANDS] == [1, 0, 1]
        assert await door.texts("globex") == []
        assert await door.texts("acme") == ["acme and initech, fine"]
        await door.post(mention("acme and globex, awful"))
        assert [await door.mentions(b) for b in BRANDS] == [1, 0, 1], "the highest updated_at wins"
        await door.post(mention("nobody any more", updated_at=edited(0)))
        assert [await door.mentions(b) for b in BRANDS] == [0, 0, 0]

    with_store(store_url, body)


def test_a_deletion_needs_no_text_to_be_taken_out_everywhere(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        await door.post(mention("acme and globex, awful"), mention("acme", id="2"))
        await door.post(mention("", deleted=True))
        assert [await door.mentions(b) for b in BRANDS] == [1, 0, 0]
        await door.post(mention("acme and globex, awful"))
        assert [await door.mentions(b) for b in BRANDS] == [1, 0, 0], "it stays deleted"
        assert await door.texts("acme") == ["acme"]
        assert [k async for k in store_keys(store, "*:t:*")] == [keys.text("acme", keys.identity("x", "2")).encode()]

    with_store(store_url, body)


async def store_keys(store: Store, pattern: str) -> Any:
    for key in await store.do("KEYS", pattern):
        yield key


def test_a_deletion_in_the_same_request_as_its_mention_wins(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        await door.post(mention("", deleted=True), mention("acme and globex"))
        assert [await door.mentions(b) for b in BRANDS] == [0, 0, 0]
        await door.post(mention("acme and globex"))
        assert [await door.mentions(b) for b in BRANDS] == [0, 0, 0]

    with_store(store_url, body)


def test_who_names_the_brands_speaks_for_those_alone(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        await door.post(mention("hello", brands=["acme"]), mention("hello", id="2", brands=["globex"]))
        await door.post(mention("hello", brands=["globex"]))
        assert [await door.mentions(b) for b in BRANDS] == [1, 2, 0]
        await door.post(mention("hi", brands=["globex"], updated_at=edited(), deleted=True))
        assert [await door.mentions(b) for b in BRANDS] == [1, 1, 0]

    with_store(store_url, body)


def test_late_mentions_land_in_the_bucket_of_their_own_time(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        day = 24 * 60
        week = 7 * day
        receipt = await door.post(mention("acme", week), mention("acme", 1, id="2"), mention("acme", 9 * day, id="3"))
        assert (receipt.accepted, receipt.rejected) == (2, 1)
        assert receipt.errors[0]["where"] == "published_at"
        at = NOW.timestamp() - week * 60
        table = await read(store, "acme", at - at % 60, at + 60, 60, NOW.timestamp())
        assert table.total("mentions").tolist()[0] == 1

    with_store(store_url, body)


def test_a_full_store_takes_nothing_and_says_why(store_url: str) -> None:
    class Full:
        def refuse(self) -> str | None:
            return "the store is full"

    async def body(store: Store) -> None:
        door = await Door(store).open()
        ingest = Ingest(store, At(), door.registry, Full())
        with pytest.raises(Busy, match="full"):
            await ingest.mentions(enumerate([Mention.model_validate(mention("acme"))]), Receipt())
        with pytest.raises(Busy, match="full"):
            await ingest.counts([], Receipt())
        assert await store.do("XLEN", keys.ingest(keys.shard("acme"))) == 0

    with_store(store_url, body)


@pytest.mark.parametrize(
    ("days", "seconds", "where"), [(1, 60, None), (20, 3600, None), (20, 60, "seconds"), (36, 3600, "start")]
)
def test_a_count_that_cannot_replace_exactly_is_refused(store_url: str, days: int, seconds: int, where: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        start = NOW.replace(minute=0, second=0) - timedelta(days=days)
        item = Count.model_validate(
            {"brand": "acme", "source": "desk", "start": start.isoformat(), "seconds": seconds, "count": 5}
        )
        receipt = await door.ingest.counts([(0, item)], Receipt())
        assert [e["where"] for e in receipt.errors] == ([where] if where else [])

    with_store(store_url, body)


def test_an_entry_that_nobody_can_read_does_not_keep_others_waiting(store_url: str) -> None:
    async def body(store: Store) -> None:
        door = await Door(store).open()
        stream = keys.ingest(keys.shard("acme"))
        await store.do("XADD", stream, "*", "m", b"\xff\xff")
        await store.do("XADD", stream, "*", "other", "field")
        await store.do("XADD", stream, "*", "m", b'\x91\x92\xa4acme\xc4\x05{"a":')
        await door.post(mention("acme"))
        assert await door.mentions("acme") == 1
        assert await store.do("XLEN", keys.dead(keys.shard("acme"))) == 3
        assert "acme" not in json.dumps(await door.texts("globex"))

    with_store(store_url, body)
