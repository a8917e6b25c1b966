"""The embedded store: one real server a data directory, gone with its parent, found again with its data."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from service.embedded import EmbeddedStore, EmbeddedStoreError, find_server, path_server, secure_directory
from service.tether import Tie
from tests.until import alive, until

TIES = [
    pytest.param("kernel", marks=pytest.mark.skipif(sys.platform != "linux", reason="Linux alone has it")),
    "watcher",
]

PARENT = """
import json, pathlib, sys
from service.embedded import EmbeddedStore
store = EmbeddedStore(pathlib.Path(sys.argv[1]), tie=sys.argv[2])
store.start()
print(json.dumps([store.url, store.process.pid]), flush=True)
sys.stdin.read()
store.stop()
"""


@contextmanager
def parent(data_dir: Path, tie: Tie) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """Another process that runs a store: the process, the store's address, its server's process id."""
    command = [sys.executable, "-c", PARENT, str(data_dir), tie]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url, pid = json.loads(process.stdout.readline())
        try:
            yield process, url, pid
        finally:
            process.kill()


@contextmanager
def client(store: EmbeddedStore | str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(store if isinstance(store, str) else store.url, decode_responses=True) as connection:
        yield connection


def server_pid(store: EmbeddedStore) -> int:
    assert store.process is not None
    return store.process.pid


def locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def test_the_server_listens_on_its_socket_alone_and_never_evicts(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path, fsync="always") as store, client(store) as connection:
        wanted = {"port": "0", "maxmemory-policy": "noeviction", "appendfsync": "always", "appendonly": "yes"}
        assert connection.config_get(*wanted) == wanted


def test_what_was_written_is_found_again_after_a_clean_stop(tmp_path: Path) -> None:
    store = EmbeddedStore(tmp_path)
    for run in range(2):
        with store, client(store) as connection:
            pid = server_pid(store)
            assert connection.incr("runs") == run + 1
        assert not alive(pid)
        assert not Path(store.url.removeprefix("unix://")).exists()


def test_what_was_acknowledged_is_found_again_after_the_server_was_killed(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store, client(store) as connection:
        for number in range(1000):
            connection.rpush("accepted", number)
        os.kill(server_pid(store), signal.SIGKILL)
        store.stop()
        assert not Path(store.url.removeprefix("unix://")).exists()
        store.start()
        assert connection.llen("accepted") == 1000


@pytest.mark.parametrize("tie", TIES)
def test_the_server_is_gone_when_its_parent_was_killed(tmp_path: Path, tie: Tie) -> None:
    with parent(tmp_path, tie) as (process, _, pid):
        process.kill()
        process.wait()
        until(lambda: not alive(pid))


@pytest.mark.parametrize("tie", TIES)
def test_a_start_right_after_the_parent_was_killed_finds_everything(tmp_path: Path, tie: Tie) -> None:
    with parent(tmp_path, tie) as (process, url, _):
        with client(url) as connection:
            connection.set("accepted", "yes")
        process.kill()
        process.wait()
        with EmbeddedStore(tmp_path) as store, client(store) as connection:
            assert store.url == url
            assert connection.get("accepted") == "yes"


def test_a_clean_stop_ends_the_watcher_too(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path, tie="watcher") as store:
        children = subprocess.run(["ps", "-A", "-o", "ppid=,pid="], capture_output=True, text=True, check=True).stdout
        watchers = [
            int(pid) for parent, pid in map(str.split, children.splitlines()) if int(parent) == server_pid(store)
        ]
    assert len(watchers) == 1
    until(lambda: not alive(watchers[0]))


def test_a_second_start_is_refused_with_the_directory_and_the_process(tmp_path: Path) -> None:
    with parent(tmp_path, "watcher") as (process, url, _):
        with pytest.raises(
            EmbeddedStoreError, match=rf"^{tmp_path} is in use by another Foreshock \(process {process.pid}\)"
        ):
            EmbeddedStore(tmp_path).start()
        with client(url) as connection:
            assert connection.ping()


def test_a_start_waits_for_a_server_that_is_still_ending(tmp_path: Path) -> None:
    with (tmp_path / "valkey.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        dying = subprocess.Popen(["sleep", "60"], pass_fds=[lock.fileno()])
    threading.Timer(0.3, dying.kill).start()
    with EmbeddedStore(tmp_path):
        assert dying.wait(0) == -signal.SIGKILL


@pytest.mark.parametrize("tie", TIES)
def test_the_server_alone_holds_its_lock_for_as_long_as_it_lives(tmp_path: Path, tie: Tie) -> None:
    with EmbeddedStore(tmp_path, tie=tie) as store, (tmp_path / "valkey.lock").open() as lock:
        assert lock.read() == str(server_pid(store))
        assert not locked(lock.fileno())
        os.kill(server_pid(store), signal.SIGKILL)
        until(lambda: locked(lock.fileno()))


def test_a_long_data_directory_has_a_short_socket(tmp_path: Path) -> None:
    data_dir = tmp_path / ("long" * 50) / "with 'quotes' and spaces" / ("longer" * 40)
    with EmbeddedStore(data_dir) as store, client(store) as connection:
        assert connection.ping()
        assert len(store.url.removeprefix("unix://")) < 100


def test_a_write_cut_short_by_power_loss_costs_that_write_alone(tmp_path: Path) -> None:
    with EmbeddedStore(tmp_path) as store, client(store) as connection:
        connection.set("whole", 1)
    with next((tmp_path / "appendonlydir").glob("*.incr.aof")).open("ab") as log:
        log.write(b"*3\r\n$3\r\nSET\r\n$3\r\ncu")
    with store, client(store) as connection:
        assert connection.keys() == ["whole"]


def test_a_start_returns_only_after_all_data_were_loaded(tmp_path: Path) -> None:
    keys = 200_000
    with EmbeddedStore(tmp_path):
        pass
    with next((tmp_path / "appendonlydir").glob("*.incr.aof")).open("ab") as log:
        log.writelines(b"*3\r\n$3\r\nSET\r\n$6\r\n%06d\r\n$1\r\n1\r\n" % number for number in range(keys))
    with EmbeddedStore(tmp_path) as store, client(store) as connection:
        assert connection.dbsize() == keys


def test_data_of_a_newer_server_are_refused_with_one_sentence(tmp_path: Path) -> None:
    log = tmp_path / "appendonlydir"
    log.mkdir()
    (log / "appendonly.aof.manifest").write_text("file newer.base.rdb seq 1 type b\n")
    (log / "newer.base.rdb").write_bytes(b"VALKEY999" + b"\xff" * 40)
    for _ in range(2):  # and the directory is free again after the refusal
        store = EmbeddedStore(tmp_path)
        with pytest.raises(
            EmbeddedStoreError, match=rf"ended at its start with the data of {tmp_path}: .*RDB"
        ) as refusal:
            store.start()
        assert "\n" not in str(refusal.value)


def test_a_directory_that_cannot_be_made_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EmbeddedStoreError, match="file/store cannot hold the store: Not a directory"):
        EmbeddedStore(tmp_path / "file" / "store").start()


@pytest.mark.skipif(sys.platform != "linux", reason="only the kernel's tie follows the thread")
def test_a_start_off_the_main_thread_is_refused(tmp_path: Path) -> None:
    refused: list[str] = []

    def start() -> None:
        try:
            EmbeddedStore(tmp_path).start()
        except RuntimeError as error:
            refused.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "must be started from the main thread" in refused[0]


def test_the_server_does_not_inherit_the_services_secrets(tmp_path: Path) -> None:
    server = tmp_path / "server"
    server.write_text(f'#!/bin/sh\nenv > "{tmp_path}/environment"\nexec "{find_server()}" "$@"\n')
    server.chmod(0o755)
    os.environ["FORESHOCK_ADMIN_KEY"] = "not-for-the-server"
    try:
        with EmbeddedStore(tmp_path / "data", server=server):
            environment = (tmp_path / "environment").read_text()
    finally:
        del os.environ["FORESHOCK_ADMIN_KEY"]
    assert f"PATH={os.environ['PATH']}" in environment
    assert "not-for-the-server" not in environment


def test_a_socket_directory_of_our_own_is_taken(tmp_path: Path) -> None:
    for _ in range(2):
        secure_directory(tmp_path / "sockets")
    assert (tmp_path / "sockets").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("trap", ["link", "file", "open to others", "another user's"])
def test_a_socket_directory_that_others_laid_out_is_refused(tmp_path: Path, trap: str) -> None:
    path = tmp_path / "sockets"
    if trap == "link":
        (tmp_path / "elsewhere").mkdir(mode=0o700)
        path.symlink_to(tmp_path / "elsewhere")
    elif trap == "file":
        path.touch(mode=0o600)
    else:
        path.mkdir(mode=0o700)
    if trap == "open to others":
        path.chmod(0o770)
    elif trap == "another user's":
        if os.getuid() != 0:
            pytest.skip("only root can make another user's directory")
        os.chown(path, 65534, 65534)
    with pytest.raises(EmbeddedStoreError, match="must be a directory of yours"):
        secure_directory(path)


def program(path: Path, version: str) -> None:
    path.write_text(f"#!/bin/sh\necho '{version}'\n")
    path.chmod(0o755)


def test_an_old_server_on_the_path_is_refused_with_its_version(tmp_path: Path) -> None:
    program(tmp_path / "redis-server", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1 bits=64")
    with pytest.raises(EmbeddedStoreError, match=r"redis-server is 7\.0\.15: 7\.2 or newer is needed"):
        path_server(str(tmp_path))


def test_no_server_on_the_path_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedStoreError, match="no valkey-server or redis-server is on the PATH: 7"):
        path_server(str(tmp_path))


def test_a_new_enough_server_on_the_path_serves(tmp_path: Path) -> None:
    program(tmp_path / "valkey-server", "of no known kind")
    (tmp_path / "redis-server").symlink_to(find_server())
    found = path_server(str(tmp_path))
    assert found == tmp_path / "redis-server"
    with EmbeddedStore(tmp_path / "data", server=found) as store, client(store) as connection:
        assert connection.ping()
