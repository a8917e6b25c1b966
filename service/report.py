"""What is read after it is over: what happened, who did what when, what was said, and what was told to whom."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, FileSystemLoader

from service.brand import Brand
from service.clock import posix
from service.episode import Episode, LogEntry
from service.frozen import Frozen
from service.notify.delivery_log import Delivery
from service.notify.escape import html, link, markdown, plain
from service.notify.message import seen, what
from service.notify.proof import author, proof
from service.notify.words import LANGUAGES, about, count, lasted, moment, percent, shares, span

Format = Literal["md", "html"]
POSTS = 5
"""First and loudest posts that are quoted; the sample follows."""
DID = {
    "opened": "opened", "updated": "brought up to date", "escalated": "paged again: worse",
    "acknowledged": "acknowledged", "snoozed": "snoozed", "woken": "paged again: the snooze is over",
    "assigned": "assigned", "noted": "noted", "feedback": "judged", "resolved": "resolved",
    "reopened": "paged again: it is back",
}  # fmt: skip


class Safe(str):
    """Text that is shown as it is; it is ours."""

    __slots__ = ()


def _html(value: Any) -> str:
    return value if isinstance(value, Safe) else html(str(value))


def _md(value: Any) -> str:
    return value if isinstance(value, Safe) else markdown(str(value))


_pages = {
    "html": Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=False, finalize=_html),  # noqa: S701
    "md": Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=False, finalize=_md),  # noqa: S701
}
"""Whatever stands between braces in them is escaped by `finalize`: what strangers wrote cannot be forgotten."""


@dataclass(frozen=True)
class Post:
    """A post that is quoted; `where` is its source and when it was published."""

    text: str
    author: str
    where: str
    url: str | None


@dataclass(frozen=True)
class Step:
    """A line of the timeline."""

    at: str
    did: str
    by: str
    note: str


@dataclass(frozen=True)
class Told:
    """A line of the deliveries."""

    at: str
    channel: str
    event: str
    outcome: str
    detail: str


def render(
    how: Format,
    episode: Episode,
    brand: Brand | None,
    frozen: Frozen | None,
    deliveries: Sequence[Delivery],
    chart: bytes | None,
    public_url: str,
) -> str:
    """Return the report of an episode; the page needs nothing beside itself, and has no script.

    `frozen` and `chart` (PNG) are None where nothing is kept any more.
    """
    zone, evidence = brand.timezone if brand else "UTC", episode.evidence
    address = f"{public_url}/v1/episodes/{episode.id}"
    picture = f"data:image/png;base64,{base64.b64encode(chart).decode()}" if chart and how == "html" else ""
    first, loudest = _posts(evidence.get("first_mentions"), zone), _posts(evidence.get("top_mentions"), zone)
    quoted = {post.text for post in [*first[:POSTS], *loudest[:POSTS]]}
    sample = [post for post in _posts(frozen.posts if frozen else (), zone) if post.text not in quoted]
    return (
        _pages[how]
        .get_template(f"report.{how}")
        .render(
            title=f"{episode.brand}: {what(episode)}, severity {episode.severity} of 5",
            when=f"{moment(episode.started_at, zone)} {episode.started_at.astimezone(UTC):%Y} ({zone})",
            state=f"over after {lasted(episode.began, episode.ended)}" if episode.ended else f"{episode.state}",
            seen=seen(episode),
            figures=list(_figures(episode, deliveries)),
            proof=[plain(line) for line in proof(episode, zone) if line],
            chart=Safe(picture or (f"{address}/chart.png" if chart else "")),
            timeline=[_step(entry, zone) for entry in episode.log],
            terms=[
                (t["term"], count(t["count"]), count(t.get("expected") or 0.0)) for t in evidence.get("top_terms") or []
            ],
            first=first[:POSTS],
            loudest=loudest[:POSTS],
            sample=sample,
            authors=[(author({"author": a}), count(a["mentions"])) for a in evidence.get("top_authors") or []],
            sources=shares(evidence.get("sources") or {}, most=10),
            languages=shares(evidence.get("languages") or {}, LANGUAGES, most=10),
            completeness=[(name, _ratio(told)) for name, told in episode.completeness.items()],
            deliveries=[_told(one, zone) for one in sorted(deliveries, key=lambda one: one.at)],
            feedback=episode.feedback or "nobody said yet whether it was real",
            method=episode.method,
            replay=Safe(episode.replay_command.replace("`", "")) if how == "md" else episode.replay_command,
            episode=episode.id,
            board=Safe(f"{public_url}/#{episode.id}"),
            safe=Safe,
            as_of=moment(episode.updated_at, zone),
        )
    )


def _figures(episode: Episode, deliveries: Sequence[Delivery]) -> Iterator[tuple[str, str]]:
    """Give what is asked first: how soon it was seen, told, taken, and over."""
    evidence = episode.evidence
    posts = evidence.get("first_mentions") or []
    if posts:
        first = datetime.fromtimestamp(posix(posts[0]["published_at"]), UTC)
        yield "From the first post to the alert", lasted(first, episode.opened_at)
    arrived = [one.at for one in deliveries if one.outcome == "delivered"]
    if arrived:
        yield "From the alert to the first channel", span_of(min(arrived) - episode.opened_at.timestamp())
    taken = next((entry.at for entry in episode.log if entry.type == "episode.acknowledged"), None)
    yield "From the alert to the acknowledgement", lasted(episode.opened_at, taken) if taken else "nobody acknowledged"
    if episode.ended:
        yield "From the begin to the end", lasted(episode.began, episode.ended)
    degrees = [entry.severity for entry in episode.log if entry.severity is not None]
    if degrees:
        yield "Severity at first and at its worst", f"{degrees[0]} and {max(degrees)} of 5"
    if evidence.get("authors"):
        yield "Authors and their followers", f"{count(evidence['authors'])} and {about(evidence.get('reach') or 0)}"


def span_of(seconds: float) -> str:
    """Return a length of time, in seconds where it is short.

    >>> span_of(3.2), span_of(180.0)
    ('3 seconds', '3 minutes')
    """
    return f"{max(seconds, 0.0):.0f} seconds" if seconds < 100 else span(seconds)


def _posts(found: Sequence[dict[str, Any]] | None, zone: str) -> list[Post]:
    return [
        Post(
            plain(post.get("text") or "", 600),
            author(post),
            f"{post['source']}, {moment(datetime.fromtimestamp(posix(post['published_at']), UTC), zone)}",
            Safe(url) if (url := link(post.get("url"))) else None,
        )
        for post in found or ()
    ]


def _step(entry: LogEntry, zone: str) -> Step:
    said = [entry.note or ""]
    said += [f"severity {entry.severity}"] if entry.severity is not None else []
    said += [f"to {entry.assignee}"] if entry.assignee else []
    said += [f"until {moment(entry.snoozed_until, zone)}"] if entry.snoozed_until else []
    said += [entry.feedback] if entry.feedback else []
    did = DID[entry.type.removeprefix("episode.")]
    return Step(moment(entry.at, zone), did, entry.by, "; ".join(part for part in said if part))


def _told(one: Delivery, zone: str) -> Told:
    at = datetime.fromtimestamp(one.at, UTC)
    tries = f" at try {one.tries}" if one.tries > 1 else ""
    return Told(
        f"{moment(at, zone)}:{at:%S}", one.channel, one.type.removeprefix("episode."), one.outcome + tries, one.detail
    )


def _ratio(told: dict[str, Any]) -> str:
    return percent((told or {}).get("ratio") or 0.0)
