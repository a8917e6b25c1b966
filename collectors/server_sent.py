"""Server-sent events: a stream of bytes as events (WHATWG HTML, section 9.2.6)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from collectors.outbound import OutboundError

MAX_LINE = 2**20
"""Bytes of one line, and of one event's data; a post with all that belongs to it has a few thousand."""


@dataclass(frozen=True)
class ServerSent:
    """One event; a keep-alive has neither kind nor data."""

    kind: str = ""
    data: str = ""


async def read_events(pieces: AsyncIterator[bytes]) -> AsyncIterator[ServerSent]:
    """Give each event as it is complete, and a keep-alive for each comment; half an event at the end is none.

    Raises:
        OutboundError: a line or an event is longer than any should be.
    """
    rest, kind = b"", ""
    data: list[str] = []
    async for piece in pieces:
        *lines, rest = (rest + piece).split(b"\n")
        if len(rest) > MAX_LINE or sum(map(len, data)) > MAX_LINE:
            raise OutboundError(f"the stream sent an event of more than {MAX_LINE} bytes")
        for raw in lines:
            line = raw.rstrip(b"\r").decode("utf-8", "replace")
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                if kind or data:
                    yield ServerSent(kind, "\n".join(data))
                kind, data = "", []
            elif not name:
                yield ServerSent()
            elif name == "event":
                kind = value
            elif name == "data":
                data.append(value)
