"""A stream of bytes as lines, taken for a while at a time without breaking off what is being read."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from collectors.outbound import OutboundError

MAX_LINE = 2**20
"""Bytes of one line; a post with all that belongs to it has a few thousand."""


class Lines:
    """Lines of an open answer; keep-alives (empty lines) are left out, and half a line at its end is none."""

    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces
        self._reading: asyncio.Task[bytes | None] | None = None
        self._lines = deque[bytes]()
        self._rest = b""
        self._broken: BaseException | None = None

    async def next(self, until: float) -> bytes | None:
        """Return the next line; None where none is there by `until`, an instant of the loop's clock.

        Raises:
            OutboundError: the other side ended the stream, and all before it was given.
            Exception: what reading raised, as it was.
        """
        while not self._lines:
            if self._broken is not None:
                raise self._broken
            if self._reading is None:
                self._reading = asyncio.create_task(self._piece())
            wait = max(until - asyncio.get_running_loop().time(), 0.0)
            done, _ = await asyncio.wait({self._reading}, timeout=wait)
            if not done:
                return None
            self._take(self._reading)
            self._reading = None
        return self._lines.popleft()

    async def _piece(self) -> bytes | None:
        return await anext(self._pieces, None)

    def _take(self, reading: asyncio.Task[bytes | None]) -> None:
        if (error := reading.exception()) is not None:
            self._broken = error
            return
        if (piece := reading.result()) is None:
            self._broken = OutboundError("X ended the stream")
            return
        *lines, self._rest = (self._rest + piece).split(b"\n")
        self._lines.extend(line for line in (line.strip() for line in lines) if line)
        if len(self._rest) > MAX_LINE:
            self._broken = OutboundError(f"X sent a line of more than {MAX_LINE} bytes")

    async def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait({self._reading})
            if not self._reading.cancelled():
                self._reading.exception()  # nobody asks for it any more
