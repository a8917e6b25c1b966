"""From what the detectors found to an episode: opened, escalated, kept up to date, resolved."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

from detectors import advocates
from detectors.growth import Growth
from detectors.verdict import Verdict
from service import keys, policy, voices
from service.clock import iso
from service.doubts import sentence
from service.episode import Ahead, Episode, Kind, Span, new_id
from service.evidence import gather, suspicion
from service.policy import OPENS, Standing
from service.severity import Spread, carrying, doubled, grade, most, rates
from service.watcher import Watcher

Content = dict[str, Any]
"""Fields of an episode that a look gives."""

METHOD = (
    "robust seasonal forecast per source (level, time of day, day of week); negative binomial tail of the count, for "
    "revolt with the negative share, over windows of 5 minutes to a day; peaks over threshold of the brand's own past"
)
VOICE_METHOD = (
    "followers of the widest angry author of the last 15 minutes against how often the brand is spoken of by angry "
    "authors with as many (Poisson, Pareto reach, 35 days of its own past drawn to what is usual at large)"
)
PRAISE_METHOD = (
    "robust seasonal forecast per source of positive mentions by the hour; negative binomial tail of their count with "
    "their share, over windows of an hour to a day; peaks over threshold of the brand's own past"
)
METHODS = {"voice": VOICE_METHOD, advocates.NAME: PRAISE_METHOD}
ANGRY, GLAD = {"revolt", "voice"}, {advocates.NAME}
"""Detectors that are about what is negative, and about what is positive."""
BY = "foreshock"
UPDATE_SECONDS = 600.0
"""An open episode is told again, at the most this often, while it only goes on."""
WORSE_POINTS = 5.0
"""Score points, three times rarer, from which it is told at once."""
OTHERS_SECONDS, MOST_OTHERS = 3600.0, 10
"""What opened this near in time may be one event; so many brands are named."""


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
        "method": METHODS.get(verdict.detector, METHOD),
        "reason": f"{reason}; {suspected}" if suspected else reason,
    }


async def _surroundings(watcher: Watcher, start: float, end: float, now: float, detector: str) -> dict[str, Any]:
    """Return what an episode from `start` to `end` shows beside the verdict: evidence, growth, completeness."""
    brand = watcher.brand
    hour = watcher.minutes.last_hour(now)
    evidence = await gather(
        watcher.store, brand.name, brand.query, start, end, angry=detector in ANGRY, glad=detector in GLAD
    )
    evidence["voice"] = await voices.widest(watcher.store, brand.name, start, end)
    evidence["excluded"] = int(hour["excluded"])
    evidence["moved_together"] = dict(watcher.moved)
    evidence["others"] = others(watcher, now)
    if hour["scored"]:
        raw = round(hour["negative"] / hour["scored"], 4)
        evidence["negative_share"] = {"raw": raw, "corrected": watcher.negative_share(now)}
    return {
        "evidence": evidence,
        "growth": _ahead(watcher.growth(detector, start, end)),
        "completeness": _completeness(watcher, now),
    }


def _completeness(watcher: Watcher, now: float) -> dict[str, dict[str, Any]]:
    told = watcher.minutes.completeness(now)
    return {s: {"ratio": t["ratio"], "complete_until": iso(t["complete_until"])} for s, t in told.items()}


def others(watcher: Watcher, now: float) -> list[str]:
    """Return the brands whose crisis is open and began within an hour of this one's, the nearest in time first."""
    opened = watcher.standing.get("crisis", Standing()).opened_at or now
    apart = sorted(
        (abs(standing.opened_at - opened), other.brand.name)
        for other in watcher.everybody()
        if (standing := other.standing.get("crisis")) is not None
        and standing.opened_at is not None
        and abs(standing.opened_at - opened) <= OTHERS_SECONDS
        and other is not watcher
        and not over(other.episode.get("crisis"))
    )
    return [name for _, name in apart[:MOST_OTHERS]]


def over(episode: Episode | None) -> bool:
    """Whether a person resolved an episode whose alarm goes on."""
    return episode is not None and episode.state == "resolved"


def _graded(verdict: Verdict, around: Content) -> Content:
    """Return severity and rule of what was found, with what surrounds it."""
    evidence, growth = around["evidence"], around["growth"]
    usual = min(verdict.expected / verdict.observed, 1.0) if verdict.observed > 0 else 1.0
    reached = (1.0 - usual) * evidence["reach"]
    spread = Spread(
        doubling=growth.doubling_minutes if growth is not None and growth.high is not None else None,
        reached=max(reached, verdict.observed) if verdict.detector == "voice" else reached,
        sources=carrying(evidence["sources"]),
        languages=carrying(evidence["languages"]),
        authors=round((1.0 - usual) * evidence["authors"]),
    )
    graded = grade(verdict.score, spread)
    return {"severity": graded.degree, "severity_rule": graded.rule}


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


async def found(
    watcher: Watcher, verdicts: Sequence[Verdict], start: float, end: float, now: float, late: str | None = None
) -> Content:
    """Return what an episode shows that began at `start` and was found at `end`, told at `now` (POSIX seconds).

    `verdicts` are of one look, the leading first; `late` says why it is told so late.
    """
    verdict = verdicts[0]
    around = await _surroundings(watcher, start, end, now, verdict.detector)
    content = _proof(verdict, verdict.score, around["evidence"]) | around | _graded(verdict, around)
    content["reason"] += f"; {late}" if late else ""
    return content | {"paged_rate": rates(verdicts)}


def begun(watcher: Watcher, kind: Kind, last: Episode | None, content: Content, start: float, now: float) -> Episode:
    """Return the brand's new episode, or the `last` one reopened, which began at `start` and is told at `now`."""
    name, reason = watcher.brand.name, content["reason"]
    if last is not None:
        ended = last.ended or last.updated_at
        spans = [*last.earlier, Span(start=last.began, end=max(ended, last.began))]
        first = last.evidence.get("first_mentions")
        evidence = content["evidence"] | ({"first_mentions": first} if first else {})
        change = {**content, "evidence": evidence, "returned_at": at(start), "earlier": spans}
        return last.told(at(now), "episode.reopened", BY, f"it is back; {reason}", **change)
    episode = Episode(
        id=new_id(keys.shard(name), now, name if kind == "crisis" else f"{name}-{kind}"),
        version=0,
        kind=kind,
        brand=name,
        opened_at=at(now),
        started_at=at(start),
        updated_at=at(now),
        budget=advocates.RATE if kind == "opportunity" else watcher.brand.budget,
        replay_command=_praise(watcher, now) if kind == "opportunity" else _replay(watcher, now),
        **content,
    )
    return episode.told(at(now), "episode.opened", BY, reason)


async def went_on(watcher: Watcher, episode: Episode, verdicts: Sequence[Verdict], now: float) -> Episode | None:
    """Return an open episode with the newest proof; None where there is nothing new to tell.

    It pages again where it is more severe, or twice as much as at the last page. What a person resolved stays quiet
    until then.
    """
    verdict = verdicts[0]
    paged = episode.paged_at or episode.opened_at
    twice = doubled(verdict, episode.paged_rate, paged.timestamp(), now)
    quiet = over(episode)
    rarer = policy.severity(verdict.score) > episode.severity
    worse = verdict.score >= episode.score + WORSE_POINTS
    due = not 0.0 <= now - episode.updated_at.timestamp() < UPDATE_SECONDS
    if not (twice or rarer or (not quiet and (worse or due))):
        return None
    change = await _surroundings(watcher, episode.began.timestamp(), now, now, verdict.detector)
    change["evidence"]["first_mentions"] = episode.evidence.get("first_mentions", [])
    if verdict.score >= episode.score:
        change |= _proof(verdict, verdict.score, change["evidence"])
    graded = _graded(verdict, change)
    severer = graded["severity"] > episode.severity
    if severer:
        change |= graded
    if not (severer or twice):
        return episode.told(at(now), "episode.updated", BY, None, **change)
    why = [f"severity {graded['severity_rule']}"] if severer else []
    why += ["twice as many a minute as when it was last told"] if twice else []
    note = "; ".join([*why, change.get("reason", verdict.reason)])
    change["paged_rate"] = rates(verdicts)
    return episode.told(at(now), "episode.reopened" if quiet else "episode.escalated", BY, note, **change)


async def woken(watcher: Watcher, episode: Episode, verdicts: Sequence[Verdict], now: float) -> Episode:
    """Return an episode whose snooze is over while it goes on, with what is known of it now."""
    change: Content = {}
    if verdicts:
        change = await _surroundings(watcher, episode.began.timestamp(), now, now, verdicts[0].detector)
        change["evidence"]["first_mentions"] = episode.evidence.get("first_mentions", [])
        change["paged_rate"] = rates(verdicts)
    reason = verdicts[0].reason if verdicts else episode.reason
    return episode.told(at(now), "episode.woken", BY, f"the snooze is over and it goes on; {reason}", **change)


async def rejudged(
    watcher: Watcher, episode: Episode, verdicts: Sequence[Verdict], now: float, *, lower: bool
) -> Episode:
    """Return an open episode after late data changed what it rests on, `verdicts` being the worst of it as known now.

    Nobody is paged for it: the severity that it shows is what would have been told at once. `lower` lets it fall.
    """
    verdict, start = verdicts[0], episode.began.timestamp()
    change = await _surroundings(watcher, start, now, now, verdict.detector)
    change["paged_rate"] = most(episode.paged_rate, rates(verdicts))
    note = watcher.late.words()
    if verdict.score > episode.score or (lower and verdict.score < episode.score):
        change |= _proof(verdict, verdict.score, change["evidence"])
        graded = _graded(verdict, change)
        if lower or graded["severity"] > episode.severity:
            change |= graded
        note += f"; what is known now scores {verdict.score:.0f} ({verdict.reason})"
    if lower and verdict.score < OPENS:
        note += f", which is below the {OPENS:.0f} that opens an episode"
    return episode.told(at(now), "episode.updated", BY, note, **change)


async def annotated(watcher: Watcher, episode: Episode, verdict: Verdict | None, now: float) -> Episode:
    """Return an episode that is over after late data came for its time; `verdict` is the worst of it as known now."""
    start, end = episode.began.timestamp(), (episode.ended or episode.updated_at).timestamp()
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
    return episode.told(at(now), "episode.resolved", BY, why, calm_at=at(now))


def calmed(episode: Episode, now: float) -> Episode:
    """Return an episode that a person resolved, after its counts were calm too; nothing is told of that."""
    return episode.model_copy(update={"version": episode.version + 1, "calm_at": at(now)})


def unseen(watcher: Watcher, told: float, every: float, now: float) -> Content:
    """Return what a blind episode shows: so little is known that calm can't be told from silence."""
    silent = [s for s, t in watcher.minutes.completeness(now).items() if (t["ratio"] or 0.0) < 0.5]
    seen, who = 100 * told / every, ", ".join(silent) or "none"
    return {
        "severity": 1,
        "severity_rule": "1 of 5: being blind has one degree",
        "detector": "blind",
        "score": 50.0,
        "observed": _number(told),
        "expected": _number(every),
        "low": _number(every / 2),
        "high": _number(every),
        "p_value": None,
        "window_seconds": 3600.0,
        "method": "share of the expected mentions of the last hour whose sources have told all they will",
        "reason": "; ".join(
            filter(None, (f"only {seen:.0f} % of what is expected can be seen; silent: {who}", sentence(watcher.moved)))
        ),
        "evidence": {},
        "completeness": _completeness(watcher, now),
    }


def _praise(watcher: Watcher, end: float) -> str:
    """Return the command that fetches the hours in which praise is counted: `foreshock backtest` is of crises."""
    name, address = watcher.brand.name, watcher.public_url
    return (
        f'curl -fs -H "Authorization: Bearer $FORESHOCK_ADMIN_KEY" '
        f'"{address}/v1/brands/{name}/series?step=3600&end={iso(end)}"'
    )


def _replay(watcher: Watcher, end: float) -> str:
    """Return the command that replays what led to an episode, from the brand's own counts."""
    name, address = watcher.brand.name, watcher.public_url
    return (
        f'curl -fs -H "Authorization: Bearer $FORESHOCK_ADMIN_KEY" '
        f'"{address}/v1/brands/{name}/series.csv?end={iso(end)}" > {name}.csv && '
        f"foreshock backtest {name}.csv --budget {watcher.brand.budget:g}"
    )
