"""What may be reached: every address that a name has is judged, and only a judged one is connected to."""

import asyncio
import base64
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

import httpx

from collectors.collector import CollectorError

MAX_HEAD = 8192
"""Bytes of a proxy's answer to CONNECT."""

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


async def connected(address: str, port: int) -> socket.socket:
    """Connect to an address that was judged."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock


async def tunnelled(proxy: httpx.URL, address: str, port: int) -> socket.socket:
    """Have an HTTP proxy connect to a judged address (CONNECT, RFC 9110, section 9.3.6)."""
    loop, target = asyncio.get_running_loop(), f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    own = proxy.port or 80
    sock = await connected((await system_resolver(proxy.host, own))[0], own)
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
            raise OutboundError(f"the proxy refused to connect: {head[9:12].decode('ascii', 'replace')}", unpaid=True)
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
        raise OutboundError(f"{origin(url)} has no address", unpaid=True)

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
            raise OutboundError(f"{origin(url)} is not a known host", unpaid=True) from None
        if not self.excepted(url):
            for address in found:
                if not is_outside(ipaddress.ip_address(address)):
                    raise OutboundRefused(
                        f"{origin(url)} is at an internal address; an operator may name it in FORESHOCK_ALLOW_HOSTS"
                    )
        return found

    async def aclose(self) -> None:
        """Close what is open."""
        await self._inner.aclose()

    def excepted(self, url: httpx.URL) -> bool:
        """Whether the operator named the URL's host as one that may be internal."""
        host, port = url.host.lower(), url.port or (443 if url.scheme == "https" else 80)
        return bool({host, f"{host}:{port}"} & self._allow)
