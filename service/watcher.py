"""One brand as the ticker holds it: its minutes, what is normal for it, and where its alarm stands."""

import asyncio
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache, partial
from math import inf
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from collectors.correct import Correction, same
from detectors import advocates, growth, robust
from detectors.forecaster import Forecaster
from detectors.growth import Growth
from detectors.looks import Looks
from detectors.negbin import interval
from detectors.onset import onset
from detectors.robust import HOURS_NEEDED
from detectors.scan import Spread
from detectors.series import Bools, Floats, Series
from detectors.sources import Sums, expect, totals
from detectors.verdict import Verdict
from detectors.voice import Voices
from detectors.watch import HISTORY_SECONDS, REFIT_SECONDS, Watch, fit, rehearse
from service import keys, voices
from service.brand import Brand
from service.changes import AGAIN_SECONDS, Changes
from service.corrections import told
from service.counts import read
from service.doubts import Doubt, holes, risen, ways
from service.episode import Episode
from service.episodes import Episodes
from service.feedback import Strange, strange
from service.feedback import within as within
from service.frozen import freeze
from service.heard import Heard, learn_voices, listened
from service.holidays_of import around
from service.minutes import ALL, NOTHING, Minutes
from service.policy import Standing, accepted
from service.segment import MINUTE
from service.store import Store

ONSET_WINDOWS, ONSET_LEAST = 6.0, 3600.0
"""An onset is looked for in so many leading windows, and in so many seconds at the least."""
SLACK_SECONDS = 300.0
"""A minute that changes this soon after its end is not called late: the shortest window still to come holds it."""
NEARLY = 40.0
"""Score from which a brand is looked at as often as can be: a tenth as rare as what opens an episode."""
GROWTH_LEAST = 30
"""Minutes that a growth rate is fitted to, at the least."""
FINE = 300
"""Seconds of the buckets that the baseline is fitted to."""
NEW_REFIT = 60.0
"""One of which too little is known to judge it is fitted anew after this, then after twice as long, to YOUNG_REFIT."""
YOUNG_SECONDS, YOUNG_REFIT = 2 * 86_400.0, 1800.0
"""A brand with less history than this is fitted anew this often."""
LEAST_SECONDS = HOURS_NEEDED * 3600.0
"""No brand can be judged before its first mention is this old."""


class Expected(NamedTuple):
    """Mentions expected in an hour: of the sources that told, of all, and the interval of 95 in 100 normal hours."""

    told: float
    every: float
    low: float | None
    high: float | None


class Praised(NamedTuple):
    """What was found of praise in the hour that ended at `end`, judged at `at` (POSIX seconds)."""

    end: float
    at: float
    flash: float
    verdict: Verdict


@dataclass
class Watcher:
    """What the ticker keeps of a brand between looks; all of it can be had again from the store.

    Times are POSIX seconds: `learns_at` is when it is next fitted, `looked_until` up to when it was judged, `looked_at`
    and `stated_at` when that was done and when its state was stored, `due_at` when it is looked at again though nothing
    new came, `again` from when on what was judged is judged again. `late` is what came late and was not told yet,
    `forecaster` what was chosen to learn with; None is the robust one. `newest` is how shares are corrected by the
    brand's labels, `correction` how they were when the brand was last fitted: its past and its present are seen alike.
    `episode` are the open episodes as of the last look, by kind; `everybody` gives all watchers of the process.
    `heard` are loud angry voices of late, `voices` which of them are usual, `said` what people said of episodes as it
    was when the brand was last fitted. `moved` are its sources of which most brands rise or fall together, `risen`
    when the last rise of most brands of a source ended, `doubted` whether anything is suspected. `praised` are hours
    whose praise is to be followed, found up to `praised_until`; `praise` is the score of the last one.
    """

    store: Store
    brand: Brand
    minutes: Minutes
    public_url: str
    watch: Watch | None = None
    learns_at: float = inf
    tries: int = 0
    standing: dict[str, Standing] = field(default_factory=dict)
    open: dict[str, str] = field(default_factory=dict)
    closed: list[tuple[float, float]] = field(default_factory=list)
    blind_since: float | None = None
    looked_until: float = 0.0
    looked_at: float = 0.0
    stated_at: float = 0.0
    due_at: float = 0.0
    state: dict[str, Any] = field(default_factory=dict)
    late: Changes = field(default_factory=Changes)
    late_told_at: float = 0.0
    again: float | None = None
    scores: dict[str, float] = field(default_factory=dict)
    episode: dict[str, Episode] = field(default_factory=dict)
    everybody: "Callable[[], Iterable[Watcher]]" = tuple
    heard: Heard = field(default_factory=Heard)
    voices: Voices | None = None
    moved: Mapping[str, str] = field(default_factory=dict)
    risen: Mapping[str, float] = field(default_factory=dict)
    doubted: bool = False
    forecaster: Forecaster | None = None
    newest: Correction | None = None
    correction: Correction | None = None
    said: frozenset[tuple[str, str]] = frozenset()
    praised: list[Praised] = field(default_factory=list)
    praised_until: float = 0.0
    praise: float | None = None
    _hour: tuple[float, bool, "Expected"] = (0.0, False, Expected(0.0, 0.0, None, None))
    _hour_of: Watch | None = None
    _band: tuple[float, tuple[float, float]] | None = None

    @property
    def episodes(self) -> Episodes:
        """The store's episodes."""
        return Episodes(self.store)

    @property
    def knows(self) -> bool:
        """Whether enough history is there to say what is normal."""
        return self.watch is not None and self.watch.spreads is not None

    @property
    def calm(self) -> bool:
        """Whether nothing is under way that must be looked at as often as can be."""
        return not self.open and self.blind_since is None and not any(s >= NEARLY for s in self.scores.values())

    def remember(self, watch: Mapping[bytes, bytes], state: bytes | None) -> None:
        """Go on where the last ticker stopped; `watch` and `state` are what it stored."""
        for name, value in watch.items():
            kind, _, what = name.decode().partition(keys.SEPARATOR)
            if what == "alarm":
                self.standing[kind] = Standing(**json.loads(value))
            else:
                self.open[kind] = value.decode()
        self.state = json.loads(state) if state else {}
        self.looked_until = float(self.state.get("judged_until") or 0.0)
        self.praised_until = float(self.state.get("praise_judged_until") or 0.0)

    def usual(self, seconds: float) -> float:
        """Return the mentions that are normal in so many seconds, as of the last look."""
        return self._hour[2].told * seconds / 3600.0

    def changes(self, changes: Changes, now: float) -> None:
        """Note which judged minutes changed, so that they are judged again."""
        if changes is NOTHING or not changes:
            return
        self.again = min(self.again if self.again is not None else now, changes.start)
        self.late = self.late.joined(changes.ended_by(now - SLACK_SECONDS))

    def suspects(self, found: Sequence[Doubt], now: float) -> None:
        """Take in what is suspected of sources; what is believed again is judged again."""
        if not found and not self.doubted:
            return
        self.doubted = bool(found)
        own = self.watch.normals if self.watch else {}
        self.moved = {source: way for source, way in ways(found, now).items() if source in own}
        self.risen = risen(found)
        since = self.minutes.doubt(holes(found, self.brand.name, now))
        if since is not None:
            self.again = min(self.again if self.again is not None else now, since)

    def corrected(self, found: Correction | None) -> None:
        """Take in how shares are corrected; where another model judges from some time on, learn anew before that."""
        old, new = (c.spells if c else () for c in (self.newest, found))
        if found is not self.newest and self.knows and not same(old, new):
            self.learns_at = 0.0
        self.newest = found

    async def save(self, episode: Episode, fence: int) -> None:
        """Store an open episode's next version with where its alarm stands.

        Raises:
            Conflict: another version was stored meanwhile.
            Fenced: a newer ticker has taken over.
        """
        await freeze(self, episode, episode.updated_at.timestamp())
        await self.episodes.save(episode, fence, json.dumps(self.standing[episode.kind].as_dict()))
        self.open[episode.kind] = episode.id
        self.episode[episode.kind] = episode

    def utc_offset(self, at: float) -> float:
        """Return the brand's local time minus UTC in seconds."""
        return _utc_offset(self.brand.timezone, at)

    async def learn(self, now: float) -> None:
        """Learn what is normal from what is known at `now` (POSIX seconds), and say when to learn again."""
        begun, opened = now, self.standing.get("crisis", Standing()).opened_at
        if self.watch is None and self.looked_until > now - AGAIN_SECONDS:
            now = min(now, self.looked_until)  # who takes over must not learn its threshold from what it is to judge,
        if self.watch is None and opened is not None and not accepted(opened, now, FINE):
            now = opened - ONSET_LEAST  # nor from the episode that is open
        correction = self.newest
        known = await self._history(now, correction)
        if known is not None:
            history, past, campaign = known
            offset = self.utc_offset(now)
            days = await asyncio.to_thread(
                around, self.brand.country, self.brand.subdivision, next(iter(history.values())).start, now
            )
            steady = partial(robust.fit, holidays=days)
            learn = partial(rehearse, forecaster=steady)
            if self.watch is not None and correction == self.correction and past.said <= self.said:
                learn = partial(fit, previous=self.watch, forecaster=self.forecaster or steady)
            self.watch = await asyncio.to_thread(
                learn,
                history,
                budget=self.brand.budget,
                mask=past.mask,
                campaign=campaign,
                feedback=past.feedback,
                utc_offset=offset,
            )
            spoke = await voices.read(self.store, self.brand.name, next(iter(history.values())).start, now)
            self.voices = learn_voices(spoke, history, past.mask, past.feedback.left)
            self.correction, self.said = correction, past.said
            self._band = None
        else:
            self.watch = None
        if self.knows:
            assert known is not None
            young = len(known[2]) * FINE < YOUNG_SECONDS
            self.tries, self.learns_at = 0, begun + (YOUNG_REFIT if young else REFIT_SECONDS)
        else:
            wait = min(NEW_REFIT * 2.0**self.tries, YOUNG_REFIT)
            self.tries, self.learns_at = self.tries + 1, max(begun + wait, self.minutes.first + LEAST_SECONDS)

    def listened(self, found: Looks) -> Looks:
        """Return what was found with what was heard of loud voices."""
        return listened(found, self.heard, self.voices, self.brand.budget)

    async def history(self, now: float) -> tuple[dict[str, Series], Bools, Bools] | None:
        """Return what is known at `now` by source, and which buckets were strange or of campaigns; None if nothing."""
        known = await self._history(now, self.correction)
        return None if known is None else (known[0], known[1].mask, known[2])

    async def _history(
        self, now: float, correction: Correction | None
    ) -> tuple[dict[str, Series], Strange, Bools] | None:
        table = await read(self.store, self.brand.name, now - HISTORY_SECONDS, now - now % FINE, FINE, now)
        history = _from_first(table.series(correction))
        if not history:
            return None
        first = next(iter(history.values()))
        return history, await self._strange(first, now), self.campaign(first)

    def heard_of(self, before: float, now: float) -> None:
        """Plan when to learn after something was read, `before` being when the brand was first spoken of until then.

        A brand that nothing was ever said of never learns; one whose past just came learns soon.
        """
        if self.knows or (self.learns_at < inf and self.minutes.first >= before):
            return
        soon = now + NEW_REFIT if self.tries else 0.0
        self.learns_at = max(self.minutes.first + LEAST_SECONDS, soon)

    async def _strange(self, series: Series, now: float) -> Strange:
        """What the brand's crises teach of its past; those that ended are remembered."""
        found = strange(series, await self.crises(), self.open.get("crisis"), now)
        self.closed = found.closed + [span for span in self.closed if span[1] >= now and span not in found.closed]
        return found

    async def crises(self) -> list[Episode]:
        """Return the brand's crises, newest first; drills are none."""
        found, _ = await self.episodes.page(self.brand.name, None, 100, None)
        return [e for e in found if e.kind == "crisis" and not e.drill]

    def campaign(self, series: Series) -> Bools:
        """Which buckets lie in a planned event."""
        return within(series, [(c.start.timestamp(), c.end.timestamp()) for c in self.brand.campaigns])

    def sums(self, end: float) -> Sums:
        """Return the minutes up to `end` summed over the sources that told, observed and expected."""
        assert self.watch is not None
        recent = self.minutes.series(end, self.correction)
        nothing = np.zeros(len(next(iter(recent.values()))), dtype=np.bool_)
        return expect(recent, self.watch.normals, nothing, self.utc_offset(end))

    def expected_hour(self, end: float) -> Expected:
        """Return what is normal for the hour before `end`."""
        if self.watch is None or self.watch.spreads is None:
            return Expected(0.0, 0.0, None, None)
        hours: dict[str, slice | Bools] = {}
        if not (whole_hour := self.minutes.told_hour(self.watch.normals.keys(), end)):
            hours = {name: self.minutes.known_hour(name, end) for name in self.watch.normals}
            whole_hour = all(hour is ALL for hour in hours.values())
        end = math.ceil(end / MINUTE) * float(MINUTE) if whole_hour else end  # what is counted is of whole minutes
        if self._hour[:2] == (end, whole_hour) and self._hour_of is self.watch:
            return self._hour[2]
        start, offset = end - 3600.0, self.utc_offset(end)
        told = every = 0.0
        for name, normal in self.watch.normals.items():
            hour = hours.get(name, ALL)
            whole = float(totals(normal.mentions, start, MINUTE, (0, 60), offset)[0])
            every += whole
            told += whole if hour is ALL else float(normal.mentions.mean(start, MINUTE, 60, offset)[hour].sum())
        expected = Expected(told, every, *self._interval(told, self.watch.spreads.mentions))
        self._hour, self._hour_of = (end, whole_hour, expected), self.watch
        return expected

    def held_back(self, end: float) -> float:
        """Return what is normal in those minutes of the hour before `end` that were told while most brands rose.

        They are not believed, and yet seen: a source that tells nothing is none of them.
        """
        start, held = math.ceil(end / MINUTE) * float(MINUTE) - 3600.0, 0.0
        if not self.risen:
            return 0.0
        for name, normal in self.watch.normals.items() if self.watch else ():
            if self.risen.get(name, 0.0) > start:
                told = np.isfinite(self.minutes.told_minutes(name, start, 60, end))
                told[self.minutes.known_hour(name, end)] = False
                held += float(normal.mentions.mean(start, MINUTE, 60, self.utc_offset(end))[told].sum())
        return held

    def negative_share(self, end: float) -> dict[str, Any] | None:
        """Return the corrected share of negative mentions in the hour before `end`, None where labels are too few."""
        if self.newest is None:
            return None
        since = self.newest.spells[-1].since
        newer = min(max(round((end - since) / MINUTE), 0), 60)
        hour, new = self.minutes.last_hour(end), self.minutes.last_hour(end, newer)
        total, scored = (np.array([hour[name] - new[name], new[name]]) for name in ("negative", "scored"))
        return told(self.newest, np.array([min(end - 3600.0, since - 1.0), since]), total, scored)

    def _interval(self, told: float, spread: Spread) -> tuple[float, float]:
        """Return the interval of 95 in 100, found anew where what is expected moved by a hundredth: it costs a look."""
        if self._band is None or abs(told - self._band[0]) > 0.01 * self._band[0]:
            size = spread.size(np.full((len(spread.lengths), 1), told))[spread.lengths.index(3600.0), 0]
            self._band = told, interval(told, float(size))
        return self._band[1]

    def onset(self, verdict: Verdict, end: float) -> float:
        """Return when the rise that `verdict` found at `end` began, POSIX seconds."""
        if verdict.detector == advocates.NAME:
            return end - verdict.window
        if verdict.detector == "voice":
            return self.heard.widest_at(end) // MINUTE * MINUTE
        back = round(max(ONSET_WINDOWS * verdict.window, ONSET_LEAST) / MINUTE)
        start, observed, expected = self._counts(verdict.detector, end, back)
        return start + MINUTE * onset(observed, expected)

    def growth(self, detector: str, start: float, end: float) -> Growth | None:
        """Return how fast it has grown from `start` to `end` (POSIX seconds); praise is not known by the minute."""
        if detector == advocates.NAME:
            return None
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


@lru_cache(maxsize=256)
def _utc_offset(timezone: str, at: float) -> float:
    offset = datetime.fromtimestamp(at, ZoneInfo(timezone)).utcoffset()
    return offset.total_seconds() if offset else 0.0


def _from_first(history: dict[str, Series]) -> dict[str, Series]:
    """Return the series from the first bucket that any source knows; {} where none knows any."""
    known = [np.flatnonzero(np.isfinite(s.mentions)) for s in history.values()]
    firsts = [int(k[0]) for k in known if len(k)]
    if not firsts:
        return {}
    begin = min(firsts)
    return {name: series.rows(begin, len(series)) for name, series in history.items()}
