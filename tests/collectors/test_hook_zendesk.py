"""Zendesk's ticket events: tickets and customers' comments; old and foreign deliveries are refused."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.hook import Delivery, Found, Refused, Secrets, Unreadable, digest
from collectors.hook_zendesk import ZendeskHook

NOW = datetime(2026, 3, 8, 12, 0, tzinfo=UTC)
HOOK = ZendeskHook(brands=["acme"])
SECRETS = Secrets("signing-secret")


def event(kind: str, detail: dict[str, Any] | None = None, comment: Any = None) -> dict[str, Any]:
    known = {
        "id": "35436", "subject": "Refund", "description": "Where is my money?", "requester_id": "20978392",
        "created_at": "2026-03-08T11:50:00Z", "is_public": True,
    }  # fmt: skip
    return {
        "type": f"zen:event-type:ticket.{kind}",
        "time": "2026-03-08T11:59:00.5Z",
        "detail": {**known, **(detail or {})},
        "event": {"comment": comment} if comment is not None else {},
    }


def comment(**more: Any) -> dict[str, Any]:
    author = {"id": "20978392", "name": "Ada", "is_staff": False}
    return {"id": "77", "body": "Still nothing.", "is_public": True, "author": author, **more}


def read(told: Any) -> Found:
    return HOOK.read(Delivery({}, json.dumps(told).encode(), NOW))


def signed(body: bytes, stamp: str, secret: bytes = b"signing-secret") -> Delivery:
    made = digest(secret, stamp.encode(), body, encoding="base64")
    name = "x-zendesk-webhook-signature"
    return Delivery({name: made, f"{name}-timestamp": stamp}, body, NOW)


def test_a_new_ticket_is_a_mention_of_subject_and_description() -> None:
    (mention,) = read(event("created")).mentions
    assert (mention.id, mention.kind, mention.text) == ("35436", "ticket", "Refund\n\nWhere is my money?")
    assert (mention.source, mention.brands, mention.updated_at) == ("zendesk", ["acme"], None)
    assert mention.published_at == datetime(2026, 3, 8, 11, 50, tzinfo=UTC)
    assert mention.author is not None
    assert mention.author.id == "20978392"


@pytest.mark.parametrize("kind", ["soft_deleted", "permanently_deleted", "marked_as_spam"])
def test_a_ticket_that_goes_is_a_deletion(kind: str) -> None:
    (mention,) = read(event(kind)).mentions
    assert (mention.id, mention.deleted, mention.text) == ("35436", True, "")
    assert mention.updated_at == datetime(2026, 3, 8, 11, 59, 0, 500_000, tzinfo=UTC)


def test_a_changed_ticket_is_an_update() -> None:
    (mention,) = read(event("subject_changed", {"subject": "Refund!!"})).mentions
    assert mention.text.startswith("Refund!!\n\n")
    assert mention.updated_at is not None


def test_a_customers_comment_is_a_mention_of_its_own() -> None:
    (mention,) = read(event("comment_added", comment=comment())).mentions
    assert (mention.id, mention.kind, mention.text) == ("35436/77", "comment", "Still nothing.")
    assert mention.reply_to == "35436"


@pytest.mark.parametrize(
    "said",
    [
        comment(author={"id": "1", "is_staff": True}),
        comment(is_public=False),
        comment(body="Where is my money?"),
    ],
)
def test_staff_notes_and_the_ticket_told_once_more_are_not_counted(said: dict[str, Any]) -> None:
    assert read(event("comment_added", comment=said)) == Found([], 0)


@pytest.mark.parametrize("kind", ["comment_redacted", "comment_made_private"])
def test_a_comment_that_is_taken_back_is_a_deletion(kind: str) -> None:
    (mention,) = read(event(kind, comment={"id": "77"})).mentions
    assert (mention.id, mention.deleted) == ("35436/77", True)


def test_other_events_are_left_alone_and_broken_ones_counted() -> None:
    assert read(event("priority_changed")) == Found([], 0)
    assert read(event("created", {"id": None})) == Found([], 1)
    assert read(event("comment_added")) == Found([], 1)
    assert read(event("comment_added", comment=comment(body=None))) == Found([], 1)


@pytest.mark.parametrize("told", [[], 7, {}, {"type": 1, "detail": {}}, {"type": "x"}])
def test_what_is_no_event_is_unreadable(told: Any) -> None:
    with pytest.raises(Unreadable):
        read(told)


def test_a_signed_delivery_is_believed_within_five_minutes() -> None:
    body = b'{"type": "x"}'
    for minutes in (-4.9, 0, 4.9):
        HOOK.verify(signed(body, (NOW - timedelta(minutes=minutes)).isoformat()), SECRETS)
    for minutes in (-5.1, 5.1, 60 * 24):
        with pytest.raises(Refused, match="5 minutes"):
            HOOK.verify(signed(body, (NOW - timedelta(minutes=minutes)).isoformat()), SECRETS)


def test_another_secret_body_or_timestamp_is_refused() -> None:
    body, stamp = b'{"type": "x"}', NOW.isoformat()
    right = signed(body, stamp)
    later = {**right.headers, "x-zendesk-webhook-signature-timestamp": (NOW + timedelta(seconds=1)).isoformat()}
    wrong = [
        signed(body, stamp, b"other"),
        Delivery(right.headers, body + b" ", NOW),
        Delivery(later, body, NOW),
        Delivery({}, body, NOW),
        signed(body, "yesterday"),
    ]
    for delivery in wrong:
        with pytest.raises(Refused):
            HOOK.verify(delivery, SECRETS)
