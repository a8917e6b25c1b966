"""How severe an episode is, 1 to 5, and when it is so much more that somebody is paged again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from detectors.verdict import Verdict
from service import policy

FAST_MINUTES = 30.0
"""Talk that surely grows and doubles within half an hour is some 16 times as much before a meeting is over."""
WIDE_REACH = 100_000
"""People reached beyond the usual from which a crisis is no longer one of those who follow the brand."""
BROAD, BROAD_PART = 3, 0.1
"""Sources or languages, with at least a tenth of the mentions each, that make an outcry broad."""
MANY_AUTHORS = 300
"""Distinct authors that make an outcry broad."""
AGAIN_SECONDS = 600.0
"""Pages for doubling are at least this far from the page before."""


@dataclass(frozen=True)
class Spread:
    """How far an episode went: `doubling` in minutes where it surely grows, `reached` in people beyond the usual.

    `sources` and `languages` are those that carry a part of it, `authors` are distinct.
    """

    doubling: float | None = None
    reached: float = 0.0
    sources: int = 0
    languages: int = 0
    authors: int = 0


@dataclass(frozen=True)
class Severity:
    """Severity 1 to 5 and the sentence that says why."""

    degree: int
    rule: str


def grade(score: float, spread: Spread) -> Severity:
    """Return the severity: what the score gives, and one more each for growth, reach and breadth, 5 at most.

    >>> grade(64.0, Spread(doubling=18.0, reached=240_000)).rule
    '4 of 5: 2 for how rare it is (score 64), +1 for doubling every 18 minutes, +1 for 240,000 people reached'
    """
    rare = max(policy.severity(score), 1)
    more = [f"+1 for {why}" for why in (_growth(spread), _reach(spread), _breadth(spread)) if why]
    degree = min(policy.WORST, rare + len(more))
    told = ", ".join([f"{rare} for how rare it is (score {score:.0f})", *more])
    return Severity(degree, f"{degree} of {policy.WORST}: {told}")


def _growth(spread: Spread) -> str | None:
    if spread.doubling is None or spread.doubling > FAST_MINUTES:
        return None
    minutes = max(round(spread.doubling), 1)
    return "doubling every minute" if minutes == 1 else f"doubling every {minutes} minutes"


def _reach(spread: Spread) -> str | None:
    return f"{_two_digits(spread.reached):,} people reached" if spread.reached >= WIDE_REACH else None


def _breadth(spread: Spread) -> str | None:
    wide = [f"{n} {what}" for n, what in ((spread.sources, "sources"), (spread.languages, "languages")) if n >= BROAD]
    many = [f"{spread.authors} authors"] if spread.authors >= MANY_AUTHORS else []
    return ", ".join(wide + many) or None


def _two_digits(number: float) -> int:
    return int(float(f"{number:.2g}"))


def carrying(parts: Mapping[str, int]) -> int:
    """Return how many of the sources or languages have a tenth of the mentions.

    >>> carrying({"x": 90, "reddit": 10, "feed": 1, "unknown": 30})
    1
    """
    known = {name: n for name, n in parts.items() if name != "unknown"}
    return sum(n >= BROAD_PART * sum(parts.values()) for n in known.values())


def rates(verdicts: Sequence[Verdict]) -> dict[str, float]:
    """Return by detector what is counted a minute in its leading window, at least the most that is normal."""
    return {v.detector: round(60.0 * max(v.observed, v.high) / v.window, 4) for v in verdicts}


def most(one: Mapping[str, float], other: Mapping[str, float]) -> dict[str, float]:
    """Return the higher of two rates for each detector."""
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in {**one, **other}}


def doubled(verdict: Verdict, rate: Mapping[str, float], paged_at: float, now: float) -> bool:
    """Say whether twice as much is counted a minute as when somebody was last paged, ten minutes ago at the least.

    `rate` is what `rates` gave then. A clock that was set back counts as ten minutes.
    """
    last = rate.get(verdict.detector)
    if last is None or 0.0 <= now - paged_at < AGAIN_SECONDS or not verdict.score >= policy.OPENS:
        return False
    return 60.0 * verdict.observed / verdict.window >= 2.0 * last
