"""One crisis of one brand, through all that may happen to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from service.brand import Brand
from service.episode import Episode
from service.frozen import Curve

AT = datetime(2026, 3, 1, 12, 36, tzinfo=UTC)
BRAND = Brand(name="acme-air", query="acme", timezone="Europe/Berlin")
RULE = "4 of 5: 2 for how rare it is (score 64), +1 for doubling every 18 minutes, +1 for 1,200,000 people reached"
URL = "https://fs.example.org"


def post(number: int, text: str, minutes: float, followers: int, **change: Any) -> dict[str, Any]:
    """A post so many minutes before the alert, as the evidence keeps it."""
    return {
        "id": str(number),
        "source": "x",
        "url": f"https://x.com/i/{number}",
        "published_at": (AT - timedelta(minutes=minutes)).isoformat(),
        "author": {"id": f"u{number}", "name": f"anna_{number}", "followers": followers},
        "negative": 0.93,
        "text": text,
        **change,
    }


FIRST = post(1, "acme-air staff dragged a doctor off the plane in front of his kids", 14, 1200)
LOUD = post(3, "Unbelievable. Watch this video of a man dragged off an acme-air flight.", 8, 1_240_000)
EVIDENCE: dict[str, Any] = {
    "first_mentions": [FIRST, post(2, "what is going on at gate 14 @acmeair", 12, 80)],
    "top_mentions": [LOUD, FIRST],
    "top_terms": [
        {"term": "doctor", "count": 141, "expected": 0.02}, {"term": "dragged", "count": 120, "expected": 0.1},
    ],
    "top_authors": [
        {"id": "u3", "name": "anna_3", "followers": 1_240_000, "mentions": 1},
        {"id": "u1", "name": "anna_1", "followers": 1200, "mentions": 4},
    ],
    "voice": LOUD,
    "sources": {"x": 190, "reddit": 22},
    "languages": {"en": 180, "de": 20, "unknown": 12},
    "mentions": 212,
    "authors": 188,
    "reach": 1_440_000,
    "others": ["globex"],
    "suspected": {
        "share": 0.34, "mentions": 72, "of": 212, "reasons": {"copied text": 60, "young account": 12},
        "texts": ["never fly acme-air again"], "posts": [{"source": "x", "id": "7"}],
    },
}  # fmt: skip


def opened(**change: Any) -> Episode:
    """The episode as it opens."""
    base = {
        "id": "ep_s001_1_acme-air",
        "version": 0,
        "kind": "crisis",
        "brand": "acme-air",
        "severity": 4,
        "severity_rule": RULE,
        "detector": "revolt",
        "score": 64.0,
        "opened_at": AT,
        "started_at": AT - timedelta(minutes=11),
        "updated_at": AT,
        "observed": 212.0,
        "expected": 9.0,
        "low": 2.0,
        "high": 21.0,
        "p_value": 4.1e-7,
        "window_seconds": 1800.0,
        "method": "robust seasonal forecast per source",
        "reason": "212 negative mentions in 30 min where 2 to 21 are normal, 23.6 times what is expected",
        "budget": 0.5,
        "growth": {
            "doubling_minutes": 18.0, "low": 12.0, "high": 30.0,
            "ahead": {"1": 712.0, "3": 1800.0, "6": 2600.0}, "ahead_low": {"1": 410.0}, "ahead_high": {"1": 1236.0},
        },
        "evidence": EVIDENCE,
        "completeness": {"x": {"ratio": 1.0}, "reddit": {"ratio": 0.6}},
        "replay_command": "curl -fs ... > acme-air.csv && foreshock backtest acme-air.csv --budget 0.5",
        **change,
    }  # fmt: skip
    episode = Episode.model_validate(base)
    return episode.told(AT, "episode.opened", "foreshock", episode.reason)


def later(minutes: float) -> datetime:
    """So many minutes after the alert."""
    return AT + timedelta(minutes=minutes)


def escalated() -> Episode:
    """Twenty minutes on it is of severity 5."""
    first = opened()
    rule = "5 of 5: 3 for how rare it is (score 71)"
    note = f"severity {rule}; twice as many a minute as when it was last told; {first.reason}"
    return first.told(later(20), "episode.escalated", "foreshock", note, severity=5, severity_rule=rule, observed=420.0)


def acknowledged() -> Episode:
    """Ann took it 22 minutes after the alert."""
    return escalated().told(later(22), "episode.acknowledged", "Ann", "calling the airport")


def resolved() -> Episode:
    """It was calm for an hour."""
    return acknowledged().told(later(200), "episode.resolved", "foreshock", "an hour of calm", calm_at=later(200))


def curve(unknown: range = range(0)) -> Curve:
    """A day of three mentions every five minutes, and then the storm; some buckets `unknown`."""
    start, n = (AT - timedelta(hours=24)).timestamp() // 300 * 300, 290
    storm = {286: 8.0, 287: 26.0, 288: 60.0, 289: 52.0}
    mentions = [None if i in unknown else storm.get(i, 3.0) for i in range(n)]
    negative = [None if i in unknown else 0.9 * storm.get(i, 0.0) for i in range(n)]
    return Curve(
        start, 300, mentions, negative, [3.0] * n, [0.4] * n, [0.0] * n, [7.0] * n, {"x": mentions}
    )  # fmt: skip
