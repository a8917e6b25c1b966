"""Zendesk: tickets and customers' comments on them, pushed by a webhook that is subscribed to ticket events."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from collectors.collector import Declaration
from collectors.hook import (
    Delivery,
    Found,
    Hook,
    Secrets,
    Unreadable,
    as_json,
    digest,
    instant,
    mention,
    pushed,
    see_fresh,
    see_signature,
)
from collectors.mention import Author, Mention, SourceName

PREFIX = "zen:event-type:ticket."
TOLD = frozenset({"created", "undeleted", "subject_changed", "description_changed"})
GONE = frozenset({"soft_deleted", "permanently_deleted", "marked_as_spam"})
COMMENT_GONE = frozenset({"comment_redacted", "comment_made_private"})


class ZendeskHook(Hook):
    """`{type: zendesk}`: signed with the webhook's signing secret."""

    # Under a name of its own: `zendesk` is the row of what is polled.
    declaration: ClassVar[Declaration] = pushed("zendesk_webhook", "tickets and customers' comments on them (webhook)")

    type: Literal["zendesk"] = "zendesk"
    source: SourceName = "zendesk"

    def verify(self, delivery: Delivery, secrets: Secrets) -> None:
        """Compare X-Zendesk-Webhook-Signature: HMAC-SHA256 of timestamp and body, in base64; old ones are refused."""
        name = "X-Zendesk-Webhook-Signature"
        stamp = delivery.headers.get(f"{name.lower()}-timestamp", "")
        expected = digest(secrets.secret.encode(), stamp.encode(), delivery.body, encoding="base64")
        see_signature(delivery.headers.get(name.lower()), expected, name)
        see_fresh(instant(stamp), delivery.now, f"{name}-Timestamp")

    def read(self, delivery: Delivery) -> Found:
        """Read one event of a ticket; what staff and bots write, and private notes, are not counted."""
        told = as_json(delivery.body)
        detail = told.get("detail") if isinstance(told, dict) else None
        if not isinstance(detail, dict) or not isinstance(told.get("type"), str):
            raise Unreadable("no event of Zendesk: an object with `type` and `detail` would be right")
        kind = told["type"].removeprefix(PREFIX)
        found: Mention | bool | None
        if kind in TOLD or kind in GONE:
            found = self._ticket(told, detail, delivery, kind)
        elif kind == "comment_added" or kind in COMMENT_GONE:
            found = self._comment(told, detail, delivery, gone=kind in COMMENT_GONE)
        else:
            return Found([])
        if isinstance(found, Mention):
            return Found([found])
        return Found([], skipped=int(found is None))

    def _ticket(
        self, told: Mapping[str, Any], detail: Mapping[str, Any], delivery: Delivery, kind: str
    ) -> Mention | None:
        happened = instant(told.get("time")) or delivery.now
        words = [part for part in (detail.get("subject"), detail.get("description")) if isinstance(part, str) and part]
        return mention(
            "ticket",
            self.source,
            self.brands,
            id=_text(detail.get("id")),
            text="" if kind in GONE else "\n\n".join(words),
            published_at=instant(detail.get("created_at")) or happened,
            updated_at=happened if kind != "created" else None,
            deleted=kind in GONE,
            author=_author(detail.get("requester_id"), None),
        )

    def _comment(
        self, told: Mapping[str, Any], detail: Mapping[str, Any], delivery: Delivery, gone: bool
    ) -> Mention | bool | None:
        event = told.get("event")
        comment = event.get("comment") if isinstance(event, dict) else None
        if not isinstance(comment, dict):
            return None
        author = comment.get("author")
        author = author if isinstance(author, dict) else {}
        body = comment.get("body")
        first = isinstance(body, str) and body == detail.get("description")  # the ticket itself, told once more
        if not gone and (author.get("is_staff") or comment.get("is_public") is False or first):
            return False
        happened = instant(told.get("time")) or delivery.now
        ticket, number = _text(detail.get("id")), _text(comment.get("id"))
        if not (ticket and number):
            return None
        return mention(
            "comment",
            self.source,
            self.brands,
            id=f"{ticket}/{number}",
            text="" if gone else body,
            published_at=happened,
            updated_at=happened if gone else None,
            deleted=gone,
            author=_author(author.get("id"), author.get("name")),
            reply_to=ticket,
        )


def _text(value: object) -> str:
    return str(value) if isinstance(value, int | str) else ""


def _author(identifier: object, name: object) -> Author | None:
    known = _text(identifier)[:512]
    return Author(id=known, name=name[:512] if isinstance(name, str) else None) if known else None
