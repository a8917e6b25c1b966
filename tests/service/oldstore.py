"""A store of schema 1, filled by schema 1's own functions (schema1.lua), and what a store holds."""

import json
import random
from pathlib import Path
from typing import Any

import msgspec

from service import keys
from service.store import Store

NOW = 1_760_000_040
"""A whole minute."""
BRANDS = ("acme", "globex", "initech")
SOURCES = ("x", "reddit")
WIDTHS = {60: 60, 300: 48, 3600: 48}
"""Buckets in a segment of schema 1."""


def mention(n: int) -> dict[str, Any]:
    """The nth mention of the store of schema 1, as its worker would have read it."""
    chance = random.Random(n)
    return {
        "brand": BRANDS[n % 3],
        "source": SOURCES[n % 2],
        "id": f"id:{n}\x1f\u00fc",
        "at": NOW - chance.randrange(6 * 86_400),
        "updated": (NOW - n) * 1000,
        "deleted": 0,
        "scored": int(n % 5 > 0),
        "negative": chance.randrange(1000),
        "positive": n % 2,
        "sentiment": "negative",
        "spam": int(n % 11 == 0),
        "signature": "beef" if n % 13 == 0 else "",
        "author": f"{n % 40:016x}",
        "reach": n,
        "text": json.dumps(
            {
                "id": f"id:{n}\x1f\u00fc",
                "source": SOURCES[n % 2],
                "published_at": "2025-10-01T00:00:00Z",
                "text": f"number {n}",
                "author": {"id": f"u{n % 40}"},
            }
        ),
    }


async def old_store(store: Store, n: int = 300) -> None:
    """Fill a store with what schema 1's own functions make of `n` mentions, edits, deletions and counts."""
    await store.do("FUNCTION", "LOAD", "REPLACE", Path(__file__).with_name("schema1.lua").read_text())
    await store.do("SET", keys.SCHEMA, 1)
    await store.do("SET", "fs:lease:fence", 41)
    some = [mention(i) for i in range(n)]
    some += [{**mention(i), "updated": NOW * 1000, "negative": 500} for i in range(0, n, 10)]
    some += [{**mention(i), "updated": NOW * 1000 + 1, "deleted": 1} for i in range(0, n, 20)]
    for brand in BRANDS:
        rows = json.dumps([m for m in some if m["brand"] == brand])
        await store.call("fs_count", keys.ingest(keys.shard(brand)), "count", "", NOW, rows)
        for k, start in enumerate(range(NOW - 7200, NOW, 300)):
            args = (brand, "desk", start - start % 300, 300, 7 + k, NOW)
            await store.call("fs_put_count", keys.ingest(keys.shard(brand)), *args)
        stream = keys.ingest(keys.shard(brand))
        await store.do("XGROUP", "CREATE", stream, "count", "0", "MKSTREAM")
        for k in range(3):
            post = {"id": f"w{k}", "source": "x", "text": "I hate it", "published_at": "2025-10-09T08:53:00Z"}
            await store.do("XADD", stream, "*", "rows", json.dumps([[brand, post]]))
        await store.do("XREADGROUP", "GROUP", "count", "gone", "COUNT", 1, "STREAMS", stream, ">")


async def old_buckets(store: Store) -> dict[tuple[str, str, int, int], dict[str, int]]:
    """What schema 1 holds: counters by brand, source, width and bucket."""
    places = [
        (brand, source, width, number)
        for brand in BRANDS
        for source in (*SOURCES, "desk")
        for width, size in WIDTHS.items()
        for number in range((NOW - 8 * 86_400) // width // size, NOW // width // size + 1)
    ]
    reads = [("HGETALL", f"{keys.shard(b)}:b:{b}:{s}:{w}:{n}") for b, s, w, n in places]
    found: dict[tuple[str, str, int, int], dict[str, int]] = {}
    for (brand, source, width, number), fields in zip(places, await store.pipe(reads), strict=True):
        for name, value in fields.items():
            at = (brand, source, width, number * WIDTHS[width] + int(name[:-1]))
            found.setdefault(at, {})[name[-1:].decode()] = int(value)
    return {at: values for at, values in found.items() if any(values.values())}


ALL_OF: dict[bytes, tuple[Any, ...]] = {
    b"hash": ("HGETALL",),
    b"set": ("SMEMBERS",),
    b"zset": ("ZRANGE", 0, -1, "WITHSCORES"),
    b"string": ("GET",),
    b"stream": ("XRANGE", "-", "+"),
}


async def content(store: Store) -> dict[bytes, Any]:
    """All that the store holds, whatever the order in which it came there."""
    held = sorted(await store.do("KEYS", "*"))
    kinds = await store.pipe([("TYPE", name) for name in held])
    reads = [(ALL_OF[kind][0], name, *ALL_OF[kind][1:]) for name, kind in zip(held, kinds, strict=True)]
    found = dict(zip(held, await store.pipe(reads), strict=True))
    for name, kind in zip(held, kinds, strict=True):
        if kind == b"stream":
            found[name] = [fields for _, fields in found[name]]
        elif kind == b"string" and b":r:" in name:
            found[name] = msgspec.msgpack.decode(found[name])
    return found
