"""Every way that is known to reach an internal address, at every door out: no connection arrives where we listen."""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest

from collectors.collector import CollectorError
from collectors.outbound import Outbound
from tests.collectors.networks import Network, Reply

LOOPBACK, METADATA = "127.0.0.1", "169.254.169.254"
INTERNAL = [LOOPBACK, METADATA, "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.100.100.200", "169.254.170.2", "0.0.0.0"]
INTERNAL6 = ["::1", "::", "fe80::1", "fd00:ec2::254", "fc00::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1"]
NAMES = ["localhost", "LOCALHOST.", "localhost.localdomain", "ip6-localhost", "metadata.google.internal", "metadata",
         "instance-data", "kubernetes.default.svc", "host.docker.internal", "169.254.169.254.nip.io",
         "127.0.0.1.sslip.io", "localtest.me", "router.local", "intranet",
         "xn--lclhost-dta7e.example", "spoofed.example"]  # fmt: skip
OUTSIDE = "93.184.216.34"


def spellings(address: str) -> Iterator[str]:
    """Ways to write an IPv4 address as a host, as browsers and C libraries read them."""
    parts = [int(part) for part in address.split(".")]
    a, b, c, d = parts
    number = int(ipaddress.IPv4Address(address))
    low = f"{c:02x}{d:02x}"
    yield from (address, f"{address}.", str(number), hex(number), f"0x{number:08X}", f"0{number:o}")
    yield from (f"{a}.{b}.{c * 256 + d}", f"{a}.{b * 65536 + c * 256 + d}", f"0x{a:x}.0x{b:x}.0x{c:x}.0x{d:x}")
    yield from (".".join(f"0{part:o}" for part in parts), ".".join(f"{part:04o}" for part in parts))
    yield from (f"0x{a:x}.{b}.0{c:o}.{d}", f"{a}.0x{b * 65536 + c * 256 + d:x}", "。".join(map(str, parts)))
    yield address.translate({48 + n: 0xFF10 + n for n in range(10)})
    yield address.translate({48 + n: f"%{48 + n:02x}" for n in range(10)})
    yield from (
        f"user:password@{address}",
        f"example.org@{address}",
        f"example.org%40{address}",
        f"{address}%00.example.org",
    )
    yield from (
        f"[::ffff:{address}]",
        f"[::ffff:{a:02x}{b:02x}:{low}]",
        f"[0:0:0:0:0:FFFF:{address}]",
        f"[::{address}]",
    )
    yield from (f"[64:ff9b::{address}]", f"[64:ff9b:1::{address}]", f"[2002:{a:02x}{b:02x}:{low}::1]")
    yield from (f"[2001:0:{a:02x}{b:02x}:{low}::]", f"[::ffff:0:{address}]", f"[fe80::5efe:{address}]")


HOSTS = [*dict.fromkeys(host for address in INTERNAL for host in spellings(address)), *(f"[{a}]" for a in INTERNAL6)]

Door = Callable[[Outbound, str], Awaitable[object]]


async def by_fetch(out: Outbound, rest: str) -> None:
    await out.fetch("GET", f"http://{rest}")


async def by_tls(out: Outbound, rest: str) -> None:
    await out.fetch("POST", f"https://{rest}", content=b"{}")


async def by_stream(out: Outbound, rest: str) -> None:
    async with out.stream(f"http://{rest}", silence=1.0):
        pass


async def by_socket(out: Outbound, rest: str) -> None:
    (await out.connect(f"ws://{rest}")).close()


DOORS: list[Door] = [by_fetch, by_tls, by_stream, by_socket]


@contextmanager
def listening() -> Iterator[tuple[int, Callable[[], int]]]:
    """Listen on one port of all this machine's addresses; gives it, and how many connections have arrived."""
    with ExitStack() as stack:
        four = stack.enter_context(socket.create_server(("0.0.0.0", 0), backlog=4096))
        port = four.getsockname()[1]
        listeners = [four]
        if socket.has_ipv6:
            six = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_STREAM))
            six.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                six.bind(("::", port))
                six.listen(4096)
                listeners.append(six)
            except OSError:  # the system has no IPv6
                pass

        def arrived() -> int:
            found = 0
            for listener in listeners:
                listener.setblocking(False)
                while True:
                    try:
                        connection, _ = listener.accept()
                    except BlockingIOError:
                        break
                    connection.close()
                    found += 1
            return found

        yield port, arrived


async def _refused(door: Door, out: Outbound, rest: str) -> bool:
    try:
        async with asyncio.timeout(5):
            await door(out, rest)
    except CollectorError:
        return True
    except TimeoutError:
        return False
    return False


def tried(
    rests: Sequence[str], doors: Sequence[Door], resolve: Callable[[str, int], Awaitable[list[str]]] | None
) -> list[str]:
    """Try every way at every door; return those that were not refused."""

    async def run() -> list[str]:
        async with Outbound(timeout=2, resolve=resolve) if resolve else Outbound(timeout=2) as out:
            return [
                f"{door.__name__} {rest}" for door in doors for rest in rests if not await _refused(door, out, rest)
            ]

    return asyncio.run(run())


def test_there_are_more_than_two_hundred_ways() -> None:
    assert len(HOSTS) + 2 * len(NAMES) > 200


def test_the_counter_counts() -> None:
    with listening() as (port, arrived):
        socket.create_connection((LOOPBACK, port)).close()
        assert arrived() == 1


@pytest.mark.parametrize("door", DOORS)
def test_no_spelling_of_an_internal_address_is_connected_to(door: Door) -> None:
    async def literal(host: str, port: int) -> list[str]:
        """What the system makes of a spelling, without asking a name server for what is none."""
        found = await asyncio.get_running_loop().getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
        )
        return [str(entry[4][0]) for entry in found]

    with listening() as (port, arrived):
        assert tried([f"{host}:{port}/latest/meta-data/" for host in HOSTS], [door], literal) == []
        assert arrived() == 0


@pytest.mark.parametrize("address", [*INTERNAL, *INTERNAL6, "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::"])
def test_no_name_that_leads_inside_is_connected_to(address: str) -> None:
    """Also where it stands behind an outside address, or turns up only when the name is asked for again."""
    answers = [[address], [OUTSIDE, address], [address, OUTSIDE]]
    with listening() as (port, arrived):
        for answer in answers:

            async def resolve(_host: str, _port: int, answer: list[str] = answer) -> list[str]:
                return answer

            assert tried([f"{name}:{port}/" for name in NAMES[:4]], DOORS, resolve) == []
        assert arrived() == 0


def test_names_of_this_machine_and_of_clouds_are_not_connected_to() -> None:
    async def inside(_host: str, _port: int) -> list[str]:
        return [LOOPBACK]

    with listening() as (port, arrived):
        assert tried([f"{name}:{port}/" for name in NAMES], DOORS, inside) == []
        assert arrived() == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_leads_inside(status: int) -> None:
    with listening() as (port, arrived), Network() as network:
        targets = [f"{scheme}//{host}:{port}/" for host in HOSTS for scheme in ("http:", "")]
        targets += [
            f"//{LOOPBACK}:{port}",
            f"/\\{LOOPBACK}:{port}/",
            f"\\\\{LOOPBACK}:{port}",
            f"http:{LOOPBACK}:{port}",
        ]
        targets += [f"http://{name}:{port}/" for name in ("xn--lclhost-dta7e.example", "a..b", "localhost")]
        targets = targets[status % 5 :: 5]  # each is tried by one of the statuses

        async def run() -> list[str]:
            async with Outbound(frozenset({network.host}), timeout=2) as out:
                found = []
                for target in targets:
                    network.failures.append(
                        Reply(status, headers={"Location": target.encode("ascii", "xmlcharrefreplace").decode()})
                    )
                    try:
                        answer = await out.fetch("GET", network.url)
                    except CollectorError:
                        continue
                    if answer.status != 404:  # a path on the same server is no way inside
                        found.append(target)
                return found

        assert asyncio.run(run()) == []
        assert arrived() == 0


def test_a_name_that_answers_differently_the_second_time_is_asked_only_once() -> None:
    answers = iter([[OUTSIDE]] + [[LOOPBACK]] * 1000)
    asked: list[str] = []

    async def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return next(answers)

    async def run(port: int) -> None:
        async with Outbound(timeout=0.3, resolve=rebinding) as out:
            with pytest.raises(CollectorError):
                await out.fetch("GET", f"http://rebind.example:{port}/")

    with listening() as (port, arrived):
        asyncio.run(run(port))
        assert asked == ["rebind.example"]
        assert arrived() == 0
