"""A store that fills refuses what is new, keeps what it took, and goes on by itself once there is room."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from collectors.mention import Mention
from service import keys
from service.__main__ import main
from service.brand import Brand
from service.clock import SystemClock
from service.counts import read
from service.embedded import EmbeddedStore
from service.ingest import Ingest, Receipt, drained
from service.memory import default_store_memory, machine_memory, size_of
from service.registry import Registry
from service.room import Room, used
from service.store import Store, StoreError
from service.worker import Worker
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.servers import cluster, single

NOW = datetime.now(UTC)
MEMORY = 8 * 2**20
URL = "https://example.org/" + 3000 * "x"
"""What takes room and no time."""


def batch(first: int, n: int) -> list[dict[str, Any]]:
    at = (NOW - timedelta(minutes=5)).isoformat()
    return [
        {"id": str(i), "source": "x", "url": URL, "text": "it is late", "published_at": at, "brands": ["acme"]}
        for i in range(first, first + n)
    ]


async def watch(store: Store, *names: str) -> Registry:
    registry = Registry(store)
    for name in names:
        await registry.put_brand(Brand(name=name, query=name))
    return registry


async def count_all(store: Store, *brands: str) -> None:
    worker = asyncio.create_task(Worker(store, SystemClock(), "w").run())
    await drained(store, brands)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def counted(store: Store, brand: str) -> int:
    now = NOW.timestamp() + 60
    return int((await read(store, brand, now - 3600, now, 60, now)).total("mentions").sum())


async def post(client: httpx.AsyncClient, first: int) -> httpx.Response:
    return await client.post("/v1/mentions", json=batch(first, 100))


async def fill(client: httpx.AsyncClient) -> tuple[int, httpx.Response]:
    """Post until nothing more is taken; return how many mentions were accepted, and the refusal."""
    accepted = 0
    while (answer := await post(client, accepted)).status_code == 202:
        accepted += int(answer.json()["accepted"])
        assert accepted < 100_000, "it takes more than it can hold"
    return accepted, answer


def test_a_full_store_refuses_loses_nothing_and_goes_on_by_itself(tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        await watch(store, "acme")
        room = Room(store, period=0.01)
        looking = asyncio.create_task(room.run())
        async with serving(store, room) as client:
            accepted, answer = await fill(client)
            assert answer.status_code == 429
            assert answer.headers["Retry-After"] == "2"
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert "the store is full" in answer.json()["detail"]
            assert 0.9 < room.used < 1.0
            assert accepted > 500
            await count_all(store, "acme")
            assert await counted(store, "acme") == accepted
            assert (await post(client, accepted)).status_code == 429
            await store.pipe([("DEL", name) for name in await store.do("KEYS", "*:t:*")])  # as their expiry would
            async with asyncio.timeout(30):
                while (await post(client, accepted)).status_code != 202:
                    await asyncio.sleep(0.01)
            await count_all(store, "acme")
            assert await counted(store, "acme") == accepted + 100
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)

    with EmbeddedStore(tmp_path, memory=MEMORY) as server:
        with_store(server.url, body)


def test_what_comes_between_two_looks_is_refused_by_the_store_itself_and_loses_nothing(tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        await watch(store, "acme")
        async with serving(store) as client:
            accepted, answer = await fill(client)
            assert answer.status_code == 429
            assert "the store is full" in answer.json()["detail"]
        await count_all(store, "acme")
        assert accepted <= await counted(store, "acme") <= accepted + 100

    with EmbeddedStore(tmp_path, memory=MEMORY) as server:
        with_store(server.url, body)


def test_a_backlog_that_is_too_long_takes_no_more_until_it_is_counted(store_url: str) -> None:
    async def body(store: Store) -> None:
        await watch(store, "acme")
        room = Room(store, backlog=2)
        async with serving(store, room) as client:
            for first in range(0, 300, 100):
                await room.look()
                assert (await post(client, first)).status_code == 202
            await room.look()
            answer = await post(client, 300)
            assert answer.status_code == 429
            assert answer.json()["detail"].startswith("3 batches wait to be counted")
            await count_all(store, "acme")
            await room.look()
            assert (await post(client, 300)).status_code == 202

    with_store(store_url, body)


def test_nothing_that_waits_or_is_taken_is_ever_trimmed(store_url: str) -> None:
    names = [f"brand-{n}" for n in range(100)]
    streams = sorted({keys.ingest(keys.shard(name)) for name in names})
    calls = -(-30_000 // len(streams))

    async def body(store: Store) -> None:
        ingest = Ingest(store, SystemClock(), await watch(store, *names))
        for n in range(calls):
            given = Mention(id=str(n), source="x", text="hello", published_at=NOW, brands=names)
            await ingest.mentions([(0, given)], Receipt())
            if n == 100:  # by one who dies before it acknowledges
                await store.read_group(keys.COUNTERS, "dead", streams, count=50)
        for stream in streams:
            told = await store.do("XINFO", "STREAM", stream)
            assert (told[b"length"], told[b"entries-added"]) == (calls, calls)
            assert (await store.do("XPENDING", stream, keys.COUNTERS))["pending"] == 50

    with_store(store_url, body)


def test_a_server_without_a_limit_has_the_machines_memory() -> None:
    info = {"used_memory": 300, "mem_not_counted_for_evict": 100, "maxmemory": 0, "total_system_memory": 1000}
    assert used(info) == 0.2
    assert used({**info, "maxmemory": 250}) == 0.8


def test_the_fullest_primary_of_a_cluster_speaks_for_all(tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        room = Room(store)
        await room.look()
        assert room.refuse() is None
        servers.primary("{s007}").ask("CONFIG", "SET", "maxmemory", 1)
        await room.look()
        assert room.refuse() is not None

    with cluster(tmp_path) as servers:
        with_store(servers.url, body)


def test_a_store_that_evicts_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async def prepare(url: str) -> None:
        async with Store(url) as store:
            await store.prepare()

    with single(tmp_path, maxmemory_policy="volatile-lru") as servers, pytest.raises(StoreError) as refusal:
        asyncio.run(prepare(servers.url))
    assert str(refusal.value).endswith("maxmemory-policy volatile-lru drops what was accepted: set it to noeviction")


@pytest.mark.parametrize(
    ("text", "size"), [("16mb", 16 * 2**20), ("4GB", 4 * 2**30), ("1.5 g", 1_500_000_000), ("20000000", 20_000_000)]
)
def test_a_size_is_read_as_the_server_reads_it(text: str, size: int) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize(
    ("text", "says"), [("much", "4gb or 512mb"), ("-1gb", "4gb or 512mb"), ("1mb", "16mb or more")]
)
def test_a_size_that_is_none_is_said_so(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        size_of(text)


@pytest.mark.parametrize(
    ("groups", "limits", "memory"),
    [
        ("0::/a/b", {"sys/fs/cgroup/a/b/memory.max": "max", "sys/fs/cgroup/a/memory.max": "5000"}, 5000),
        ("0::/host/path", {"sys/fs/cgroup/memory.max": "7000"}, 7000),
        ("4:memory:/a\n3:cpu:/a", {"sys/fs/cgroup/memory/a/memory.limit_in_bytes": "6000"}, 6000),
        ("0::/", {}, None),
    ],
)
def test_the_limit_of_a_control_group_counts(
    tmp_path: Path, groups: str, limits: dict[str, str], memory: int | None
) -> None:
    for name, text in {"proc/self/cgroup": groups, **limits}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert machine_memory(tmp_path) == memory or (memory is None and machine_memory(tmp_path) > 10**8)


def test_the_embedded_store_takes_a_part_of_the_memory_unless_told(tmp_path: Path) -> None:
    async def limit(store: Store) -> int:
        return int((await store.each("INFO", "memory"))[0]["maxmemory"])

    assert 0.5 * machine_memory() < default_store_memory() < 0.7 * machine_memory()
    with EmbeddedStore(tmp_path) as server:
        assert with_store(server.url, limit) == default_store_memory()
    with EmbeddedStore(tmp_path, memory=size_of("64mb")) as server:
        assert with_store(server.url, limit) == 64 * 2**20


def test_a_size_that_is_none_ends_serve_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--data-dir", str(tmp_path), "--store-memory", "much"]) == 2
    assert capsys.readouterr().err == "foreshock serve: --store-memory 'much' is no size; 4gb or 512mb would be right\n"
