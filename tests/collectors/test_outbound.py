import asyncio
import gzip
import ipaddress
import logging
import ssl
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from socket import create_server

import pytest

from collectors.guard import is_outside
from collectors.outbound import Answer, Outbound, OutboundError, OutboundRefused
from tests.collectors.networks import Asked, Network, Reply

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

LOOPBACK_HOSTS = [
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.0.0.1", "0x7f.1",
    "0177.0.0.1", "0177.1", "017700000001", "127.0.0.1.", "0", "0.0.0.0", "0x0", "localhost", "LOCALHOST", "localhost.",
    "①②⑦.⓪.⓪.①", "１２７.０.０.１", "127。0。0。1", "127.0.0.1%00", "user:pass@127.0.0.1", "127.0.0.1:80@127.0.0.1",
    "[::1]", "[0:0:0:0:0:0:0:1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
    "[2002:7f00:1::1]", "[2001:0:7f00:1::]", "[::1%25lo]", "[fe80::1%25lo]",
]  # fmt: skip
INTERNAL_HOSTS = [
    "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "169.254.169.254", "169.254.170.2", "100.100.100.200",
    "100.64.0.1", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255", "0xa9fea9fe", "2852039166",
    "0xa9.0xfe.43518", "169.254.43518", "[fd00:ec2::254]", "[fc00::1]", "[fe80::1]", "[fec0::1]", "[ff02::1]",
    "[::ffff:169.254.169.254]", "[::ffff:10.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[2001:db8::1]",
    "[3fff::1]", "[100::1]", "[5f00::1]", "[4000::1]",
]  # fmt: skip


async def refused(out: Outbound, url: str) -> bool:
    try:
        await out.fetch("GET", url)
    except OutboundError:
        return True
    return False


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_spelling_of_this_machine_is_ever_connected_to(scheme: str) -> None:
    async def run(port: int) -> list[str]:
        async with Outbound(timeout=5) as out:
            return [host for host in LOOPBACK_HOSTS if not await refused(out, f"{scheme}://{host}:{port}/")]

    with Network(lambda _: Reply(200)) as network, create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        assert asyncio.run(run(network.port)) == []
        assert network.asked == []
        asyncio.run(run(listener.getsockname()[1]))
        with pytest.raises(BlockingIOError):  # no connection waits to be accepted
            listener.accept()


def test_the_same_server_is_reached_once_the_operator_names_it() -> None:
    async def run(network: Network, allowed: str) -> int:
        async with Outbound(frozenset({allowed}), timeout=5) as out:
            return (await out.fetch("GET", network.url)).status

    with Network(lambda _: Reply(204)) as network:
        assert asyncio.run(run(network, "127.0.0.1")) == 204
        assert asyncio.run(run(network, network.host)) == 204
        for other in ("127.0.0.1:1", "localhost", "127.0.0", "*", ""):
            with pytest.raises(OutboundRefused, match="FORESHOCK_ALLOW_HOSTS"):
                asyncio.run(run(network, other))
        assert len(network.asked) == 2


@pytest.mark.parametrize("host", INTERNAL_HOSTS)
def test_an_internal_address_is_refused_before_anything_is_sent(host: str) -> None:
    async def run() -> None:
        async with Outbound(timeout=5) as out:
            await out.fetch("GET", f"http://{host}:9/")  # where nothing listens, should the guard ever fail

    with pytest.raises(OutboundRefused, match="internal address"):
        asyncio.run(run())


@pytest.mark.parametrize("host", [*INTERNAL_HOSTS, "127.0.0.1", "[::1]", "localhost", "0x7f.1"])
def test_a_redirect_to_an_internal_address_is_refused(host: str) -> None:
    async def run(network: Network) -> None:
        async with Outbound(frozenset({network.host}), timeout=5) as out:
            await out.fetch("GET", network.url)

    with Network(lambda _: Reply(302, headers={"Location": f"http://{host}:9/"})) as network:
        with pytest.raises(OutboundRefused, match="internal address"):
            asyncio.run(run(network))
        assert len(network.asked) == 1


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2a00:1450:4001::1", "64:ff9b::808:808"]
)
def test_public_addresses_are_outside(address: str) -> None:
    assert is_outside(ipaddress.ip_address(address))


def test_one_internal_address_among_public_ones_refuses_the_whole_name() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["8.8.8.8", "127.0.0.1"]

    async def run(network: Network) -> None:
        async with Outbound(timeout=5, resolve=resolve) as out:
            await out.fetch("GET", f"http://rebind.example:{network.port}/")

    with Network() as network:
        with pytest.raises(OutboundRefused):
            asyncio.run(run(network))
        assert network.asked == []


def test_a_name_is_resolved_once_a_request_and_again_after_a_redirect() -> None:
    resolved: list[str] = []
    with Network(lambda _: Reply(302, headers={"Location": "/again"})) as network:

        async def resolve(host: str, _port: int) -> Sequence[str]:
            resolved.append(host)
            return ["127.0.0.1"]

        async def run() -> None:
            # The system cannot resolve this name: that it is reached shows that the judged address is connected to.
            async with Outbound(frozenset({"brand.example"}), timeout=5, resolve=resolve) as out:
                await out.fetch("GET", f"http://brand.example:{network.port}/feed")

        with pytest.raises(OutboundError, match="redirects more than 5 times"):
            asyncio.run(run())
        assert resolved == ["brand.example"] * len(network.asked) == ["brand.example"] * 6
        assert {asked.headers["host"] for asked in network.asked} == {f"brand.example:{network.port}"}


def test_a_name_that_turns_internal_between_two_redirects_is_refused() -> None:
    answers = iter([["127.0.0.1"], ["127.0.0.1"], ["10.0.0.1"]])
    with Network(lambda _: Reply(302, headers={"Location": "http://rebind.example/"})) as network:

        async def resolve(_host: str, _port: int) -> Sequence[str]:
            return next(answers)

        async def run() -> None:
            async with Outbound(frozenset({"first.example"}), timeout=5, resolve=resolve) as out:
                await out.fetch("GET", f"http://first.example:{network.port}/")

        with pytest.raises(OutboundRefused):
            asyncio.run(run())
        assert len(network.asked) == 1


def test_a_proxy_is_asked_for_the_judged_address_and_never_for_an_internal_one() -> None:
    async def resolve(host: str, _port: int) -> Sequence[str]:
        return ["8.8.8.8"] if host == "brand.example" else ["10.0.0.1"]

    async def run(proxy: str, url: str) -> int:
        async with Outbound(proxy=proxy, timeout=5, resolve=resolve) as out:
            return (await out.fetch("GET", url)).status

    with Network(lambda _: Reply(204)) as proxy:
        assert asyncio.run(run(proxy.url, "http://brand.example/feed")) == 204
        with pytest.raises(OutboundRefused):
            asyncio.run(run(proxy.url, "http://intranet.example/feed"))
    assert [(asked.target, asked.headers["host"]) for asked in proxy.asked] == [
        ("http://8.8.8.8/feed", "brand.example")
    ]


def test_the_next_address_is_tried_where_the_first_refuses() -> None:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.2", "127.0.0.1"]  # the server listens on the second alone

    async def run(port: int) -> int:
        async with Outbound(frozenset({"brand.example"}), timeout=5, resolve=resolve) as out:
            return (await out.fetch("GET", f"http://brand.example:{port}/")).status

    with Network(lambda _: Reply(204)) as network:
        assert asyncio.run(run(network.port)) == 204


def test_tls_asks_for_the_name_and_not_for_the_address() -> None:
    named: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.sni_callback = lambda _socket, name, _context: named.append(name)
    with create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            plain, _ = listener.accept()
            with plain, pytest.raises(ssl.SSLError):  # the server has no certificate
                context.wrap_socket(plain, server_side=True)

        async def resolve(_host: str, _port: int) -> Sequence[str]:
            return ["127.0.0.1"]

        async def run() -> None:
            async with Outbound(frozenset({"brand.example"}), timeout=5, resolve=resolve) as out:
                await out.fetch("GET", f"https://brand.example:{listener.getsockname()[1]}/")

        server = threading.Thread(target=serve)
        server.start()
        with pytest.raises(OutboundError, match="certificate"):
            asyncio.run(run())
        server.join()
    assert named == ["brand.example"]


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://8.8.8.8/", "gopher://127.0.0.1/", "//8.8.8.8/", "8.8.8.8", "", "http://", "http://[::1",
     "unix:///run/x", "data:text/plain,x", "javascript:1", "http://0251.0376.0251.0376/", "http://\n/"],
)  # fmt: skip
def test_only_http_and_https_are_a_way_out(url: str) -> None:
    async def run() -> None:
        async with Outbound(timeout=5) as out:
            await out.fetch("GET", url)

    with pytest.raises(OutboundRefused):
        asyncio.run(run())


def fetch(network: Network, path: str = "/", method: str = "GET", **limits: float) -> Answer:
    async def run() -> Answer:
        async with Outbound(
            frozenset({network.host}), max_bytes=int(limits.get("max_bytes", 1000)), timeout=limits.get("timeout", 5)
        ) as out:
            return await out.fetch(method, network.url + path, content=b"signed" if method == "POST" else None)

    return asyncio.run(run())


def test_an_answer_is_read_up_to_its_limit_and_no_further() -> None:
    with Network(lambda asked: Reply(200, b"x" * int(asked.params["n"]))) as network:
        assert len(fetch(network, "/?n=1000").body) == 1000
        with pytest.raises(OutboundError, match="more than 1000 bytes"):
            fetch(network, "/?n=1001")


def test_the_limit_counts_what_was_decompressed() -> None:
    small, bomb = gzip.compress(b"x" * 900), gzip.compress(b"x" * 100_000_000)
    with Network(
        lambda asked: Reply(200, bomb if asked.path == "/bomb" else small, {"Content-Encoding": "gzip"})
    ) as network:
        assert fetch(network).body == b"x" * 900
        with pytest.raises(OutboundError, match="more than 1000 bytes"):
            fetch(network, "/bomb")


def test_gzip_members_are_joined_and_a_torn_one_is_an_error() -> None:
    one = gzip.compress(b"one ")
    with Network() as network:
        network.failures.append(Reply(200, one + gzip.compress(b"two"), {"Content-Encoding": "gzip"}))
        assert fetch(network).body == b"one two"
        network.failures.append(Reply(200, one[:-5], {"Content-Encoding": "gzip"}))
        with pytest.raises(OutboundError, match="broke off"):
            fetch(network)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_a_coding_that_was_not_asked_for_is_refused(coding: str) -> None:
    with (
        Network(lambda _: Reply(200, b"x", {"Content-Encoding": coding})) as network,
        pytest.raises(OutboundError, match="coding"),
    ):
        fetch(network)


def test_a_silent_server_is_given_up_after_the_time_out() -> None:
    with (
        Network(lambda _: Reply(hang=True)) as network,
        pytest.raises(OutboundError, match=r"did not answer in 0\.2 seconds"),
    ):
        fetch(network, timeout=0.2)


def test_half_an_answer_and_an_absent_server_are_errors() -> None:
    with Network(lambda _: Reply(200, b"half", length=100)) as network, pytest.raises(OutboundError, match="broke off"):
        fetch(network)
    with pytest.raises(OutboundError, match="refused the connection"):
        fetch(network)


def test_a_signed_post_is_not_sent_on_to_where_a_redirect_points() -> None:
    with Network(lambda _: Reply(307, headers={"Location": "/elsewhere"})) as network:
        assert fetch(network, method="POST").status == 307
        assert [(asked.path, asked.body) for asked in network.asked] == [("/", b"signed")]


def test_no_message_and_no_log_tells_user_path_or_query(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with Network(lambda _: Reply(200, b"x" * 2000)) as network, Network() as other:
        messages = []
        for target in (network, other):

            async def run(host: str) -> None:
                async with Outbound(frozenset({network.host}), max_bytes=1000) as out:
                    await out.fetch("GET", f"http://me:hunter2@{host}/hook/hunter3?key=hunter4")

            with pytest.raises(OutboundError) as error:
                asyncio.run(run(target.host))
            messages.append(str(error.value))
    assert all(message.startswith("http://127.0.0.1:") for message in messages)
    assert "hunter" not in "".join(messages) + caplog.text


def test_cookies_are_not_kept_and_the_user_agent_names_the_service() -> None:
    def answer(_: Asked) -> Reply:
        return Reply(200, headers={"Set-Cookie": "track=me"})

    async def run(network: Network) -> None:
        async with Outbound(frozenset({network.host})) as out:
            await out.fetch("GET", network.url)
            await out.fetch("GET", network.url)

    with Network(answer) as network:
        asyncio.run(run(network))
        assert len(network.asked) == 2
        assert not any("cookie" in asked.headers for asked in network.asked)
        assert all(asked.headers["user-agent"].startswith("foreshock") for asked in network.asked)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), ("Sun, 01 Mar 2026 12:01:00 GMT", 60.0), ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0), ("soon", None),
     ("", None), ("-5", None)],
)  # fmt: skip
def test_retry_after_is_read_as_seconds_or_as_a_date(value: str, seconds: float | None) -> None:
    assert Answer(429, {"retry-after": value}, b"", "").retry_after(NOW) == seconds
