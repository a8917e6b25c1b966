"""A small load on the way in while a primary is lost: what was acknowledged, and what is there afterwards."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from redis.exceptions import RedisError

from service import keys
from service.store import Store
from tests.service.server import Server
from tests.service.servers import Clustered, Watched

STREAMS = [keys.ingest(tag) for tag in keys.all_shards()[:64]]
Entry = tuple[str, int]
"""Stream, and number of the entry."""


async def lost_and_read(
    servers: Watched | Clustered, lose: Callable[[], Server], accept: str
) -> tuple[int, set[Entry], set[Entry]]:
    """Append from four tasks and read by group while a primary is lost and replaced, each through its own store.

    Returns how many appends were acknowledged, those that are not there, and those there that the reader did not get.
    """
    kept: set[Entry] = set()
    read: set[Entry] = set()
    done = asyncio.Event()
    numbers = iter(range(1_000_000_000))
    async with Store(servers.url, accept) as way_in, Store(servers.url) as way_out:
        await way_in.prepare()
        await way_in.pipe([("DEL", stream) for stream in STREAMS])
        await way_in.prepare()

        async def write() -> None:
            while not done.is_set():
                number = next(numbers)
                stream = STREAMS[number % len(STREAMS)]
                with suppress(RedisError, OSError):
                    await way_in.append([("XADD", stream, "*", "n", number)])
                    kept.add((stream, number))

        async def take(after: str = ">", count: int = 50) -> int:
            found = await way_out.read_group("count", "me", STREAMS, count=count, block_ms=200, after=after)
            read.update((stream.decode(), int(fields[b"n"])) for stream, some in found for _, fields in some)
            return len(found)

        async def reader() -> None:
            while not done.is_set():
                with suppress(RedisError, OSError):
                    await take()

        tasks = [asyncio.create_task(work) for work in (write(), write(), write(), write(), reader())]
        await _more(kept, 100)
        await asyncio.to_thread(servers.await_failover, lose())
        await asyncio.to_thread(servers.restart)  # replicas:N of N replicas needs the one that is gone
        await _more(kept, len(kept) + 100)
        done.set()
        await asyncio.gather(*tasks)
        while await take():
            pass
        await take("0", 100_000)  # what was handed out by a primary that died before it could say so
        rows = await way_out.pipe([("XRANGE", stream, "-", "+") for stream in STREAMS])
        there = {(s, int(fields[b"n"])) for s, some in zip(STREAMS, rows, strict=True) for _, fields in some}
    return len(kept), kept - there, there - read


async def _more(kept: set[Entry], least: int) -> None:
    async with asyncio.timeout(30):
        while len(kept) < least:
            await asyncio.sleep(0.01)
