"""What the store needs to count one mention for one brand."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from collectors.annotate import Annotation
from collectors.near_copies import FARMED_ROWS, bands
from collectors.suspects import doubts_of
from service import keys
from service.clock import posix


class Row(msgspec.Struct, array_like=True, frozen=True):
    """One mention of one brand as `fs_count` reads it, in this order; flags are 0 or 1.

    `at` is in POSIX seconds, `updated` in milliseconds; `negative` is P(negative) and `spread` its variance p (1 - p),
    both in thousandths; `signature` (52 bits) is shared by copies of the text, 0 where copies mean nothing; `author` is
    48 bits of a hash; `text` is the annotated mention as JSON; `doubtful` says that the author's account is empty,
    young or with a generated name; `voiced` that the author is known and writes for themselves: many in an hour are
    still one voice; `near` names what near copies of a doubtful author's text share with it, in words of hexadecimal
    digits, none of anybody else's. The store's functions know no binary strings, and no integers beyond 53 bits.
    """

    brand: str
    source: str
    key: str
    at: int
    updated: int
    deleted: int
    scored: int
    negative: int
    spread: int
    positive: int
    sentiment: str
    spam: int
    signature: int
    author: int
    reach: int
    text: str
    doubtful: int = 0
    voiced: int = 0
    near: str = ""


DESKS = frozenset({"article", "ticket"})
"""Kinds of mention whose author is a desk, which writes many."""
ELSEWHERE = ""
"""The brand of a row that takes a mention out of all brands but those that its `text` lists (JSON)."""
_UNREAD = Annotation(None, None, None, None, scored=False, spam=False, signature=None)
"""A deletion says nothing: its text is never looked at."""
_encode = msgspec.json.Encoder().encode


def row(brand: str, mention: Mapping[str, Any], note: Annotation | None) -> Row:
    """Return a mention's row for a brand; `note` is what its text says, None where that is never looked at."""
    note = note or _UNREAD
    source, identity, author = mention["source"], mention["id"], mention.get("author") or {}
    at = posix(mention["published_at"])
    updated = mention.get("updated_at")
    negative = note.negative or 0.0
    # Of a mention without an author nobody knows that one hand wrote others too.
    wrote = author["id"] if author else f"\0{identity}"
    copied = note.signature if mention.get("repost_of") is None else None  # a repost is known to be a copy
    doubtful = copied is not None and bool(doubts_of(author, source, at))
    return Row(
        brand=brand,
        source=source,
        key=keys.identity(source, identity),
        at=int(at // 1),
        updated=round(1000 * (posix(updated) if updated else at)),
        deleted=int(mention.get("deleted", False)),
        scored=int(note.scored),
        negative=round(1000 * negative),
        spread=round(1000 * negative * (1.0 - negative)),
        positive=int(note.sentiment == "positive"),
        sentiment=note.sentiment or "unscored",
        spam=int(note.spam),
        signature=0 if copied is None else (copied >> 12) or 1,
        author=int.from_bytes(hashlib.blake2b(f"{source}\0{wrote}".encode(), digest_size=6).digest()),
        reach=author.get("followers") or 0,
        text=_text(brand, mention, note),
        doubtful=int(doubtful),
        voiced=int(bool(author) and mention.get("repost_of") is None and mention.get("kind") not in DESKS),
        near=" ".join([f"{band:x}" for band in bands(mention.get("text", ""), FARMED_ROWS)]) if doubtful else "",
    )


def _text(brand: str, mention: Mapping[str, Any], note: Annotation) -> str:
    if brand == ELSEWHERE:
        return _encode(mention.get("brands", [])).decode()
    if note is _UNREAD:
        return ""
    annotated = {**mention, "language": note.language, "negative": note.negative, "sentiment": note.sentiment}
    return _encode(annotated).decode()
