"""The one way out: every request to another machine goes through here, so that none reaches an internal address."""

import asyncio
import base64
import ipaddress
import logging
import socket
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from types import TracebackType
from typing import Self

import httpx

from collectors.collector import CollectorError
from collectors.limits import Limiter

USER_AGENT = "foreshock (early warning of brand crises)"
MAX_BYTES = 8 * 2**20
"""Decompressed bytes of one answer: no feed, page of posts or receipt that is worth reading is larger."""
TIMEOUT = 30.0
"""Seconds for the whole of one fetch, redirects included."""
MAX_REDIRECTS = 5
MAX_HEAD = 8192
"""Bytes of a proxy's answer to CONNECT."""
PATIENCE = 60.0
"""Seconds that a request waits for its turn; where it would be longer, the poll ends and says so."""

# Both write whole addresses and headers, and with them tokens, below this level.
for _name in ("httpx", "httpcore", "websockets"):
    logging.getLogger(_name).setLevel(logging.WARNING)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolver = Callable[[str, int], Awaitable[Sequence[str]]]

#: Global unicast; everything else of IPv6 is local, mapped, translated or unassigned (RFC 4291, section 2.4).
_UNICAST6 = ipaddress.IPv6Network("2000::/3")
#: The well-known prefix of NAT64 (RFC 6052, section 2.1): the last 32 bits are an IPv4 address.
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
#: Routable by their number, and yet never another company's server.
_NOT_OUTSIDE = tuple(
    ipaddress.ip_network(block)
    for block in (
        "168.63.129.16/32",  # Azure's own service address inside every virtual machine
        "192.0.0.0/24",  # protocol assignments, RFC 6890, and a cloud's metadata; older Pythons call parts of it global
        "192.88.99.0/24",  # 6to4 relays, RFC 7526
        "2001::/23",  # Teredo, ORCHID and other protocol assignments, RFC 2928
        "2002::/16",  # 6to4: wraps any IPv4 address
        "3fff::/20",  # documentation, RFC 9637
    )
)


class OutboundError(CollectorError):
    """The other side could not be reached, was too slow, or said too much."""


class OutboundRefused(OutboundError):
    """The address is not one that this service may go to."""


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


def is_outside(address: Address) -> bool:
    """Whether `address` is globally routable unicast, so that no machine of one's own network can stand behind it."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return is_outside(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _UNICAST6:
            return False
    if any(address in block for block in _NOT_OUTSIDE):
        return False
    return address.is_global and not address.is_multicast


def origin(url: httpx.URL) -> str:
    """Scheme, host and port alone: user, path and query may carry secrets and are never written anywhere."""
    port = f":{url.port}" if url.port else ""
    return f"{url.scheme}://{url.host}{port}"


async def system_resolver(host: str, port: int) -> list[str]:
    """Every address of `host`, in the system's order of preference."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _socket(address: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def _tunnel(proxy: httpx.URL, address: str, port: int) -> socket.socket:
    """Have an HTTP proxy connect to a judged address (CONNECT, RFC 9110, section 9.3.6)."""
    loop, target = asyncio.get_running_loop(), f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    own = proxy.port or 80
    sock = await _socket((await system_resolver(proxy.host, own))[0], own)
    user = f"{proxy.username}:{proxy.password}".encode()
    proof = f"Proxy-Authorization: Basic {base64.b64encode(user).decode()}\r\n" if proxy.username else ""
    try:
        await loop.sock_sendall(sock, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n{proof}\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            piece = await loop.sock_recv(sock, 1)  # what follows the head belongs to who asked for the socket
            head += piece
            if not piece or len(head) > MAX_HEAD:
                raise OutboundError("the proxy broke off or answered no valid HTTP")
        if head[8:10] != b" 2":
            raise OutboundError(f"the proxy refused to connect: {head[9:12].decode('ascii', 'replace')}")
    except BaseException:
        sock.close()
        raise
    return sock


class GuardedTransport(httpx.AsyncBaseTransport):
    """Resolves a host once, judges every address, and connects only to one of those that it judged."""

    def __init__(self, allow_hosts: frozenset[str], resolve: Resolver, proxy: str | None) -> None:
        self._allow = frozenset(host.strip().lower() for host in allow_hosts)
        self._resolve = resolve
        # A connection is kept by address here, and names share addresses: reuse could carry one name's secret
        # over a connection that was proven for another name.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._inner = httpx.AsyncHTTPTransport(trust_env=False, limits=limits, proxy=proxy)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request` to a judged address of its host, under the host's own name."""
        url = request.url
        addresses = await self.addresses(url)
        for address in addresses:
            pinned = httpx.Request(
                request.method,
                url.copy_with(host=address),
                headers=request.headers,  # carries the Host of the name
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": url.host},
            )
            try:
                return await self._inner.handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise OutboundError(f"{origin(url)} has no address")

    async def addresses(self, url: httpx.URL) -> list[str]:
        """Every address of the URL's host, each judged.

        Raises:
            OutboundRefused: it is not http(s), or an address is not outside.
            OutboundError: the host is not known.
        """
        if url.scheme not in ("http", "https") or not url.host:
            raise OutboundRefused(f"{url.scheme or 'no scheme'} is not a way out; only http and https are")
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            found = list(await self._resolve(url.host, port))
        except (OSError, UnicodeError):
            raise OutboundError(f"{origin(url)} is not a known host") from None
        if not {url.host.lower(), f"{url.host.lower()}:{port}"} & self._allow:
            for address in found:
                if not is_outside(ipaddress.ip_address(address)):
                    raise OutboundRefused(
                        f"{origin(url)} is at an internal address; an operator may name it in FORESHOCK_ALLOW_HOSTS"
                    )
        return found

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()


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
            OutboundError: unknown host, no connection, time-out, broken or too large an answer, too many redirects.
        """
        try:
            request = self._http.build_request(method, url, headers=headers, params=params, content=content)
            at = origin(request.url)
        except (httpx.InvalidURL, ValueError, TypeError):
            raise OutboundRefused("not a URL that can be fetched; write it as https://host/path") from None
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
                    return await (_tunnel(self._proxy, address, port) if self._proxy else _socket(address, port))
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

    async def aclose(self) -> None:
        """Close what is open."""
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()
