"""Why an alert is no chance and what it is about: a line for each, the most telling first."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from service.clock import posix
from service.doubts import sentence
from service.episode import Episode, Event, LogEntry
from service.evidence import suspicion
from service.notify.escape import plain
from service.notify.words import (
    LANGUAGES,
    about,
    chance,
    count,
    listed,
    moment,
    often,
    percent,
    plural,
    shares,
    span,
)

TERMS, AUTHORS, NAMED = 6, 3, 60
"""How many are named, and characters of a name."""
WHOLE = 0.95
"""Part of an hour from which on a source counts as having told all of it."""
LEAST_AHEAD = 60.0
"""Seconds between the first post and the alert from which on they are told."""


def growth(episode: Episode) -> str:
    """Say how fast an episode grows and where it will be in an hour; "" where that can't be told."""
    found = episode.growth
    if found is None or found.doubling_minutes is None or found.high is None:
        return ""
    said = f"doubling every {span(60 * found.doubling_minutes)}"
    if (hour := found.ahead.get("1")) is None:
        return said
    low, high = found.ahead_low.get("1"), found.ahead_high.get("1")
    between = f" ({about(low)} to {about(high)})" if low is not None and high is not None else ""
    return f"{said}: about {about(hour)} an hour in one hour{between}"


def lines(event: Event, zone: str) -> Iterator[str]:
    """Give the proof of an event's episode; times are told in `zone`."""
    episode, act = event.episode, event.type.removeprefix("episode.")
    if episode.kind == "blind":
        told = _told(episode)
        yield f"Of the last hour {listed(told)}." if told else "Nothing was told in the last hour."
        return
    why = _why_now(event) if act in ("escalated", "woken", "reopened") else ""
    yield from (line for line in (why, *proof(episode, zone, over=act == "resolved")) if line)


def entry_of(event: Event) -> LogEntry | None:
    """Return the line of the log that an event tells of."""
    return next((e for e in reversed(event.episode.log) if e.type == event.type and e.at == event.at), None)


def proof(episode: Episode, zone: str, *, over: bool = False) -> Iterator[str]:
    """Give what an episode rests on, "" for what it has not; of one that is `over` how people responded."""
    evidence = episode.evidence
    if over:
        yield _response(episode)
    else:
        yield _no_chance(episode)
    yield from (_terms(evidence), _first(episode, zone), _authors(evidence), _where(evidence), _suspected(evidence))
    if not over:
        yield _missing(episode)
    if episode.kind == "crisis":
        yield from (_advocates(evidence), _others(evidence))
    yield f"Severity {episode.severity_rule}." if episode.severity_rule else ""


def _why_now(event: Event) -> str:
    """Return what is new, without the reason that the summary tells."""
    entry, reason = entry_of(event), event.episode.reason
    note = (entry.note or "") if entry else ""
    note = note.removesuffix(reason).removesuffix("; ")
    return f"Why now: {note}." if note else ""


def _response(episode: Episode) -> str:
    """Say who took it and how soon."""
    taken = next((e for e in episode.log if e.type == "episode.acknowledged"), None)
    if taken is None:
        return "Nobody acknowledged it."
    return f"{plain(taken.by, NAMED)} acknowledged it {after(episode.opened_at, taken.at)} the alert."


def after(start: datetime, end: datetime) -> str:
    """Return how long after something something else was, as in "12 minutes after"."""
    return f"{span(max((end - start).total_seconds(), 0.0))} after"


def _no_chance(episode: Episode) -> str:
    odds = chance(episode.p_value)
    rare = f"as much comes in {odds} normal windows" if odds else f"its score is {episode.score:.0f} of 100"
    false = "false alerts" if episode.kind == "opportunity" else "false pages"
    return f"Not chance: {rare}; {false} are held to {often(episode.budget)}."


def _terms(evidence: dict[str, Any]) -> str:
    terms = [f"{plain(t['term'], NAMED)} ({count(t['count'])})" for t in (evidence.get("top_terms") or [])[:TERMS]]
    return f"They speak of: {', '.join(terms)}." if terms else ""


def _first(episode: Episode, zone: str) -> str:
    posts = episode.evidence.get("first_mentions") or []
    if not posts:
        return ""
    at = posix(posts[0]["published_at"])
    ahead = episode.opened_at.timestamp() - at
    when = moment(datetime.fromtimestamp(at, episode.opened_at.tzinfo), zone)
    before = f", {span(ahead)} before the alert" if ahead >= LEAST_AHEAD else ""
    return f"It began with {author(posts[0])} on {posts[0]['source']}, {when}{before}."


def author(post: dict[str, Any]) -> str:
    """Return who wrote a post, and how many follow."""
    author = post.get("author") or {}
    name = plain(author.get("name") or author.get("id") or "", NAMED) or "an unknown author"
    return name + _followed(author.get("followers"))


def _followed(followers: float | None) -> str:
    return f" ({about(followers)} follower{'' if followers == 1 else 's'})" if followers else ""


def _authors(evidence: dict[str, Any]) -> str:
    loudest = sorted(evidence.get("top_authors") or [], key=lambda a: -(a.get("followers") or 0))[:AUTHORS]
    named = [plain(a.get("name") or a["id"], NAMED) + _followed(a.get("followers")) for a in loudest]
    if not named:
        return ""
    all_of = (
        f"{plural(evidence.get('authors') or len(named), 'author')} with {about(evidence.get('reach') or 0)} followers"
    )
    return f"Who: {all_of} in all; widest {listed(named)}."


def _where(evidence: dict[str, Any]) -> str:
    sources, languages = evidence.get("sources") or {}, evidence.get("languages") or {}
    parts = [shares(sources), shares(languages, LANGUAGES)]
    return f"Where: {'; '.join(part for part in parts if part)}." if any(parts) else ""


def _suspected(evidence: dict[str, Any]) -> str:
    moved = sentence(evidence.get("moved_together") or {})
    said = [part for part in (suspicion(evidence), moved) if part]
    if said:
        return f"Careful: {'; '.join(said)}."
    looked_at = (evidence.get("suspected") or {}).get("of")
    return f"No sign of coordination among {plural(looked_at, 'post')}." if looked_at else ""


def _missing(episode: Episode) -> str:
    """Say what is not known: a source that has not told all may hide more of it."""
    if lacking := _told(episode):
        return f"Not known: of the last hour {listed(lacking)}, so it may be larger."
    return "All sources have told all of the last hour." if episode.completeness else ""


def _told(episode: Episode) -> list[str]:
    """Return what each source told of the last hour that has not told all."""
    ratios = {name: (told or {}).get("ratio") or 0.0 for name, told in episode.completeness.items()}
    return [f"{name} told {percent(ratio)}" for name, ratio in ratios.items() if ratio < WHOLE]


def _advocates(evidence: dict[str, Any]) -> str:
    """Say who spoke up for the brand in a crisis."""
    found = evidence.get("advocates") or {}
    if not found.get("authors"):
        return ""
    reached = f" with {about(found['reach'])} followers" if found.get("reach") else ""
    widest = "".join(f"; widest {author(post)}" for post in (found.get("posts") or [])[:1])
    return f"For the brand spoke {plural(found['authors'], 'author')}{reached}{widest}."


def _others(evidence: dict[str, Any]) -> str:
    others = evidence.get("others") or []
    return f"At the same time in crisis: {listed(others)}." if others else ""
