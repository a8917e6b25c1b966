"""LinkedIn's organisation notifications: comments and shares, the challenge, and the signature."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.hook import Delivery, Found, Refused, Secrets, Unreadable
from collectors.hook_linkedin import LinkedInHook

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
SAID = NOW - timedelta(minutes=9)
EDITED = NOW - timedelta(minutes=1)
HOOK = LinkedInHook()
SECRETS = Secrets("client-secret")


def urn(at: datetime = SAID) -> str:
    """A comment's name: its last number holds the instant in milliseconds above 22 bits."""
    return f"urn:li:comment:(activity:7094637247890620418,{int(at.timestamp() * 1000) << 22})"


def notification(action: str = "COMMENT", **more: Any) -> dict[str, Any]:
    return {
        "notificationId": 5,
        "organizationalEntity": "urn:li:organization:9",
        "action": action,
        "sourcePost": "urn:li:activity:7094637247890620418",
        "generatedActivity": urn(),
        "decoratedGeneratedActivity": {
            "comment": {
                "owner": "urn:li:person:a",
                "text": "never again",
                "entity": urn(),
                "object": "urn:li:activity:7",
            }
        },
        "lastModifiedAt": int(EDITED.timestamp() * 1000),
        **more,
    }


def read(*items: Any) -> Found:
    body = json.dumps({"type": "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS", "notifications": items}).encode()
    return HOOK.read(Delivery({}, body, NOW))


def test_a_comment_becomes_a_mention_of_the_instant_that_its_name_holds() -> None:
    (mention,) = read(notification()).mentions
    assert (mention.source, mention.kind, mention.text, mention.id) == ("linkedin", "comment", "never again", urn())
    assert abs(mention.published_at - SAID) < timedelta(milliseconds=2)
    assert (mention.updated_at, mention.reply_to) == (None, "urn:li:activity:7094637247890620418")
    assert mention.author is not None
    assert mention.author.id == "urn:li:person:a"


def test_an_edit_and_a_deletion_are_of_the_same_mention_at_the_time_they_happened() -> None:
    both_ways = urn().replace("(activity", "(urn:li:activity")
    edit = notification("COMMENT_EDIT", generatedActivity=both_ways)
    gone = notification("COMMENT_DELETE", decoratedGeneratedActivity=None)
    edited, deleted = read(edit, gone).mentions
    assert edited.id == deleted.id == urn()
    assert edited.updated_at == deleted.updated_at == EDITED
    assert (edited.text, deleted.text, deleted.deleted) == ("never again", "", True)


def test_a_share_is_a_post_and_a_text_may_be_an_object() -> None:
    share = {"share": {"owner": "urn:li:person:b", "text": "look at this"}}
    nested = {"comment": {"owner": "urn:li:person:b", "message": {"text": "hello"}}}
    first, second = read(
        notification("SHARE", generatedActivity="urn:li:share:12", decoratedGeneratedActivity=share),
        notification(decoratedGeneratedActivity=nested),
    ).mentions
    assert (first.kind, first.text, first.reply_to, first.published_at) == ("post", "look at this", None, EDITED)
    assert second.text == "hello"


def test_likes_and_the_organisations_own_words_are_not_counted() -> None:
    assert read(notification("LIKE"), notification("ADMIN_COMMENT"), notification("NEW_ACTION")) == Found([], 0)


@pytest.mark.parametrize("item", [7, notification(generatedActivity=None, decoratedGeneratedActivity={})])
def test_what_lacks_its_name_or_words_is_said_to_be_missed(item: Any) -> None:
    found = read(item, notification())
    assert (len(found.mentions), found.skipped) == (1, 1)


def test_a_name_that_lies_about_its_instant_is_not_believed() -> None:
    for at in (NOW + timedelta(days=1), datetime(2001, 1, 1, tzinfo=UTC)):
        (mention,) = read(notification(generatedActivity=urn(at))).mentions
        assert mention.published_at == EDITED


@pytest.mark.parametrize("body", [b"[]", b"nope", b'{"notifications": {}}'])
def test_what_is_no_notification_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        HOOK.read(Delivery({}, body, NOW))


def test_the_signature_is_of_the_body_behind_its_prefix() -> None:
    body = b'{"notifications": []}'
    made = hmac.new(b"client-secret", b"hmacsha256=" + body, hashlib.sha256).hexdigest()
    for right in (made, f"hmacsha256={made}", made.upper()):
        HOOK.verify(Delivery({"x-li-signature": right}, body, NOW), SECRETS)
    bare = hmac.new(b"client-secret", body, hashlib.sha256).hexdigest()
    for wrong in ({}, {"x-li-signature": bare}, {"x-li-signature": ""}):
        with pytest.raises(Refused, match="X-LI-Signature"):
            HOOK.verify(Delivery(wrong, body, NOW), SECRETS)


def test_the_challenge_is_signed_with_the_client_secret() -> None:
    code = "890e4665-4dfe-4ab1-b689-ed553bceeed0"
    reply = HOOK.challenge({"challengeCode": code}, SECRETS)
    expected = hmac.new(b"client-secret", code.encode(), hashlib.sha256).hexdigest()
    assert json.loads(reply.body) == {"challengeCode": code, "challengeResponse": expected}
    assert reply.media_type == "application/json"


@pytest.mark.parametrize("code", [None, "", "hmacsha256={}", "hmacsha256=" + '{"notifications": []}'])
def test_nothing_but_a_uuid_is_signed_so_that_no_challenge_makes_a_delivery(code: str | None) -> None:
    with pytest.raises(Refused, match="challengeCode"):
        HOOK.challenge({"challengeCode": code} if code is not None else {}, SECRETS)
