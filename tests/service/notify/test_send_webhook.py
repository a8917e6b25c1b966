"""What a system receives is signed as Standard Webhooks says, with every secret that it may know."""

import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from service.notify.notice import Outcome
from service.notify.send_webhook import WebhookSender, signed
from tests.collectors.networks import Network, Reply
from tests.service.notify.letters import channel, event, sent

OLD = "whsec_Rm9yZXNob2NrIGFjY2VwdGFuY2UgdGVzdHMgb25seQ=="
NEW = "whsec_bmV3IHNlY3JldCBvZiB0aGUgcmVjZWl2ZXIgbm93ISE="


def test_the_specifications_own_vector_is_signed_as_it_says() -> None:
    secret, at = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", datetime.fromtimestamp(1614265330, UTC)
    headers = signed([secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}')
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_while_secrets_are_exchanged_both_prove_it() -> None:
    opened = event()
    with Network(lambda _: Reply(204)) as network:
        to = channel("webhook", url=network.url, secrets=[NEW, OLD])
        outcomes = sent(lambda out: WebhookSender(out, to, {}), opened, opened, allow=[network.host])
    assert [o.result for o in outcomes] == ["delivered", "delivered"]
    first, again = network.asked
    assert first.headers["webhook-signature"].count("v1,") == 2
    for secret in (OLD, NEW):
        assert Webhook(secret).verify(first.body, first.headers) == json.loads(opened.model_dump_json())
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "QUFB" * 8).verify(first.body, first.headers)
    assert first.headers["webhook-id"] == again.headers["webhook-id"] == opened.id


def test_a_secret_may_stand_in_the_environment() -> None:
    with Network(lambda _: Reply(204)) as network:
        to = channel("webhook", url=network.url, secrets=["env:FORESHOCK_CHANNEL_SIGN"])
        held = {"FORESHOCK_CHANNEL_SIGN": OLD}
        (good,) = sent(lambda out: WebhookSender(out, to, held), event(), allow=[network.host])
        (bad,) = sent(lambda out: WebhookSender(out, to, {}), event(), allow=[network.host])
    assert Webhook(OLD).verify(network.asked[0].body, network.asked[0].headers)["type"] == "episode.opened"
    assert good.result == "delivered"
    assert bad == Outcome("again", "channel c: FORESHOCK_CHANNEL_SIGN is not set")


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (Reply(410), Outcome("never", "the receiver answered 410")),
        (Reply(500), Outcome("again", "the receiver answered 500")),
        (Reply(503, headers={"Retry-After": "7"}), Outcome("again", "the receiver answered 503", after=7.0)),
        (Reply(302, headers={"Location": "http://127.0.0.1/"}), Outcome("again", "the receiver answered 302")),
    ],
)
def test_an_answer_says_whether_to_try_again(reply: Reply, outcome: Outcome) -> None:
    with Network(lambda _: reply) as network:
        to = channel("webhook", url=network.url, secrets=[OLD])
        assert sent(lambda out: WebhookSender(out, to, {}), event(), allow=[network.host]) == [outcome]


def test_a_time_out_may_have_arrived_and_what_was_not_connected_has_not() -> None:
    with Network() as network:
        network.failures.append(Reply(hang=True))
        to = channel("webhook", url=network.url, secrets=[OLD])
        (late,) = sent(lambda out: WebhookSender(out, to, {}), event(), allow=[network.host], timeout=1)
        (inside,) = sent(lambda out: WebhookSender(out, to, {}), event())
    assert (late.result, late.maybe) == ("again", True)
    (down,) = sent(lambda out: WebhookSender(out, to, {}), event(), allow=[network.host])
    assert (inside.result, inside.maybe) == ("again", False)
    assert (down.result, down.maybe) == ("again", False)
    assert len(network.asked) == 1
