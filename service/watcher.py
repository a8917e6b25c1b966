"""One brand as the ticker holds it: its minutes, what is normal for it, and where its alarm stands."""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from detectors import growth
from detectors.growth import Growth
from detectors.looks import Looks
from detectors.negbin import interval
from detectors.onset import onset
from detectors.series import Bools, Floats, Series
from detectors.sources import Sums, expect
from detectors.verdict import Verdict
from detectors.watch import HISTORY_SECONDS, REFIT_SECONDS, Watch, fit, rehearse
from service import keys
from service.brand import Brand
from service.counts import read
from service.episodes import Episodes
from service.minutes import MINUTE, Minutes
from service.policy import Standing, accepted
from service.store import Store

ONSET_WINDOWS, ONSET_LEAST = 6.0, 3600.0
"""An onset is looked for in so many leading windows, and in so many seconds at the least."""
GROWTH_LEAST = 30
"""Minutes that a growth rate is fitted to, at the least."""
FINE = 300
"""Seconds of the buckets that the baseline is fitted to."""
NEW_REFIT = 60.0
"""A brand of which too little is known to judge it is fitted anew this often: its history may just be coming."""
YOUNG_SECONDS, YOUNG_REFIT = 2 * 86_400.0, 1800.0
"""A brand with less history than this is fitted anew this often."""


class Expected(NamedTuple):
    """Mentions expected in an hour: of the sources that told, of all, and the interval of 95 in 100 normal hours."""

    told: float
    every: float
    low: float | None
    high: float | None


@dataclass
class Watcher:
    """What the ticker keeps of a brand between looks; all of it can be had again from the store."""

    store: Store
    brand: Brand
    minutes: Minutes
    public_url: str
    watch: Watch | None = None
    fitted_at: float = 0.0
    refit_after: float = 0.0
    standing: dict[str, Standing] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    closed: list[tuple[float, float]] = field(default_factory=list)
    blind_since: float | None = None
    looked_until: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    told_over: bool = False
    _hour: tuple[float, "Expected"] = (0.0, Expected(0.0, 0.0, None, None))

    @property
    def episodes(self) -> Episodes:
        """The store's episodes."""
        return Episodes(self.store)

    @property
    def knows(self) -> bool:
        """Whether enough history is there to say what is normal."""
        return self.watch is not None and self.watch.spreads is not None

    @classmethod
    async def find(cls, store: Store, brand: Brand, public_url: str) -> "Watcher":
        """Return a brand's watcher as the last ticker left it."""
        found = cls(store, brand, Minutes(store, brand.name), public_url)
        for name, value in (await store.do("HGETALL", keys.watch(brand.name))).items():
            kind, _, what = name.decode().partition(keys.SEPARATOR)
            if what == "alarm":
                found.standing[kind] = Standing(**json.loads(value))
            else:
                found.open[kind] = value.decode()
        return found

    def utc_offset(self, at: float) -> float:
        """Return the brand's local time minus UTC in seconds."""
        offset = datetime.fromtimestamp(at, ZoneInfo(self.brand.timezone)).utcoffset()
        return offset.total_seconds() if offset else 0.0

    async def refit(self, now: float) -> None:
        """Learn what is normal, when it is due."""
        if now < self.fitted_at + self.refit_after:
            return
        opened = self.standing.get("crisis", Standing()).opened_at
        if self.watch is None and opened is not None and not accepted(opened, now, FINE):
            now = opened - ONSET_LEAST  # who takes over amid an episode must not learn its own threshold from it
        known = await read(self.store, self.brand.name, now - HISTORY_SECONDS, now - now % FINE, FINE, now)
        history = _from_first(known.series())
        self.fitted_at = now
        if not history:
            self.watch, self.refit_after = None, NEW_REFIT
            return
        first = next(iter(history.values()))
        mask, campaign, offset = await self._strange(first, now), self.campaign(first), self.utc_offset(now)
        learn = rehearse if self.watch is None else partial(fit, previous=self.watch)
        self.watch = await asyncio.to_thread(
            learn, history, budget=self.brand.budget, mask=mask, campaign=campaign, utc_offset=offset
        )
        young = len(first) * FINE < YOUNG_SECONDS
        self.refit_after = NEW_REFIT if not self.knows else YOUNG_REFIT if young else REFIT_SECONDS

    async def _strange(self, series: Series, now: float) -> Bools:
        """Which buckets belong to a crisis that has not become the new level; those that ended are remembered."""
        spans, self.closed = [], []
        for episode in (await self.episodes.page(self.brand.name, None, 100, None))[0]:
            if episode.kind != "crisis":
                continue
            ended = episode.calm_at or (None if episode.id == self.open.get("crisis") else episode.closed_at)
            start, end = episode.started_at.timestamp(), ended.timestamp() if ended else now
            if not accepted(start, end, series.step):
                spans += [(start, end)] if episode.feedback != "false alarm" else []
                self.closed += [(start, end)] if ended else []
        return _within(series, spans)

    def campaign(self, series: Series) -> Bools:
        """Which buckets lie in a planned event."""
        return _within(series, [(c.start.timestamp(), c.end.timestamp()) for c in self.brand.campaigns])

    def look(self, first: float, now: float) -> tuple[Looks, Floats]:
        """Judge what became known since the last look; return what was found and the instants (POSIX seconds).

        Rows are the minutes up to `now` that any source has told, since the last look, or since `first` where this is
        the first one; the running minute is judged as far as it went, and again. A source that tells late is judged
        when it has told.
        """
        assert self.watch is not None
        known = self.minutes.known_rows(now)
        ends = np.minimum(self.minutes.ends(known), now)
        due = ends > (self.looked_until or min(first, *ends[-1:]) - MINUTE)
        known, ends = known[due], ends[due]
        if not len(known):
            return Looks(ends, {}), ends
        last = float(self.minutes.ends(known[-1:])[0])
        recent = self.minutes.series(last)
        buckets = next(iter(recent.values()))
        found = self.watch.look(
            recent,
            rows=known,
            exposure=1.0 - (last - float(ends[-1])) / MINUTE,
            mask=_within(buckets, self.closed),
            campaign=self.campaign(buckets),
            utc_offset=self.utc_offset(now),
        )
        return found, ends

    def sums(self, end: float) -> Sums:
        """Return the minutes up to `end` summed over the sources that told, observed and expected."""
        assert self.watch is not None
        recent = self.minutes.series(end)
        nothing = np.zeros(len(next(iter(recent.values()))), dtype=np.bool_)
        return expect(recent, self.watch.normals, nothing, self.utc_offset(end))

    def expected_hour(self, end: float) -> Expected:
        """Return what is normal for the hour before `end`."""
        if self.watch is None or self.watch.spreads is None:
            return Expected(0.0, 0.0, None, None)
        if self._hour[0] == end:
            return self._hour[1]
        start, offset = end - 3600.0, self.utc_offset(end)
        told = every = 0.0
        for name, normal in self.watch.normals.items():
            mean = normal.mentions.mean(start, MINUTE, 60, offset)
            every += float(mean.sum())
            told += float(mean[self.minutes.known_hour(name, end)].sum())
        spread = self.watch.spreads.mentions
        size = spread.size(np.full((len(spread.lengths), 1), told))[spread.lengths.index(3600.0), 0]
        low, high = interval(told, float(size))
        self._hour = end, Expected(told, every, low, high)
        return self._hour[1]

    def onset(self, verdict: Verdict, end: float) -> float:
        """Return when the rise that `verdict` found at `end` began, POSIX seconds."""
        back = round(max(ONSET_WINDOWS * verdict.window, ONSET_LEAST) / MINUTE)
        start, observed, expected = self._counts(verdict.detector, end, back)
        return start + MINUTE * onset(observed, expected)

    def growth(self, detector: str, start: float, end: float) -> Growth | None:
        """Return how fast it has grown from `start` to `end` (POSIX seconds)."""
        back = max(round((end - start) / MINUTE), GROWTH_LEAST)
        _, observed, expected = self._counts(detector, end, back)
        return growth.fit(observed, expected, MINUTE)

    def _counts(self, detector: str, end: float, back: int) -> tuple[float, Floats, Floats]:
        """Return start, observed and expected of the last `back` minutes, of what the detector looks at."""
        sums = self.sums(end)
        angry = detector == "revolt"
        observed = sums.negative if angry else sums.mentions
        expected = sums.expected_negative if angry else sums.expected
        first = max(len(observed) - back, 0)
        return sums.start + MINUTE * first, observed[first:], expected[first:]


def _within(series: Series, spans: list[tuple[float, float]]) -> Bools:
    """Which buckets overlap any of the spans (POSIX seconds)."""
    begins = series.start + series.step * np.arange(len(series))
    found = np.zeros(len(series), dtype=np.bool_)
    for start, end in spans:
        found |= (begins + series.step > start) & (begins < end)
    return found


def _from_first(history: dict[str, Series]) -> dict[str, Series]:
    """Return the series from the first bucket that any source knows; {} where none knows any."""
    known = [np.flatnonzero(np.isfinite(s.mentions)) for s in history.values()]
    firsts = [int(k[0]) for k in known if len(k)]
    if not firsts:
        return {}
    begin = min(firsts)
    return {name: series.rows(begin, len(series)) for name, series in history.items()}
