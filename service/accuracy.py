"""How well a brand was warned: its pages against its budget, what people said of them, how soon, what got lost."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from math import comb
from typing import Any

import numpy as np
from pydantic import BaseModel, Field

from service import keys
from service.counts import Table
from service.episode import DRILL, Episode
from service.feedback import SAID
from service.lifecycle import PAGES
from service.store import Store

WEEK, HOUR = 7 * 86_400.0, 3600
SURE = 0.95
"""Part of the cases in which an interval holds what it is of."""
LEAST_WEEKS = 1.0 / 7.0
"""From a day on a rate is told."""
CHUNK, MOST = 1000, 200
"""Deliveries read at a time, and how often at the most: two hundred thousand of a shard."""


class Rate(BaseModel):
    """A number of events, and how many a week that is; the interval (Garwood 1936, exact Poisson) is wide where few.

    Rates of less than a day are null: they would say nothing.
    """

    number: int
    a_week: float | None
    low: float | None = Field(description="95 of 100 such intervals hold the true rate")
    high: float | None


class Minutes(BaseModel):
    """A length of time; the interval of the median is by order statistics, null below six."""

    number: int
    median: float | None
    low: float | None = None
    high: float | None = None


class FalsePages(BaseModel):
    """Pages that were false for sure, at the least, and those of which nobody said anything besides, at the most."""

    least: Rate
    most: Rate
    budget: float = Field(description="false pages a week, at the most, as it is now")
    verdict: str = Field(description="kept, over, or too early to say")


class Window(BaseModel):
    """What was so in the last weeks."""

    weeks: int
    watched_weeks: float = Field(description="of which the brand was watched")
    pages: Rate = Field(description="somebody was to be woken: opened, escalated, reopened, woken from a snooze")
    by_type: dict[str, int]
    said: dict[str, int] = Field(description="crises by what people said of them; unsaid: nothing")
    false_pages: FalsePages
    start_to_page: Minutes = Field(description="minutes from the estimated begin to the page")
    to_acknowledge: Minutes = Field(description="minutes from the page to the first that acknowledged it")
    never_acknowledged: int
    deliveries: dict[str, int] = Field(description="notices by their end; lost ones never arrived")
    completeness: dict[str, float] = Field(description="by source, the part of the hours that it told")


def rate(number: int, weeks: float) -> Rate:
    """Return how many a week `number` events in `weeks` are.

    >>> rate(0, 12.0).high, rate(3, 4.0).low
    (0.31, 0.15)
    """
    from scipy.special import gammaincinv  # costs half a second to load

    if weeks < LEAST_WEEKS:
        return Rate(number=number, a_week=None, low=None, high=None)
    low = float(gammaincinv(number, (1.0 - SURE) / 2.0)) if number else 0.0
    high = float(gammaincinv(number + 1, (1.0 + SURE) / 2.0))
    return Rate(number=number, a_week=_two(number / weeks), low=_two(low / weeks), high=_two(high / weeks))


def minutes(seconds: Sequence[float]) -> Minutes:
    """Return the median of some times in minutes, and the interval of it.

    >>> minutes([60.0 * n for n in range(1, 10)])
    Minutes(number=9, median=5.0, low=2.0, high=8.0)
    """
    found = sorted(second / 60.0 for second in seconds)
    n = len(found)
    if not n:
        return Minutes(number=0, median=None)
    below = [k for k in range(n // 2 + 1) if 2.0 * sum(comb(n, i) for i in range(k + 1)) / 2.0**n <= 1.0 - SURE]
    ends = (round(found[below[-1]], 1), round(found[n - 1 - below[-1]], 1)) if below else (None, None)
    return Minutes(number=n, median=round(float(np.median(found)), 1), low=ends[0], high=ends[1])


def _two(value: float) -> float:
    return round(value, 2)


def window(
    weeks: int,
    now: float,
    watched_since: float,
    budget: float,
    crises: Iterable[Episode],
    deliveries: dict[str, int],
    completeness: dict[str, float],
) -> Window:
    """Return what was so in the `weeks` before `now` (POSIX seconds), of a brand watched since `watched_since`."""
    since = now - weeks * WEEK
    watched = max(now - max(since, watched_since), 0.0) / WEEK
    some = [e for e in crises if not e.drill]
    recent = [
        (e, [entry.type for entry in e.log if entry.type in PAGES and entry.at.timestamp() >= since]) for e in some
    ]
    opened = [e for e in some if e.opened_at.timestamp() >= since]
    said = Counter(e.feedback or "unsaid" for e in opened)
    by_type = Counter(kind.removeprefix("episode.") for _, pages in recent for kind in pages)
    false = sum(len(_false_pages(pages)) for e, pages in recent if e.feedback == "false alarm")
    unsaid = sum(len(_false_pages(pages)) for e, pages in recent if e.feedback is None)
    acknowledged = [(e, _acknowledged(e)) for e in opened]
    return Window(
        weeks=weeks,
        watched_weeks=_two(watched),
        pages=rate(by_type.total(), watched),
        by_type=dict(by_type),
        said={what: said[what] for what in (*SAID, "unsaid")},
        false_pages=_judged(rate(false, watched), rate(false + unsaid, watched), budget),
        start_to_page=minutes([(e.opened_at - e.started_at).total_seconds() for e in opened]),
        to_acknowledge=minutes([(at - e.opened_at).total_seconds() for e, at in acknowledged if at is not None]),
        never_acknowledged=sum(at is None for _, at in acknowledged),
        deliveries=deliveries,
        completeness=completeness,
    )


def _false_pages(pages: Sequence[str]) -> list[str]:
    """Return the pages that the budget is of: a snooze that is over is what somebody asked for."""
    return [kind for kind in pages if kind != "episode.woken"]


def _acknowledged(episode: Episode) -> datetime | None:
    return next((entry.at for entry in episode.log if entry.type == "episode.acknowledged"), None)


def _judged(least: Rate, most: Rate, budget: float) -> FalsePages:
    verdict = "too early to say"
    if least.low is not None and least.low > budget:
        verdict = "over"
    elif most.high is not None and most.high <= budget:
        verdict = "kept"
    return FalsePages(least=least, most=most, budget=budget, verdict=verdict)


def told(table: Table, first: dict[str, float], since: float) -> dict[str, float]:
    """Return by source the part of the hours that it told, from `since` and its `first` word on (POSIX seconds)."""
    found = {}
    for name, source in table.sources.items():
        asked = table.times >= max(since, first.get(name, 0.0))
        if asked.any():
            found[name] = round(float(source.complete[asked].mean()), 4)
    return found


async def ends(store: Store, brand: str, since: float) -> dict[str, int]:
    """Return how the notices of a brand's events ended since an instant (POSIX seconds)."""
    found: Counter[str] = Counter()
    key, begin = keys.deliveries(keys.shard(brand)), f"{int(1000 * since)}"
    for _ in range(MOST):
        entries: list[Any] = await store.do("XRANGE", key, begin, "+", "COUNT", CHUNK)
        real = [f for _, f in entries if not f[b"episode"].decode().endswith(DRILL)]
        own = [f for f in real if f[b"brand"].decode() == brand and float(f[b"at"]) >= since]
        found.update(f[b"outcome"].decode() for f in own)
        if len(entries) < CHUNK:
            break
        begin = f"({entries[-1][0].decode()}"
    return {outcome: found[outcome] for outcome in ("delivered", "lost", "dropped", "muted")}
