"""Facebook's page webhook: what customers say, what is taken back, and who may send it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from collectors.hook import Delivery, Found, Refused, Secrets, Unreadable, digest
from collectors.hook_facebook import FacebookHook
from tests.shared_data import shared

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
AT = int(datetime(2026, 3, 8, 11, 58, tzinfo=UTC).timestamp())
SECRETS = Secrets("app-secret", "token-of-ours")
HOOK = FacebookHook()


def delivered(body: bytes, signature: str | None = None) -> Delivery:
    signature = signature if signature is not None else f"sha256={digest(b'app-secret', body)}"
    return Delivery({"x-hub-signature-256": signature}, body, NOW)


def page(*values: dict[str, Any], field: str = "feed", time: int = AT + 60) -> bytes:
    changes = [{"field": field, "value": value} for value in values]
    return json.dumps({"object": "page", "entry": [{"id": "111", "time": time, "changes": changes}]}).encode()


def comment(**more: Any) -> dict[str, Any]:
    return {
        "item": "comment", "verb": "add", "comment_id": "p1_c5", "post_id": "111_p1", "parent_id": "111_p1",
        "message": "never again", "from": {"id": "u1", "name": "Ada"}, "created_time": AT, **more,
    }  # fmt: skip


def read(*values: dict[str, Any], **more: Any) -> Found:
    return HOOK.read(delivered(page(*values, **more)))


def test_a_comment_becomes_a_mention_with_its_author_and_post() -> None:
    (mention,) = read(comment()).mentions
    assert (mention.source, mention.id, mention.kind, mention.text) == ("facebook", "p1_c5", "comment", "never again")
    assert mention.published_at == datetime.fromtimestamp(AT, UTC)
    assert (mention.updated_at, mention.deleted, mention.reply_to) == (None, False, "111_p1")
    assert mention.author is not None
    assert (mention.author.id, mention.author.name) == ("u1", "Ada")
    assert mention.url == "https://www.facebook.com/111_p1"


def test_a_visitors_post_is_a_post_and_the_pages_own_words_are_not_counted() -> None:
    post = {"item": "status", "verb": "add", "post_id": "111_p2", "message": "help", "created_time": AT}
    found = read({**post, "from": {"id": "u2"}}, {**post, "from": {"id": "111", "name": "Acme"}})
    assert [(m.id, m.kind) for m in found.mentions] == [("111_p2", "post")]
    assert found.skipped == 0


def test_what_is_removed_is_a_deletion_and_what_is_edited_an_update_at_the_time_it_happened() -> None:
    gone, edited = read(comment(verb="remove", message=None), comment(verb="edited", message="I was wrong")).mentions
    assert (gone.deleted, gone.text, gone.id) == (True, "", "p1_c5")
    assert (edited.deleted, edited.text) == (False, "I was wrong")
    assert gone.updated_at == edited.updated_at == datetime.fromtimestamp(AT + 60, UTC)
    assert gone.published_at == edited.published_at == datetime.fromtimestamp(AT, UTC)


@pytest.mark.parametrize(
    "value",
    [
        comment(item="reaction"),
        comment(verb="hide"),
        comment(message=""),
        comment(published=0),
        comment(**{"from": {"id": "111"}}),
    ],
)
def test_what_has_no_words_of_a_customer_is_no_mention_and_nothing_missed(value: dict[str, Any]) -> None:
    assert read(value) == Found([], 0)


@pytest.mark.parametrize("value", [comment(comment_id=None), comment(comment_id="x" * 600), comment(message=7), 7])
def test_one_broken_change_is_counted_and_keeps_no_other_back(value: Any) -> None:
    found = read(value, comment(comment_id="p1_c6"))
    assert ([m.id for m in found.mentions], found.skipped) == (["p1_c6"], 1)


def test_half_a_character_pair_is_not_stored() -> None:
    assert read(comment(message="\ud83d")) == Found([], 1)


def test_other_fields_of_a_page_are_left_alone() -> None:
    assert read(comment(), field="conversations") == Found([], 0)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"object": "user", "entry": []}', b'{"object": "page"}', b"\xff"])
def test_what_is_no_page_webhook_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable, match="would be right"):
        HOOK.read(delivered(body))


def test_only_the_apps_secret_signs() -> None:
    body = page(comment())
    HOOK.verify(delivered(body), SECRETS)
    for wrong in ("", "sha256=", f"sha256={digest(b'other', body)}", digest(b"app-secret", body), "sha256=ä"):
        with pytest.raises(Refused, match="X-Hub-Signature-256"):
            HOOK.verify(delivered(body, wrong), SECRETS)
    with pytest.raises(Refused):
        HOOK.verify(delivered(body + b" ", f"sha256={digest(b'app-secret', body)}"), SECRETS)


def test_the_challenge_is_given_back_to_whoever_knows_the_token() -> None:
    asked = {"hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": "token-of-ours"}
    assert HOOK.challenge(asked, SECRETS).body == "1158201444"
    for wrong in ({**asked, "hub.verify_token": "guess"}, {**asked, "hub.mode": "x"}, {}):
        with pytest.raises(Refused):
            HOOK.challenge(wrong, SECRETS)
    with pytest.raises(Refused):
        HOOK.challenge({**asked, "hub.verify_token": ""}, Secrets("app-secret"))


def test_secrets_stand_in_no_text() -> None:
    hook = FacebookHook(secret="app-secret", verify_token="token-of-ours")
    for text in (repr(hook), str(hook), repr(SECRETS)):
        assert "app-secret" not in text
        assert "token-of-ours" not in text


def test_the_documented_payload_is_read() -> None:
    body = shared("payloads/facebook/HANDMADE_page_feed_webhook.json").read_bytes()
    (mention,) = HOOK.read(delivered(body)).mentions
    assert (mention.id, mention.kind, mention.reply_to) == ("p1_c5", "comment", "111_p1")
