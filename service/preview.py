"""What a brand's last weeks would have raised: its own history through the live detectors and policy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np
from pydantic import AwareDatetime, BaseModel, Field

from detectors.series import Bools, Series
from detectors.sources import cut
from detectors.verdict import Verdict
from service.backtest import Escalated, Opened, backtest
from service.heard import Heard
from service.policy import severity
from service.preview_hours import Hours, hours

WEEK = 7 * 86_400.0


@dataclass(frozen=True)
class Past:
    """A brand's history, by source, in the same buckets (n,); `campaign` (n,) are those of planned events.

    `utc_offset` is the brand's local time minus UTC in seconds, `since` the POSIX time from which alerts count: what is
    before it only teaches; `heard` are its loud angry voices.
    """

    brand: str
    sources: Mapping[str, Series]
    campaign: Bools
    utc_offset: float
    since: float
    heard: Heard = field(default_factory=Heard)


class Alert(BaseModel):
    """One that would have been opened; its figures are those of its worst moment."""

    opened_at: AwareDatetime = Field(description="begin of the 5 minutes whose data opened it")
    closed_at: AwareDatetime | None = Field(description="null: still open at the end")
    escalated_at: list[AwareDatetime] = Field(description="each a page of its own")
    detector: str
    severity: int
    score: float
    observed: float
    expected: float
    low: float
    high: float
    window_seconds: float
    reason: str


class AtBudget(BaseModel):
    """What one budget would have raised."""

    budget: float = Field(description="pages a week that may be false, at the most")
    alerts: int
    pages: int = Field(description="alerts, and escalations of those that got worse")
    pages_a_week: float
    raised: list[Alert] = Field(description="in order of opening")


class Preview(BaseModel):
    """What the last weeks would have raised."""

    brand: str
    start: AwareDatetime = Field(description="from when alerts count")
    end: AwareDatetime
    weeks: float = Field(description="between both; less than was asked for where the history is shorter")
    learned_from: AwareDatetime = Field(description="begin of the history: what is before `start` only taught")
    known: float = Field(description="share of the time of which any source told")
    budgets: list[AtBudget]
    hours: Hours


def preview(past: Past, budgets: Sequence[float]) -> Preview:
    """Play the history through detectors and policy once for each budget: some seconds of computing.

    Live looks every minute, this every 5: an alert may come some minutes earlier than it stands here.
    """
    series = next(iter(past.sources.values()))
    times, end = series.times(), series.start + series.step * len(series)
    start = max(past.since, series.start)
    told = np.logical_or.reduce([np.isfinite(s.mentions) for s in past.sources.values()])
    runs = [_run(past, budget) for budget in budgets]
    strange = _within(series, runs[len(runs) // 2])
    return Preview(
        brand=past.brand,
        start=_utc(start),
        end=_utc(end),
        weeks=round((end - start) / WEEK, 2),
        learned_from=_utc(series.start),
        known=round(float(told[times >= start].mean()), 3),
        budgets=[_at(budget, run, start, end) for budget, run in zip(budgets, runs, strict=True)],
        hours=hours(past.sources, past.campaign | strange, past.utc_offset, start),
    )


@dataclass(frozen=True)
class _BySource:
    """The series of several sources, cut together."""

    sources: Mapping[str, Series]
    start: float
    step: float
    length: int

    def __len__(self) -> int:
        return self.length

    def rows(self, first: int, last: int) -> dict[str, Series]:
        """Buckets `first` to `last` (not included) of every source, as views."""
        return cut(self.sources, first, last)


def _run(past: Past, budget: float) -> list[Alert]:
    """All alerts of the history; the clock is the brand's own, so that days and weekdays are."""
    local = {name: replace(series, start=series.start + past.utc_offset) for name, series in past.sources.items()}
    first = next(iter(local.values()))
    every = _BySource(local, first.start, first.step, len(first))
    found: list[Alert] = []
    heard = replace(past.heard, at=past.heard.at + past.utc_offset)
    for happening in backtest(every, budget=budget, campaign=past.campaign, heard=heard):
        at = _utc(first.start - past.utc_offset + first.step * happening.row)
        if isinstance(happening, Opened):
            found.append(_alert(happening.verdict, at, []))
        elif isinstance(happening, Escalated):
            before = found.pop()
            found.append(_alert(happening.verdict, before.opened_at, [*before.escalated_at, at]))
        else:
            found[-1] = found[-1].model_copy(update={"closed_at": at})
    return found


def _alert(verdict: Verdict, opened_at: datetime, escalated_at: list[datetime]) -> Alert:
    return Alert(
        opened_at=opened_at,
        closed_at=None,
        escalated_at=escalated_at,
        detector=verdict.detector,
        severity=severity(verdict.score),
        score=round(verdict.score, 1),
        observed=round(verdict.observed, 2),
        expected=round(verdict.expected, 2),
        low=verdict.low,
        high=verdict.high,
        window_seconds=verdict.window,
        reason=verdict.reason,
    )


def _at(budget: float, alerts: list[Alert], start: float, end: float) -> AtBudget:
    raised = [alert for alert in alerts if alert.opened_at >= _utc(start)]
    pages = sum(1 + len(alert.escalated_at) for alert in raised)
    return AtBudget(
        budget=budget,
        alerts=len(raised),
        pages=pages,
        pages_a_week=round(pages * WEEK / (end - start), 2),
        raised=raised,
    )


def _within(series: Series, alerts: list[Alert]) -> Bools:
    """Which buckets lie in an alert."""
    times, found = series.times(), np.zeros(len(series), dtype=np.bool_)
    for alert in alerts:
        last = alert.closed_at.timestamp() if alert.closed_at else np.inf
        found |= (times >= alert.opened_at.timestamp()) & (times <= last)
    return found


def _utc(posix: float) -> datetime:
    return datetime.fromtimestamp(posix, UTC)
