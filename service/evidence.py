"""What lifted an episode: its first mentions, the loudest ones, terms, authors, sources and languages."""

from collections import Counter
from typing import Any

from collectors.terms import RisenTerm, distinctive, terms
from service.clock import posix
from service.search import kept
from service.store import Store

FIRST = 5
TOP = 10
SAMPLE = 1000
"""Mentions looked at on either side of the start: enough for stable terms, milliseconds to read."""
EARLIER = 3 * 3600.0
"""Seconds before the estimated start in which the first mention may lie."""
NAMED_PART = 0.25
"""Part of the telling mentions that their subject's terms must name."""
BEFORE = 86_400.0
"""Seconds before the start that say what is talked about on a normal day."""


async def gather(store: Store, brand: str, query: str, start: float, now: float, angry: bool) -> dict[str, Any]:
    """Return the evidence of an episode that began at `start` (POSIX seconds); `angry`: negative mentions carry it.

    What the first mentions are is told by the terms that rose: the earliest that speak of what all now speak of, also
    where that lies before `start`, which is an estimate.
    """
    inside = await kept(store, brand, start, now, SAMPLE, newest=False)
    before = await kept(store, brand, start - BEFORE, start - 1, SAMPLE)
    telling = _telling(inside, angry)
    risen = distinctive([m["text"] for m in telling], [m["text"] for m in before], exclude=query)[:TOP]
    earlier = [m for m in reversed(_telling(before, angry)) if _posted(m) >= start - EARLIER]
    subject = _subject(telling, risen)
    first = [m for m in earlier + telling if subject & set(terms(m["text"]))] or telling
    return {
        "first_mentions": [_brief(m) for m in first[:FIRST]],
        "top_mentions": [_brief(m) for m in sorted(telling, key=_weight, reverse=True)[:FIRST]],
        "top_terms": [{"term": t.term, "count": t.count, "expected": round(t.expected, 2)} for t in risen],
        "top_authors": _authors(telling),
        "sources": dict(Counter(m["source"] for m in inside).most_common(TOP)),
        "languages": dict(Counter(m.get("language") or "unknown" for m in inside).most_common(TOP)),
        "mentions": len(inside),
    }


def _telling(mentions: list[dict[str, Any]], angry: bool) -> list[dict[str, Any]]:
    return [m for m in mentions if not angry or m.get("sentiment") == "negative"] or mentions


def _subject(telling: list[dict[str, Any]], risen: list[RisenTerm]) -> set[str]:
    """Return the surest of the risen terms, as many as it takes to name what a part of the mentions speak of."""
    subject: set[str] = set()
    for term in risen:
        subject.add(term.term)
        if sum(1 for m in telling if subject & set(terms(m["text"]))) >= NAMED_PART * len(telling):
            break
    return subject


def _posted(mention: dict[str, Any]) -> float:
    return posix(mention["published_at"])


def _weight(mention: dict[str, Any]) -> tuple[int, int]:
    return mention.get("engagement") or 0, (mention.get("author") or {}).get("followers") or 0


def _brief(mention: dict[str, Any]) -> dict[str, Any]:
    wanted = ("id", "source", "url", "published_at", "author", "negative")
    return {**{k: mention.get(k) for k in wanted}, "text": mention["text"][:1000]}


def _authors(mentions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = [m["author"] for m in mentions if m.get("author")]
    often = Counter(a["id"] for a in known)
    newest = {a["id"]: a for a in known}
    ranked = sorted(often, key=lambda i: (often[i], newest[i].get("followers") or 0), reverse=True)
    return [
        {"id": i, "name": newest[i].get("name"), "followers": newest[i].get("followers"), "mentions": often[i]}
        for i in ranked[:TOP]
    ]
