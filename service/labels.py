"""What people say of mentions: kept per brand with the text, which goes when the mention is deleted or edited."""

import json
from collections import Counter
from typing import Any

import msgspec

from collectors.sentiment import Label as Said
from service import keys
from service.store import Store

MOST = 10_000
"""Labels of a brand: more change nothing that can be measured."""
DRAWN_SECONDS = 7 * 86_400
"""How long it is known what was drawn: as long as texts are kept."""
LOOKED_AT = 4
"""Times as many mentions as are asked for that a drawing looks at: some have a label already."""


class Label(msgspec.Struct, frozen=True):
    """One label: `negative` is the engine's P(negative) when it was given, `by` the name of the key, `at` ISO 8601.

    `drawn` says that the mention was drawn by chance, not chosen by a person.
    """

    id: str
    source: str
    label: Said
    by: str
    at: str
    negative: float | None
    language: str | None
    text: str
    drawn: bool = False


class NotKept(Exception):
    """The mention is not kept (any more) as one of the brand."""


class Enough(Exception):
    """The brand has as many labels as are kept."""


async def put(store: Store, brand: str, source: str, mention: str, said: Said | None, by: str, at: str) -> int:
    """Keep what a person says of a mention, in place of what was said before; None takes it back.

    Returns how many labels the brand has now.

    Raises:
        NotKept: there is no such mention.
        Enough: no more are kept.
    """
    key = keys.identity(source, mention)
    kept, drawn = await store.pipe([("GET", keys.text(brand, key)), ("SISMEMBER", keys.drawn(brand), key)])
    if kept is None:
        raise NotKept
    known = json.loads(kept)
    label = b""
    if said is not None:
        judged = known.get("negative"), known.get("language")
        label = msgspec.json.encode(Label(mention, source, said, by, at, *judged, known["text"], bool(drawn)))
    n = int(await store.call("fs_label", keys.labels(brand), brand, key, label, MOST))
    if n == -1:
        raise NotKept
    if n == -2:
        raise Enough
    await store.do("HINCRBY", keys.LABELLED, brand, 1)
    return n


async def draw(store: Store, brand: str, n: int) -> list[dict[str, Any]]:
    """Return up to `n` kept mentions without a label, each as likely as any other, and remember that they were drawn.

    P(negative) is left out: who labels is not to be told what to think.
    """
    some = list(await store.do("ZRANDMEMBER", keys.recent(brand), LOOKED_AT * n))
    if not some:
        return []
    texts = await store.do("MGET", *[keys.text(brand, key.decode()) for key in some])
    given = await store.do("HMGET", keys.labels(brand), *some)
    free = [(k, text) for k, text, said in zip(some, texts, given, strict=True) if text and not said][:n]
    if free:
        drawn = keys.drawn(brand)
        await store.pipe([("SADD", drawn, *[key for key, _ in free]), ("EXPIRE", drawn, DRAWN_SECONDS)])
    wanted = ("id", "source", "url", "text", "published_at", "author", "language")
    return [{name: json.loads(text).get(name) for name in wanted} for _, text in free]


async def read(store: Store, brand: str) -> list[Label]:
    """Return a brand's labels, the newest first."""
    found = [_label.decode(packed) for packed in (await store.do("HGETALL", keys.labels(brand))).values()]
    return sorted(found, key=_place, reverse=True)


def page(labels: list[Label], limit: int, cursor: str | None) -> dict[str, Any]:
    """Return how many labels say what, one page of them, and the next page's cursor.

    Raises:
        ValueError: the cursor can't be read.
    """
    rest = labels
    if cursor is not None:
        before = tuple(cursor.split("|", 1))
        if len(before) != 2:
            raise ValueError("cursor: take it from `next` of the page before")
        rest = [label for label in labels if _place(label) < before]
    shown = rest[:limit]
    return {
        "labels": len(labels),
        "counts": dict(sorted(Counter(label.label for label in labels).items())),
        "items": [msgspec.to_builtins(label) for label in shown],
        "next": "|".join(_place(shown[-1])) if len(rest) > limit else None,
    }


async def forget(store: Store, brand: str) -> None:
    """Drop all that is known by a brand's labels, which hold texts that people wrote."""
    members = [f"{key.decode()}:{brand}" for key in await store.do("HKEYS", keys.labels(brand))]
    commands: list[tuple[Any, ...]] = [("ZREM", keys.labelled(keys.shard(brand)), member) for member in members]
    commands += [("DEL", keys.labels(brand)), ("DEL", keys.models(brand)), ("DEL", keys.drawn(brand))]
    commands += [("HDEL", key, brand) for key in (keys.CORRECTIONS, keys.LABELLED)]
    await store.pipe(commands)


def _place(label: Label) -> tuple[str, str]:
    return label.at, keys.identity(label.source, label.id)


_label = msgspec.json.Decoder(Label)
