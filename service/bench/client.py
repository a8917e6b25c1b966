"""A lean client of `POST /v1/mentions`, and a watch on when what it posted is counted."""

import asyncio
import json
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from service import keys
from service.bench import BenchError
from service.bench.load import Named, Sending
from service.bench.running import Running

BUSY, ACCEPTED = 429, 202


@dataclass
class Client:
    """One connection at a time, kept as long as the service keeps it; `refused` counts the answers 429."""

    service: Running
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    refused: int = 0

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self.reader is None or self.writer is None or self.reader.at_eof():
            self.close()
            self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.service.port)
            # A whole request goes to the kernel in one call.
            self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2**20)
        return self.reader, self.writer

    async def post(self, sending: Sending) -> None:
        """Post until it is accepted; where the service is busy, as late as it asks for.

        Raises:
            BenchError: the service refused what is right.
        """
        head = (
            f"POST /v1/mentions HTTP/1.1\r\nHost: 127.0.0.1:{self.service.port}\r\n"
            f"Authorization: Bearer {self.service.key}\r\n"
            f"Content-Type: {sending.kind}\r\nContent-Length: {len(sending.data)}\r\n\r\n"
        ).encode()
        while True:
            reader, writer = await self._connected()
            writer.writelines([head, sending.data])
            status, headers, body = await _answer(reader)
            if status == ACCEPTED and not json.loads(body)["rejected"]:
                return
            if status != BUSY:
                raise BenchError(f"the service answered {status}: {body[:300].decode(errors='replace')}")
            self.refused += 1
            await asyncio.sleep(float(headers.get("retry-after", "1")))

    def close(self) -> None:
        """Close the connection."""
        if self.writer is not None:
            self.writer.close()


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    try:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split()[1]), headers, await reader.readexactly(int(headers["content-length"]))
    except (asyncio.IncompleteReadError, OSError) as error:
        raise BenchError(f"the service ended the connection ({error})") from None


@dataclass
class Watch:
    """Times how long accepted mentions take to be counted.

    A mention's record is written by the same atomic step that changes its buckets, so it is counted when the record
    exists: one O(1) look at a key, every millisecond, on a connection of its own; the answer is right to about 1 ms.
    """

    store_url: str
    waiting: dict[bytes, float] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)

    def accepted(self, mentions: Iterable[Named]) -> None:
        """Watch mentions whose acceptance was heard of just now."""
        now = time.perf_counter()
        for brand, source, identity in mentions:
            key = keys.record(keys.shard(brand), keys.identity(source, identity))
            self.waiting[f"*2\r\n$6\r\nEXISTS\r\n${len(key)}\r\n{key}\r\n".encode()] = now

    async def run(self) -> None:
        """Look until cancelled."""
        reader, writer = await asyncio.open_unix_connection(self.store_url.removeprefix("unix://"))
        try:
            while True:
                looked = list(self.waiting)
                writer.write(b"".join(looked))
                answers = [await reader.readline() for _ in looked]
                now = time.perf_counter()
                for command, answer in zip(looked, answers, strict=True):
                    if answer == b":1\r\n":
                        self.seconds.append(now - self.waiting.pop(command))
                await asyncio.sleep(0.001)
        finally:
            writer.close()
