"""`foreshock restore`: a backup into an empty store of any form."""

import argparse
import asyncio
import hashlib
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import redis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from service import archive, keys
from service.archive import ArchiveError, Header
from service.backup import reached, summary
from service.dump import aged
from service.embedded import EmbeddedStoreError, find_server, secure_directory, socket_directory_path, wheel_server
from service.store import SCHEMA_VERSION, Store, StoreError
from service.tether import end, tethered

BATCH = 200
"""Keys copied in one round trip."""
READ = """
local found = {}
for i, name in ipairs(KEYS) do
  found[2 * i - 1], found[2 * i] = redis.call('PEXPIRETIME', name), redis.call('DUMP', name)
end
return found
"""
AGES_MS = 3_600_000
"""A key that lives longer than this when it is copied is there when all are counted."""


class RestoreError(Exception):
    """The backup can't be restored; the message is one sentence for a person."""


@dataclass
class Copied:
    """What was copied: all names, and how many of them are sure to be there for a while."""

    names: set[Any] = field(default_factory=set)
    lasting: int = 0


def run(arguments: argparse.Namespace) -> int:
    """Restore the backup; 2 where it is refused, 1 where it fails."""
    try:
        header = readable(arguments.file)
        with reached(arguments, new=True) as url:
            copied = asyncio.run(restore(url, arguments.file, header))
    except (ArchiveError, EmbeddedStoreError, RestoreError, StoreError) as error:
        print(f"foreshock restore: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"foreshock restore: {error.filename or arguments.file}: {error.strerror or error}", file=sys.stderr)
        return 1
    print(f"{arguments.file}: {summary(header)}: {copied} keys restored")
    return 0


def readable(path: Path) -> Header:
    """Return the header of a backup that is whole, and not of a newer service.

    Raises:
        ArchiveError: it is not.
        OSError: the file can't be read.
    """
    header = archive.read(path)
    if header.schema > SCHEMA_VERSION:
        raise ArchiveError(
            f"{path} holds schema {header.schema}, this service knows up to {SCHEMA_VERSION}: use the newer service"
        )
    return header


async def restore(url: str, path: Path, header: Header) -> int:
    """Copy all keys of a backup to the empty store at `url`; return how many there are.

    What was interrupted may be repeated with the same file; until it is whole, no service starts on the store.

    Raises:
        RestoreError: the store is not empty, or can't read what the backup holds.
        StoreError: the store can't be used.
    """
    async with Store(url) as store:
        try:
            await _begin(store, header)
            old = not all(
                int(i.get("valkey_version", "0").split(".")[0]) >= 9 for i in await store.each("INFO", "server")
            )
            copied = Copied()
            for part in header.parts:
                with tempfile.TemporaryDirectory(prefix="foreshock-") as folder:
                    rdb = Path(folder) / "dump.rdb"
                    archive.extract(path, part, rdb)
                    with loaded(rdb) as source:
                        await _copy(source, header.database, store, copied, old)
            await store.pipe([("RESTORE", k, 0, aged(v) if old else v, "REPLACE") for k, v in header.before.items()])
            if header.schema > 1:
                await store.pipe([("HDEL", keys.lease(work), "holder", "until") for work in ("tick", "collect")])
            found: int = sum(await store.each("DBSIZE")) - 1
            if not copied.lasting <= found <= len(copied.names):
                raise RestoreError(f"{len(copied.names)} keys were copied, {found} are there: is the store in use?")
            await store.do("DEL", keys.RESTORING)
        except RedisError as error:
            raise StoreError(f"the store can't be used: {error}") from None
        return found


async def _begin(store: Store, header: Header) -> None:
    mark = f"{header.taken_at} {hashlib.sha256(msgspec.json.encode(header)).hexdigest()}".encode()
    begun, held = await store.do("GET", keys.RESTORING), sum(await store.each("DBSIZE"))
    if begun is not None and begun != mark:
        raise RestoreError(
            "the store holds part of another backup, whose restore was interrupted: empty the store first"
        )
    if begun is None and held:
        raise RestoreError(f"the store holds {held} keys: a backup is restored into an empty one")
    await store.do("SET", keys.RESTORING, mark)


async def _copy(source: str, database: int, store: Store, copied: Copied, old: bool) -> None:
    async with Redis(unix_socket_path=source, db=database) as client:
        cursor: Any = -1
        while cursor:
            cursor, names = await client.scan(max(cursor, 0), count=BATCH)
            answers = await client.eval(READ, len(names), *names)
            now = 1000 * time.time()
            commands: list[tuple[Any, ...]] = []
            for name, until, dumped in zip(names, answers[::2], answers[1::2], strict=True):
                if dumped is None or name in copied.names:  # expired meanwhile, or told twice
                    continue
                copied.names.add(name)
                copied.lasting += until < 0 or until > now + AGES_MS
                value = aged(dumped) if old else dumped
                commands.append(("RESTORE", name, max(until, 0), value, "ABSTTL", "REPLACE"))
            await store.pipe(commands)


@contextmanager
def loaded(rdb: Path) -> Iterator[str]:
    """Run a server on a copy of the data; gives the path of its socket.

    Raises:
        RestoreError: the server can't read it.
    """
    folder = socket_directory_path()
    secure_directory(folder)
    path = folder / f"{rdb.parent.name}.sock"
    options = {
        "port": "0", "unixsocket": str(path), "unixsocketperm": "700", "dir": str(rdb.parent), "dbfilename": rdb.name,
        "save": "", "appendonly": "no",
    }  # fmt: skip
    if wheel_server():
        options["rdb-version-check"] = (
            "relaxed"  # Redis numbers its own newer versions; what we keep is in none of them
        )
    log = rdb.with_suffix(".log")
    with log.open("wb") as output:
        argv = [str(find_server()), *(part for name, value in options.items() for part in (f"--{name}", value))]
        process = tethered(argv, output=output.fileno())
    try:
        while not _ready(path):
            if process.poll() is not None:
                lines = log.read_text(errors="replace").splitlines()
                said = [line.partition(" # ")[2] for line in lines if " # " in line and "WARNING" not in line]
                raise RestoreError(f"the backup's data can't be read: {(said or ['the server gave no reason'])[-1]}")
            time.sleep(0.01)
        yield str(path)
    finally:
        end(process)
        path.unlink(missing_ok=True)


def _ready(path: Path) -> bool:
    try:
        with redis.Redis(unix_socket_path=str(path)) as client:
            return bool(client.ping())
    except (RedisError, OSError):
        return False
