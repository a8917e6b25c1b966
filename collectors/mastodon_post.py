"""What Mastodon and servers that speak like it say of a post, as a mention; and what they say when they refuse."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from collectors.collector import CollectorError
from collectors.feed_document import plain_text
from collectors.mention import Fields, Mention
from collectors.outbound import Answer

SOURCE = "mastodon"
SNOWFLAKE = 10**17
"""Ids from here on hold their post's instant, milliseconds above 16 bits; smaller ones are old, or of other servers."""


class _Account(msgspec.Struct):
    acct: str
    followers_count: int | None = None


class _Reblogged(msgspec.Struct):
    uri: str


class Post(msgspec.Struct):
    """What is read of a status."""

    id: str
    uri: str
    created_at: str
    account: _Account
    content: str = ""
    spoiler_text: str = ""
    url: str | None = None
    edited_at: str | None = None
    language: str | None = None
    visibility: str = "public"
    replies_count: int = 0
    reblogs_count: int = 0
    favourites_count: int = 0
    reblog: _Reblogged | None = None


_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode
_post = msgspec.json.Decoder(Post).decode


def read_post(text: str | bytes | msgspec.Raw) -> Post | None:
    """A post, or None where it lacks what a mention needs, or is not public."""
    try:
        found = _post(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return found if found.visibility == "public" and found.uri else None


def read_posts(answer: Answer, host: str, key: str = "") -> list[Post | None]:
    """Every post of an answer that is a list, or has one under `key`; None for what is none.

    Raises:
        CollectorError: there is no such list.
    """
    try:
        body: Any = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode(answer.body)[key] if key else answer.body
        return [read_post(item) for item in _raw(body)]
    except (msgspec.MsgspecError, KeyError, UnicodeDecodeError, RecursionError):
        raise CollectorError(f"{host} answered with something that is not a list of posts") from None


def said(post: Post, host: str) -> Fields:
    """A mention's fields. The address that all servers know it by is its id: what two of them show counts once."""
    acct = post.account.acct if "@" in post.account.acct else f"{post.account.acct}@{host}"
    words = (post.spoiler_text.strip(), plain_text(post.content))
    created, edited = instant(post.created_at), instant(post.edited_at or "")
    return {
        "id": post.uri,
        "source": SOURCE,
        "text": "\n\n".join(part for part in words if part),
        "published_at": created,
        "updated_at": edited if edited and created and edited > created else None,
        "url": post.url or post.uri,
        "author": {"id": acct, "followers": max(post.account.followers_count or 0, 0)},
        "language": post.language if post.language and len(post.language) <= 35 else None,
        "kind": "post",
        "engagement": max(post.replies_count + post.reblogs_count + post.favourites_count, 0),
        "repost_of": post.reblog.uri if post.reblog else None,
    }


def version(mention: Mention) -> tuple[datetime, bool]:
    """Which of two of the same post is the later."""
    return mention.updated_at or mention.published_at, mention.deleted


def instant(text: str) -> datetime | None:
    """An instant in ISO 8601, UTC where no offset is given."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def newest(ids: Sequence[str]) -> str:
    """The greatest id: a longer number is greater than a shorter one."""
    return max(ids, key=lambda identifier: (len(identifier), identifier))


def earlier(identifier: str, seconds: float) -> str:
    """The id of an instant before that of `identifier`, itself where it holds none."""
    return str(int(identifier) - (int(seconds * 1000) << 16)) if written(identifier) else identifier


def written(identifier: str) -> datetime | None:
    """Instant that an id holds (milliseconds above 16 bits of order)."""
    number = int(identifier) if identifier.isascii() and identifier.isdigit() and len(identifier) < 20 else 0
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number >> 16) if number >= SNOWFLAKE else None


def from_instant(at: datetime) -> str:
    """The least id that a post of that instant may have."""
    return str((at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1) << 16)


def refusal(answer: Answer, host: str, has_token: bool, now: datetime) -> CollectorError:
    """Why a request was refused, and when to come again: `X-RateLimit-Reset` is an instant here."""
    if answer.status in (401, 403, 422):
        what = "refuses the token" if has_token else "lets nobody read without a token"
        return CollectorError(f"{host} {what} ({answer.status}); set FORESHOCK_MASTODON_TOKENS to {host}=TOKEN")
    after = answer.retry_after(now)
    reset = instant(answer.headers.get("x-ratelimit-reset", ""))
    if after is None and answer.status == 429 and reset is not None:
        after = max(1.0, (reset - now).total_seconds())
    return CollectorError(f"{host} answered {answer.status}", after)
