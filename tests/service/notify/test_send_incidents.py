"""PagerDuty and Opsgenie keep one incident an episode, from its opening to its end."""

import json

import pytest

from service.notify.notice import Outcome
from service.notify.send_opsgenie import OpsgenieSender
from service.notify.send_pagerduty import PagerDutySender
from tests.collectors.networks import Network, Reply
from tests.service.notify.letters import event, sent

LIFE = ("episode.opened", "episode.escalated", "episode.acknowledged", "episode.noted", "episode.resolved")
ID = event().episode.id


def test_pagerduty_triggers_acknowledges_and_resolves_under_one_key() -> None:
    with Network(lambda _: Reply(202, b"{}")) as network:
        outcomes = sent(
            lambda out: PagerDutySender(out, "pagerduty://Routing1@apikey/foreshock", network.url),
            *(event(kind) for kind in LIFE),
            allow=[network.host],
        )
    told = [json.loads(asked.body) for asked in network.asked]
    assert [t["event_action"] for t in told] == ["trigger", "trigger", "acknowledge", "resolve"]
    assert {t["dedup_key"] for t in told} == {ID}
    assert {t["routing_key"] for t in told} == {"Routing1"}
    assert told[0]["payload"]["severity"] == "error"
    assert told[0]["payload"]["summary"].startswith("acme: revolt, severity 3 of 5. ")
    assert told[0]["client_url"].startswith("http://board.example/#ep_")
    assert {o.result for o in outcomes} == {"delivered"}
    assert {asked.path for asked in network.asked} == {"/v2/enqueue"}


def test_opsgenie_opens_acknowledges_and_closes_under_one_alias() -> None:
    with Network(lambda _: Reply(202, b"{}")) as network:
        outcomes = sent(
            lambda out: OpsgenieSender(out, "opsgenie://Key-1/%23pr/@ann@acme.example?region=eu", network.url),
            *(event(kind) for kind in LIFE),
            allow=[network.host],
        )
    first, again, acknowledged, closed = network.asked
    alert = json.loads(first.body)
    assert alert["alias"] == json.loads(again.body)["alias"] == ID
    assert alert["priority"] == "P3"
    assert alert["responders"] == [
        {"type": "team", "name": "pr"},
        {"type": "user", "username": "ann@acme.example"},
    ]
    assert first.headers["authorization"] == "GenieKey Key-1"
    assert acknowledged.target == f"/v2/alerts/{ID}/acknowledge?identifierType=alias"
    assert closed.path == f"/v2/alerts/{ID}/close"
    assert {o.result for o in outcomes} == {"delivered"}


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(429), Outcome("again", "PagerDuty answered 429", after=60.0)),
        (Reply(429, headers={"Retry-After": "5"}), Outcome("again", "PagerDuty answered 429", after=5.0)),
        (Reply(400), Outcome("again", "PagerDuty answered 400")),
        (Reply(302, headers={"Location": "http://127.0.0.1/"}), Outcome("again", "PagerDuty answered 302")),
    ],
)
def test_a_refusal_is_tried_again_when_the_service_says(reply: Reply, outcome: Outcome) -> None:
    with Network(lambda _: reply) as network:
        url = "pagerduty://r@a"
        assert sent(lambda out: PagerDutySender(out, url, network.url), event(), allow=[network.host]) == [outcome]


def test_regions_have_hosts_of_their_own_that_the_guard_judges_too() -> None:
    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["10.0.0.1"]

    asked: list[str] = []
    for sender in (
        lambda out: PagerDutySender(out, "pagerduty://r@a?region=eu"),
        lambda out: PagerDutySender(out, "pagerduty://r@a"),
        lambda out: OpsgenieSender(out, "opsgenie://k/?region=eu"),
    ):
        (outcome,) = sent(sender, event(), resolve=resolve)
        assert "internal address" in outcome.detail
        assert not outcome.maybe
    assert asked == ["events.eu.pagerduty.com", "events.pagerduty.com", "api.eu.opsgenie.com"]
