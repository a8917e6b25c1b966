"""The sockets of libraries that open their own (requests, smtplib): in a thread of ours they leave by the guarded way.

In such a thread a connection is made by `collectors.outbound`, which judges every address, follows no name twice and
knows the operator's proxy; whatever tries to connect by itself is refused. Other threads see no difference.
"""

import asyncio
import contextlib
import functools
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import TimeoutError as TooLate
from typing import Any

from collectors.outbound import Outbound, OutboundError

_thread = threading.local()


class Way:
    """The way out of one piece of work, while `loop` runs; `refused` is why a connection was not made."""

    def __init__(self, outbound: Outbound, loop: asyncio.AbstractEventLoop) -> None:
        self.refused: OutboundError | None = None
        self.connected = False
        self._outbound, self._loop = outbound, loop
        self._open: list[socket.socket] = []
        self._over = False

    def connect(self, host: str, port: int, seconds: float) -> socket.socket:
        """Connect, from the working thread; reads and writes wait at most `seconds`.

        Raises:
            OSError: the address is refused, not known, or does not answer.
        """
        asked = asyncio.run_coroutine_threadsafe(self._outbound.dial(host.strip("[]"), port), self._loop)
        try:
            found = asked.result(self._outbound.timeout)
        except OutboundError as error:
            self.refused = error
            raise ConnectionRefusedError(str(error)) from None
        except TooLate:
            asked.cancel()
            raise TimeoutError(f"{host}:{port} did not answer") from None
        self._open.append(found.dup())  # TLS takes the socket itself over; this one still ends the connection
        found.settimeout(seconds)
        self.connected = True
        if self._over:
            self.end()
        return found

    def end(self) -> None:
        """Break every connection, so that a thread that still waits for one ends."""
        self._over = True
        while self._open:
            with contextlib.suppress(OSError), self._open.pop() as found:
                found.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def through(way: Way) -> Iterator[None]:
    """Let all that this thread connects to be reached by `way`."""
    _install()
    _thread.way = way
    try:
        yield
    finally:
        _thread.way = None


SECONDS = 10.0
"""That a read or a write waits at most, also where a library names no time."""


@functools.cache
def _install() -> None:
    """Put our question in front of the functions by which those libraries connect, once in a process."""
    import urllib3.util.connection as of_requests

    of_requests.create_connection = _asking(of_requests.create_connection)
    socket.create_connection = _asking(socket.create_connection)
    sys.addaudithook(_watch)


def _asking(original: Callable[..., socket.socket]) -> Callable[..., socket.socket]:
    @functools.wraps(original)
    def create_connection(address: tuple[str, int], *rest: Any, **more: Any) -> socket.socket:
        way: Way | None = getattr(_thread, "way", None)
        if way is None:
            return original(address, *rest, **more)
        timeout = rest[0] if rest else more.get("timeout")
        seconds = min(timeout, SECONDS) if isinstance(timeout, int | float) and timeout > 0 else SECONDS
        return way.connect(*address, seconds)

    return create_connection


def _watch(event: str, _: tuple[Any, ...]) -> None:
    """Refuse what goes past: in such a thread nothing connects itself, and no program is started."""
    if event in ("socket.connect", "subprocess.Popen", "os.system") and getattr(_thread, "way", None) is not None:
        raise PermissionError(f"{event} is not a way out")
