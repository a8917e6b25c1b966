"""A button of a Slack message acts on its episode where Slack proves who pressed it, and on no other."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from collectors.outbound import Outbound
from service.api.slack import signature
from service.clock import SystemClock
from service.episode import Episode
from service.episodes import Episodes
from service.notify.channel import CHANNEL
from service.notify.send_slack import SlackSender
from service.notify.senders import senders
from service.notify.telling import Telling
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from tests.service.live import with_store
from tests.service.notify.letters import event, notice, words
from tests.service.notify.test_send_slack import TOKEN, Slack
from tests.service.rest import serving
from tests.service.test_lease import AT, episode

NOW = AT.timestamp() + 600
SIGNING = "8f742231b10e8888abcd99yyyzzz85a5"


class Standing(SystemClock):
    """Slack's own documentation stamps its example so; here it is the test's."""

    async def now(self) -> float:
        return NOW


@dataclass
class Door:
    """The hook of a service that told Slack of an episode."""

    client: httpx.AsyncClient
    store: Store
    slack: Slack

    async def press(self, action: str = "acknowledge", *, secret: str = SIGNING, at: float = NOW, **more: Any) -> int:
        press = {
            "type": "block_actions",
            "user": {"id": "U1", "username": "ann"},
            "actions": [{"action_id": action, "value": more.pop("value", episode().id)}],
            **more,
        }
        return await self.post(urlencode({"payload": json.dumps(press)}).encode(), secret, at)

    async def post(self, body: bytes, secret: str = SIGNING, at: float = NOW) -> int:
        proof = hmac.new(secret.encode(), f"v0:{at:.0f}:".encode() + body, hashlib.sha256).hexdigest()
        headers = {"X-Slack-Request-Timestamp": f"{at:.0f}", "X-Slack-Signature": f"v0={proof}"}
        kind = {"Content-Type": "application/x-www-form-urlencoded", "Authorization": ""}
        return (await self.client.post("/v1/hooks/slack", content=body, headers={**headers, **kind})).status_code

    async def episode(self) -> Episode:
        found = await Episodes(self.store).get(episode().id)
        assert found is not None
        return found


def at_door(url: str, body: Callable[[Door], Awaitable[Any]], *, told: bool = True) -> Any:
    async def run(store: Store) -> Any:
        with Slack() as slack:
            secrets = {"FORESHOCK_CHANNEL_SLACK": TOKEN, "FORESHOCK_CHANNEL_SIGN": SIGNING}
            to = {"token": "env:FORESHOCK_CHANNEL_SLACK", "channel": "#pr", "api_url": slack.url}
            sign = {"signing_secret": "env:FORESHOCK_CHANNEL_SIGN"}
            made = CHANNEL.validate_python({"type": "slack", "name": "pr", **to, **sign})
            await Registry(store).put_channel(made)
            await Episodes(store).save(episode())
            async with Outbound(frozenset({slack.host})) as out:
                if told:
                    await SlackSender(out, made, secrets, store).send(notice(event()), words(event()))
            settings = Settings(channel_secrets=secrets, allow_hosts=frozenset({slack.host}))
            async with serving(store, clock=Standing(), settings=settings) as client:
                return await body(Door(client, store, slack))

    return with_store(url, run)


def test_acknowledge_names_who_pressed(store_url: str) -> None:
    async def body(door: Door) -> tuple[int, Episode]:
        return await door.press(), await door.episode()

    status, found = at_door(store_url, body)
    assert status == 200
    assert found.state == "acknowledged"
    assert found.log[-1].by == "ann (Slack)"


def test_snooze_is_for_an_hour(store_url: str) -> None:
    async def body(door: Door) -> Episode:
        assert await door.press("snooze") == 200
        return await door.episode()

    found = at_door(store_url, body)
    assert found.state == "snoozed"
    assert found.snoozed_until.timestamp() == NOW + 3600


@pytest.mark.parametrize("how", [{"secret": "another"}, {"at": NOW - 301}, {"at": NOW + 301}, {"secret": ""}])
def test_what_is_not_signed_or_not_of_now_is_refused(store_url: str, how: dict[str, Any]) -> None:
    async def body(door: Door) -> tuple[int, str]:
        return await door.press(**how), (await door.episode()).state

    assert at_door(store_url, body) == (401, "open")


def test_the_signature_is_of_the_raw_bytes(store_url: str) -> None:
    async def body(door: Door) -> list[int]:
        payload = urlencode({"payload": json.dumps({"type": "block_actions", "user": {"id": "U"}, "actions": []})})
        return [await door.post(payload.encode()), await door.post(b"payload=%7B"), await door.post(b"\xff")]

    assert at_door(store_url, body) == [200, 400, 400]


def test_a_button_acts_on_no_episode_that_its_channel_was_not_told_of(store_url: str) -> None:
    async def body(door: Door) -> tuple[int, str]:
        return await door.press(), (await door.episode()).state

    assert at_door(store_url, body, told=False) == (200, "open")


def test_who_presses_what_is_over_is_told_so_alone(store_url: str) -> None:
    async def body(door: Door) -> None:
        await Episodes(door.store).change(episode().id, lambda e: e.told(AT, "episode.resolved", "ben"))
        assert await door.press(response_url=f"http://{door.slack.host}/respond") == 200
        async with asyncio.timeout(10):
            while door.slack.asked[-1].path != "/respond":
                await asyncio.sleep(0.01)
        said = json.loads(door.slack.asked[-1].body)
        assert said["response_type"] == "ephemeral"
        assert said["text"] == "That was not done: an episode that is resolved can't be acknowledged."

    at_door(store_url, body)


def test_slacks_own_example_is_signed_as_its_documentation_says() -> None:
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    assert signature(SIGNING, "1531420618", body.encode()) == (
        "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    )


def test_a_press_changes_the_message(store_url: str) -> None:
    async def body(door: Door) -> None:
        secrets = {"FORESHOCK_CHANNEL_SLACK": TOKEN, "FORESHOCK_CHANNEL_SIGN": SIGNING}
        async with Outbound(frozenset({door.slack.host})) as out:
            telling = Telling(door.store, Registry(door.store), senders(out, secrets, door.store), "http://b", "me")
            running = asyncio.create_task(telling.run())
            try:
                async with asyncio.timeout(20):
                    while len(door.slack.asked) < 3:  # the page is told once more, since the test told it by hand
                        await asyncio.sleep(0.01)
                    assert await door.press() == 200
                    while len(door.slack.asked) < 5:
                        await asyncio.sleep(0.01)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)
        (_, update), (_, reply) = door.slack.calls()[-2:]
        assert update["ts"] == reply["thread_ts"] == "17.000001"
        assert update["blocks"][0]["text"]["text"].startswith("acme: ann (Slack) is at it")
        assert reply["reply_broadcast"] is False

    at_door(store_url, body)
