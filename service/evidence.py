"""What lifted an episode: first and loudest mentions, terms, authors, sources, languages, and what is suspected."""

from collections import Counter
from typing import Any

from collectors.near_copies import originals
from collectors.suspects import Post, Reason, suspects
from collectors.terms import RisenTerm, distinctive, terms
from service.clock import posix
from service.row import DESKS
from service.search import kept
from service.store import Store

FIRST = 5
TOP = 10
ADVOCATES = 5
"""Authors who spoke up for the brand that are named, each by a post, so that its deletion takes the name along."""
SAMPLE = 1000
"""Mentions looked at on either side of the start: enough for stable terms, milliseconds to read."""
EARLIER = 3 * 3600.0
"""Seconds before the estimated start in which the first mention may lie."""
NAMED_PART = 0.25
"""Part of the telling mentions that their subject's terms must name."""
COPIED = 3
"""Copied texts that are shown."""
QUOTED = 1000
"""Characters of a text that are kept."""
TOLD = 0.05
"""Suspected part from which an alert's reason speaks of it: every day has some."""
SAID: dict[str, str] = {
    "copied text": "copy a text",
    "links and tags": "are mostly links and tags",
    "posts too often": "come from authors who post often",
    "empty account": "from empty accounts",
    "young account": "from young accounts",
    "generated name": "from generated names",
}
"""How each reason goes on after its number."""
PRAISE = 2.0
"""Times that a post must rather be no anger than anger, to be shown as praise."""
BEFORE = 86_400.0
"""Seconds before the start that say what is talked about on a normal day."""


async def gather(
    store: Store, brand: str, query: str, start: float, now: float, angry: bool, glad: bool = False
) -> dict[str, Any]:
    """Return the evidence of an episode that began at `start` (POSIX seconds).

    `angry`: negative mentions carry it, `glad`: positive ones do.

    Terms are those of distinct texts: copies and reposts say theirs once. What the first mentions are is told by the
    terms that rose: the earliest that speak of what all now speak of, also where that lies before `start`, which is an
    estimate.
    """
    inside = await kept(store, brand, start, now, SAMPLE, newest=False)
    before = await kept(store, brand, start - BEFORE, start - 1, SAMPLE)
    mood = "negative" if angry else "positive" if glad else None
    telling = _telling(inside, mood)
    risen = _risen([m["text"] for m in telling], [m["text"] for m in before], query)
    earlier = [m for m in reversed(_telling(before, mood)) if _posted(m) >= start - EARLIER]
    subject = _subject(telling, risen)
    first = [m for m in earlier + telling if subject & set(terms(m["text"]))] or telling
    followers = {m["author"]["id"]: m["author"].get("followers") or 0 for m in telling if m.get("author")}
    return {
        "first_mentions": [brief(m) for m in first[:FIRST]],
        "top_mentions": [brief(m) for m in sorted(telling, key=_weight, reverse=True)[:FIRST]],
        "top_terms": [{"term": t.term, "count": t.count, "expected": round(t.expected, 2)} for t in risen],
        "top_authors": _authors(telling),
        "sources": dict(Counter(m["source"] for m in inside).most_common(TOP)),
        "languages": dict(Counter(m.get("language") or "unknown" for m in inside).most_common(TOP)),
        "mentions": len(inside),
        "authors": len(followers),
        "reach": sum(followers.values()),
        "suspected": _suspected(inside),
        "advocates": advocates(inside, _angrier(inside, before)),
    }


def advocates(mentions: list[dict[str, Any]], angrier: float = 1.0) -> dict[str, Any]:
    """Return who spoke up for the brand: how many posts, authors and followers, and a post of each of the widest.

    Where the odds of anger are `angrier` times the usual ones, what looks like praise is misread anger so many times as
    often (Saerens, Latinne and Decaestecker, Neural Computation 14, 2002, equation 2.4): what is surely none stays.
    """
    good = [m for m in mentions if m.get("sentiment") == "positive" and m.get("author") and not m.get("repost_of")]
    good = [m for m in good if PRAISE * angrier * _odds(m.get("negative") or 0.0) <= 1.0]
    by_author = {(m["source"], m["author"]["id"]): m for m in sorted(good, key=_weight)}
    widest = sorted(by_author.values(), key=_reach, reverse=True)
    return {
        "mentions": len(good),
        "authors": len(widest),
        "reach": sum(map(_reach, widest)),
        "posts": [brief(m) for m in widest[:ADVOCATES]],
    }


def _angrier(now: list[dict[str, Any]], before: list[dict[str, Any]]) -> float:
    """Return how many times the odds of anger are what they were; 1 where they fell, or nothing is known."""
    shares = [[m["negative"] for m in some if m.get("negative") is not None] for some in (now, before)]
    if not all(shares):
        return 1.0
    odds, usual = (_odds(sum(share) / len(share)) for share in shares)
    return max(odds / max(usual, _odds(0.01)), 1.0)


def _odds(probability: float) -> float:
    return probability / max(1.0 - probability, 1e-9)


def _reach(mention: dict[str, Any]) -> int:
    return mention["author"].get("followers") or 0


def _risen(now: list[str], before: list[str], query: str) -> list[RisenTerm]:
    """Return the terms of distinct texts that rose; those of all texts where nearly all are copies of a few."""
    found = distinctive(_once(now), _once(before), exclude=query) or distinctive(now, before, exclude=query)
    return found[:TOP]


def _once(texts: list[str]) -> list[str]:
    return [texts[place] for place in originals(texts)]


def _suspected(mentions: list[dict[str, Any]]) -> dict[str, Any]:
    """Return which part of the mentions does not look like one person's own word, and why."""
    found = suspects([_post(m) for m in mentions])
    copied = [m for m, reasons in zip(mentions, found, strict=True) if "copied text" in reasons]
    shown = [copied[place] for place in originals([m["text"] for m in copied])[:COPIED]]
    why: Counter[Reason] = Counter(reason for reasons in found for reason in reasons)
    number = sum(map(bool, found))
    return {
        "share": round(number / len(found), 3) if found else None,
        "mentions": number,
        "of": len(found),
        "reasons": dict(why.most_common()),
        "texts": [m["text"][:QUOTED] for m in shown],
        "posts": [{"source": m["source"], "id": m["id"]} for m in shown],
    }


def suspicion(evidence: dict[str, Any]) -> str:
    """Say in words which part of an episode's mentions is suspected, "" where that is little."""
    suspected = evidence.get("suspected") or {}
    share, reasons = suspected.get("share") or 0.0, suspected.get("reasons") or {}
    if share < TOLD:
        return ""
    why = ", ".join(f"{number} {SAID[reason]}" for reason, number in reasons.items())
    return f"{100 * share:.0f} % of {suspected['of']} posts look coordinated or like spam: {why}"


def _post(mention: dict[str, Any]) -> Post:
    said = mention["source"], mention["id"], _posted(mention), mention["text"], mention.get("author")
    return Post(*said, repost=mention.get("repost_of") is not None, desk=mention.get("kind") in DESKS)


def _telling(mentions: list[dict[str, Any]], mood: str | None) -> list[dict[str, Any]]:
    return [m for m in mentions if mood is None or m.get("sentiment") == mood] or mentions


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


def brief(mention: dict[str, Any]) -> dict[str, Any]:
    """Return what an episode keeps of a mention."""
    wanted = ("id", "source", "url", "published_at", "author", "negative")
    return {**{k: mention.get(k) for k in wanted}, "text": mention["text"][:QUOTED]}


def _authors(mentions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    known = [m["author"] for m in mentions if m.get("author")]
    often = Counter(a["id"] for a in known)
    newest = {a["id"]: a for a in known}
    ranked = sorted(often, key=lambda i: (often[i], newest[i].get("followers") or 0), reverse=True)
    return [
        {"id": i, "name": newest[i].get("name"), "followers": newest[i].get("followers"), "mentions": often[i]}
        for i in ranked[:TOP]
    ]
