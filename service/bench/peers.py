"""The published spike rules of known tools, on volume, judged beside the service on the same series.

A rule gives every bucket a score and flags those at its threshold or above; flags less than an hour apart are one
page. *As published* it has its own threshold. *At equal false rate* it has, for each budget, the threshold that gave
the most hits among those whose false pages stayed under the budget: one for all series, but chosen with the truth
known, which is kinder to the rules than life.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.series import Bools, Floats, Series
from service.bench import Figures, prophet_peer
from service.bench.judging import (
    DAY,
    HOUR,
    MINUTE,
    WEEK,
    Page,
    judge_labels,
    judge_replay,
    label_figures,
    replay_figures,
)
from service.bench.recorded import BUDGETS, Each, Recorded

APART = HOUR
"""Flags further apart than this are two pages."""

FIRST = DAY
"""Seconds of a series that no rule is asked about: its windows fill."""

STEPS = np.geomspace(0.4, 40.0, 400)
"""Thresholds that are tried at equal false rate, as parts of the published one; 1.2 % from one to the next."""

LEAST = 0.5
"""Mentions a bucket added to both sides of a ratio, so that one post after silence is not infinitely much."""

PAST_DAYS = 20
"""Days whose same hour is looked at: three weeks, today included."""

LEAST_ROOT = 0.35
"""Least spread of the square root: a little below the 0.5 of a Poisson count."""

Score = Callable[[Series], Floats]


@dataclass(frozen=True)
class Rule:
    """A published rule: what it says, its threshold, its score of every bucket (n,)."""

    says: str
    threshold: float
    score: Score


def mean(values: Floats, buckets: int, lag: int = 0) -> Floats:
    """Mean of the known of the `buckets` buckets that end `lag` before each, it included at 0; shape (n,), 0 if none.

    >>> mean(np.array([2.0, np.nan, 6.0]), 2)
    array([2., 2., 6.])
    >>> mean(np.array([2.0, np.nan, 6.0]), 2, lag=1)
    array([0., 2., 2.])
    """
    known = ~np.isnan(values)
    total = np.concatenate(([0.0], np.cumsum(np.where(known, values, 0.0))))
    count = np.concatenate(([0], np.cumsum(known)))
    end = np.maximum(np.arange(1, len(values) + 1) - lag, 0)
    begin = np.maximum(end - buckets, 0)
    return np.asarray((total[end] - total[begin]) / np.maximum(count[end] - count[begin], 1))


def ratio(last: float, past: float) -> Score:
    """Score: the mean of the last `last` seconds over that of the `past` seconds before them."""

    def score(series: Series) -> Floats:
        now, before = round(last / series.step), round(past / series.step)
        return (mean(series.mentions, now) + LEAST) / (mean(series.mentions, before, now) + LEAST)

    return score


def deviations(last: float, past: float, *, overlap: bool, least: float) -> Score:
    """Score: how many standard deviations of `past` seconds the mean of the last `last` seconds lies above theirs.

    With `overlap` the past includes the last; the standard deviation, of buckets, is at least `least`.
    """

    def score(series: Series) -> Floats:
        y, now, before = series.mentions, round(last / series.step), round(past / series.step)
        lag = 0 if overlap else 1
        middle = mean(y, before, lag)
        variance = mean(y * y, before, lag) - middle**2
        return np.asarray((mean(y, now) - middle) / np.sqrt(np.maximum(variance, least**2)))

    return score


def same_hour(series: Series) -> Floats:
    """Score: robust deviations of the square root from the same hour of the 20 days before, shape (n,)."""
    step, n = series.step, len(series)
    before = int(series.start % DAY // step)
    days, in_day = -(-(before + n) // round(DAY / step)), round(DAY / step)
    root = np.full(days * in_day, np.nan)
    root[before : before + n] = np.sqrt(series.mentions)
    hours = root.reshape(days, 24, -1)
    out = np.zeros_like(hours)
    for day in range(2, days):
        past = hours[max(0, day - PAST_DAYS) : day].swapaxes(0, 1).reshape(24, -1)
        enough = (~np.isnan(past)).sum(axis=1) >= 2 * hours.shape[2]
        middle = np.nanmedian(past[enough], axis=1, keepdims=True)
        spread = 1.4826 * np.nanmedian(np.abs(past[enough] - middle), axis=1, keepdims=True)
        out[day, enough] = np.nan_to_num((hours[day, enough] - middle) / np.maximum(spread, LEAST_ROOT))
    return np.asarray(out.reshape(-1)[before : before + n])


RULES: Mapping[str, Rule] = {
    "hour_12h": Rule("the last hour at twice the mean of the past 12 h (Meltwater)", 2.0, ratio(HOUR, 12 * HOUR)),
    "minutes_6h": Rule(
        "the last 10 minutes at twice the mean of the past 6 h (MutualMind)", 2.0, ratio(10 * MINUTE, 6 * HOUR)
    ),
    "hour_7d": Rule("the last hour at twice the mean of the past 7 days (Agility)", 2.0, ratio(HOUR, WEEK)),
    "day_7d": Rule(
        "the mean of 24 h at 2 standard deviations above that of 7 days (Socialmetrix)",
        2.0,
        deviations(DAY, WEEK, overlap=True, least=1e-4),
    ),
    "gaussian": Rule(
        "windowed Gaussian: 15 minutes at 4 standard deviations of the past 7 days",
        4.0,
        deviations(15 * MINUTE, WEEK, overlap=False, least=0.5),
    ),
    "same_hour": Rule("4 robust deviations from the same hour of day (median, MAD, 3 weeks)", 4.0, same_hour),
}
"""Name in the figures (`peer_NAME_...`) -> the rule."""

PROPHET = "prophet"
"""Name of the job that fits Prophet once for its three bands."""

Judge = Callable[[Recorded, Sequence[Page]], Any]
Judged = dict[str, tuple[Any, list[Any]]]
"""Rule -> what became of one series as published, and at each of the thresholds tried."""


def flagged(flags: Bools, times: Floats) -> list[Page]:
    """Return the pages of flags (n,) of the buckets that began at `times` (n,)."""
    rows = np.flatnonzero(flags)
    if not len(rows):
        return []
    breaks = np.flatnonzero(np.diff(times[rows]) > APART)
    first, last = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [len(rows) - 1]))
    return [Page(a, b) for a, b in zip(times[rows[first]].tolist(), times[rows[last]].tolist(), strict=True)]


def on_labels(series: Sequence[Recorded], each: Each, rules: Sequence[str] | None = None) -> Figures:
    """Return `peer_NAME_published_hits` and `peer_NAME_hits_BUDGET`, with the false pages a brand-week of each."""
    good = operator.attrgetter("hits")
    return _figures(series, each, rules or (*RULES, PROPHET), judge_labels, label_figures, good)


def on_replays(series: Sequence[Recorded], each: Each, rules: Sequence[str] | None = None) -> Figures:
    """Return `peer_NAME_published_caught` and `peer_NAME_caught_BUDGET`, with delays and false pages of each."""
    good = operator.attrgetter("caught")
    return _figures(series, each, rules or (*RULES, PROPHET), judge_replay, replay_figures, good)


def judge_peer(name: str, one: Recorded, judge: Judge) -> Judged:
    """Judge one rule, or Prophet's bands, on one series."""
    if name == PROPHET:
        rules = {band: (1.0, score) for band, score in prophet_peer.scores(one.series).items()}
    else:
        rules = {name: (RULES[name].threshold, RULES[name].score(one.series))}
    asked = one.times >= one.times[0] + FIRST
    return {
        rule: (
            judge(one, flagged(asked & (score >= published), one.times)),
            [judge(one, flagged(asked & (score >= at), one.times)) for at in published * STEPS],
        )
        for rule, (published, score) in rules.items()
    }


def _figures(
    series: Sequence[Recorded],
    each: Each,
    jobs_of: Sequence[str],
    judge: Judge,
    figures: Callable[..., Figures],
    good: Callable[[Any], int],
) -> Figures:
    jobs = [(name, one, judge) for name in jobs_of for one in series]
    judged = list(each(judge_peer, jobs))
    found: Figures = {}
    for name in jobs_of:
        some = [one for (of, _, _), one in zip(jobs, judged, strict=True) if of == name]
        for rule in some[0]:
            as_published = figures([one[rule][0] for one in some], "", sure=False)
            found |= {f"peer_{rule}_published_{figure}": value for figure, value in as_published.items()}
            tried = [list(at) for at in zip(*(one[rule][1] for one in some), strict=True)]
            for budget in BUDGETS:
                best = _best(tried, budget, good)
                equal = figures(best, f"_{budget:g}", sure=False) if best else {}
                found |= {f"peer_{rule}_{figure}": value for figure, value in equal.items()}
    return found


def _best(tried: Sequence[list[Any]], budget: float, good: Callable[[Any], int]) -> list[Any] | None:
    """Return what the best threshold within the budget gave; the lowest of equals, which is the quickest."""
    kept = [some for some in tried if sum(one.false for one in some) <= budget * sum(one.weeks for one in some)]
    return max(kept, key=lambda some: sum(map(good, some)), default=None)
