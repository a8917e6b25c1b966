"""What a recorded series would have raised: the live detectors and policy, bucket by bucket, strictly causal."""

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from detectors.forecaster import FORECASTERS, Forecaster, remembering
from detectors.looks import Looks
from detectors.series import Bools, Series
from detectors.verdict import Verdict
from detectors.voice import Voices
from detectors.watch import REFIT_SECONDS, Watch, fit, lookback
from service import policy, recording
from service.heard import Heard, learn_voices, listened
from service.policy import Standing

WEEK = 7 * 86400.0


@dataclass(frozen=True)
class Opened:
    """An episode opened with the data of bucket `row`."""

    row: int
    verdict: Verdict


@dataclass(frozen=True)
class Escalated:
    """The open episode got worse by a severity with the data of bucket `row`."""

    row: int
    verdict: Verdict


@dataclass(frozen=True)
class Closed:
    """The open episode was over with the data of bucket `row`."""

    row: int


Happening = Opened | Escalated | Closed


class Buckets(Protocol):
    """What can be played: a `Series`, or those of several sources in the same buckets."""

    @property
    def start(self) -> float:
        """POSIX time of the first bucket's begin."""
        ...

    @property
    def step(self) -> float:
        """Seconds of a bucket."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...

    def rows(self, first: int, last: int) -> Series | Mapping[str, Series]:
        """Buckets `first` to `last` (not included)."""
        ...


class Backtest:
    """One run through one series; what it yields of a row depends on no later row."""

    def __init__(
        self,
        series: Buckets,
        *,
        budget: float,
        campaign: Bools | None,
        forecaster: Forecaster,
        heard: Heard | None = None,
    ) -> None:
        self.series, self.budget, self.forecaster = series, budget, remembering(forecaster)
        self.campaign = np.zeros(len(series), dtype=np.bool_) if campaign is None else campaign
        self.standing = Standing()
        self.watch: Watch | None = None
        self.heard, self.usual = heard, None if heard is None else Voices()
        self.strange = np.zeros(len(series), dtype=np.bool_)
        self.settled = np.zeros(len(series), dtype=np.bool_)
        self._opened_row = 0

    def run(self) -> Iterator[Happening]:
        """Fit, judge until the next fit, and so on to the end."""
        stride = max(1, round(REFIT_SECONDS / self.series.step))
        for first in range(stride, len(self.series), stride):
            self._refit(first)
            yield from self._judge(first, min(first + stride, len(self.series)))

    def _refit(self, now: int) -> None:
        series = self.series
        opened = self.standing.opened_at
        if opened is not None and policy.accepted(opened, series.start + now * series.step, series.step):
            self.strange[self._opened_row :] = False
        self.watch = fit(
            series.rows(0, now),
            budget=self.budget,
            previous=self.watch,
            mask=self.strange[:now],
            campaign=self.campaign[:now],
            forecaster=self.forecaster,
        )
        if self.heard is not None:
            past = series.rows(0, now)
            by_source = {"": past} if isinstance(past, Series) else past
            self.usual = learn_voices(self.heard, by_source, self.strange[:now])

    def _judge(self, first: int, last: int) -> Iterator[Happening]:
        begin, looks = first, self._look(first, last)
        scores, flashes = looks.score.tolist(), looks.flash.tolist()
        for row in range(first, last):
            score, flash = scores[row - begin], flashes[row - begin]
            at = self.series.start + row * self.series.step
            self.standing, event = policy.follow(self.standing, at, self.series.step, score, flash)
            if event == "opened":
                self._opened_row = row
                yield Opened(row, looks.verdicts(row - begin)[0])
            elif event == "escalated":
                yield Escalated(row, looks.verdicts(row - begin)[0])
            elif event == "closed":
                yield Closed(row)
                self.settled[self._opened_row : row + 1] = True
                if row + 1 < last:
                    begin, looks = row + 1, self._look(row + 1, last)
                    scores, flashes = looks.score.tolist(), looks.flash.tolist()
            self.strange[row] = self.standing.opened_at is not None or event == "closed"

    def _look(self, first: int, last: int) -> Looks:
        assert self.watch is not None
        context = max(0, first - round(lookback(self.series.step) / self.series.step))
        found = self.watch.look(
            self.series.rows(context, last),
            rows=np.arange(first - context, last - context),
            mask=self.settled[context:last],
            campaign=self.campaign[context:last],
        )
        return found if self.heard is None else listened(found, self.heard, self.usual, self.budget)


def backtest(
    series: Buckets,
    *,
    budget: float = 0.5,
    campaign: Bools | None = None,
    forecaster: Forecaster = FORECASTERS["robust"],
    heard: Heard | None = None,
) -> Iterator[Happening]:
    """Play `series` (n,) through detectors and policy; `campaign` (n,) are buckets of planned events.

    `heard` are loud angry voices, None where nothing is told of them.

    >>> day = np.full(576, 5.0)
    >>> list(backtest(Series(0.0, 300.0, day)))
    []
    >>> day[500:503] = 90.0
    >>> [type(happening).__name__ for happening in backtest(Series(0.0, 300.0, day))][::2]
    ['Opened', 'Closed']
    """
    return Backtest(series, budget=budget, campaign=campaign, forecaster=forecaster, heard=heard).run()


def run(arguments: Namespace) -> int:
    """`foreshock backtest`: 0, or 2 with one line on standard error where the input is wrong."""
    began = time.perf_counter()
    path = Path(arguments.file)
    try:
        if arguments.forecaster not in FORECASTERS:
            known = ", ".join(FORECASTERS)
            raise recording.RecordingError(f"--forecaster {arguments.forecaster}: unknown; there is {known}")
        if not 0.0 < arguments.budget < np.inf:
            raise recording.RecordingError(f"--budget {arguments.budget}: must be a number of pages a week above 0")
        series, written, rows = recording.read(path)
        campaign = recording.campaigns(Path(arguments.campaigns), series) if arguments.campaigns else None
    except recording.RecordingError as error:
        sys.stderr.write(f"foreshock backtest: {error}\n")
        return 2
    happenings = backtest(
        series, budget=arguments.budget, campaign=campaign, forecaster=FORECASTERS[arguments.forecaster]
    )
    records = list(_records(happenings, series, written))
    summary = {
        "kind": "summary",
        "rows": rows,
        "gaps": int(np.isnan(series.mentions).sum()),
        "episodes": sum(record["kind"] == "episode" for record in records),
        "weeks": round(len(series) * series.step / WEEK, 4),
        "seconds": round(time.perf_counter() - began, 3),
    }
    if arguments.format == "json":
        for record in [*records, summary]:
            record.pop("reason", None)
            sys.stdout.write(json.dumps(record) + "\n")
    else:
        from service.backtest_table import show  # rich is only needed for people

        show(path.name, arguments.budget, records, summary)
    return 0


def _records(happenings: Iterator[Happening], series: Series, written: list[str | None]) -> Iterator[dict[str, Any]]:
    """The contract's objects, an episode before its escalations."""
    episode: dict[str, Any] = {}
    worse: list[dict[str, Any]] = []
    for happening in happenings:
        at = written[happening.row] or _iso(series.start + happening.row * series.step)
        if isinstance(happening, Opened):
            verdict = happening.verdict
            episode = {
                "kind": "episode",
                "detector": verdict.detector,
                "opened_at": at,
                "closed_at": None,
                "score": round(verdict.score, 1),
                "observed": round(verdict.observed, 2),
                "expected": round(verdict.expected, 2),
                "low": verdict.low,
                "high": verdict.high,
                "reason": verdict.reason,
            }
            worse = []
        elif isinstance(happening, Escalated):
            score = round(happening.verdict.score, 1)
            worse.append({"kind": "escalation", "opened_at": episode["opened_at"], "at": at, "score": score})
        else:
            episode["closed_at"] = at
            yield from (episode, *worse)
            episode = {}
    if episode:
        yield from (episode, *worse)


def _iso(posix: float) -> str:
    return datetime.fromtimestamp(posix, UTC).isoformat().replace("+00:00", "Z")
