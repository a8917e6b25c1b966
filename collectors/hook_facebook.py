"""Facebook: posts and comments on one's own pages, pushed by the `feed` field of the Page webhook."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

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
    same,
    see_signature,
)
from collectors.mention import Author, Kind, Mention, SourceName

KINDS: Mapping[str, Kind] = {
    "comment": "comment", "status": "post", "post": "post", "photo": "post", "video": "post", "share": "post",
    "link": "post", "album": "post", "mention": "post",
}  # fmt: skip
"""What people say; reactions, events and offers are items too, and have no words."""
SAID = frozenset({"add", "edit", "edited", "update"})
"""Verbs by which words come or change; hiding is the page's doing, and what was hidden was said."""
GONE = frozenset({"remove", "delete"})


class FacebookHook(Hook):
    """`{type: facebook}`: signed with the app's secret, verified with a token of one's own choice."""

    # Under a name of its own: `facebook` is the row of what is polled.
    declaration: ClassVar[Declaration] = pushed("facebook_webhook", "posts and comments on one's own pages (webhook)")

    type: Literal["facebook"] = "facebook"
    source: SourceName = "facebook"
    verify_token: str | None = Field(default=None, min_length=8, max_length=512, repr=False)

    def verify(self, delivery: Delivery, secrets: Secrets) -> None:
        """Compare X-Hub-Signature-256: HMAC-SHA256 of the body with the app's secret, in hex."""
        expected = f"sha256={digest(secrets.secret.encode(), delivery.body)}"
        see_signature(delivery.headers.get("x-hub-signature-256"), expected, "X-Hub-Signature-256")

    def challenge(self, parameters: Mapping[str, str], secrets: Secrets) -> Reply:
        """Give `hub.challenge` back to whoever knows the token."""
        if not secrets.verify_token or parameters.get("hub.mode") != "subscribe":
            raise Refused("hub.mode=subscribe and a verify token of ours are needed")
        if not same(parameters.get("hub.verify_token", ""), secrets.verify_token):
            raise Refused("hub.verify_token is not ours")
        return Reply(parameters.get("hub.challenge", "")[:256])

    def read(self, delivery: Delivery) -> Found:
        """Read every change of `feed`; what the page itself says is not what is said about it."""
        told = as_json(delivery.body)
        entries = told.get("entry") if isinstance(told, dict) and told.get("object") == "page" else None
        if not isinstance(entries, list):
            raise Unreadable("no Page webhook: an object of `object: page` with `entry` would be right")
        mentions: list[Mention] = []
        skipped = 0
        for entry in entries:
            changes = entry.get("changes", []) if isinstance(entry, dict) else None
            if not isinstance(changes, list):
                skipped += 1
                continue
            for change in changes:
                found = self._change(change, entry, delivery)
                if isinstance(found, Mention):
                    mentions.append(found)
                skipped += found is None
        return Found(mentions, skipped)

    def _change(self, change: Any, entry: Mapping[str, Any], delivery: Delivery) -> Mention | bool | None:
        """Return the mention; False where there is nothing to count, None where it could not be read."""
        value = change.get("value") if isinstance(change, dict) else None
        if not isinstance(value, dict):
            return None
        verb, kind = str(value.get("verb")), KINDS.get(str(value.get("item")))
        author = value.get("from")
        author = author if isinstance(author, dict) else {}
        if change.get("field") != "feed" or kind is None or not (verb in SAID or verb in GONE):
            return False
        if author.get("id") == entry.get("id") or value.get("published") == 0:
            return False
        gone, words = verb in GONE, value.get("message") or ""
        if not (words or gone):
            return False
        happened = instant(entry.get("time")) or delivery.now
        post = value.get("post_id")
        return mention(
            kind,
            self.source,
            self.brands,
            id=value.get("comment_id") if kind == "comment" else post,
            text="" if gone else words,
            published_at=instant(value.get("created_time")) or happened,
            updated_at=happened if gone or verb != "add" else None,
            deleted=gone,
            url=_address(value, post),
            author=_author(author),
            reply_to=(value.get("parent_id") or post) if kind == "comment" else None,
        )


def _author(told: Mapping[str, Any]) -> Author | None:
    known, name = told.get("id"), told.get("name")
    return Author(id=str(known)[:512], name=str(name)[:512] if name else None) if known else None


def _address(value: Mapping[str, Any], post: object) -> str | None:
    link = value.get("permalink_url")
    if isinstance(link, str) and link.startswith("https://") and len(link) <= 4096:
        return link
    return f"https://www.facebook.com/{post}" if isinstance(post, str) and len(post) < 512 else None
