"""The one way out: every request to another machine goes through here, so that none reaches an internal address."""

import asyncio
import logging
import socket
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import TYPE_CHECKING, Self

import httpx

from collectors.guard import GuardedTransport, Resolver, connected, origin, system_resolver, tunnelled
from collectors.guard import OutboundError as OutboundError
from collectors.guard import OutboundRefused as OutboundRefused
from collectors.limits import Limiter

if TYPE_CHECKING:
    from collectors.robots import Robots

USER_AGENT = "foreshock (early warning of brand crises)"
MAX_BYTES = 8 * 2**20
"""Decompressed bytes of one answer: no feed, page of posts or receipt that is worth reading is larger."""
TIMEOUT = 30.0
"""Seconds for the whole of one fetch, redirects included."""
MAX_REDIRECTS = 5
PATIENCE = 60.0
"""Seconds that a request waits for its turn; where it would be longer, the poll ends and says so."""

# Both write whole addresses and headers, and with them tokens, below this level.
for _name in ("httpx", "httpcore", "websockets"):
    logging.getLogger(_name).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Answer:
    """What came back: header names are lower-case, `body` is decompressed, `url` is the last one after redirects."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def retry_after(self, now: datetime) -> float | None:
        """Seconds that `Retry-After` asks for (a number or a date, RFC 9110, section 10.2.3)."""
        value = self.headers.get("retry-after", "").strip()
        if value.isascii() and value.isdigit():
            return float(value[:9])
        try:
            when = parsedate_to_datetime(value)
        except ValueError:
            return None
        return max(0.0, (when.replace(tzinfo=when.tzinfo or UTC) - now).total_seconds())


class Outbound:
    """A guarded HTTP client with a limit of bytes and of seconds for every fetch.

    `allow_hosts` are the operator's exceptions ("host" or "host:port"); `proxy` is the operator's, and only its own
    connection is not judged. Cookies are not kept. Use it as an async context manager, or call `aclose`.
    """

    def __init__(
        self,
        allow_hosts: frozenset[str] = frozenset(),
        user_agent: str = USER_AGENT,
        max_bytes: int = MAX_BYTES,
        timeout: float = TIMEOUT,
        proxy: str | None = None,
        resolve: Resolver = system_resolver,
    ) -> None:
        self.max_bytes = max_bytes
        self.timeout = timeout
        self.user_agent = user_agent
        self._limiter: Limiter | None = None
        self._robots: Robots | None = None
        self._proxy = httpx.URL(proxy) if proxy else None
        self._guard = GuardedTransport(allow_hosts, resolve, proxy)
        self._http = httpx.AsyncClient(
            transport=self._guard,
            headers={"User-Agent": user_agent, "Accept-Encoding": "gzip"},
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
            timeout=timeout,
            trust_env=False,
        )

    def within(self, limiter: Limiter) -> Self:
        """The same way out, whose requests keep a limit that they share; who made the way out closes it."""
        found = copy(self)
        found._limiter = limiter
        return found

    def heeding(self, robots: "Robots") -> Self:
        """The same way out, for what reads websites: what `fetch` is asked for must be allowed by their robots.txt."""
        found = copy(self)
        found._robots = robots
        return found

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """Send one request and read the whole answer, whatever its status.

        A GET follows redirects; anything else hands the redirect back, since a signed body was meant for one place.

        Raises:
            OutboundRefused: the URL, or one it redirects to, is not http(s) to an outside address.
            OutboundError: unknown host, no connection, time-out, broken or too large an answer, too many redirects, or
                robots.txt does not allow it (only of what was asked for, not of where it redirects to).
        """
        try:
            request = self._http.build_request(method, url, headers=headers, params=params, content=content)
            at = origin(request.url)
        except (httpx.InvalidURL, ValueError, TypeError):
            raise OutboundRefused("not a URL that can be fetched; write it as https://host/path") from None
        if self._robots is not None:
            await self._robots.heed(request.url)
        await self._turn(request.url)
        try:
            async with asyncio.timeout(self.timeout):
                answer = await self._follow(request)
        except (TimeoutError, httpx.TimeoutException):
            raise OutboundError(f"{at} did not answer in {self.timeout:g} seconds") from None
        except httpx.ConnectError:
            raise OutboundError(f"{at} refused the connection, or its certificate is not valid", unpaid=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ssl.SSLError, OSError, zlib.error) as error:
            raise OutboundError(f"{at} broke off or answered no valid HTTP ({type(error).__name__})") from None
        if self._limiter is not None:
            route = self._limiter.route(origin(request.url), request.url.path)
            self._limiter.follow(route, answer.status, answer.headers, time.time())
        return answer

    @asynccontextmanager
    async def stream(
        self, url: str, *, headers: Mapping[str, str] | None = None, silence: float
    ) -> AsyncIterator[tuple[Answer, AsyncIterator[bytes]]]:
        """Open an answer that does not end: its head, and its bytes as they come; no redirect is followed.

        Raises:
            OutboundRefused, OutboundError: as `fetch`, and where nothing comes for `silence` seconds.
        """
        times = httpx.Timeout(self.timeout, read=silence)
        try:
            request = self._http.build_request("GET", url, headers={**(headers or {}), "Accept-Encoding": "identity"})
            request.extensions["timeout"] = times.as_dict()
            at = origin(request.url)
        except (httpx.InvalidURL, ValueError, TypeError):
            raise OutboundRefused("not a URL that can be fetched; write it as https://host/path") from None
        await self._turn(request.url)
        try:
            response = await self._http.send(request, stream=True)
            try:
                yield Answer(response.status_code, dict(response.headers), b"", url), self._decoded(response)
            finally:
                await response.aclose()
        except httpx.ReadTimeout:
            raise OutboundError(f"{at} said nothing for {silence:g} seconds") from None
        except httpx.TimeoutException:
            raise OutboundError(f"{at} did not answer in {self.timeout:g} seconds") from None
        except httpx.ConnectError:
            raise OutboundError(f"{at} refused the connection, or its certificate is not valid", unpaid=True) from None
        except (httpx.HTTPError, ssl.SSLError) as error:
            raise OutboundError(f"{at} broke off or answered no valid HTTP ({type(error).__name__})") from None

    async def connect(self, url: str) -> socket.socket:
        """Connect to the host of a ws(s) URL, judged as every other; who asked for the socket closes it.

        Raises:
            OutboundRefused: the URL is not ws(s) to an outside address.
            OutboundError: unknown host, or no connection.
        """
        try:
            told, at = httpx.URL(url), origin(httpx.URL(url))
        except (httpx.InvalidURL, ValueError, TypeError):
            raise OutboundRefused("not the address of a WebSocket; write it as wss://host/path") from None
        if told.scheme not in ("ws", "wss") or not told.host:
            raise OutboundRefused(f"{told.scheme or 'no scheme'} is not a WebSocket; write it as wss://host/path")
        if self._proxy is not None and self._proxy.scheme != "http":
            raise OutboundRefused(f"{at}: WebSockets go through a proxy at http:// alone, not {self._proxy.scheme}://")
        await self._turn(told)
        return await self._dial(told.copy_with(scheme="https" if told.scheme == "wss" else "http"), at)

    async def dial(self, host: str, port: int) -> socket.socket:
        """Connect to a host, judged as every other, for what speaks another protocol; who asked for it closes it.

        Raises:
            OutboundRefused: it is not an outside address.
            OutboundError: unknown host, or no connection.
        """
        at = f"{host}:{port}"
        try:
            told = httpx.URL(scheme="https", host=host, port=port)
        except (httpx.InvalidURL, ValueError, TypeError):
            raise OutboundRefused("not a host that can be reached") from None
        if self._proxy is not None and self._proxy.scheme != "http":
            raise OutboundRefused(f"{at}: it goes through a proxy at http:// alone, not {self._proxy.scheme}://")
        return await self._dial(told, at)

    async def _dial(self, url: httpx.URL, at: str) -> socket.socket:
        addresses = await self._guard.addresses(url)
        port = url.port or (443 if url.scheme == "https" else 80)
        for address in addresses:
            with suppress(OSError):  # TimeoutError is one
                async with asyncio.timeout(self.timeout):
                    return await (tunnelled(self._proxy, address, port) if self._proxy else connected(address, port))
        raise OutboundError(f"{at} refused the connection")

    async def _turn(self, url: httpx.URL) -> None:
        """Wait until the shared limit has room for a request to `url`.

        Raises:
            OutboundError: that would take too long; `retry_after` says how long.
        """
        if self._limiter is None:
            return
        route = self._limiter.route(origin(url), url.path)
        while (wait := self._limiter.wait(route, time.time())) > 0.0:
            if wait > PATIENCE:
                raise OutboundError(f"the limit of {origin(url)} is used up for {wait:.0f} seconds", wait, unpaid=True)
            await asyncio.sleep(wait)
        self._limiter.take(route, time.time())

    async def _follow(self, request: httpx.Request) -> Answer:
        at = origin(request.url)
        for _ in range(MAX_REDIRECTS + 1):
            response = await self._http.send(request, stream=True)
            try:
                if request.method != "GET" or response.next_request is None:
                    return await self._read(response)
                request = response.next_request
            finally:
                await response.aclose()
        raise OutboundError(f"{at} redirects more than {MAX_REDIRECTS} times")

    async def _read(self, response: httpx.Response) -> Answer:
        body = bytearray()
        async for piece in self._decoded(response):
            body += piece
            if len(body) > self.max_bytes:
                raise OutboundError(f"{origin(response.url)} answered with more than {self.max_bytes} bytes")
        return Answer(response.status_code, dict(response.headers), bytes(body), str(response.url))

    async def _decoded(self, response: httpx.Response) -> AsyncIterator[bytes]:
        """Decompress in steps of bounded size: a kilobyte may hold a megabyte, and nested codings far more."""
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("identity", "", "gzip", "x-gzip"):
            raise OutboundError(f"{origin(response.url)} answered in a coding that was not asked for; gzip would be")
        unzip = zlib.decompressobj(zlib.MAX_WBITS | 16) if "gzip" in coding else None
        async for piece in response.aiter_raw():
            if unzip is None:
                yield piece
                continue
            rest = piece
            while rest:
                if unzip.eof:  # gzip members may follow one another
                    unzip = zlib.decompressobj(zlib.MAX_WBITS | 16)
                yield unzip.decompress(rest, 2**16)
                rest = unzip.unconsumed_tail or unzip.unused_data
        if unzip is not None and not unzip.eof:
            raise OutboundError(f"{origin(response.url)} broke off inside a compressed answer")

    def excepted(self, url: str) -> bool:
        """Whether the operator named the URL's host as one that may be internal; False for what is no URL."""
        try:
            return self._guard.excepted(httpx.URL(url))
        except (httpx.InvalidURL, ValueError, TypeError):
            return False

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
