"""Any other sender: its signature and its JSON, both by configuration; Trustpilot-like reviews as the example."""

import hashlib
import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from standardwebhooks.webhooks import Webhook as Signer

from collectors.hook import Delivery, Found, Refused, Secrets, Unreadable
from collectors.hook_generic import GenericHook

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
WHSEC = "whsec_" + b64encode(bytes(range(24))).decode()
REVIEWS: dict[str, Any] = {
    "type": "webhook",
    "source": "trustpilot",
    "kind": "review",
    "brands": ["acme"],
    "signature": {"type": "token"},
    "map": {
        "items": "events",
        "where": {"eventName": ["service-review-created", "service-review-updated", "service-review-deleted"]},
        "deleted": {"eventName": "service-review-deleted"},
        "id": "eventData.id",
        "text": ["eventData.title", "eventData.text"],
        "published_at": "eventData.createdAt",
        "updated_at": "eventData.updatedAt",
        "url": "eventData.link",
        "author_id": "eventData.consumer.id",
        "author_name": "eventData.consumer.displayName",
        "language": "eventData.language",
        "engagement": "eventData.likes",
    },
}


def hook(**more: Any) -> GenericHook:
    return GenericHook.model_validate({**REVIEWS, **more})


def review(name: str = "service-review-created", **more: Any) -> dict[str, Any]:
    data = {
        "id": "5f1", "title": "Never again", "text": "Lost my parcel.", "createdAt": "2026-03-08T11:00:00Z",
        "link": "https://example.com/r/5f1", "language": "en", "consumer": {"id": 7, "displayName": "Ada"},
        "likes": 3, **more,
    }  # fmt: skip
    return {"eventName": name, "eventData": data}


def read(told: Any, reader: GenericHook | None = None) -> Found:
    return (reader or hook()).read(Delivery({}, json.dumps(told).encode(), NOW))


def test_a_review_is_read_from_where_the_mapping_says() -> None:
    (mention,) = read({"events": [review()]}).mentions
    assert (mention.source, mention.kind, mention.id, mention.brands) == ("trustpilot", "review", "5f1", ["acme"])
    assert mention.text == "Never again\n\nLost my parcel."
    assert mention.published_at == datetime(2026, 3, 8, 11, 0, tzinfo=UTC)
    assert (mention.url, mention.language, mention.engagement) == ("https://example.com/r/5f1", "en", 3)
    assert mention.author is not None
    assert (mention.author.id, mention.author.name) == ("7", "Ada")


def test_conditions_choose_items_and_say_which_take_theirs_back() -> None:
    found = read({"events": [review("invitation-sent"), review("service-review-deleted", text="", title="")]})
    (mention,) = found.mentions
    assert (mention.deleted, mention.text, mention.updated_at, found.skipped) == (True, "", NOW, 0)


def test_items_that_lack_what_is_needed_are_counted_and_keep_no_other_back() -> None:
    broken = [review(id=None), review(createdAt="soon"), review(title="", text=None), review(language="x" * 99)]
    found = read({"events": [*broken, review(id="6", likes="many", consumer=None)]})
    assert [m.id for m in found.mentions] == ["5f1", "6"]
    assert found.skipped == 3
    assert (found.mentions[1].engagement, found.mentions[1].author) == (None, None)


def test_a_body_may_be_one_item_or_a_list_and_a_path_may_count() -> None:
    reader = hook(map={"id": "ids.0", "text": "text"}, brands=None)
    for told in ({"ids": [9], "text": "hi"}, [{"ids": [9], "text": "hi"}]):
        (mention,) = read(told, reader).mentions
        assert (mention.id, mention.text, mention.published_at, mention.brands) == ("9", "hi", NOW, None)
    assert read([7, None, {"ids": [], "text": "x"}], reader) == Found([], 3)


def test_a_condition_tells_true_from_one() -> None:
    reader = hook(map={"id": "id", "text": "text", "where": {"public": True}})
    told = [{"id": 1, "text": "a", "public": True}, {"id": 2, "text": "b", "public": 1}, {"id": 3, "text": "c"}]
    assert [m.id for m in read(told, reader).mentions] == ["1"]


def test_a_body_without_the_list_is_unreadable() -> None:
    for told in ({}, {"events": None}, 7):
        with pytest.raises(Unreadable, match="events"):
            read(told)
    assert read({"events": []}) == Found([], 0)


def test_standard_webhooks_are_verified_as_their_own_library_signs() -> None:
    reader = hook(signature={"type": "standard"})
    body = json.dumps({"events": []})

    def signed(at: datetime, secret: str = WHSEC) -> dict[str, str]:
        signature = Signer(secret).sign("msg_1", at, body)
        return {
            "webhook-id": "msg_1", "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": f"v1a,xyz {signature}",
        }  # fmt: skip

    reader.verify(Delivery(signed(NOW), body.encode(), NOW), Secrets(WHSEC))
    other = "whsec_" + b64encode(bytes(24)).decode()
    late = timedelta(minutes=6)
    wrong = [signed(NOW, other), signed(NOW - late), signed(NOW + late), {**signed(NOW), "webhook-id": "msg_2"}, {}]
    for headers in wrong:
        with pytest.raises(Refused):
            reader.verify(Delivery(headers, body.encode(), NOW), Secrets(WHSEC))
    with pytest.raises(Refused, match="whsec_"):
        reader.verify(Delivery(signed(NOW), body.encode(), NOW), Secrets("no base64!"))


def test_an_hmac_header_is_verified_as_configured() -> None:
    reader = hook(
        signature={
            "type": "hmac", "header": "X-Shop-Signature", "algorithm": "sha512", "encoding": "base64",
            "prefix": "v1=", "timestamp_header": "X-Shop-Time", "signed": "v1:{timestamp}:{body}",
        }
    )  # fmt: skip
    stamp, body = str(int(NOW.timestamp())), b"{}"
    made = b64encode(hmac.new(b"shop-secret", f"v1:{stamp}:".encode() + body, hashlib.sha512).digest()).decode()
    headers = {"x-shop-signature": f"v1={made}", "x-shop-time": stamp}
    reader.verify(Delivery(headers, body, NOW), Secrets("shop-secret"))
    for delivery in (
        Delivery(headers, b"{} ", NOW),
        Delivery({**headers, "x-shop-signature": made}, body, NOW),
        Delivery({**headers, "x-shop-time": str(int(stamp) + 1)}, body, NOW),
        Delivery(headers, body, NOW + timedelta(minutes=6)),
    ):
        with pytest.raises(Refused):
            reader.verify(delivery, Secrets("shop-secret"))


def test_a_token_is_compared_as_a_whole() -> None:
    reader = hook()
    reader.verify(Delivery({"authorization": "Bearer shop-secret"}, b"", NOW), Secrets("shop-secret"))
    for given in ("Bearer ", "Bearer shop-secret2", "shop-secret", ""):
        with pytest.raises(Refused):
            reader.verify(Delivery({"authorization": given}, b"", NOW), Secrets("shop-secret"))


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"map": {"id": "a..b", "text": "t"}}, "map.id"),
        ({"map": {"text": "t"}}, "map.id"),
        ({"signature": {"type": "none"}}, "signature"),
        ({"signature": {"type": "hmac", "header": "X Y"}}, "signature.hmac.header"),
        ({"signature": {"type": "hmac", "header": "X", "signed": "{timestamp}"}}, "signature.hmac.signed"),
        ({"signature": {"type": "hmac", "header": "X", "algorithm": "md5"}}, "signature.hmac.algorithm"),
        ({"source": "Trust Pilot"}, "source"),
        ({"secret": "short"}, "secret"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_setting_is_refused_where_it_is_wrong(more: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as caught:
        hook(**more)
    assert [".".join(map(str, error["loc"])) for error in caught.value.errors()] == [where]


def test_a_hook_asks_no_challenge() -> None:
    with pytest.raises(Refused, match="POST"):
        hook().challenge({"hub.challenge": "1"}, Secrets("shop-secret"))
