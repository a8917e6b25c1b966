"""A store of schema 1 becomes one of schema 2: nothing that was counted changes, and counting goes on exactly."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import redis

from service import keys
from service.counts import CODES, read
from service.exhume import page
from service.ingest import drained
from service.lease import Lease
from service.migrate import LOCK, migrate
from service.row import Row
from service.search import search
from service.store import Store, StoreError
from service.worker import Worker
from tests.service.oldstore import BRANDS, NOW, SOURCES, WIDTHS, content, mention, old_buckets, old_store
from tests.service.servers import cluster


async def new_buckets(store: Store) -> dict[tuple[str, str, int, int], dict[str, int]]:
    """What schema 2 holds, without what schema 1 did not have, under its names."""
    found = {}
    for brand in BRANDS:
        table = {w: await read(store, brand, NOW - 8 * 86_400, NOW + 3600, w, NOW) for w in WIDTHS}
        for width, rows in table.items():
            for source, held in rows.sources.items():
                for row in np.flatnonzero(np.any(list(held.columns.values()), axis=0)).tolist():
                    values = {c: int(held.columns[c][row]) for c in CODES if held.columns[c][row]}
                    values = {"v" if c == "c" else c: v for c, v in values.items() if c not in "wh"}
                    if values:
                        found[brand, source, width, int(rows.start) // width + row] = values
    return found


def row(old: dict[str, Any], **change: Any) -> Row:
    """What the service of schema 2 counts for the same mention."""
    m = {**old, **change}
    negative, wrote = m["negative"], hashlib.blake2b(f"{m['source']}\0u".encode(), digest_size=6)
    return Row(
        m["brand"], m["source"], keys.identity(m["source"], m["id"]), m["at"], m["updated"], m["deleted"], m["scored"],
        negative, round(negative * (1000 - negative) / 1000), m["positive"], m["sentiment"], m["spam"],
        (int(m["signature"], 16) >> 12) or 1 if m["signature"] else 0, int.from_bytes(wrote.digest()), m["reach"],
        m["text"],
    )  # fmt: skip


async def count(store: Store, *some: Row) -> int:
    counted = 0
    for brand in BRANDS:
        rows = msgspec.msgpack.encode([r for r in some if r.brand == brand])
        counted += await store.call("fs_count", keys.ingest(keys.shard(brand)), "count", "", NOW, rows)
    return counted


def with_old(url: str, body: Callable[[Store], Awaitable[None]], n: int = 300) -> None:
    async def run() -> None:
        async with Store(url) as store:
            await old_store(store, n)
            await body(store)

    asyncio.run(run())


async def migrated(store: Store) -> None:
    await migrate(store)
    await store.prepare()


def test_every_bucket_of_every_width_is_what_it_was(store_url: str) -> None:
    async def body(store: Store) -> None:
        before = await old_buckets(store)
        assert len(before) > 900
        await migrated(store)
        assert await new_buckets(store) == before

    with_old(store_url, body)


def test_nothing_of_schema_1_is_left_and_all_that_expired_still_does(store_url: str) -> None:
    async def body(store: Store) -> None:
        await migrated(store)
        left = [(n.decode(), await store.do("PTTL", n)) for n in await store.do("KEYS", "*")]
        kept = [name for name, life in left if life < 0]
        assert {n.rpartition(":")[2] for n in kept if n[0] == "{"} == {"dirty", "events", "ingest", "since", "totals"}
        assert {n for n in kept if n[0] == "f"} == {"fs:schema", "fs:lease:tick", "fs:lease:collect"}
        day = 86_400_000
        assert all(life <= 8 * day + 3_600_000 for name, life in left if ":r:" in name)
        assert all(life <= 7 * day for name, life in left if ":t:" in name)
        hours = [life for name, life in left if ":3600:" in name]
        assert min(hours) > 729 * day
        assert max(hours) < 760 * day
        dirty = await store.do("SMEMBERS", keys.dirty(keys.shard("acme")))
        assert {int(m.split(b"\x1f")[2]) for m in dirty} >= {NOW // 14_400}

    with_old(store_url, body)


def test_a_repetition_of_an_old_mention_changes_nothing(store_url: str) -> None:
    async def body(store: Store) -> None:
        await migrated(store)
        before = await content(store)
        assert await count(store, *(row(mention(n)) for n in range(300))) == 0
        assert await content(store) == before

    with_old(store_url, body)


def test_an_edit_and_a_deletion_of_an_old_mention_change_its_bucket_by_the_difference(store_url: str) -> None:
    async def body(store: Store) -> None:
        await migrated(store)
        old = next(m for m in map(mention, range(1, 300)) if m["scored"] and not m["spam"] and not m["signature"])
        where = (old["brand"], old["source"], 3600, old["at"] // 3600)
        before = (await new_buckets(store))[where]
        assert await count(store, row(old, updated=NOW * 1000 + 5, negative=old["negative"] + 7, positive=1)) == 1
        edited = (await new_buckets(store))[where]
        assert edited["n"] == before["n"] + 7
        assert (edited["m"], edited["s"], edited["r"]) == (before["m"], before["s"], before["r"])
        assert await count(store, row(old, updated=NOW * 1000 + 6, deleted=1)) == 1
        without = (await new_buckets(store)).get(where, {})
        assert without.get("m", 0) == before["m"] - 1
        assert without.get("n", 0) == before["n"] - old["negative"]
        assert without.get("r", 0) == before["r"] - old["reach"]

    with_old(store_url, body)


def test_a_mention_that_was_deleted_stays_deleted(store_url: str) -> None:
    async def body(store: Store) -> None:
        await migrated(store)
        assert await count(store, row(mention(20))) == 0
        assert await count(store, row(mention(20), updated=NOW * 1000 + 1)) == 0

    with_old(store_url, body)


def test_search_finds_the_old_texts_and_not_the_deleted_ones(store_url: str) -> None:
    async def body(store: Store) -> None:
        await migrated(store)
        found: list[str] = []
        cursor = None
        while True:
            page = await search(store, ["acme"], "number", 40, cursor)
            found += [item["text"] for item in page["items"]]
            if (cursor := page["next"]) is None:
                break
        wanted = {f"number {n}" for n in range(0, 300, 3) if n % 20}
        assert len(found) == len(wanted)
        assert set(found) == wanted

    with_old(store_url, body)


def test_copies_of_a_text_are_counted_on(store_url: str) -> None:
    async def body(store: Store) -> None:
        at = NOW - NOW % 3600
        rows = [{**mention(3 * n + 3000), "at": at, "signature": "beef000", "spam": 0, "scored": 1} for n in range(4)]
        await store.call("fs_count", keys.ingest(keys.shard("acme")), "count", "", NOW, json.dumps(rows[:3]))
        await migrated(store)
        where = ("acme", rows[3]["source"], 3600, at // 3600)
        before = (await new_buckets(store))[where].get("x", 0)
        assert await count(store, row(rows[3])) == 1
        assert (await new_buckets(store))[where]["x"] == before + 1

    with_old(store_url, body)


def test_the_variance_of_old_negatives_is_the_most_it_can_have_been(store_url: str) -> None:
    async def body(store: Store) -> None:
        await migrated(store)
        table = await read(store, "acme", NOW - 7 * 86_400, NOW + 3600, 3600, NOW)
        for source in SOURCES:
            columns = table.sources[source].columns
            scored, negative = 1000 * columns["s"], columns["n"]
            expected = negative * (scored - negative) / np.maximum(scored, 1)
            assert np.abs(columns["w"] - expected).max() <= 0.5
            assert expected.max() > 100

    with_old(store_url, body)


def test_authors_are_marked_approximate(store_url: str) -> None:
    async def body(store: Store) -> None:
        before = await old_buckets(store)
        await migrated(store)
        table = await read(store, "acme", NOW - 7 * 86_400, NOW + 3600, 3600, NOW)
        authors = sum(v.get("a", 0) for (brand, _, width, _), v in before.items() if (brand, width) == ("acme", 3600))
        assert table.total("authors").sum() == authors > 50
        assert ((table.total("authors") > 0) <= (table.total("authors_approximate") > 0)).all()

    with_old(store_url, body)


class Standing:
    """A clock that stands at NOW."""

    replay = False

    async def now(self) -> float:
        return NOW


def test_what_waited_or_was_handed_out_is_counted_once_by_the_new_worker(store_url: str) -> None:
    async def body(store: Store) -> None:
        await migrated(store)
        before = await new_buckets(store)
        task = asyncio.create_task(Worker(store, Standing(), "new").run())
        await asyncio.wait_for(drained(store, BRANDS), 20)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        after = await new_buckets(store)
        for brand in BRANDS:
            where = (brand, "x", 3600, NOW // 3600)
            assert after[where]["m"] == before.get(where, {}).get("m", 0) + 3

    with_old(store_url, body)


def test_dead_letters_are_found_again_and_go_with_their_mention(store_url: str) -> None:
    async def body(store: Store) -> None:
        post = json.dumps({"id": "7", "source": "x", "text": "odd", "published_at": "2025-10-09T08:53:00Z"})
        tag = keys.shard("acme")
        for reason in ("ValueError", "TypeError"):
            await store.do("XADD", keys.dead(tag), "*", "reason", reason, "brand", "acme", "mention", post)
        await migrated(store)
        letters, _ = await page(store, "acme")
        assert [(a.kind, a.reason, a.mention_id) for a in letters] == [
            ("annotate", "TypeError", "7"),
            ("annotate", "ValueError", "7"),
        ]
        members = await store.do("ZRANGE", keys.dead_index(tag), 0, -1)
        entries = [entry for entry, _ in await store.do("XRANGE", keys.dead(tag), "-", "+")]
        assert [m.split(b":", 1) for m in members] == [[keys.identity("x", "7").encode(), entry] for entry in entries]

    with_old(store_url, body, n=3)


def test_one_mention_of_two_brands_on_one_shard_is_known_to_both(store_url: str) -> None:
    async def body(store: Store) -> None:
        other = next(name for n in range(10_000) if keys.shard(name := f"b{n}") == keys.shard("acme"))
        both = [{**mention(3000), "brand": "acme"}, {**mention(3000), "brand": other}]
        await store.call("fs_count", keys.ingest(keys.shard("acme")), "count", "", NOW, json.dumps(both))
        await migrated(store)
        stream = keys.ingest(keys.shard("acme"))
        for n, deleted in enumerate((0, 1)):
            rows = msgspec.msgpack.encode([row(m, deleted=deleted, updated=m["updated"] + deleted) for m in both])
            assert await store.call("fs_count", stream, "count", "", NOW, rows) == 2 * n

    with_old(store_url, body, n=3)


def test_fencing_tokens_go_on_where_they_were(store_url: str) -> None:
    async def body(store: Store) -> None:
        await store.do("SET", "{s000}:fence", 41)
        await migrated(store)
        token = await Lease(store, "new", "tick").hold()
        assert token is not None
        assert token > 41

    with_old(store_url, body)


def test_a_service_of_the_older_version_that_still_runs_is_named_and_nothing_is_changed(store_url: str) -> None:
    async def body(store: Store) -> None:
        await store.do("SET", keys.lease("tick"), "old\x1f41", "PX", 60_000)
        before = await content(store)
        with pytest.raises(StoreError, match="a service of an older version still runs on this store"):
            await migrate(store, patience=0.0)
        assert await content(store) == before
        await store.do("PEXPIRE", keys.lease("tick"), 1)
        await migrate(store)
        assert await store.do("GET", keys.SCHEMA) == b"2"

    with_old(store_url, body, n=3)


def test_two_that_start_at_once_migrate_once(store_url: str) -> None:
    async def body(store: Store) -> None:
        before = await old_buckets(store)
        async with Store(store_url) as other:
            await asyncio.gather(migrated(store), migrated(other))
        assert await new_buckets(store) == before
        assert [len(await store.do("XRANGE", keys.ingest(keys.shard(b)), "-", "+")) for b in BRANDS] == [3, 3, 3]

    with_old(store_url, body)


def test_an_empty_store_and_one_of_this_schema_are_left_alone(store_url: str) -> None:
    async def body() -> None:
        async with Store(store_url) as store:
            await migrate(store)
            assert await store.do("KEYS", "*") == []
            await store.prepare()
            before = await content(store)
            await migrate(store)
            assert await content(store) == before

    asyncio.run(body())


MIGRATE = """
import asyncio, sys
from service.migrate import migrate
from service.store import Store
async def run():
    async with Store(sys.argv[1]) as store:
        await migrate(store)
asyncio.run(run())
"""


def killed_after(url: str, steps: int) -> bool:
    """Start a migration in a process of its own and kill it after so many steps; say whether it was in the middle."""
    with redis.Redis.from_url(url) as client:
        client.config_resetstat()
        with subprocess.Popen([sys.executable, "-c", MIGRATE, url], stderr=subprocess.DEVNULL) as process:
            while process.poll() is None:
                stats = client.info("commandstats")
                if stats.get("cmdstat_eval", {"calls": 0})["calls"] >= steps:
                    os.kill(process.pid, signal.SIGKILL)
                    break
                time.sleep(0.001)
            process.wait()
        client.delete(LOCK)  # its time is over
        return bool(client.exists(keys.MIGRATING))


def test_a_migration_that_was_killed_again_and_again_gives_the_same(store_url: str) -> None:
    async def body(store: Store) -> None:
        await migrated(store)
        wanted = await content(store)
        await store.do("FLUSHALL")
        await old_store(store)
        killed = [killed_after(store_url, steps) for steps in (1, 50, 100)]
        assert any(killed)
        await migrated(store)
        assert await content(store) == wanted

    with_old(store_url, body)


@pytest.mark.parametrize("command", ["worker", "serve"])
def test_an_older_service_refuses_a_newer_store_with_one_sentence(store_url: str, command: str) -> None:
    async def body() -> None:
        async with Store(store_url) as store:
            await store.do("SET", keys.SCHEMA, 3)

    asyncio.run(body())
    done = subprocess.run(
        [sys.executable, "-m", "service", command, "--redis-url", store_url], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 2
    assert done.stderr == (
        f"foreshock {command}: the store holds schema 3, this service knows up to 2: use the newer service\n"
    )


def test_a_cluster_is_migrated_like_one_server(tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        before = await old_buckets(store)
        await migrated(store)
        assert await new_buckets(store) == before
        assert await count(store, *(row(mention(n)) for n in range(90))) == 0
        assert await store.do("HGET", keys.lease("tick"), "token") == b"41"

    with cluster(tmp_path, appendonly="no") as servers:
        with_old(servers.url, body, n=90)
