import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.mention import Mention
from service.brand import Brand
from service.clock import SystemClock
from service.ingest import Ingest, Receipt, drained
from service.registry import Registry
from service.search import search
from service.store import Store
from service.worker import Worker

NOW = datetime.now(UTC) - timedelta(hours=1)


def mention(identity: str, text: str, **more: Any) -> Mention:
    said = {"id": identity, "source": "x", "text": text, "published_at": NOW - timedelta(minutes=int(identity))}
    return Mention.model_validate(said | more)


MENTIONS = [
    mention("1", "Acme lost my bag and I want a refund", author={"id": "7", "name": "Jane", "followers": 12_000}),
    mention("2", "Acme hat schon wieder meinen Koffer verloren, das ist eine Schande", source="reddit"),
    mention("3", "ACME refunded me", url="https://blog.example/acme", kind="article", language="en-GB"),
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("acme", ["1", "2", "3"]),
        ("{Acme}", ["1", "2"]),
        ("refund* -refunded", ["1"]),
        ("refund* NEAR/2 acme", ["3"]),
        ("source:reddit", ["2"]),
        ("lang:de", ["2"]),
        ("lang:en", ["1", "3"]),
        ("author:jane OR author:@JANE", ["1"]),
        ("acme -followers:>10000", ["2", "3"]),
        ("url:blog.example", ["3"]),
        ("kind:article OR kind:ticket", ["3"]),
        ("", ["1", "2", "3"]),
    ],
)
def test_the_kept_mentions_are_searched_by_the_whole_language(store_url: str, query: str, expected: list[str]) -> None:
    assert asyncio.run(_found(store_url, query)) == expected


def test_a_query_that_cannot_be_read_is_told_with_its_column(store_url: str) -> None:
    with pytest.raises(ValueError, match="query: column 6: the parenthesis"):
        asyncio.run(_found(store_url, "acme (air"))


def test_brands_get_the_mentions_that_their_filters_ask_for(store_url: str) -> None:
    assert asyncio.run(_found(store_url, "", "source:reddit OR (refund* followers:>1000)")) == ["1", "2"]


async def _found(url: str, query: str, brand: str = "acme") -> list[str]:
    """Post all mentions to a brand with the query `brand`, and search."""
    async with Store(url) as store:
        await store.prepare()
        registry = Registry(store)
        await registry.put_brand(Brand(name="acme", query=brand))
        clock = SystemClock()
        await Ingest(store, clock, registry).mentions(enumerate(MENTIONS), Receipt())
        worker = asyncio.create_task(Worker(store, clock, "w").run())
        await drained(store, registry.brands)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
        return [item["id"] for item in (await search(store, ["acme"], query, 50, None))["items"]]
