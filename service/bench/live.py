"""The live ticker's looks at a recorded brand, without a store: every minute when it is whole, and while it runs.

A running minute is looked at half way, where the whole one comes within NEAR points of a page: it holds no more than
the whole one, so that elsewhere it cannot page either.
"""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator

from detectors.looks import Looks
from detectors.scan import MINUTE
from detectors.series import Bools, Floats, Series
from detectors.watch import HISTORY_SECONDS, REFIT_SECONDS, Watch, fit, lookback, rehearse
from service import policy
from service.bench.quiet import joined
from service.policy import Standing

FINE = 5
"""Minutes of a bucket that the baseline is fitted to."""
BACK = round(lookback(MINUTE) / MINUTE)
"""Minutes that a look needs."""
NEAR = 10.0
"""Half a minute expects at most a tenth less in its window than the whole one, which is worth a few points."""
HALF = 0.5


def live(series: Series, first: int, budgets: tuple[float, ...], chance: Generator) -> list[int]:
    """Pages that minutes `series` (n,) raise from row `first` on, by budget; what comes before is rehearsed.

    It is fitted to buckets of five minutes every six hours. Running minutes are drawn with `chance`.
    """
    history = joined(series.rows(0, first), FINE)
    watch = rehearse(history)
    half = _half(series, chance)
    return [_Live(series, half, replace(watch, budget=budget)).pages(first) for budget in budgets]


@dataclass
class _Live:
    """One run. `closed` are the rows of episodes that are over: they teach nothing and are left out of what follows."""

    series: Series
    half: Series
    watch: Watch
    standing: Standing = field(default_factory=Standing)
    opened: int = 0
    closed: list[tuple[int, int]] = field(default_factory=list)

    def pages(self, first: int) -> int:
        """Openings and escalations from row `first` on."""
        stride, pages = round(REFIT_SECONDS / MINUTE), 0
        for begin in range(first, len(self.series), stride):
            if begin > first:
                self._learn(begin)
            pages += self._judge(begin, min(begin + stride, len(self.series)))
        return pages

    def _learn(self, now: int) -> None:
        oldest = max(0, now - round(HISTORY_SECONDS / MINUTE))
        self.closed = [span for span in self.closed if not self._accepted(*span)]
        spans = list(self.closed)
        if self.standing.opened_at is not None and not self._accepted(self.opened, now):
            spans.append((self.opened, now))
        mask: Bools = np.any(_within(oldest, now, spans).reshape(-1, FINE), axis=1)
        history = joined(self.series.rows(oldest, now), FINE)
        self.watch = fit(history, budget=self.watch.budget, previous=self.watch, mask=mask)

    def _accepted(self, first: int, last: int) -> bool:
        return policy.accepted(first * MINUTE, last * MINUTE, FINE * MINUTE)

    def _judge(self, first: int, last: int) -> int:
        begin, (scores, flashes), pages = first, self._whole(first, last), 0
        for row in range(first, last):
            score, flash, seconds = scores[row - begin], flashes[row - begin], MINUTE
            if score >= policy.OPENS - NEAR:
                running = self._running(row)
                pages += self._follow(row, HALF * MINUTE, float(running.score[0]), float(running.flash[0]))
                seconds = (1.0 - HALF) * MINUTE
            was = self.standing.opened_at
            pages += self._follow(row, seconds, score, flash)
            if was is not None and self.standing.opened_at is None and row + 1 < last:
                begin, (scores, flashes) = row + 1, self._whole(row + 1, last)
        return pages

    def _follow(self, row: int, seconds: float, score: float, flash: float) -> int:
        """Take one look into account; 1 where it pages."""
        at = self.series.start + (row + 1) * MINUTE
        self.standing, event = policy.follow(self.standing, at, seconds, score, flash)
        if event == "opened":
            self.opened = row
        elif event == "closed":
            self.closed.append((self.opened, row + 1))
        return int(event in ("opened", "escalated"))

    def _whole(self, first: int, last: int) -> tuple[list[float], list[float]]:
        """Scores and flashes of all whole minutes from `first` to `last`."""
        context = max(0, first - BACK)
        looks = self.watch.look(
            self.series.rows(context, last),
            rows=np.arange(first - context, last - context),
            mask=_within(context, last, self.closed),
        )
        return looks.score.tolist(), looks.flash.tolist()

    def _running(self, row: int) -> Looks:
        """The minute of `row` while it runs."""
        context = max(0, row - BACK)
        recent = self.series.rows(context, row)
        half = self.half.rows(row, row + 1)
        mentions = _joint(recent.mentions, half.mentions)
        if recent.negative is None or recent.scored is None or half.negative is None or half.scored is None:
            recent = Series(recent.start, MINUTE, mentions)
        else:
            negative, scored = _joint(recent.negative, half.negative), _joint(recent.scored, half.scored)
            recent = Series(recent.start, MINUTE, mentions, negative, scored)
        return self.watch.look(recent, exposure=HALF, mask=_within(context, row + 1, self.closed))


def _joint(values: Floats, more: Floats) -> Floats:
    return np.concatenate((values, more))


def _within(first: int, last: int, spans: list[tuple[int, int]]) -> Bools:
    """Which of the rows from `first` to `last` lie in a span."""
    found = np.zeros(last - first, dtype=np.bool_)
    for begin, end in spans:
        found[max(begin - first, 0) : max(end - first, 0)] = True
    return found


def _half(series: Series, chance: Generator) -> Series:
    """What came in the first half of every minute: each mention with even odds."""
    if series.negative is None or series.scored is None:
        return Series(series.start, series.step, _thinned(series.mentions, chance))
    negative = _thinned(series.negative, chance)
    scored = negative + _thinned(series.scored - series.negative, chance)
    mentions = scored + _thinned(series.mentions - series.scored, chance)
    return Series(series.start, series.step, mentions, negative, scored)


def _thinned(counts: Floats, chance: Generator) -> Floats:
    known = np.isfinite(counts)
    some = chance.binomial(np.where(known, counts, 0.0).astype(np.int64), HALF)
    return np.where(known, some, np.nan)
