"""Counting is exact: once however often delivered, edits by the difference, deletions taken out."""

import hashlib
import random
from collections import Counter
from typing import Any

import msgspec
import pytest

from service import keys
from service.counts import read
from service.row import ELSEWHERE, Row
from service.search import kept
from service.store import Store
from tests.service.live import with_store

NOW = 1_760_000_040
"""A whole minute."""


def row(**change: Any) -> Row:
    """One mention; `id` names it."""
    identity, author = str(change.pop("id", "1")), str(change.pop("author", "a1"))
    source = change.get("source", "x")
    base: dict[str, Any] = {
        "brand": "acme",
        "source": source,
        "key": keys.identity(source, identity),
        "at": NOW,
        "updated": NOW * 1000,
        "deleted": 0,
        "scored": 1,
        "negative": 800,
        "spread": 160,
        "positive": 0,
        "sentiment": "negative",
        "spam": 0,
        "signature": 0,
        "author": int.from_bytes(hashlib.blake2b(author.encode(), digest_size=6).digest()),
        "reach": 100,
        "text": '{"text": "hello"}',
    }
    return Row(**{**base, **change})


def packed(*rows: Row) -> bytes:
    return msgspec.msgpack.encode(rows)


async def count(store: Store, *rows: Row, now: float = NOW) -> int:
    by_brand: dict[str, list[Row]] = {}
    for r in rows:
        by_brand.setdefault(r.brand, []).append(r)
    counted = 0
    for brand, some in by_brand.items():
        key = keys.ingest(keys.shard(brand or "acme"))
        counted += await store.call("fs_count", key, "count", "", int(now), packed(*some))
    return counted


async def sums(store: Store, width: int = 60, brand: str = "acme") -> dict[str, float]:
    table = await read(store, brand, NOW - 7 * 86_400, NOW + 3600, width, NOW + 3600)
    names = ("mentions", "negative", "negative_variance", "positive", "scored", "excluded", "authors", "reach")
    return {name: round(float(table.total(name).sum()), 6) for name in names}


@pytest.mark.parametrize("width", [60, 300, 3600])
def test_a_mention_counts_in_all_three_widths(store_url: str, width: int) -> None:
    async def body(store: Store) -> None:
        assert await count(store, row()) == 1
        assert await sums(store, width) == {
            "mentions": 1,
            "negative": 0.8,
            "negative_variance": 0.16,
            "positive": 0,
            "scored": 1,
            "excluded": 0,
            "authors": 1,
            "reach": 100,
        }

    with_store(store_url, body)


def test_a_mention_counts_once_however_often_it_is_delivered(store_url: str) -> None:
    async def body(store: Store) -> None:
        before = [await count(store, row(), row()), await sums(store)]
        assert before[0] == 1
        assert await count(store, row(), row(at=NOW - 600)) == 0
        assert await sums(store) == before[1]

    with_store(store_url, body)


def test_identity_is_source_and_id_for_each_brand(store_url: str) -> None:
    async def body(store: Store) -> None:
        assert await count(store, row(), row(source="reddit"), row(id="2"), row(brand="other")) == 4
        assert (await sums(store))["mentions"] == 3
        assert (await sums(store, brand="other"))["mentions"] == 1

    with_store(store_url, body)


def test_an_edit_changes_its_bucket_by_the_difference_and_the_highest_wins(store_url: str) -> None:
    async def body(store: Store) -> None:
        late = row(updated=NOW * 1000 + 9000, negative=100, positive=1, sentiment="positive")
        older = row(updated=NOW * 1000 + 5000, negative=500)
        assert await count(store, row(), late, older) == 2
        found = await sums(store)
        assert (found["mentions"], found["negative"], found["positive"]) == (1, 0.1, 1)

    with_store(store_url, body)


def test_a_deletion_takes_a_mention_out_and_purges_its_text(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row(), row(id="2"))
        await count(store, row(deleted=1, updated=NOW * 1000 + 1))
        found = await sums(store)
        assert (found["mentions"], found["negative"], found["reach"]) == (1, 0.8, 100)
        assert len(await kept(store, "acme", NOW - 60, NOW + 60, 10)) == 1
        assert await store.do("EXISTS", keys.text("acme", keys.identity("x", "1"))) == 0
        assert await count(store, row()) == 0
        assert (await sums(store))["mentions"] == 1

    with_store(store_url, body)


def test_a_deletion_is_a_count_of_its_own_once_and_only_of_what_was_counted(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row(), row(id="never seen", deleted=1))
        await count(store, row(deleted=1, updated=NOW * 1000 + 1), row(deleted=1, updated=NOW * 1000 + 2))
        assert (await store.do("HGETALL", keys.totals("acme")))[b"x\x1fdeleted"] == b"1"
        assert (await sums(store))["mentions"] == 0

    with_store(store_url, body)


def test_copies_of_one_text_are_counted_as_excluded_and_stay_visible(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, *(row(id=str(n), author=f"a{n}", signature=77) for n in range(10)))
        found = await sums(store)
        assert (found["mentions"], found["excluded"], found["scored"]) == (10, 7, 3)
        assert found["negative"] == pytest.approx(2.4)

    with_store(store_url, body)


@pytest.mark.parametrize("seed", range(4))
def test_the_earliest_copies_and_posts_of_an_author_count_whatever_order_they_come_in(
    store_url: str, seed: int
) -> None:
    chance = random.Random(seed)
    hour = NOW // 3600 * 3600
    rows = [
        row(
            id=str(n), author=f"a{n}", at=hour + 60 * chance.randrange(60), signature=1 + n % 3, reach=1 + n,
            doubtful=chance.randrange(2),
        )
        for n in range(40)
    ]  # fmt: skip
    counts: list[Row] = []
    for signature in (1, 2, 3):
        copies = sorted((r for r in rows if r.signature == signature), key=lambda r: (r.at, r.key))
        counts += [r for rank, r in enumerate(copies, 1) if rank <= (1 if r.doubtful else 3)]
    busy = [
        row(id=f"busy {n}", author="busy", at=hour + 60 * chance.randrange(60), signature=100 + n // 2, voiced=1)
        for n in range(24)
    ]
    counts += sorted(busy, key=lambda r: (r.at, r.key))[:10]
    rows += busy

    async def body(store: Store) -> None:
        again = [*rows, *rows[:10]]
        chance.shuffle(again)
        for begin in range(0, len(again), 7):
            await count(store, *again[begin : begin + 7], now=hour + 3600)
        table = await read(store, "acme", hour, hour + 3600, 60, hour + 3600)
        out = Counter(r.at for r in rows) - Counter(r.at for r in counts)
        assert [out[int(at)] for at in table.times] == table.total("excluded").tolist()
        assert table.total("negative").sum() == pytest.approx(0.8 * len(counts))

    with_store(store_url, body)


def test_the_counter_never_falls_and_deletions_are_a_count_of_their_own(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row(), row(id="2"), row(id="2", deleted=1, updated=NOW * 1000 + 1))
        found = await store.do("HGETALL", keys.totals("acme"))
        assert found == {b"x\x1fnegative": b"2", b"x\x1fdeleted": b"1"}

    with_store(store_url, body)


def test_any_order_of_deliveries_gives_the_same_counts(store_url: str) -> None:
    rows = [
        row(id=str(n % 40), updated=(NOW + n) * 1000, negative=n * 7 % 1000, at=NOW - n % 40 * 60) for n in range(200)
    ]
    newest = {r.key: r for r in rows}

    async def shuffled(store: Store, seed: int) -> dict[str, float]:
        some = [*rows, *rows[:60]]
        random.Random(seed).shuffle(some)
        await count(store, *some)
        return await sums(store)

    for seed in range(3):

        async def body(store: Store, seed: int = seed) -> dict[str, float]:
            await store.do("FLUSHALL")
            return await shuffled(store, seed)

        found = with_store(store_url, body)
        assert found["mentions"] == 40
        assert found["negative"] == pytest.approx(sum(r.negative for r in newest.values()) / 1000)


def test_counts_replace_and_never_add_and_are_spread_over_their_minutes(store_url: str) -> None:
    async def body(store: Store) -> None:
        key = keys.ingest(keys.shard("acme"))
        start = NOW - NOW % 3600 - 3600
        for value, difference in ((10, 10), (25, 15), (25, 0), (7, -18)):
            assert await store.call("fs_put_count", key, "acme", "desk", start, 300, value, NOW) == difference
        minutes = await read(store, "acme", start, start + 600, 60, NOW)
        assert minutes.total("mentions").tolist() == [1, 1, 2, 1, 2, 0, 0, 0, 0, 0]
        assert minutes.complete.tolist() == [True] * 5 + [False] * 5
        hours = await read(store, "acme", start, start + 3600, 3600, NOW)
        assert hours.total("mentions").tolist() == [7]

    with_store(store_url, body)


def test_reading_more_posts_never_looks_like_more_talk(store_url: str) -> None:
    async def body(store: Store) -> None:
        key = keys.ingest(keys.shard("acme"))
        for minute in range(60):
            await store.call("fs_put_count", key, "acme", "x", NOW - 60 * minute, 60, 10, NOW)
        few = [row(id=str(n), author=f"a{n}", at=NOW - 60 * n) for n in range(6)]
        await count(store, *few)
        before = (await read(store, "acme", NOW - 3540, NOW + 60, 60, NOW + 60)).series()["x"]
        await count(store, *(row(id=f"b{n}", author=f"b{n}", at=NOW - 60 * (n % 60)) for n in range(120)))
        after = (await read(store, "acme", NOW - 3540, NOW + 60, 60, NOW + 60)).series()["x"]
        assert before.mentions.sum() == after.mentions.sum() == 600
        assert before.negative is not None
        assert after.negative is not None
        assert after.negative.sum() == pytest.approx(before.negative.sum()) == pytest.approx(480)

    with_store(store_url, body)


def test_a_batch_is_counted_acknowledged_and_dropped_in_one_step(store_url: str) -> None:
    async def body(store: Store) -> None:
        stream = keys.ingest(keys.shard("acme"))
        identity = await store.do("XADD", stream, "*", "m", b"\x90")
        await store.do("XREADGROUP", "GROUP", "count", "w", "COUNT", 1, "STREAMS", stream, ">")
        assert await store.call("fs_count", stream, "count", identity, NOW, packed(row())) == 1
        assert await store.call("fs_count", stream, "count", identity, NOW, packed(row(id="2"))) == -1
        assert await store.do("XLEN", stream) == 0
        assert (await sums(store))["mentions"] == 1

    with_store(store_url, body)


def test_texts_are_kept_up_to_their_number_and_counts_beyond_it(store_url: str) -> None:
    async def body(store: Store) -> None:
        for begin in range(0, 20_400, 400):
            rows = [row(id=n, at=NOW - 20_400 + n, author=n) for n in range(begin, begin + 400)]
            await count(store, *rows)
        assert await store.do("ZCARD", keys.recent("acme")) == 20_000
        assert (await sums(store))["mentions"] == 20_400
        assert await store.do("EXISTS", keys.text("acme", keys.identity("x", "0"))) == 0
        assert len(await kept(store, "acme", NOW - 30_000, NOW, 30_000)) == 20_000
        assert await count(store, row(id="0", at=NOW - 20_400)) == 0

    with_store(store_url, body)


def test_packed_buckets_expire_by_themselves(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row())
        lifetimes = {
            width: await store.do("TTL", keys.segment("acme", "x", width, NOW // width // n))
            for width, n in keys.SEGMENT.items()
        }
        day = 86_400
        assert 8 * day <= lifetimes[60] <= 8 * day + 4 * 3600
        assert 35 * day <= lifetimes[300] <= 36 * day
        assert 730 * day <= lifetimes[3600] <= 751 * day

    with_store(store_url, body)


def test_brands_spread_over_all_shards() -> None:
    used = Counter(keys.shard(f"brand-{n}") for n in range(20_000))
    assert len(used) == keys.SHARDS
    assert max(used.values()) < 160


async def authors(store: Store, width: int = 60) -> tuple[float, bool]:
    """Return the distinct authors of all buckets, and whether any of them is approximate."""
    table = await read(store, "acme", NOW - 7 * 86_400, NOW + 3600, width, NOW + 3600)
    return float(table.total("authors").sum()), bool(table.total("authors_approximate").any())


@pytest.mark.parametrize("width", [60, 300, 3600])
def test_up_to_64_authors_are_counted_exactly_and_a_deletion_takes_them_out(store_url: str, width: int) -> None:
    async def body(store: Store) -> None:
        rows = [row(id=n, author=n % 64) for n in range(128)]
        for r in rows:
            await count(store, r)
        assert await authors(store, width) == (64, False)
        later = {"deleted": 1, "updated": NOW * 1000 + 1}
        await count(store, *(row(id=n, author=n % 64, **later) for n in range(64)))
        assert await authors(store, width) == (64, False), "each has written another"
        await count(store, *(row(id=n, author=n % 64, **later) for n in range(64, 74)))
        assert await authors(store, width) == (54, False)

    with_store(store_url, body)


def test_more_than_64_authors_are_approximate_and_say_so(store_url: str) -> None:
    async def body(store: Store) -> None:
        for begin in range(0, 3000, 100):
            await count(store, *(row(id=n, author=n % 1000) for n in range(begin, begin + 100)))
        found, approximate = await authors(store)
        assert approximate
        assert found == pytest.approx(1000, rel=0.05)
        await count(store, *(row(id=n, author=n, deleted=1, updated=NOW * 1000 + 1) for n in range(100)))
        assert (await authors(store))[0] == found, "a deletion leaves them"

    with_store(store_url, body)


def test_an_edit_may_change_author_and_minute(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row(author="a"), row(id="2", author="b"))
        await count(store, row(author="c", at=NOW - 120, updated=NOW * 1000 + 1))
        table = await read(store, "acme", NOW - 120, NOW + 60, 60, NOW + 3600)
        assert table.total("authors").tolist() == [1, 0, 1]
        assert table.total("mentions").tolist() == [1, 0, 1]
        assert await authors(store, 3600) == (2, False)

    with_store(store_url, body)


def test_a_bucket_forgets_its_last_author(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row(author="a"))
        await count(store, row(author="a", deleted=1, updated=NOW * 1000 + 1))
        await count(store, row(id="2", author="b"))
        assert await authors(store) == (1, False)

    with_store(store_url, body)


def elsewhere(*stays: str, **change: Any) -> Row:
    return row(brand=ELSEWHERE, updated=NOW * 1000 + 5, text=msgspec.json.encode(stays).decode(), **change)


def test_an_edit_is_taken_out_of_the_brands_that_it_no_longer_is_of(store_url: str) -> None:
    same_shard = next(f"b{n}" for n in range(10_000) if keys.shard(f"b{n}") == keys.shard("acme"))

    async def body(store: Store) -> None:
        await count(store, row(), row(brand=same_shard))
        assert await count(store, elsewhere("acme")) == 1
        assert (await sums(store))["mentions"] == 1
        assert (await sums(store, brand=same_shard))["mentions"] == 0
        assert await count(store, elsewhere("acme"), row(brand=same_shard)) == 0, "repetitions change nothing"
        assert await count(store, row(updated=NOW * 1000 + 5, negative=100)) == 1
        assert (await sums(store))["negative"] == 0.1

    with_store(store_url, body)


def test_a_deletion_without_text_overtakes_the_mention_that_still_waits(store_url: str) -> None:
    async def body(store: Store) -> None:
        stream = keys.ingest(keys.shard("acme"))
        first, second = [await store.do("XADD", stream, "*", "m", b"\x90") for _ in range(2)]
        await store.do("XREADGROUP", "GROUP", "count", "w", "COUNT", 2, "STREAMS", stream, ">")
        await store.call("fs_count", stream, "count", second, NOW, packed(elsewhere(deleted=1)))
        assert await store.call("fs_count", stream, "count", first, NOW, packed(row())) == 0
        assert (await sums(store))["mentions"] == 0

    with_store(store_url, body)


def test_an_hour_of_counts_replaces_its_minutes_and_the_other_way_round(store_url: str) -> None:
    async def body(store: Store) -> None:
        key, start = keys.ingest(keys.shard("acme")), NOW - NOW % 3600 - 3600
        for minute in range(60):
            await store.call("fs_put_count", key, "acme", "desk", start + 60 * minute, 60, 2, NOW)
        assert await store.call("fs_put_count", key, "acme", "desk", start, 3600, 90, NOW) == -30
        assert await store.call("fs_put_count", key, "acme", "desk", start, 60, 5, NOW) == 4
        for width, expected in ((60, 94), (300, 94), (3600, 94)):
            table = await read(store, "acme", start, start + 3600, width, NOW)
            assert table.total("mentions").sum() == expected
            assert table.complete.all()

    with_store(store_url, body)


def test_counts_of_last_month_replace_each_other_too(store_url: str) -> None:
    async def body(store: Store) -> None:
        key, start = keys.ingest(keys.shard("acme")), NOW - NOW % 3600 - 20 * 86_400
        for value, difference in ((600, 600), (60, -540)):
            assert await store.call("fs_put_count", key, "acme", "desk", start, 3600, value, NOW) == difference
        hours = await read(store, "acme", start, start + 3600, 3600, NOW)
        assert hours.total("mentions").tolist() == [60]
        assert hours.complete.tolist() == [True]

    with_store(store_url, body)
