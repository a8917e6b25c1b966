"""What late data showed of a brand's past: kept, shown, and no page."""

import json
from typing import Any

from service import keys
from service.store import Store

KEPT = 20
"""Annotations kept of a brand, the newest; one has some 300 bytes."""


async def annotations(store: Store, brand: str) -> list[dict[str, Any]]:
    """Return a brand's annotations, newest last (docs/episode.md)."""
    found: list[dict[str, Any]] = json.loads(await store.do("GET", keys.annotations(brand)) or "[]")
    return found


async def annotate(store: Store, brand: str, new: dict[str, Any]) -> None:
    """Keep an annotation in place of those of the same time; one ticker at a time writes them."""
    others = [a for a in await annotations(store, brand) if a["end"] <= new["start"] or a["start"] >= new["end"]]
    await store.do("SET", keys.annotations(brand), json.dumps([*others, new][-KEPT:]))
