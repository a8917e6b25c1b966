"""A store that can't serve is refused with a sentence; one that is away is waited for; what it accepts, it keeps."""

import asyncio
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import SSLConnection
from redis.exceptions import ResponseError

from service import keys
from service.address import read_address
from service.api.problems import install
from service.delivery import key_of
from service.promise import NotKept
from service.store import SCHEMA_VERSION, Store, StoreError, mended
from tests.service.live import with_store
from tests.service.servers import Single, single


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
            await store.call("fs_changed", keys.dirty("{s000}"), 1)
        await mended(store, caught.value)
        assert await store.call("fs_changed", keys.dirty("{s000}"), 1) == []

    with_store(store_url, body)


def test_looking_at_a_store_changes_nothing_in_it(store_url: str) -> None:
    async def body() -> None:
        async with Store(store_url) as store:
            with pytest.raises(StoreError, match="nothing of Foreshock"):
                await store.inspect()
            assert await store.do("DBSIZE") == 0

    asyncio.run(body())


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("foo://x:s3cret@h", "begins with one of redis://"),
        ("redis://x:s3cret@h:s3cret", "port is no number"),
        ("redis://x:s3/cret@h:6379", "number of a database"),
        ("redis://x:s3cret@a:1,b:2", "port is no number"),
        ("redis://x:s3cret@h?colour=s3cret", "option after the . is none"),
        ("redis+sentinel://x:s3cret@h:26379", "name of the primary"),
        ("redis+sentinel://x:s3cret@h/main/s3cret", "database is no number"),
        ("redis+sentinel://x:s3cret@/main", "host is missing"),
        ("redis+cluster://x:s3cret@a:1,b:x", "port is no number"),
        ("rediss+cluster://x:s3cret@a:1,b/2", "no databases but 0"),
    ],
)
def test_an_address_that_is_none_is_said_so_without_its_password(url: str, what: str) -> None:
    with pytest.raises(StoreError, match=f"address can't be read: .*{what}.*; it looks like|{what}") as caught:
        Store(url)
    assert "s3" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_addresses_name_every_host_and_what_is_to_be_told_them() -> None:
    one = read_address("rediss://ann:p%40ss@h:1/2")
    assert (one.kind, one.options["username"], one.options["password"], one.options["db"]) == ("one", "ann", "p@ss", 2)
    watched = read_address("redis+sentinel://:pw@a,[::1]:5/main/3?sentinel_password=spw&socket_connect_timeout=9")
    assert watched.seeds == (("a", 26379), ("::1", 5))
    assert (watched.service, watched.options["db"], watched.options["password"]) == ("main", 3, "pw")
    assert watched.sentinel_login == {"username": None, "password": "spw"}
    kwargs = watched.client(("a", 1)).connection_pool.connection_kwargs
    assert (kwargs["host"], kwargs["port"], kwargs["socket_connect_timeout"]) == ("a", 1, 9.0)
    spread = read_address("rediss+cluster://a:1,b")
    assert spread.seeds == (("a", 1), ("b", 6379))
    assert spread.client(("a", 1)).connection_pool.connection_class is SSLConnection
    assert "pw" not in repr(watched)


def test_a_command_goes_to_the_server_of_its_first_key() -> None:
    assert key_of(("GET", "a")) == "a"
    assert key_of(("FCALL", "fs_x", 1, "a", "b")) == "a"
    assert key_of(("EVAL", "return 1", 0)) is None
    assert key_of(("XGROUP", "CREATE", "a", "g", "0")) == "a"
    assert key_of(("XREADGROUP", "GROUP", "g", "c", "COUNT", 1, "STREAMS", "a", ">")) == "a"
    assert key_of(("INFO", "memory")) is None


def test_a_store_that_is_not_there_is_said_in_one_sentence() -> None:
    async def body() -> None:
        async with Store("redis://127.0.0.1:1") as store:
            await store.prepare()

    with pytest.raises(StoreError, match="the store can't be used") as caught:
        asyncio.run(body())
    assert "\n" not in str(caught.value)


def test_a_server_of_a_cluster_that_is_named_as_one_is_refused_with_the_right_address(tmp_path: Path) -> None:
    async def body(url: str) -> None:
        async with Store(url) as store:
            await store.prepare()

    with (
        single(tmp_path, cluster_enabled="yes") as server,
        pytest.raises(StoreError, match=r"part of a cluster: .*redis\+cluster"),
    ):
        asyncio.run(body(server.url))


def test_a_server_that_was_killed_is_waited_for(tmp_path: Path) -> None:
    async def body(server: Single) -> None:
        async with Store(server.url) as store:
            await store.prepare()
            waiting = asyncio.create_task(
                store.read_group("count", "me", [keys.ingest("{s000}")], count=1, block_ms=1500)
            )
            await store.do("SET", "a", 1)
            server.kill_primary()
            written = asyncio.create_task(store.append([("INCR", "a")]))
            await asyncio.to_thread(server.restart)
            assert await written == [2]
            await store.do("XADD", keys.ingest("{s000}"), "*", "m", "x")
            ((_, ((_, fields),)),) = await waiting
            assert fields == {b"m": b"x"}

    with single(tmp_path) as server:
        asyncio.run(body(server))


def test_reading_streams_leaves_out_those_without_anything_and_gives_each_entry_once(store_url: str) -> None:
    async def body(store: Store) -> None:
        streams = [keys.ingest(tag) for tag in keys.all_shards()]
        assert await store.read_group("count", "a", streams, count=9) == []
        identity = await store.do("XADD", streams[7], "*", "m", "x")
        ((stream, entries),) = await store.read_group("count", "a", streams, count=9, block_ms=10)
        assert (stream.decode(), entries) == (streams[7], [(identity, {b"m": b"x"})])
        assert await store.read_group("count", "b", streams, count=9) == []
        held = await store.read_group("count", "a", streams, count=9, after="0")
        assert [len(entries) for _, entries in held if entries] == [1]
        ((again, same),) = await store.read({streams[7]: "0-0", streams[8]: "0-0"}, count=9)
        assert (again, same) == (stream, entries)
        assert await store.read({streams[7]: identity}, count=9, block_ms=5) == []

    with_store(store_url, body)


def test_disk_is_promised_by_a_server_with_an_append_only_file_alone(store_url: str, tmp_path: Path) -> None:
    async def body(url: str) -> None:
        async with Store(url, "disk") as store:
            await store.prepare()
            assert await store.append([("INCR", "{s000}:a"), ("INCR", "{s000}:a")]) == [1, 2]

    asyncio.run(body(store_url))
    with (
        single(tmp_path, appendonly="no") as server,
        pytest.raises(StoreError, match=r"can't promise disk: the server has no append-only file"),
    ):
        asyncio.run(body(server.url))


def test_more_replicas_than_there_are_cannot_be_promised(store_url: str) -> None:
    async def body() -> None:
        async with Store(store_url, "replicas:1") as store:
            await store.prepare()

    with pytest.raises(StoreError, match=r"can't promise replicas:1: 0 of 1 replicas had it within 2 s"):
        asyncio.run(body())


def test_what_cannot_be_promised_at_all_is_said_in_one_sentence(store_url: str) -> None:
    for text in ("quorum", "replicas:0", "replicas:", "replicas:-1", ""):
        with pytest.raises(StoreError, match="use memory, disk, or replicas:N"):
            Store(store_url, text)


def test_a_broken_promise_is_a_503_that_asks_to_send_again() -> None:
    app = FastAPI()
    install(app)

    @app.post("/")
    async def post() -> None:
        raise NotKept("0 of 1 replicas had it within 2 s")

    async def body() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            return await client.post("/")

    answer = asyncio.run(body())
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert "0 of 1 replicas" in answer.json()["detail"]
