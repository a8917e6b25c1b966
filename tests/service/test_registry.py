"""What is configured is seen by every process, and costs what changed."""

import time

import pytest

from service import keys
from service.brand import Brand
from service.matching import APART, Matching
from service.registry import Registry
from service.store import Store
from tests.service.live import with_store


def brand(n: int, query: str | None = None) -> Brand:
    return Brand(name=f"brand-{n:05d}", query=query or f"word{n}")


def test_thousands_of_brands_are_stored_in_one_step_and_seen_by_others(store_url: str) -> None:
    async def body(store: Store) -> None:
        one, other = Registry(store), Registry(store)
        await other.refresh()
        assert await one.put_brands([brand(n) for n in range(3000)]) == 3000
        assert await one.put_brands([brand(0, "else"), brand(5000)]) == 1
        assert await other.refresh()
        assert not await other.refresh()
        assert list(other.brands) == sorted(other.brands)
        assert other.brands == one.brands
        assert len(one.brands) == 3001
        assert one.matcher.match("else word0 word7 word5000") == ["brand-00000", "brand-00007", "brand-05000"]

    with_store(store_url, body)


def test_a_change_by_another_process_is_not_missed_by_who_changes_something_itself(store_url: str) -> None:
    async def body(store: Store) -> None:
        one, other = Registry(store), Registry(store)
        await one.put_brand(brand(1))
        await other.put_brand(brand(2))
        assert await one.put_brand(brand(3))
        assert list(one.brands) == ["brand-00001", "brand-00002", "brand-00003"]
        assert await other.drop_brand("brand-00001")
        assert list(other.brands) == ["brand-00002", "brand-00003"]
        await one.refresh()
        assert one.brands == other.brands
        assert one.matcher.match("word1 word2 word3") == ["brand-00002", "brand-00003"]

    with_store(store_url, body)


def test_a_brand_that_did_not_change_is_not_made_anew(store_url: str) -> None:
    async def body(store: Store) -> None:
        one, other = Registry(store), Registry(store)
        await one.put_brands([brand(n) for n in range(10)])
        await other.refresh()
        before = dict(other.brands)
        await one.put_brand(brand(3, "changed"))
        await other.refresh()
        assert [name for name in before if other.brands[name] is not before[name]] == ["brand-00003"]

    with_store(store_url, body)


def test_queries_that_come_change_and_go_are_matched_as_they_are_now() -> None:
    matching, wanted = Matching(), dict[str, str]()

    def put(name: str, query: str | None) -> None:
        matching.put(name, query)
        if query is None:
            del wanted[name]
        else:
            wanted[name] = query

    for n in range(3 * APART):
        put(f"b{n}", f"word{n % 50}")
        if n % 7 == 3:
            put(f"b{n - 2}", f"word{(n + 1) % 50}")
        if n % 11 == 5:
            put(f"b{n - 4}", None)
        if n % 40 == 0:
            for word in ("word3", "word41"):
                expected = sorted(name for name, query in wanted.items() if query == word)
                assert matching.matcher().match(f"a {word}") == expected


def test_adding_brands_one_by_one_while_texts_are_matched_does_not_build_all_of_them_each_time() -> None:
    matching = Matching()
    for n in range(5000):
        matching.put(f"b{n}", f"word{n}")
    matching.matcher()
    began = time.process_time()
    for n in range(5000, 5020):
        matching.put(f"b{n}", f"word{n}")
        assert matching.matcher().match(f"word{n} word7") == [f"b{n}", "b7"] if n >= 5000 else True
    added = time.process_time() - began
    began = time.process_time()
    fresh = Matching()
    for n in range(5020):
        fresh.put(f"b{n}", f"word{n}")
    fresh.matcher()
    assert added < 5 * (time.process_time() - began)


def test_what_this_version_cannot_read_is_left_out_and_named_and_ends_no_process(
    store_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def body(store: Store) -> None:
        one = Registry(store)
        await one.put_brands([brand(0), brand(1)])
        newer = b'{"name": "brand-00001", "query": "word1", "of-a-later-version": 1}'
        await store.do("HSET", keys.BRANDS, "brand-00001", newer)
        await store.do("HSET", keys.CHANNELS, "pr", b'{"name": "pr", "type": "telepathy"}')
        await store.do("INCR", keys.VERSION)
        other = Registry(store)
        assert await other.refresh()
        assert list(other.brands) == ["brand-00000"]
        assert other.channels == {}
        assert other.matcher.match("word0 word1") == ["brand-00000"]

    with_store(store_url, body)
    said = [record.message for record in caplog.records]
    assert any("brand-00001" in line and "of-a-later-version" in line for line in said)
    assert any("pr can't be read" in line for line in said)
