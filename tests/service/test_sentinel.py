"""On Sentinel all goes as on one server, and when the primary is lost what was acknowledged is there."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from service import keys
from service.lease import Lease
from service.promise import NotKept
from service.store import Store, StoreError
from tests.service.servers import Watched, sentinel
from tests.service.under_load import lost_and_read
from tests.service.whole_path import whole_path


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    with sentinel(tmp_path_factory.mktemp("sentinel")) as running:
        yield running


def test_the_whole_path_works(servers: Watched) -> None:
    async def body() -> None:
        async with Store(servers.url, "replicas:2") as store:
            await store.prepare()
            await whole_path(store)

    asyncio.run(body())


def test_when_the_primary_dies_what_was_acknowledged_is_there_and_work_goes_on(servers: Watched) -> None:
    async def body() -> None:
        async with Store(servers.url) as store:
            await store.prepare()
            lease = Lease(store, "me", "watch")
            token = await lease.hold()
            kept, lost, unread = await lost_and_read(servers, servers.kill_primary, "replicas:2")
            assert kept > 100
            assert (lost, unread) == (set(), set())
            assert (await lease.hold() or 0) >= (token or 1)
            assert await Lease(store, "you", "watch").hold() is None

    asyncio.run(body())


def test_a_deaf_primary_is_given_up_and_is_no_primary_when_it_comes_back(servers: Watched) -> None:
    async def body() -> None:
        async with Store(servers.url) as store, Store(servers.url) as idle:
            await store.prepare()
            await idle.do("SET", "a", "old")
            deaf = servers.pause_primary()
            began = time.monotonic()
            await store.do("SET", "a", "new")
            assert time.monotonic() - began < 10
            servers.resume()
            await asyncio.to_thread(servers.await_whole)
            assert deaf.ask("ROLE")[0] == "slave"
            await idle.do("GET", "a")
            (client,) = await idle.primaries()
            assert client.connection_pool.connection_kwargs["port"] == servers.primary().port

    servers.restart()
    servers.await_whole()
    asyncio.run(body())


def test_a_write_that_replicas_do_not_have_is_not_accepted_even_if_it_is_repeated(servers: Watched) -> None:
    async def body() -> None:
        count = ("FCALL", "fs_put_count", 1, keys.ingest("{s000}"), "acme", "desk", 1_760_000_040, 60, 7, 1_760_000_100)
        async with Store(servers.url, "replicas:1") as store:
            await store.prepare()
            servers.pause_replicas()
            with pytest.raises(NotKept, match="0 of 1 replicas"):
                await store.append([count])
            with pytest.raises(NotKept, match="0 of 1 replicas"):  # changes nothing any more, and is not kept yet
                await store.append([count])
            servers.resume()
            await store.append([count])

    asyncio.run(body())


def test_sentinels_that_know_no_such_primary_are_said_so(servers: Watched) -> None:
    async def body() -> None:
        async with Store(servers.url.replace("/foreshock", "/other")) as store:
            await store.prepare()

    with pytest.raises(StoreError, match="no Sentinel says who is primary: it watches no primary called 'other'"):
        asyncio.run(body())


def test_sentinels_and_servers_are_told_their_passwords(tmp_path: Path) -> None:
    async def body(url: str) -> None:
        async with Store(url) as store:
            await store.prepare()

    with sentinel(tmp_path, replicas=1) as locked:
        for server in locked.servers:
            server.ask("CONFIG", "SET", "requirepass", "p@ss")
        hosts, _, service = locked.url.removeprefix("redis+sentinel://").partition("/")
        for watcher in locked.sentinels:
            watcher.ask("SENTINEL", "SET", "foreshock", "auth-pass", "p@ss")
            watcher.ask("ACL", "SETUSER", "watch", "on", ">s3cret", "+@all")
            watcher.ask("ACL", "SETUSER", "default", "off")
        right = f"redis+sentinel://:p%40ss@{hosts}/{service}"
        asyncio.run(body(f"{right}?sentinel_username=watch&sentinel_password=s3cret"))
        with pytest.raises(StoreError, match="no Sentinel says who is primary") as caught:
            asyncio.run(body(right))
        assert "p@ss" not in str(caught.value)
