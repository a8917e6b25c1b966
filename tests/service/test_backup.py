"""A backup is a state that the store had, and a store restored from it counts on exactly."""

import asyncio
import functools
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
import redis

from service import archive, keys
from service.__main__ import main
from service.archive import ArchiveError
from service.backup import backup
from service.counts import read
from service.dump import READ_BY_ALL, aged
from service.embedded import EmbeddedStore
from service.lease import Lease
from service.restore import RestoreError, readable, restore
from service.row import Row
from service.snapshot import SnapshotError
from service.store import SCHEMA_VERSION, Store, StoreError
from tests.service.servers import cluster, sentinel, single
from tests.until import until

NOW = 1_760_000_040
BRANDS = ("acme", "globex", "initech", "umbrella")


def row(brand: str, n: int) -> Row:
    return Row(
        brand, "x", keys.identity("x", str(n)), NOW - n % 300, NOW * 1000, 0, 1, 800, 160, 0, "negative", 0, 0,
        n % 90, n, f'{{"text": "number {n}"}}',
    )  # fmt: skip


async def count(store: Store, brand: str, numbers: range) -> int:
    """Count mentions, each of the reach of its number; NOW stands still, so that nothing is old."""
    rows = msgspec.msgpack.encode([row(brand, n) for n in numbers])
    return int(await store.call("fs_count", keys.ingest(keys.shard(brand)), "count", "", NOW, rows))


async def state(store: Store, brand: str) -> tuple[int, int, int, int]:
    """Mentions and reach by minutes, mentions by hours, texts."""
    minutes, hours = [await read(store, brand, NOW - 86_400, NOW + 3600, width, NOW) for width in (60, 3600)]
    texts = await store.do("ZCARD", keys.recent(brand))
    return (
        int(minutes.total("mentions").sum()),
        int(minutes.total("reach").sum()),
        int(hours.total("mentions").sum()),
        int(texts),
    )


def had(k: int) -> tuple[int, int, int, int]:
    """The state of a brand of which the mentions 1 to k were counted."""
    return k, k * (k + 1) // 2, k, k


async def loaded_backup(store: Store, url: str, path: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Take a backup while mentions are counted; return how many each brand had before and after it."""
    done = dict.fromkeys(BRANDS, 0)

    async def load() -> None:
        while True:
            for brand in BRANDS:
                await count(store, brand, range(done[brand] + 1, done[brand] + 26))
                done[brand] += 25

    task = asyncio.create_task(load())
    while min(done.values()) < 100:
        await asyncio.sleep(0)
    before = dict(done)
    await backup(url, path)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return before, dict(done)


async def goes_on(store: Store, before: dict[str, int], after: dict[str, int]) -> None:
    """A restored store holds of each brand a state that it had, and counts the rest of all mentions once."""
    for brand in BRANDS:
        k = (await state(store, brand))[0]
        assert before[brand] <= k <= after[brand] + 25
        assert await state(store, brand) == had(k)
        total = after[brand] + 25
        counted = [await count(store, brand, range(n, n + 25)) for n in range(1, total, 25)]
        assert sum(counted) == total - k
        assert await state(store, brand) == had(total)


def prepared(url: str, body: Callable[[Store], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with Store(url) as store:
            await store.prepare()
            return await body(store)

    return asyncio.run(run())


def filled(url: str, path: Path) -> archive.Header:
    """A small store and its backup."""

    async def body(store: Store) -> archive.Header:
        for brand in BRANDS:
            await count(store, brand, range(1, 101))
        return await backup(url, path)

    found: archive.Header = prepared(url, body)
    return found


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs the command `foreshock` with arguments."""

    def run(*arguments: object) -> Done:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        return Done(code, *capsys.readouterr())

    return run


Command = Callable[..., Done]


@pytest.mark.parametrize("form", ["yes", "no"])
def test_a_backup_under_load_is_a_state_that_each_brand_had(store_url: str, tmp_path: Path, form: str) -> None:
    """As the server makes it (diskless: $EOF), and from its disk ($LENGTH)."""

    async def body(store: Store) -> Any:
        await store.do("CONFIG", "SET", "repl-diskless-sync", form)
        try:
            return await loaded_backup(store, store_url, tmp_path / "b.tar")
        finally:
            await store.do("CONFIG", "SET", "repl-diskless-sync", "yes")

    before, after = prepared(store_url, body)
    with EmbeddedStore(tmp_path / "other") as other:
        asyncio.run(restore(other.url, tmp_path / "b.tar", readable(tmp_path / "b.tar")))
        prepared(other.url, lambda store: goes_on(store, before, after))


def test_a_cluster_is_saved_and_restored_and_each_is_restored_into_the_other(tmp_path: Path) -> None:
    with cluster(tmp_path / "c", appendonly="no") as servers:
        before, after = prepared(servers.url, lambda store: loaded_backup(store, servers.url, tmp_path / "b.tar"))
        header = readable(tmp_path / "b.tar")
        assert len(header.parts) == 3
        with EmbeddedStore(tmp_path / "one") as one:
            asyncio.run(restore(one.url, tmp_path / "b.tar", header))
            prepared(one.url, lambda store: goes_on(store, before, after))
            after = {brand: n + 25 for brand, n in after.items()}
            asyncio.run(backup(one.url, tmp_path / "c.tar"))
        with pytest.raises(RestoreError, match="the store holds"):
            asyncio.run(restore(servers.url, tmp_path / "c.tar", readable(tmp_path / "c.tar")))
        for server in servers.primaries():
            server.ask("FLUSHALL")
        asyncio.run(restore(servers.url, tmp_path / "c.tar", readable(tmp_path / "c.tar")))
        prepared(servers.url, lambda store: goes_on(store, after, after))


def test_a_watched_primary_is_saved_and_its_sentinels_take_the_backup_for_no_replica(tmp_path: Path) -> None:
    with sentinel(tmp_path / "s", replicas=1) as servers:
        servers.primary().ask("CONFIG", "SET", "rdb-key-save-delay", 500)  # microseconds: the Sentinels look meanwhile
        before, after = prepared(servers.url, lambda store: loaded_backup(store, servers.url, tmp_path / "b.tar"))
        with EmbeddedStore(tmp_path / "one") as one:
            asyncio.run(restore(one.url, tmp_path / "b.tar", readable(tmp_path / "b.tar")))
            prepared(one.url, lambda store: goes_on(store, before, after))
        assert [len(s.ask("SENTINEL", "REPLICAS", "foreshock")) for s in servers.sentinels] == [1, 1, 1]


def test_what_was_handed_out_and_not_counted_is_still_pending_after_a_restore(store_url: str, tmp_path: Path) -> None:
    stream = keys.ingest(keys.shard("acme"))

    async def hand_out(store: Store) -> Any:
        identity = await store.do("XADD", stream, "*", "m", b"rows")
        await store.read_group("count", "gone", [stream], count=1)
        token = await Lease(store, "old", "tick").hold()
        await store.do("SET", "{s000}:fence", token)
        await store.do("SET", "passing", "soon", "PX", 900_000)
        await backup(store_url, tmp_path / "b.tar")
        return identity, token

    async def look(store: Store) -> Any:
        (entry,) = await store.do("XPENDING", stream, "count", "-", "+", 10, parse_detail=True)
        claimed = await store.do("XCLAIM", stream, "count", "new", 0, entry["message_id"])
        assert entry["consumer"] == b"gone"
        assert claimed[0][1] == {b"m": b"rows"}
        assert 800_000 < await store.do("PTTL", "passing") <= 900_000
        return entry["message_id"], await Lease(store, "new", "tick").hold()

    before = prepared(store_url, hand_out)
    with EmbeddedStore(tmp_path / "other") as other:
        asyncio.run(restore(other.url, tmp_path / "b.tar", readable(tmp_path / "b.tar")))
        after = prepared(other.url, look)
    assert after[0] == before[0]
    assert after[1] > before[1]  # the lease is free at once, and its token goes on


def test_the_commands_save_and_restore_a_store_that_does_not_run(command: Command, tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "data") as store:
        prepared(store.url, lambda s: count(s, "acme", range(1, 11)))
    done = command("backup", tmp_path / "b.tar", "--data-dir", tmp_path / "data")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"{tmp_path / 'b.tar'}: 0 brands, schema {SCHEMA_VERSION}, ")
    assert (tmp_path / "b.tar").stat().st_mode & 0o777 == 0o600
    done = command("restore", tmp_path / "b.tar", "--data-dir", tmp_path / "new")
    assert (done.returncode, done.stderr) == (0, "")
    with EmbeddedStore(tmp_path / "new") as store:
        assert prepared(store.url, lambda s: state(s, "acme")) == had(10)


def test_a_store_that_runs_is_saved_through_its_socket(command: Command, tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path / "data") as store:
        prepared(store.url, lambda s: count(s, "acme", range(1, 11)))
        assert command("backup", tmp_path / "b.tar", "--data-dir", tmp_path / "data").returncode == 0
        assert store.process is not None
        assert store.process.poll() is None
    assert readable(tmp_path / "b.tar").parts[0].size > 1000


def test_what_is_wrong_with_a_backup_is_one_sentence(command: Command, store_url: str, tmp_path: Path) -> None:
    filled(store_url, tmp_path / "there.tar")
    before = (tmp_path / "there.tar").read_bytes()
    cases: list[tuple[tuple[object, ...], str]] = [
        (("there.tar", "--redis-url", store_url), "is there already: name another file, or take --force to replace it"),
        (("b.tar", "--data-dir", tmp_path / "none"), f"there is no store in {tmp_path / 'none'}"),
        (("b.tar", "--redis-url", store_url, "--data-dir", tmp_path), "--redis-url and --data-dir name two stores"),
        (("b.tar", "--redis-url", "foo://secret@x"), "the store's address can't be read"),
    ]
    for (file, *rest), sentence in cases:
        done = command("backup", tmp_path / str(file), *rest)
        assert done.returncode == 2
        assert sentence in done.stderr
        assert done.stderr.count("\n") == 1
    done = command("backup", tmp_path / "no folder" / "b.tar", "--redis-url", store_url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert (tmp_path / "there.tar").read_bytes() == before
    assert command("backup", tmp_path / "there.tar", "--force", "--redis-url", store_url).returncode == 0
    assert list(tmp_path.iterdir()) == [tmp_path / "there.tar"]


def test_a_full_disk_leaves_nothing_and_is_said(store_url: str, tmp_path: Path) -> None:
    filled(store_url, tmp_path / "there.tar")
    limited = f"ulimit -f 8; exec {sys.executable} -m service backup {tmp_path}/b.tar --redis-url {store_url}"
    done = subprocess.run(["sh", "-c", limited], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr == f"foreshock backup: {tmp_path}/b.tar: File too large\n"
    assert list(tmp_path.iterdir()) == [tmp_path / "there.tar"]


def test_a_server_that_refuses_or_dies_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with single(tmp_path / "s") as servers:
        filled(servers.url, tmp_path / "there.tar")
        server = servers.primary()
        server.ask("ACL", "SETUSER", "weak", "on", ">secret", "~*", "&*", "+@all", "-sync", "-psync")
        weak = servers.url.replace("//", "//weak:secret@")
        with pytest.raises(SnapshotError, match="the server refuses SYNC: NOPERM"):
            asyncio.run(backup(weak, tmp_path / "b.tar"))
        server.ask("CONFIG", "SET", "rdb-key-save-delay", 5000)  # microseconds: seconds for all

        async def dying() -> None:
            saving = asyncio.create_task(backup(servers.url, tmp_path / "b.tar"))
            while server.ask("INFO", "replication")["connected_slaves"] == 0:
                await asyncio.sleep(0.001)
            server.kill()
            await saving

        with pytest.raises(SnapshotError, match="the server "):
            asyncio.run(dying())
    assert [p.name for p in tmp_path.glob("*.tar*")] == ["there.tar"]


def test_a_file_that_was_cut_or_changed_anywhere_is_refused(store_url: str, tmp_path: Path) -> None:
    header = filled(store_url, tmp_path / "b.tar")
    whole, size = (tmp_path / "b.tar").read_bytes(), header.parts[0].size
    torn, told = tmp_path / "torn.tar", whole.index(b'"taken_at": "2')
    changed = [whole[:cut] for cut in (0, 100, 512, 700, size, size + 512, told, len(whole) - 1600)]
    for at in (3, 200, 600, size // 2, size + 511, told - 20, told + 13, len(whole) - 2 * 512 - 500):
        changed.append(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
    torn.write_bytes(whole)
    assert readable(torn) == header
    for data in changed:
        torn.write_bytes(data)
        with pytest.raises(ArchiveError, match=re.escape(str(torn))):
            readable(torn)


def test_a_newer_schema_and_a_newer_format_are_refused(command: Command, store_url: str, tmp_path: Path) -> None:
    header = filled(store_url, tmp_path / "b.tar")
    for change, sentence in (
        ({"schema": 9}, "holds schema 9, this service knows up to"),
        ({"format": 9}, "has format 9"),
    ):
        with archive.created(tmp_path / "newer.tar", force=True) as file:
            archive.close(file, msgspec.structs.replace(header, parts=[], **change))
        done = command("restore", tmp_path / "newer.tar", "--data-dir", tmp_path / "new")
        assert done.returncode == 2
        assert sentence in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_store_that_is_not_empty_is_refused_and_left_as_it_is(
    command: Command, store_url: str, tmp_path: Path
) -> None:
    filled(store_url, tmp_path / "b.tar")
    with redis.Redis.from_url(store_url) as client:
        held = client.dbsize()
        done = command("restore", tmp_path / "b.tar", "--redis-url", store_url)
        assert done.returncode == 2
        assert done.stderr == (
            f"foreshock restore: the store holds {held} keys: a backup is restored into an empty one\n"
        )
        assert client.dbsize() == held


def test_an_interrupted_restore_keeps_services_away_until_it_was_repeated(
    command: Command, store_url: str, tmp_path: Path
) -> None:
    filled(store_url, tmp_path / "b.tar")
    again = ("restore", tmp_path / "b.tar", "--redis-url")
    with EmbeddedStore(tmp_path / "new") as new, redis.Redis.from_url(new.url) as client:
        with subprocess.Popen([sys.executable, "-m", "service", *map(str, again), new.url]) as process:
            until(lambda: client.dbsize() > 1, what="the first keys")
            client.execute_command("CLIENT", "PAUSE", 60_000, "WRITE")
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        client.execute_command("CLIENT", "UNPAUSE")
        assert client.exists(keys.RESTORING)
        with pytest.raises(StoreError, match="a restore into this store was interrupted: repeat `foreshock restore`"):
            prepared(new.url, lambda store: store.do("PING"))
        with pytest.raises(StoreError, match="a restore into this store was interrupted"):
            asyncio.run(backup(new.url, tmp_path / "half.tar"))
        filled(store_url, tmp_path / "other.tar")
        with pytest.raises(RestoreError, match="the store holds part of another backup"):
            asyncio.run(restore(new.url, tmp_path / "other.tar", readable(tmp_path / "other.tar")))
        assert command(*again, new.url).returncode == 0
        assert not client.exists(keys.RESTORING)
        assert [prepared(new.url, functools.partial(state, brand=brand)) for brand in BRANDS] == [had(100)] * 4


def test_a_server_of_7_2_is_given_values_that_it_can_read(store_url: str) -> None:
    filled_types = {
        "h": ("HSET", "h", "a", "\xff", "b", "2"),
        "z": ("ZADD", "z", 1.5, "m"),
        "s": ("SADD", "s", "a", "b"),
    }
    with redis.Redis.from_url(store_url) as client:
        for fill in [*filled_types.values(), ("SET", "t", b"\x00\xff" * 500), ("XADD", "x", "1-1", "f", "v")]:
            client.execute_command(*fill)
        client.pfadd("p", *range(1000))
        for name in ("h", "z", "s", "t", "x", "p"):
            newer = client.dump(name)
            assert isinstance(newer, bytes)
            older = aged(newer)
            assert int.from_bytes(older[-10:-8], "little") == READ_BY_ALL
            client.restore(name, 0, older, replace=True)  # checks the sum
            assert client.dump(name) == newer
