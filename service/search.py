"""The mentions that are kept as evidence, newest first."""

from typing import Any

import msgspec

from collectors.match import Matcher
from collectors.query import QueryError, parse
from service import keys
from service.store import Store

PAGE = 200
LOOKED_AT = 20_000
"""Mentions looked at in one request, at the most: as many as are kept of a brand."""


async def kept(
    store: Store, brand: str, start: float, end: float, limit: int, newest: bool = True
) -> list[dict[str, Any]]:
    """Return up to `limit` kept mentions of a brand published from `start` to `end` (POSIX seconds)."""
    order = ("REV",) if newest else ()
    bounds = (end, start) if newest else (start, end)
    found = await store.do("ZRANGE", keys.recent(brand), *bounds, "BYSCORE", *order, "LIMIT", 0, limit)
    return [m for m in await _read(store, brand, found) if m is not None]


async def search(store: Store, brands: list[str], query: str, limit: int, cursor: str | None) -> dict[str, Any]:
    """Return one page of the kept mentions that match `query`, newest first, and the next page's cursor.

    Raises:
        ValueError: the query or the cursor can't be read.
    """
    matcher = _matcher(query)
    before = _position(cursor)
    found: list[tuple[float, str, str, dict[str, Any]]] = []
    for brand in brands:
        found += await _matching(store, brand, matcher, before, limit + 1)
    found.sort(key=lambda f: f[:3], reverse=True)
    page = found[:limit]
    more = f"{page[-1][0]:.0f}:{page[-1][1]}:{page[-1][2]}" if len(found) > limit else None
    return {"items": [item for *_, item in page], "next": more}


def _matcher(query: str) -> Matcher | None:
    try:
        return Matcher({query: parse(query)}) if query.strip() else None
    except QueryError as error:
        raise ValueError(f"query: {error}") from None


def _position(cursor: str | None) -> tuple[float, str, str] | None:
    if cursor is None:
        return None
    try:
        at, brand, identity = cursor.split(":", 2)
        return float(at), brand, identity
    except ValueError:
        raise ValueError("cursor: take it from `next` of the page before") from None


async def _matching(
    store: Store, brand: str, matcher: Matcher | None, before: tuple[float, str, str] | None, limit: int
) -> list[tuple[float, str, str, dict[str, Any]]]:
    found: list[tuple[float, str, str, dict[str, Any]]] = []
    latest: Any = before[0] if before else "+inf"
    for offset in range(0, LOOKED_AT, PAGE):
        pairs = await store.do(
            "ZRANGE", keys.recent(brand), latest, "-inf", "BYSCORE", "REV", "LIMIT", offset, PAGE, "WITHSCORES"
        )
        for (identity, at), mention in zip(pairs, await _read(store, brand, [i for i, _ in pairs]), strict=True):
            place = (at, brand, identity.decode())
            if mention is None or (before and place >= before):
                continue
            if matcher and not matcher.match(mention["text"], mention):
                continue
            found.append((*place, {"brand": brand, **mention}))
        if len(found) >= limit or len(pairs) < PAGE:
            break
    return found[:limit]


async def _read(store: Store, brand: str, identities: list[bytes]) -> list[dict[str, Any] | None]:
    """Return the mentions, None for one whose text is gone."""
    if not identities:
        return []
    texts = await store.do("MGET", *[keys.text(brand, identity.decode()) for identity in identities])
    return [_mention.decode(text) if text else None for text in texts]


_mention = msgspec.json.Decoder(dict[str, Any])
