import asyncio
import hashlib
import hmac
import json
from typing import Any

import pytest

from collectors import websub
from collectors.collector import CollectorError
from collectors.feed_document import read_document
from collectors.outbound import Outbound
from collectors.websub import Hub, Intent, NoIntent, hub_of, proven, read_intent
from tests.collectors.hub_network import HubNetwork

BASE = "https://blog.example/feed.xml?key=hunter2"
HUB, TOPIC = "https://hub.example/", "https://blog.example/feed"


@pytest.mark.parametrize(
    ("link", "found"),
    [
        (f'<{HUB}>; rel="hub", <{TOPIC}>; rel="self"', Hub(HUB, TOPIC)),
        (f"<{HUB}>;rel=hub,<{TOPIC}>;type=x;rel=self", Hub(HUB, TOPIC)),
        (f'<{HUB}>; title="a, b"; REL="Hub self"', Hub(HUB, HUB)),
        ('</hub>; rel=hub, <feed>; rel="alternate self"', Hub("https://blog.example/hub", "https://blog.example/feed")),
        (f"<{HUB}>; rel=hub, <https://other.example/>; rel=hub, <{TOPIC}>; rel=self", Hub(HUB, TOPIC)),
        (f"<{HUB}>; rel=hub", None),
        (f"<{TOPIC}>; rel=self", None),
        (f"<javascript:alert(1)>; rel=hub, <{TOPIC}>; rel=self", None),
        (f"<https://[::1>; rel=hub, <{TOPIC}>; rel=self", None),
        (f"<{HUB}>; rel=hub, <https://blog.example/{'x' * 3000}>; rel=self", None),
        (f"<{HUB}>; rel=hubs, <{TOPIC}>; xrel=self", None),
        ("<" * 60_000, None),
        ("", None),
    ],
)
def test_a_hub_is_found_in_the_link_header_only_with_the_feeds_own_address(link: str, found: Hub | None) -> None:
    assert hub_of(link, "", "", BASE) == found


def test_the_header_goes_before_the_document_and_each_completes_the_other() -> None:
    assert hub_of(f"<{HUB}>; rel=hub", "https://old.example/", TOPIC, BASE) == Hub(HUB, TOPIC)
    assert hub_of("", "https://old.example/", "/feed", BASE) == Hub("https://old.example/", TOPIC)


@pytest.mark.parametrize(
    "body",
    [
        f"<feed xmlns='http://www.w3.org/2005/Atom'>"
        f"<link rel='hub' href='{HUB}'/><link rel='self' href='{TOPIC}'/></feed>",
        f"<rss version='2.0' xmlns:a='http://www.w3.org/2005/Atom'><channel><title>t</title>"
        f"<a:link rel='hub' href='{HUB}'/><a:link rel='self' href='{TOPIC}'/></channel></rss>",
        json.dumps({"items": [], "feed_url": TOPIC, "hubs": [{"type": "x"}, {"type": "WebSub", "url": HUB}]}),
    ],
)
def test_atom_rss_and_json_feeds_name_their_hub(body: str) -> None:
    document = read_document(body.encode(), "")
    assert (document.hub, document.topic) == (HUB, TOPIC)


@pytest.mark.parametrize(
    "body", [b'{"items": [], "hubs": 7, "feed_url": []}', b'{"items": [], "hubs": [7, {}]}', b"<rss><channel/></rss>"]
)
def test_a_document_without_a_sound_hub_names_none(body: bytes) -> None:
    document = read_document(body, "")
    assert (document.hub, document.topic) == ("", "")


@pytest.mark.parametrize("method", ["sha1", "sha256", "sha384", "sha512"])
def test_every_method_of_the_standard_proves_a_delivery_and_nothing_else_does(method: str) -> None:
    made = hmac.new(b"secret", b"body", getattr(hashlib, method)).hexdigest()
    assert proven(f"{method}={made}", b"body", "secret")
    assert proven(f"{method.upper()}={made.upper()}", b"body", "secret")
    for given, body, secret in (
        (f"{method}={made}", b"body ", "secret"),
        (f"{method}={made}", b"body", "other"),
        (f"{method}={made[:-1]}", b"body", "secret"),
        (made, b"body", "secret"),
        (f"md5={made}", b"body", "secret"),
        (f"{method}=\xe9", b"body", "secret"),
        ("", b"body", "secret"),
    ):
        assert not proven(given, body, secret)


def test_intents_are_read_and_a_lease_stays_within_bounds() -> None:
    asked = {"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.challenge": "c"}
    leases = {"864000": 864_000, "1": 300, "999999999999999": 90 * 86_400, "": 86_400, "-5": 86_400, "²": 86_400}
    for said, lease in leases.items():
        assert read_intent({**asked, "hub.lease_seconds": said}) == Intent("subscribe", TOPIC, "c", float(lease))
    assert read_intent({**asked, "hub.mode": "unsubscribe"}).mode == "unsubscribe"
    denied = read_intent({"hub.mode": "denied", "hub.topic": TOPIC, "hub.reason": "a\nb" + "x" * 500})
    assert (denied.reason[:3], len(denied.reason)) == ("abx", 199)


@pytest.mark.parametrize(
    "changed", [{"hub.mode": "publish"}, {"hub.topic": ""}, {"hub.challenge": ""}, {"hub.challenge": "c" * 2049}]
)
def test_what_is_no_intent_is_refused(changed: dict[str, str]) -> None:
    with pytest.raises(NoIntent):
        read_intent({"hub.mode": "subscribe", "hub.topic": TOPIC, "hub.challenge": "c", **changed})


def asking(network: HubNetwork, mode: Any, allowed: bool = True) -> None:
    async def run() -> None:
        async with Outbound(frozenset({network.host} if allowed else set()), timeout=5) as out:
            await websub.ask(out, mode, Hub(f"{network.url}/hub", TOPIC), "https://we.example/cb", "s3cret")

    asyncio.run(run())


def test_a_hub_is_asked_by_a_form_with_the_secret_only_where_it_is_to_push() -> None:
    with HubNetwork() as network:
        asking(network, "subscribe")
        asking(network, "unsubscribe")
    told = {"hub.callback": "https://we.example/cb", "hub.topic": TOPIC}
    assert network.wishes == [
        {**told, "hub.mode": "subscribe", "hub.lease_seconds": "864000", "hub.secret": "s3cret"},
        {**told, "hub.mode": "unsubscribe"},
    ]


def test_a_hub_that_refuses_or_is_at_an_internal_address_is_an_error() -> None:
    with HubNetwork() as network:
        for network.status in (302, 400, 500):
            with pytest.raises(CollectorError, match=f"the hub answered {network.status}"):
                asking(network, "subscribe")
        with pytest.raises(CollectorError, match="internal address"):
            asking(network, "subscribe", allowed=False)
    assert len(network.wishes) == 3
