"""What a person reads of an event in ten seconds: what, how bad, why it is no chance, what it is about, what to do."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from service.brand import Brand
from service.episode import Episode, Event, LogEntry
from service.notify.escape import link, plain
from service.notify.notice import Message, Quote
from service.notify.proof import NAMED, author, entry_of, growth, lines
from service.notify.words import count, lasted, moment, span

WORST = 5
NAMES = {"revolt": "revolt", "volume": "surge of mentions", "voice": "angry voice with a wide reach"}
"""What each detector found, as people call it."""
COUNTED = {"revolt": "negative mentions", "voice": "followers"}
QUOTES, QUOTED = 3, 280
"""Posts that a message shows, and characters of each."""
ACTS = frozenset({"noted", "assigned", "feedback", "acknowledged", "snoozed"})
"""What people do: who hears of it knows the proof already."""


def message(event: Event, brand: Brand | None, public_url: str) -> Message:
    """Return what is told of an event, in the brand's local time; all of it is one-line plain text.

    Pure, and a millisecond of work. `brand` is None where it is watched no more: then times are in UTC.
    """
    episode, zone = event.episode, brand.timezone if brand else "UTC"
    entry = entry_of(event)
    shows = event.type.removeprefix("episode.") not in ACTS
    return Message(
        title=plain(("DRILL: " if episode.drill else "") + _title(event, entry)),
        summary=plain(_summary(event, entry, zone)),
        lines=[plain(line) for line in lines(event, zone)] if shows else [],
        facts=[(name, plain(text)) for name, text in _facts(event, zone, public_url) if text],
        quotes=_quotes(episode) if shows else [],
        url=f"{public_url}/#{episode.id}",
        severity=episode.severity,
        resolved=event.type == "episode.resolved",
    )


def what(episode: Episode) -> str:
    """Return what an episode is, as people call it."""
    if episode.kind == "opportunity":
        return "surge of praise"
    return "blind" if episode.kind == "blind" else NAMES.get(episode.detector, episode.detector)


def _title(event: Event, entry: LogEntry | None) -> str:
    episode, act = event.episode, event.type.removeprefix("episode.")
    name, by = episode.brand, _who(entry)
    if episode.kind == "blind":
        told = {"opened": "we cannot see enough to warn", "reopened": "we cannot see enough again"}
        told |= {"resolved": "we see again", "acknowledged": f"{by} is looking why we cannot see"}
        return f"{name}: {told.get(act, f'we still cannot see enough ({act})')}"
    degree = f"severity {episode.severity} of {WORST}"
    if episode.kind == "opportunity":
        degree = f"strength {episode.severity} of {WORST}"
    titles = {
        "opened": f"{what(episode)}, {degree}",
        "escalated": f"{what(episode)} gets worse, {degree}{_was(episode, entry)}",
        "reopened": f"{what(episode)} is back, {degree}",
        "woken": f"{what(episode)} goes on after the snooze, {degree}",
        "updated": f"{what(episode)} goes on, {degree}",
        "acknowledged": f"{by} is at it ({what(episode)}, {degree})",
        "snoozed": f"snoozed by {by} ({what(episode)}, {degree})",
        "assigned": f"{what(episode)} is now with {episode.assignee or 'nobody'}",
        "noted": f"note by {by} ({what(episode)})",
        "feedback": f"{by} says: {episode.feedback or 'nothing'} ({what(episode)})",
        "resolved": f"{what(episode)} is over after {_length(episode, event.at)}",
    }
    if act == "updated" and episode.state == "resolved":
        return f"{name}: late news of a {what(episode)} that is over"
    return f"{name}: {titles[act]}"


def _was(episode: Episode, entry: LogEntry | None) -> str:
    """Return the severity before an entry, where it was another."""
    before = episode.log[: episode.log.index(entry)] if entry in episode.log else []
    degrees = [e.severity for e in before if e.severity is not None]
    return f" (was {degrees[-1]})" if degrees and degrees[-1] != episode.severity else ""


def _length(episode: Episode, now: datetime) -> str:
    return lasted(episode.began, episode.ended or now)


def _who(entry: LogEntry | None) -> str:
    return plain(entry.by, NAMED) if entry else "somebody"


def _summary(event: Event, entry: LogEntry | None, zone: str) -> str:
    episode, act = event.episode, event.type.removeprefix("episode.")
    note = plain(entry.note or "", QUOTED) if entry else ""
    if act in ACTS:
        said = f"{_who(entry)} wrote: {note}" if note else ""
        if act == "snoozed" and episode.snoozed_until:
            said = f"Quiet until {moment(episode.snoozed_until, zone)} ({zone}), unless it gets worse. {said}".strip()
        return said or seen(episode)
    if act == "resolved":
        how = f"{_who(entry)} resolved it" if entry and entry.by != "foreshock" else "It ended by itself"
        why = f" ({note})" if note else ""
        if episode.kind == "blind":
            return f"{how}{why}, after {_length(episode, event.at)}."
        return f"{how}{why}. At its worst {seen(episode)}; severity {episode.severity} of {WORST}."
    if episode.kind == "blind":
        return f"We cannot see: {episode.reason}. A crisis would go unnoticed there until this is mended."
    grows = growth(episode)
    return f"{seen(episode)}{f'; {grows}' if grows else ''}"


def seen(episode: Episode) -> str:
    """Return what was counted and what is normal, in one sentence without its end."""
    if episode.kind == "blind":
        return episode.reason
    if episode.detector == "voice":
        return "; ".join(episode.reason.split("; ")[:2])
    counted = "positive mentions" if episode.kind == "opportunity" else COUNTED.get(episode.detector, "mentions")
    normal = f"{count(episode.expected)} {'is' if count(episode.expected) == '1' else 'are'} normal"
    length = span(episode.window_seconds)
    return f"{count(episode.observed)} {counted} in {length}, {normal} (at most {count(episode.high)})"


def _quotes(episode: Episode) -> Sequence[Quote]:
    """Return the first posts and the loudest, each once."""
    evidence, found = episode.evidence, dict[tuple[str, str], Quote]()
    first, top = evidence.get("first_mentions") or [], evidence.get("top_mentions") or []
    for post in [*first[:1], *top, *first[1:]]:
        text, by = plain(post.get("text") or "", QUOTED), author(post)
        found.setdefault((post["source"], post["id"]), Quote(text, by, post["source"], link(post.get("url"))))
    return [quote for quote in found.values() if quote.text][:QUOTES]


def _facts(event: Event, zone: str, public_url: str) -> Iterator[tuple[str, str]]:
    episode = event.episode
    yield "Began", f"{moment(episode.began, zone)} ({zone})"
    yield "Alert", moment(episode.reopened_at or episode.opened_at, zone)
    if episode.ended:
        yield "Over", f"{moment(episode.ended, zone)}, after {_length(episode, event.at)}"
    yield "State", episode.state
    yield "With", episode.assignee or ""
    if episode.kind != "blind":
        yield "Score", f"{episode.score:.0f} of 100 (50 pages)"
        yield "Budget", f"{episode.budget:g} false pages a week"
    yield "Feedback", episode.feedback or ""
    yield "Report", f"{public_url}/v1/episodes/{episode.id}/report"
    yield "Replay it", episode.replay_command
