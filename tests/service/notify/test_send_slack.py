"""Slack holds one message an episode; its thread has the story, and its buttons are for this episode alone."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from collectors.outbound import Outbound
from service.episode import Event
from service.notify.notice import Outcome
from service.notify.send_slack import SlackSender
from service.store import Store
from tests.collectors.networks import Asked, Network, Reply
from tests.service.live import with_store
from tests.service.notify.letters import HOSTILE, channel, event, notice, words

TOKEN = "xoxb-not-a-real-token"


class Slack(Network):
    """Slack's Web API; `errors` are answered first, one a call of that method."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[str, str] = {}

    def answer(self, asked: Asked) -> Reply:
        method = asked.path.rpartition("/")[2]
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return self._json(ok=False, error="invalid_auth")
        if error := self.errors.pop(method, None):
            return self._json(ok=False, error=error)
        return self._json(ok=True, channel="C0ACME", ts=f"17.{len(self.asked):06d}")

    @staticmethod
    def _json(**said: Any) -> Reply:
        return Reply(200, json.dumps(said).encode(), {"Content-Type": "application/json"})

    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Return each call: method and what was given."""
        return [(asked.path.rpartition("/")[2], json.loads(asked.body)) for asked in self.asked]


def bot(network: Network, **fields: Any) -> Any:
    values = {"token": "env:FORESHOCK_CHANNEL_SLACK", "channel": "#pr", "signing_secret": "s" * 32}
    return channel("slack", api_url=f"{network.url}/api", **{**values, **fields})


def told(
    url: str, network: Network, to: Any, *events: Event, token: str = TOKEN, page: bool = True, seconds: float = 30.0
) -> list[Outcome]:
    async def body(store: Store) -> list[Outcome]:
        async with Outbound(frozenset({network.host}), timeout=seconds) as out:
            sender = SlackSender(out, to, {"FORESHOCK_CHANNEL_SLACK": token}, store)
            return [
                await sender.send(notice(e, page=page and e.type != "episode.acknowledged"), words(e)) for e in events
            ]

    return with_store(url, body)


def buttons(call: dict[str, Any]) -> list[str]:
    return [e["action_id"] for block in call["blocks"] if block["type"] == "actions" for e in block["elements"]]


def test_the_first_page_is_a_message_with_buttons(store_url: str) -> None:
    with Slack() as slack:
        (outcome,) = told(store_url, slack, bot(slack), event())
    assert outcome.result == "delivered"
    ((method, call),) = slack.calls()
    assert method == "chat.postMessage"
    assert call["channel"] == "#pr"
    assert call["blocks"][0]["text"]["text"] == "acme: revolt, severity 3 of 5"
    assert buttons(call) == ["acknowledge", "snooze", "open"]
    values = [e.get("value") for block in call["blocks"] if block["type"] == "actions" for e in block["elements"]]
    assert values == [event().episode.id, event().episode.id, None]


def test_later_events_change_that_message_and_stand_in_its_thread(store_url: str) -> None:
    with Slack() as slack:
        life = [event(), event("episode.acknowledged"), event("episode.escalated")]
        outcomes = told(store_url, slack, bot(slack), *life)
        ended = told(store_url, slack, bot(slack), event("episode.resolved"), page=False)
    assert {o.result for o in outcomes + ended} == {"delivered"}
    methods, calls = zip(*slack.calls(), strict=True)
    assert methods == ("chat.postMessage", *("chat.update", "chat.postMessage") * 3)
    assert {(c["channel"], c["ts"]) for m, c in slack.calls() if m == "chat.update"} == {("C0ACME", "17.000001")}
    assert [c["reply_broadcast"] for c in calls if "thread_ts" in c] == [False, True, False]
    assert buttons(calls[-2]) == ["open"]


def test_a_message_that_is_gone_is_posted_anew(store_url: str) -> None:
    with Slack() as slack:
        told(store_url, slack, bot(slack), event())
        slack.errors["chat.update"] = "message_not_found"
        told(store_url, slack, bot(slack), event("episode.escalated"))
        told(store_url, slack, bot(slack), event("episode.resolved"))
    calls = slack.calls()
    assert [m for m, _ in calls] == [
        "chat.postMessage", "chat.update", "chat.postMessage", "chat.update", "chat.postMessage",
    ]  # fmt: skip
    assert calls[2][1]["channel"] == "#pr"
    assert calls[3][1]["ts"] == "17.000003"


def test_what_strangers_wrote_is_plain_text(store_url: str) -> None:
    with Slack() as slack:
        told(store_url, slack, bot(slack), event())
    ((_, call),) = slack.calls()
    texts = [b["text"] for b in call["blocks"] if "text" in b]
    assert {t["type"] for t in texts} == {"plain_text"}
    assert any(HOSTILE in t["text"] for t in texts)
    assert "<" not in call["text"]


def test_blocks_that_slack_refuses_are_left_out(store_url: str) -> None:
    with Slack() as slack:
        slack.errors["chat.postMessage"] = "invalid_blocks"
        (outcome,) = told(store_url, slack, bot(slack), event())
    assert outcome.result == "delivered"
    assert ["blocks" in call for _, call in slack.calls()] == [True, False]


def _fails(slack: Slack, **how: Any) -> None:
    slack.failures.append(Reply(**how))


@pytest.mark.parametrize(
    ("breaks", "outcome"),
    [
        (lambda s: _fails(s, status=429, headers={"Retry-After": "7"}), Outcome("again", "Slack answered 429", 7.0)),
        (lambda s: _fails(s, status=500), Outcome("again", "Slack answered 500")),
        (lambda s: _fails(s, body=b"<html>"), Outcome("again", "Slack answered no JSON", maybe=True)),
        (
            lambda s: s.errors.update({"chat.postMessage": "not_in_channel"}),
            Outcome("again", "Slack refused: not_in_channel"),
        ),
        (
            lambda s: s.errors.update({"chat.postMessage": "ratelimited"}),
            Outcome("again", "Slack refused: ratelimited", 60.0),
        ),
    ],
)
def test_what_goes_wrong_is_an_outcome(store_url: str, breaks: Callable[[Slack], None], outcome: Outcome) -> None:
    with Slack() as slack:
        breaks(slack)
        assert told(store_url, slack, bot(slack), event()) == [outcome]


def test_a_time_out_may_have_arrived(store_url: str) -> None:
    with Slack() as slack:
        _fails(slack, hang=True)
        (outcome,) = told(store_url, slack, bot(slack), event(), seconds=0.5)
    assert (outcome.result, outcome.maybe) == ("again", True)


def test_a_wrong_token_is_named_and_not_shown(store_url: str) -> None:
    with Slack() as slack:
        (outcome,) = told(store_url, slack, bot(slack), event(), token="xoxb-wrong-token")
    assert outcome == Outcome("again", "Slack refused: invalid_auth")


def test_an_incoming_webhook_has_the_words_and_one_button(store_url: str) -> None:
    with Network(lambda _: Reply(200, b"ok")) as network:
        to = channel("slack", webhook_url=f"{network.url}/services/T0/B0/secret")
        outcomes = told(store_url, network, to, event(), event("episode.resolved"))
    assert {o.result for o in outcomes} == {"delivered"}
    assert [buttons(json.loads(asked.body)) for asked in network.asked] == [["open"], ["open"]]
    assert all("authorization" not in asked.headers for asked in network.asked)


def test_a_channel_that_leads_to_another_conversation_tells_nothing_more_in_the_first(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with Outbound(frozenset({slack.host}), timeout=30.0) as out:
            for name, kind in (("#pr", "episode.opened"), ("#board", "episode.escalated"), ("#board", "episode.noted")):
                sender = SlackSender(out, bot(slack, channel=name), {"FORESHOCK_CHANNEL_SLACK": TOKEN}, store)
                of = event(kind)  # type: ignore[arg-type]
                assert (await sender.send(notice(of), words(of))).result == "delivered"

    with Slack() as slack:
        with_store(store_url, body)
    calls = [(method, call["channel"]) for method, call in slack.calls()]
    posted, changed = "chat.postMessage", "chat.update"
    assert calls == [(posted, "#pr"), (posted, "#board"), (changed, "C0ACME"), (posted, "C0ACME")]
