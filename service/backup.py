"""`foreshock backup`: the whole store in one file, while it is in use."""

import argparse
import asyncio
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from service import archive, keys
from service.archive import ArchiveError, Header
from service.clock import SystemClock, iso
from service.embedded import EmbeddedStore, EmbeddedStoreError
from service.memory import size_of
from service.roles import settings_of
from service.snapshot import SnapshotError, snapshot
from service.store import Store, StoreError

BEFORE = (keys.CURSORS, keys.SOURCES)
"""Read before all servers: up to where sources were read must not be ahead of what was read, which on a Cluster may lie
on a server that is saved earlier. What is read again counts once."""


def run(arguments: argparse.Namespace) -> int:
    """Write the backup; 2 where it is refused, 1 where it fails."""
    try:
        with reached(arguments) as url:
            header = asyncio.run(backup(url, arguments.file, arguments.force))
    except (ArchiveError, EmbeddedStoreError, SnapshotError, StoreError) as error:
        print(f"foreshock backup: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"foreshock backup: {arguments.file}: {error.strerror or error}", file=sys.stderr)
        return 1
    print(f"{arguments.file}: {summary(header)}")
    return 0


def summary(header: Header) -> str:
    """Say what a backup holds."""
    size, servers = sum(part.size for part in header.parts) / 1e6, len(header.parts)
    of = f"{servers} servers" if servers > 1 else "one server"
    return f"{header.brands} brands, schema {header.schema}, {size:.1f} MB of {of}, taken at {header.taken_at}"


@contextmanager
def reached(arguments: argparse.Namespace, new: bool = False) -> Iterator[str]:
    """Give the address of the store that is meant; an embedded one that does not run is started for the body.

    Raises:
        EmbeddedStoreError: there is no store in the data directory, where no new one is wanted, or it can't be started.
        StoreError: two stores are named.
    """
    if arguments.redis_url and arguments.data_dir:
        raise StoreError("--redis-url and --data-dir name two stores: one of them would be right")
    settings = settings_of(arguments)
    if settings.redis_url and not arguments.data_dir:
        yield settings.redis_url
        return
    try:
        memory = size_of(settings.store_memory) if settings.store_memory else None
    except ValueError as error:
        raise EmbeddedStoreError(f"FORESHOCK_STORE_MEMORY {error}") from None
    embedded = EmbeddedStore(settings.data_dir, memory=memory)
    if _listens(embedded.url.removeprefix("unix://")):
        yield embedded.url
        return
    if not new and not (embedded.data_dir / "foreshock.lock").exists():
        raise EmbeddedStoreError(f"there is no store in {embedded.data_dir}; name another by --data-dir or --redis-url")
    with embedded:
        yield embedded.url


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as connection:
        return connection.connect_ex(path) == 0


async def backup(url: str, path: Path, force: bool = False) -> Header:
    """Save the store at `url` to the file `path`; each brand is as it was at one instant.

    Raises:
        ArchiveError: there is such a file already, and `force` is false.
        SnapshotError: a server does not give its data.
        StoreError: the store can't be used, or changed its form meanwhile.
        OSError: the file can't be written.
    """
    with archive.created(path, force) as file:
        async with Store(url) as store:
            await store.inspect()
            try:
                return await _save(store, file)
            except RedisError as error:
                raise StoreError(f"the store can't be used: {error}") from None


async def _save(store: Store, file: Any) -> Header:
    taken_at = iso(await SystemClock().now())
    form = await _form(store)
    before = dict(zip(BEFORE, await store.pipe([("DUMP", key) for key in BEFORE]), strict=True))
    clients = await store.primaries()
    pools = [client.connection_pool for client in clients]
    parts = [await archive.add(file, f"{n}.rdb", snapshot(p.make_connection())) for n, p in enumerate(pools)]
    brands = await store.do("HLEN", keys.BRANDS)
    if await _form(store) != form:
        raise StoreError("the store's schema or its primaries changed while it was saved: take the backup again")
    header = Header(
        format=archive.FORMAT,
        schema=form[0],
        foreshock=version("foreshock"),
        taken_at=taken_at,
        brands=int(brands),
        database=int(pools[0].connection_kwargs.get("db") or 0),
        before={key: dumped for key, dumped in before.items() if dumped},
        parts=parts,
    )
    archive.close(file, header)
    return header


async def _form(store: Store) -> tuple[Any, ...]:
    """Return what must stay as it is while the servers are saved: schema, servers, and what each is to hold."""
    schema, moving = await store.pipe([("GET", keys.SCHEMA), ("EXISTS", keys.MIGRATING)])
    if moving:
        raise StoreError("the store is being brought to a newer schema: let a service end that, then take the backup")
    servers = [(info["run_id"], info["cluster_enabled"]) for info in await store.each("INFO", "server", "cluster")]
    roles = [role[0] for role in await store.each("ROLE")]
    slots = await store.each("CLUSTER", "SLOTS") if servers[0][1] else []
    owners = sorted((int(low), int(high), owner[2]) for low, high, owner, *_ in (slots[0] if slots else []))
    return int(schema), servers, roles, owners
