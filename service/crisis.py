"""From what the detectors found to an episode: opened, escalated, kept up to date, resolved."""

from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from detectors.growth import Growth
from detectors.verdict import Verdict
from service import keys, voices
from service.clock import iso
from service.episode import Ahead, Episode, new_id
from service.evidence import gather, suspicion
from service.moved import sentence
from service.policy import OPENS, severity
from service.watcher import Watcher

METHOD = (
    "robust seasonal forecast per source (level, time of day, day of week); negative binomial tail of the count, for "
    "revolt with the negative share, over windows of 5 minutes to a day; peaks over threshold of the brand's own past"
)
VOICE_METHOD = (
    "followers of the widest angry author of the last 15 minutes against how often the brand is spoken of by angry "
    "authors with as many (Poisson, Pareto reach, 35 days of its own past drawn to what is usual at large)"
)
ANGRY = {"revolt", "voice"}
"""Detectors that are about what is negative."""
BY = "foreshock"
UPDATE_SECONDS = 600.0
"""An open episode is told again, at the most this often, while it only goes on."""


def at(instant: float) -> datetime:
    """Return POSIX seconds as a time."""
    return datetime.fromtimestamp(instant, UTC)


def _number(value: float) -> float:
    return float(f"{value:.6g}")


def _proof(verdict: Verdict, worst: float, evidence: dict[str, Any]) -> dict[str, Any]:
    suspected = "; ".join(filter(None, (suspicion(evidence), sentence(evidence.get("moved_together", {})))))
    reason = voices.named(verdict.reason, evidence.get("voice"))
    return {
        "detector": verdict.detector,
        "score": round(worst, 1),
        "observed": _number(verdict.observed),
        "expected": _number(verdict.expected),
        "low": verdict.low,
        "high": verdict.high,
        "p_value": verdict.p_value,
        "window_seconds": verdict.window,
        "method": VOICE_METHOD if verdict.detector == "voice" else METHOD,
        "reason": f"{reason}; {suspected}" if suspected else reason,
    }


async def _surroundings(watcher: Watcher, start: float, end: float, now: float, detector: str) -> dict[str, Any]:
    """Return what an episode from `start` to `end` shows beside the verdict: evidence, growth, completeness."""
    brand = watcher.brand
    told = watcher.minutes.completeness(now)
    hour = watcher.minutes.last_hour(now)
    evidence = await gather(watcher.store, brand.name, brand.query, start, end, angry=detector in ANGRY)
    evidence["voice"] = await voices.widest(watcher.store, brand.name, start, end)
    evidence["excluded"] = int(hour["excluded"])
    evidence["moved_together"] = dict(watcher.moved)
    if hour["scored"]:
        raw = round(hour["negative"] / hour["scored"], 4)
        evidence["negative_share"] = {"raw": raw, "corrected": watcher.negative_share(now)}
    return {
        "evidence": evidence,
        "growth": _ahead(watcher.growth(detector, start, end)),
        "completeness": {s: {"ratio": t["ratio"], "complete_until": iso(t["complete_until"])} for s, t in told.items()},
    }


def _ahead(growth: Growth | None) -> Ahead | None:
    if growth is None or growth.doubling <= 0:  # what shrinks does not double
        return None
    return Ahead(
        doubling_minutes=_minutes(growth.doubling),
        low=_minutes(growth.low),
        high=_minutes(growth.high) if growth.high > 0 else None,
        ahead=_hours(growth.ahead),
        ahead_low=_hours(growth.ahead_low),
        ahead_high=_hours(growth.ahead_high),
    )


def _hours(ahead: Mapping[int, float]) -> dict[str, float]:
    return {str(hours): _number(count) for hours, count in ahead.items()}


def _minutes(seconds: float) -> float | None:
    return round(seconds / 60, 1) if isfinite(seconds) else None


async def opened(watcher: Watcher, verdict: Verdict, end: float, now: float, late: str | None = None) -> Episode:
    """Return a new crisis of the brand: what was found at `end`, told at `now` (POSIX seconds); `late` says why so."""
    name = watcher.brand.name
    start = watcher.onset(verdict, end)
    around = await _surroundings(watcher, start, end, now, verdict.detector)
    proof = _proof(verdict, verdict.score, around["evidence"])
    proof["reason"] += f"; {late}" if late else ""
    episode = Episode(
        id=new_id(keys.shard(name), now, name),
        version=0,
        kind="crisis",
        brand=name,
        severity=severity(verdict.score),
        opened_at=at(now),
        started_at=at(start),
        updated_at=at(now),
        budget=watcher.brand.budget,
        replay_command=_replay(watcher, now),
        **proof,
        **around,
    )
    return episode.told(at(now), "episode.opened", BY, proof["reason"])


async def went_on(watcher: Watcher, episode: Episode, verdict: Verdict, now: float, escalated: bool) -> Episode | None:
    """Return an open episode with the newest proof; None where there is nothing new to tell."""
    if episode.state == "resolved" and not escalated:
        return None
    worse = verdict.score >= episode.score + 5.0
    if not escalated and not worse and now - episode.updated_at.timestamp() < UPDATE_SECONDS:
        return None
    start = episode.started_at.timestamp()
    change = await _surroundings(watcher, start, now, now, verdict.detector)
    change["evidence"]["first_mentions"] = episode.evidence.get("first_mentions", [])
    if verdict.score >= episode.score:
        change |= _proof(verdict, verdict.score, change["evidence"])
    if not escalated:
        return episode.told(at(now), "episode.updated", BY, None, **change)
    reopened = {"state": "open", "closed_at": None, "calm_at": None} if episode.state == "resolved" else {}
    change["severity"] = max(episode.severity, severity(verdict.score))
    return episode.told(at(now), "episode.escalated", BY, change.get("reason", verdict.reason), **change, **reopened)


async def rejudged(watcher: Watcher, episode: Episode, verdict: Verdict, now: float, *, lower: bool) -> Episode:
    """Return an open episode after late data changed what it rests on, `verdict` being the worst of it as known now.

    Nobody is paged for it: the severity that it shows is what would have been told at once. `lower` lets it fall.
    """
    start = episode.started_at.timestamp()
    change = await _surroundings(watcher, start, now, now, verdict.detector)
    note = watcher.late.words()
    if verdict.score > episode.score or (lower and verdict.score < episode.score):
        change |= _proof(verdict, verdict.score, change["evidence"])
        change["severity"] = max(severity(verdict.score), 1)
        note += f"; what is known now scores {verdict.score:.0f} ({verdict.reason})"
    if lower and verdict.score < OPENS:
        note += f", which is below the {OPENS:.0f} that opens an episode"
    return episode.told(at(now), "episode.updated", BY, note, **change)


async def annotated(watcher: Watcher, episode: Episode, verdict: Verdict | None, now: float) -> Episode:
    """Return an episode that is over after late data came for its time; `verdict` is the worst of it as known now."""
    start, end = (
        episode.started_at.timestamp(),
        (episode.calm_at or episode.closed_at or episode.updated_at).timestamp(),
    )
    brand = watcher.brand
    evidence = await gather(watcher.store, brand.name, brand.query, start, end, angry=episode.detector in ANGRY)
    change: dict[str, Any] = {
        "evidence": {**episode.evidence, **evidence} if evidence["mentions"] else episode.evidence
    }
    if verdict is not None and verdict.score > episode.score:
        change |= _proof(verdict, verdict.score, change["evidence"])
    return episode.told(at(now), "episode.updated", BY, watcher.late.words(), **change)


def resolved(episode: Episode, now: float, why: str) -> Episode:
    """Return an episode after it ended by itself."""
    return episode.told(at(now), "episode.resolved", BY, why, state="resolved", closed_at=at(now), calm_at=at(now))


def calmed(episode: Episode, now: float) -> Episode:
    """Return an episode that a person resolved, after its counts were calm too; nothing is told of that."""
    return episode.model_copy(update={"version": episode.version + 1, "calm_at": at(now)})


def blind(watcher: Watcher, told: float, every: float, now: float) -> Episode:
    """Return a new blind episode: so little is known that calm can't be told from silence."""
    name = watcher.brand.name
    silent = [s for s, t in watcher.minutes.completeness(now).items() if (t["ratio"] or 0.0) < 0.5]
    reason = f"only {100 * told / every:.0f} % of what is expected can be seen; silent: {', '.join(silent) or 'none'}"
    episode = Episode(
        id=new_id(keys.shard(name), now, f"{name}-blind"),
        version=0,
        kind="blind",
        brand=name,
        severity=1,
        detector="blind",
        score=50.0,
        opened_at=at(now),
        started_at=at(now),
        updated_at=at(now),
        observed=_number(told),
        expected=_number(every),
        low=_number(every / 2),
        high=_number(every),
        p_value=None,
        window_seconds=3600.0,
        method="share of the expected mentions of the last hour whose sources have told all they will",
        reason=reason,
        budget=watcher.brand.budget,
        completeness={
            s: {"ratio": t["ratio"], "complete_until": iso(t["complete_until"])}
            for s, t in watcher.minutes.completeness(now).items()
        },
        replay_command=_replay(watcher, now),
    )
    return episode.told(at(now), "episode.opened", BY, reason)


def _replay(watcher: Watcher, end: float) -> str:
    """Return the command that replays what led to an episode, from the brand's own counts."""
    name, address = watcher.brand.name, watcher.public_url
    return (
        f'curl -fs -H "Authorization: Bearer $FORESHOCK_ADMIN_KEY" '
        f'"{address}/v1/brands/{name}/series.csv?end={iso(end)}" > {name}.csv && '
        f"foreshock backtest {name}.csv --budget {watcher.brand.budget:g}"
    )
