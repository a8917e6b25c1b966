"""A test reaches one channel with real words, and touches nothing that is real."""

import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx

from service import keys
from service.brand import Brand
from service.episodes import Episodes
from service.notify.channel import CHANNEL
from service.notify.route import Route
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from tests.collectors.networks import Network, Reply
from tests.service.live import with_store
from tests.service.notify.test_send_slack import Slack
from tests.service.rest import serving
from tests.service.test_lease import AT, episode

SECRET = "whsec_Rm9yZXNob2NrIGFjY2VwdGFuY2UgdGVzdHMgb25seQ=="


def asked(
    url: str, network: Network, channel: dict[str, Any], body: Callable[[httpx.AsyncClient, Store], Awaitable[Any]]
) -> Any:
    async def run(store: Store) -> Any:
        registry = Registry(store)
        await registry.put_brand(Brand(name="acme", query="acme"))
        await registry.put_channel(CHANNEL.validate_python({"name": "c", **channel}))
        settings = Settings(
            allow_hosts=frozenset({network.host}), channel_secrets={"FORESHOCK_CHANNEL_S": "xoxb-not-a-real-token"}
        )
        async with serving(store, settings=settings) as client:
            return await body(client, store)

    return with_store(url, run)


async def press(client: httpx.AsyncClient, _: Store) -> dict[str, Any]:
    answer = await client.post("/v1/channels/c/test")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_webhook_is_sent_a_marked_sample_where_there_is_no_episode(store_url: str) -> None:
    with Network(lambda _: Reply(204)) as network:
        told = asked(store_url, network, {"type": "webhook", "url": network.url, "secrets": [SECRET]}, press)
    assert (told["outcome"], told["detail"], told["data"]) == ("delivered", "204", "sample")
    assert told["title"] == "TEST: acme: revolt, severity 4 of 5"
    assert 0 < told["ms"] < 30_000
    event = json.loads(network.asked[0].body)
    assert event["episode"]["drill"] is True
    assert event["episode"]["id"].startswith("ep_test_")


def test_a_test_has_the_newest_episodes_data_and_not_its_id(store_url: str) -> None:
    async def body(client: httpx.AsyncClient, store: Store) -> tuple[dict[str, Any], Any, list[bytes]]:
        await Episodes(store).save(episode())
        return (
            await press(client, store),
            await Episodes(store).get(episode().id),
            await store.do("HKEYS", keys.STANDING),
        )

    with Slack() as slack:
        to = {"type": "slack", "token": "env:FORESHOCK_CHANNEL_S", "channel": "#pr", "api_url": slack.url}
        told, stored, _ = asked(store_url, slack, to, body)
    assert (told["outcome"], told["data"]) == ("delivered", "episode")
    assert stored == episode()
    ((method, call),) = slack.calls()
    assert method == "chat.postMessage"
    assert call["blocks"][0]["text"]["text"] == "TEST: acme: revolt, severity 3 of 5"


def test_what_fails_is_answered_without_secrets(store_url: str) -> None:
    with Network(lambda _: Reply(500)) as network:
        channel = {"type": "slack", "webhook_url": f"{network.url}/services/T0/B0/hidden"}
        told = asked(store_url, network, channel, press)
    assert (told["outcome"], told["detail"]) == ("again", "Slack answered 500")


def test_a_channel_or_a_brand_that_is_not_there_is_404(store_url: str) -> None:
    async def body(client: httpx.AsyncClient, _: Store) -> list[int]:
        answers = [
            await client.post("/v1/channels/nobody/test"),
            await client.post("/v1/channels/c/test", json={"brand": "globex"}),
            await client.post("/v1/channels/c/test", headers={"Authorization": ""}),
        ]
        return [answer.status_code for answer in answers]

    with Network() as network:
        channel = {"type": "slack", "webhook_url": f"{network.url}/x"}
        assert asked(store_url, network, channel, body) == [404, 404, 401]
    assert not network.asked


def test_a_test_names_no_clients_that_the_channel_does_not_hear_of(store_url: str) -> None:
    async def body(client: httpx.AsyncClient, store: Store) -> None:
        await Registry(store).put_route(Route(name="acme", to=["c"], brands=["acme"]))
        identity = f"ep_{keys.shard('globex').strip('{}')}_2_globex"
        await Episodes(store).save(episode(evidence={"others": ["globex"]}))
        await Episodes(store).save(episode(id=identity, brand="globex", opened_at=AT + timedelta(hours=1)))
        assert (await press(client, store))["data"] == "episode"

    with Network(lambda _: Reply(204)) as network:
        asked(store_url, network, {"type": "webhook", "url": network.url, "secrets": [SECRET]}, body)
    (told,) = network.asked
    assert json.loads(told.body)["brand"] == "acme"
    assert b"globex" not in told.body
