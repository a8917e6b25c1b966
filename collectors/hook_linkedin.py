"""LinkedIn: comments on and shares of an organisation's posts, pushed as organisation social action notifications."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Literal

from collectors.collector import Declaration
from collectors.hook import (
    Delivery,
    Found,
    Hook,
    Refused,
    Reply,
    Secrets,
    Unreadable,
    as_json,
    digest,
    instant,
    mention,
    pushed,
    see_signature,
)
from collectors.mention import Author, Kind, Mention, SourceName

KINDS: Mapping[str, Kind] = {
    "COMMENT": "comment", "COMMENT_EDIT": "comment", "COMMENT_DELETE": "comment",
    "SHARE": "post", "SHARE_MENTION": "post",
}  # fmt: skip
"""What others say; a LIKE has no words, and an ADMIN_COMMENT is the organisation's own."""
EARLIEST = datetime(2010, 1, 1, tzinfo=UTC)
"""No id of an activity is older in its present form."""


class LinkedInHook(Hook):
    """`{type: linkedin}`: signed with the application's client secret, which also answers the challenge."""

    declaration: ClassVar[Declaration] = pushed(
        "linkedin",
        "comments on and shares of an organisation's posts (webhook)",
        backfill="none; redelivered for 8 hours",
    )

    type: Literal["linkedin"] = "linkedin"
    source: SourceName = "linkedin"

    def verify(self, delivery: Delivery, secrets: Secrets) -> None:
        """Compare X-LI-Signature: HMAC-SHA256 of `hmacsha256=` and the body with the client secret, in hex."""
        given = delivery.headers.get("x-li-signature", "").lower().removeprefix("hmacsha256=")
        expected = digest(secrets.secret.encode(), b"hmacsha256=", delivery.body)
        see_signature(given, expected, "X-LI-Signature")

    def challenge(self, parameters: Mapping[str, str], secrets: Secrets) -> Reply:
        """Sign `challengeCode`, as LinkedIn asks at registration and every two hours."""
        code = parameters.get("challengeCode", "")
        if not re.fullmatch(r"[0-9A-Fa-f-]{8,64}", code):  # nothing else is signed with the secret of deliveries
            raise Refused("challengeCode is missing, or no UUID")
        answer = {"challengeCode": code, "challengeResponse": digest(secrets.secret.encode(), code.encode())}
        return Reply(json.dumps(answer), "application/json")

    def read(self, delivery: Delivery) -> Found:
        """Read every notification that has words, or takes them back."""
        told = as_json(delivery.body)
        items = told.get("notifications") if isinstance(told, dict) else None
        if not isinstance(items, list):
            raise Unreadable("no notification of LinkedIn: an object with `notifications` would be right")
        mentions: list[Mention] = []
        skipped = 0
        for item in items:
            found = self._notification(item, delivery) if isinstance(item, dict) else None
            if isinstance(found, Mention):
                mentions.append(found)
            skipped += found is None
        return Found(mentions, skipped)

    def _notification(self, item: Mapping[str, Any], delivery: Delivery) -> Mention | bool | None:
        action = str(item.get("action"))
        kind = KINDS.get(action)
        if kind is None:
            return False
        said = _decorated(item)
        urn = item.get("generatedActivity") or said.get("entity")
        happened = instant(item.get("lastModifiedAt")) or delivery.now
        gone = action == "COMMENT_DELETE"
        text = said.get("text")
        if not isinstance(urn, str) or not (gone or isinstance(text, str)):
            return None
        owner, post = said.get("owner"), item.get("sourcePost")
        if not text and not gone:
            return False
        return mention(
            kind,
            self.source,
            self.brands,
            id=urn.replace("(urn:li:", "("),  # LinkedIn writes the same comment both ways
            text="" if gone else text,
            published_at=_made(urn, happened),
            updated_at=happened if gone or action == "COMMENT_EDIT" else None,
            deleted=gone,
            url=f"https://www.linkedin.com/feed/update/{post}" if isinstance(post, str) else None,
            author=Author(id=owner) if isinstance(owner, str) and 0 < len(owner) <= 512 else None,
            reply_to=post if kind == "comment" and isinstance(post, str) else None,
        )


def _decorated(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the words that came with the notification; a text may be an object that holds it."""
    parts = item.get("decoratedGeneratedActivity")
    parts = parts if isinstance(parts, dict) else {}
    said = next((part for part in (parts.get("comment"), parts.get("share")) if isinstance(part, dict)), {})
    message = said.get("message")
    return {"text": message.get("text"), **said} if isinstance(message, dict) else said


def _made(urn: str, happened: datetime) -> datetime:
    """Return when it was first said: an id's upper bits are milliseconds since 1970; else when the news came."""
    numbers = re.findall(r"\d{18,20}", urn)
    made = instant(int(numbers[-1]) >> 22) if numbers else None
    return made if made and EARLIEST <= made <= happened else happened
