"""An alert as text for a terminal: what, since when, against what was expected, and what proves it."""

from datetime import datetime
from typing import Any

WIDTH = 110
"""Columns; longer texts of mentions are cut."""


def alert_text(event: dict[str, Any]) -> str:
    """Lay out one event of an episode in some fifteen lines."""
    episode = event["episode"]
    evidence = episode.get("evidence") or {}
    rows = [
        ("", f"{_title(event)} · {episode['brand']} · severity {episode['severity']} · score {episode['score']:.0f}"),
        ("why", episode["reason"]),
        ("since", f"{_time(episode['started_at'])}, opened {_time(episode['opened_at'])}"),
        ("counted", _counted(episode)),
        ("method", f"{episode['detector']}: {episode['method']}"),
        ("grows", _growth(episode.get("growth"))),
        *_mentions(evidence.get("first_mentions") or []),
        ("terms", ", ".join(f"{term['term']} {term['count']}" for term in (evidence.get("top_terms") or [])[:8])),
        ("authors", ", ".join(_author(author) for author in (evidence.get("top_authors") or [])[:3])),
        ("sources", ", ".join(f"{name} {n}" for name, n in (evidence.get("sources") or {}).items())),
        ("complete", ", ".join(_complete(*item) for item in (episode.get("completeness") or {}).items())),
        ("again", episode.get("replay_command") or ""),
    ]
    return "\n".join(_cut(f"  {name:<9} {text}" if name else text) for name, text in rows if text)


def event_line(event: dict[str, Any]) -> str:
    """Say in one line what happened to an episode that is already known."""
    episode = event["episode"]
    return _cut(
        f"{_title(event)} · {_time(event['at'])} · {episode['brand']} · severity {episode['severity']} · "
        f"{episode['observed']:.0f} counted, {episode['expected']:.1f} expected"
    )


def _title(event: dict[str, Any]) -> str:
    what = str(event["type"]).removeprefix("episode.").upper()
    return f"{event['episode']['kind'].upper()} {what}"


def _time(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%a %d %b %H:%M")


def _counted(episode: dict[str, Any]) -> str:
    minutes = episode["window_seconds"] / 60
    p = episode.get("p_value")
    chance = "" if p is None else f", p = {p:.1g}"
    return (
        f"{episode['observed']:.0f} in {minutes:.0f} minutes; expected {episode['expected']:.1f}, "
        f"normal is {episode['low']:.0f} to {episode['high']:.0f}{chance}"
    )


def _growth(growth: dict[str, Any] | None) -> str:
    if not growth or growth.get("doubling_minutes") is None:
        return ""
    low, high = growth.get("low"), growth.get("high")
    within = "" if low is None or high is None else f" ({low:.0f} to {high:.0f})"
    ahead = ", ".join(f"{n:.0f} an hour in {h} h" for h, n in (growth.get("ahead") or {}).items() if n is not None)
    return f"doubles in {growth['doubling_minutes']:.0f} minutes{within}{'; ' if ahead else ''}{ahead}"


def _mentions(first: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [
        ("first" if n == 0 else " ", f"{_time(m['published_at'])} {m['source']}: {' '.join(m['text'].split())}")
        for n, m in enumerate(first[:3])
    ]


def _author(author: dict[str, Any]) -> str:
    followers = author.get("followers")
    reach = "" if followers is None else f" ({followers} followers)"
    return f"{author.get('name') or author['id']}{reach}"


def _complete(source: str, told: dict[str, Any]) -> str:
    ratio = told.get("ratio")
    return f"{source} unknown" if ratio is None else f"{source} {100 * ratio:.0f} %"


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else line[: WIDTH - 1] + "…"
