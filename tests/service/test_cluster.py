"""On a Cluster all goes as on one server, through lost primaries and slots that move."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from service import keys
from service.store import Store
from tests.service.servers import Clustered, cluster
from tests.service.under_load import lost_and_read
from tests.service.whole_path import whole_path

TAG = "{s007}"


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clustered]:
    with cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def with_cluster(servers: Clustered, body: Any, accept: str = "memory") -> None:
    async def run() -> None:
        async with Store(servers.url, accept) as store:
            await store.prepare()
            await body(store)

    asyncio.run(run())


def test_the_whole_path_works(servers: Clustered) -> None:
    with_cluster(servers, whole_path, "replicas:1")


def test_what_has_no_key_is_asked_of_every_primary(servers: Clustered) -> None:
    async def body(store: Store) -> None:
        assert len(await store.primaries()) == 3
        assert [len(libraries) for libraries in await store.each("FUNCTION", "LIST")] == [1, 1, 1]
        assert sum(await store.each("DBSIZE")) > 512  # the streams of 256 shards
        assert await store.do("PING") is True

    with_cluster(servers, body)


def test_answers_come_in_the_order_of_the_commands_whoever_gives_them(servers: Clustered) -> None:
    async def body(store: Store) -> None:
        await store.pipe([("SET", f"{tag}:x", n) for n, tag in enumerate(keys.all_shards())])
        found = await store.pipe([("GET", f"{tag}:x") for tag in reversed(keys.all_shards())])
        assert [int(value) for value in found] == list(reversed(range(keys.SHARDS)))

    with_cluster(servers, body)


def test_when_a_primary_dies_what_was_acknowledged_is_there_and_work_goes_on(servers: Clustered) -> None:
    async def body() -> None:
        kept, lost, unread = await lost_and_read(servers, lambda: servers.kill_primary(TAG), "replicas:1")
        assert kept > 100
        assert (lost, unread) == (set(), set())

    asyncio.run(body())
    servers.restart()
    servers.await_whole()


def test_a_slot_that_moves_loses_nothing_and_keeps_nobody_waiting(servers: Clustered) -> None:
    async def body(store: Store) -> None:
        here, there = servers.primary(TAG), next(s for s in servers.primaries() if s is not servers.primary(TAG))
        slot = here.ask("CLUSTER", "KEYSLOT", TAG)
        before = [f"{TAG}:a", f"{TAG}:b"]
        await store.pipe([("SET", key, key) for key in before])
        there.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", here.ask("CLUSTER", "MYID"))
        here.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", there.ask("CLUSTER", "MYID"))
        here.ask("MIGRATE", "127.0.0.1", there.port, before[0], 0, 1000)
        assert await store.pipe([("GET", key) for key in before]) == [key.encode() for key in before]
        assert await store.append([("INCR", f"{TAG}:new")]) == [1]
        while names := here.ask("CLUSTER", "GETKEYSINSLOT", slot, 100):
            here.ask("MIGRATE", "127.0.0.1", there.port, "", 0, 1000, "KEYS", *names)
        for server in (there, here, *servers.primaries()):
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", there.ask("CLUSTER", "MYID"))
        assert await store.pipe([("GET", key) for key in (*before, f"{TAG}:new")]) == [
            *(k.encode() for k in before),
            b"1",
        ]
        assert await store.append([("INCR", f"{TAG}:new")]) == [2]

    with_cluster(servers, body, "replicas:1")
