"""A WebSocket goes through the operator's HTTP proxy, to an address that was judged here."""

import asyncio
import base64
from collections.abc import Sequence

import pytest

from collectors.outbound import Outbound, OutboundError, OutboundRefused
from collectors.websocket import open_websocket
from tests.collectors.jetstream_network import JetstreamNetwork, event
from tests.collectors.proxy import Proxy
from tests.collectors.test_bluesky import NOW


async def resolve(host: str, _port: int) -> Sequence[str]:
    return {"stream.example": ["8.8.8.8"], "six.example": ["2606:4700::1111"]}.get(host, ["10.0.0.1"])


def first_message(proxy: str, url: str) -> bytes | None:
    async def run() -> bytes | None:
        async with Outbound(proxy=proxy, timeout=5, resolve=resolve) as out, open_websocket(out, url) as socket:
            return await socket.receive(5.0)

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("ws://stream.example/subscribe?cursor=1", "8.8.8.8:80"),
        ("ws://six.example:81/subscribe?cursor=1", "[2606:4700::1111]:81"),
    ],
)
def test_a_websocket_goes_through_the_proxy_to_the_judged_address(url: str, target: str) -> None:
    with JetstreamNetwork(event(NOW, "acme")) as network, Proxy(("127.0.0.1", network.port)) as proxy:
        message = first_message(f"http://me:let-me-in@{proxy.address}", url)
        assert message is not None
        assert b"acme" in message
        (head,) = proxy.asked
        assert head.startswith(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n")
        assert f"Proxy-Authorization: Basic {base64.b64encode(b'me:let-me-in').decode()}\r\n" in head
        assert network.asked[0].headers["host"] == url.split("/")[2]


def test_the_proxy_is_never_asked_for_an_internal_address() -> None:
    with Proxy(("127.0.0.1", 1)) as proxy:
        with pytest.raises(OutboundRefused, match="internal address"):
            first_message(f"http://{proxy.address}", "ws://intranet.example/")
        assert proxy.asked == []


def test_a_proxy_that_refuses_or_breaks_off_is_named_and_its_password_is_not() -> None:
    with Proxy(("127.0.0.1", 1), status=407) as proxy:
        with pytest.raises(OutboundError, match="the proxy refused to connect: 407") as told:
            first_message(f"http://me:let-me-in@{proxy.address}", "ws://stream.example/")
        assert "let-me-in" not in str(told.value)
    with Proxy(("127.0.0.1", 1)) as proxy, pytest.raises(OutboundError):  # nothing listens where it should connect to
        first_message(f"http://{proxy.address}", "ws://stream.example/")


def test_a_proxy_behind_tls_is_refused_with_a_sentence() -> None:
    with pytest.raises(OutboundRefused, match="proxy at http:// alone, not https://"):
        first_message("https://127.0.0.1:9", "ws://stream.example/")
