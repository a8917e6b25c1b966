"""A WebSocket that goes out by the one way: its connection was opened there, to an address that was judged."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

import httpx

from collectors.collector import CollectorError
from collectors.guard import origin
from collectors.outbound import Answer, Outbound, OutboundError, OutboundRefused

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

MAX_MESSAGE = 2**20
"""Bytes of one message, decompressed; a post with all that belongs to it has a few thousand."""
MAX_WAITING = 512
"""Frames that wait to be received; more are left to the network, which slows the other side down."""
PING_SECONDS = 10.0
"""Between pings of ours, and how long a pong may take: what stands between us and a dead server closes quietly."""


class WebSocket:
    """An open connection that is only read."""

    def __init__(self, connection: "ClientConnection", at: str) -> None:
        self._connection = connection
        self._at = at

    async def receive(self, seconds: float) -> bytes | None:
        """Return the next message; None where none comes for so long.

        Raises:
            OutboundError: the other side closed, is dead, or sent what is no WebSocket.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                return await self._connection.recv(decode=False)
        except TimeoutError:
            return None
        except ConnectionClosed as closed:
            code = closed.rcvd.code if closed.rcvd else closed.sent.code if closed.sent else None
            raise OutboundError(f"{self._at} closed the stream{f' ({code})' if code else ''}") from None


@cache
def _tls() -> ssl.SSLContext:
    """What `httpx` trusts too; reading it takes some 20 ms."""
    return httpx.create_ssl_context(trust_env=False)


@asynccontextmanager
async def open_websocket(outbound: Outbound, url: str) -> AsyncIterator[WebSocket]:
    """Open a WebSocket at a ws(s) URL; it is closed with the block. No redirect is followed.

    Raises:
        OutboundRefused: the URL is not ws(s) to an outside address.
        CollectorError: no connection, or a refused handshake, with the `Retry-After` of its answer.
    """
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidHandshake, InvalidStatus, InvalidURI

    sock = await outbound.connect(url)
    at = origin(httpx.URL(url))
    secure = httpx.URL(url).scheme == "wss"
    try:
        connection = await connect(
            url,
            sock=sock,
            ssl=_tls() if secure else None,
            proxy=None,
            user_agent_header=outbound.user_agent,
            open_timeout=outbound.timeout,
            ping_interval=PING_SECONDS,
            ping_timeout=PING_SECONDS,
            close_timeout=1.0,
            max_size=MAX_MESSAGE,
            max_queue=MAX_WAITING,
        )
    except InvalidStatus as refused:
        headers = {name.lower(): value for name, value in refused.response.headers.raw_items()}
        answer = Answer(refused.response.status_code, headers, b"", url)
        raise CollectorError(f"{at} answered {answer.status}", answer.retry_after(datetime.now(UTC))) from None
    except InvalidURI:
        raise OutboundRefused("not the address of a WebSocket; write it as wss://host/path") from None
    except TimeoutError:
        raise OutboundError(f"{at} did not open a WebSocket in {outbound.timeout:g} seconds") from None
    except (InvalidHandshake, OSError, EOFError, ValueError) as error:
        raise OutboundError(f"{at} opened no WebSocket ({type(error).__name__})") from None
    try:
        yield WebSocket(connection, at)
    finally:
        await connection.close()
