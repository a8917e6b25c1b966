"""A server's data at one point in time: its RDB, as the server sends it to a new replica."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from redis.exceptions import RedisError

SILENT = 60.0
"""Seconds without a byte after which a server is given up; while it prepares the RDB it sends empty lines."""
CHUNK = 1 << 20
NO_PORT = 65_536
"""What the server is told that we listen on: Sentinels would keep whoever has a real port, or 0, as a lost replica."""
MARK = 40
"""Bytes of the mark that ends an RDB whose length the server does not know beforehand."""


class SnapshotError(Exception):
    """The server does not give its data; the message is one sentence for a person."""


async def snapshot(connection: Any) -> AsyncIterator[bytes]:
    """Yield the RDB of the server behind a connection of the client library, which is closed at the end.

    The server is asked for the RDB alone, and may send it as it makes it (`$EOF:`) or from its disk (`$LENGTH`).

    Raises:
        SnapshotError: the server refuses, or its answer ends too early.
    """
    try:
        await connection.connect()
        for option in (("capa", "eof"), ("rdb-only", "1"), ("listening-port", NO_PORT)):
            await connection.send_command("REPLCONF", *option)
            await connection.read_response()
        await connection.send_command("SYNC")
        reader: asyncio.StreamReader = connection._reader  # what follows is no answer that the library could read
        head = await _head(reader)
        chunks = _until_mark(reader, head[5:]) if head.startswith(b"$EOF:") else _counted(reader, _length(head))
        async for chunk in chunks:
            yield chunk
    except (RedisError, OSError) as error:
        raise SnapshotError(f"the server does not give its data: {str(error) or type(error).__name__}") from None
    finally:
        await connection.disconnect(nowait=True)


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Return the line that says how the RDB is sent; empty ones before it are signs of life."""
    while True:
        line = (await asyncio.wait_for(reader.readline(), SILENT)).rstrip(b"\r\n")
        if line.startswith(b"$"):
            return line
        if line.startswith(b"-"):
            raise SnapshotError(f"the server refuses SYNC: {line[1:].decode(errors='replace')}")
        if line or reader.at_eof():
            raise SnapshotError("the server does not answer SYNC as Redis and Valkey do")


def _length(head: bytes) -> int:
    try:
        return int(head[1:])
    except ValueError:
        raise SnapshotError("the server does not answer SYNC as Redis and Valkey do") from None


async def _read(reader: asyncio.StreamReader, most: int) -> bytes:
    chunk = await asyncio.wait_for(reader.read(most), SILENT)
    if not chunk:
        raise SnapshotError("the server ended the connection before its data's end")
    return chunk


async def _counted(reader: asyncio.StreamReader, length: int) -> AsyncIterator[bytes]:
    while length:
        chunk = await _read(reader, min(length, CHUNK))
        length -= len(chunk)
        yield chunk


async def _until_mark(reader: asyncio.StreamReader, mark: bytes) -> AsyncIterator[bytes]:
    held = b""
    while held[-MARK:] != mark:
        yield held[:-MARK]
        held = held[-MARK:] + await _read(reader, CHUNK)
    yield held[:-MARK]
