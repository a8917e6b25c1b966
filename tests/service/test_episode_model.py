"""Any order of verdicts, unknown looks, late data, people, clocks and restarts, against a model of what is right."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from math import isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from detectors.looks import Finding, Looks
from detectors.statistic import Statistic
from detectors.verdict import Verdict
from service import following, judge, keys, policy
from service.brand import Brand
from service.changes import Changes
from service.episode import Episode
from service.lifecycle import PAGES, TABLE, EventType, Refused, State, rebuild
from service.minutes import Minutes
from service.severity import AGAIN_SECONDS
from service.store import Fenced, Store
from service.watcher import Expected, Watcher
from tests.service.test_lease import AT

SNOOZED: EventType = "episode.snoozed"
PEOPLES: tuple[EventType, ...] = (
    SNOOZED,
    "episode.acknowledged",
    "episode.assigned",
    "episode.noted",
    "episode.feedback",
    "episode.resolved",
)
HOUR, MINUTE = 3600.0, 60.0
BEGIN = AT.timestamp()
HIGH = 10.0
"""Upper end of what is normal in the five minutes that all looks of the model are of."""


class Scripted(Watcher):
    """A watcher whose detectors say what the test tells them; all that follows is the service's own."""

    seen = 1.0

    def onset(self, verdict: Verdict, end: float) -> float:
        """A window before."""
        return end - verdict.window

    def growth(self, detector: str, start: float, end: float) -> None:
        """Nothing can be told."""

    def expected_hour(self, end: float) -> Expected:  # noqa: ARG002
        """A hundred, of which a part is seen."""
        return Expected(100.0 * self.seen, 100.0, None, None)


def looks(ends: list[float], scores: list[float], counts: list[float]) -> Looks:
    """One detector's finding at minutes, in a window of five minutes in which up to HIGH are normal."""
    row, score = np.ones((1, len(ends))), np.array(scores)
    seen = Statistic(row * np.array(counts), row * 5.0, row * 1e6, row, row > 0)
    found = Finding("volume", (300.0,), seen, row, score, np.full(len(ends), nan))
    return Looks(np.array(ends), {"volume": found})


class Model:
    """What must come of it, said as simply as it can be: pages in order, and what is open."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.resolved = 0
        self.on = False
        self.state: State = "resolved"
        self.severity, self.calm, self.quiet_looks = 0, 0.0, 0
        self.until = self.rate = self.paged = 0.0
        self.ended: float | None = None
        self.last_strange = 0.0

    def page(self, what: str, score: float, number: float, at: float) -> None:
        """Somebody is woken."""
        self.pages.append(f"episode.{what}")
        if not isnan(score):
            self.rate = max(number, HIGH) / 5.0
        self.paged, self.state = at, "acknowledged" if (what, self.state) == ("escalated", "acknowledged") else "open"

    def look(self, at: float, seconds: float, score: float, number: float) -> None:
        """One look at the counts."""
        degree = policy.severity(score)
        if not self.on:
            if degree:
                back = self.ended is not None and at < self.ended + policy.AFTER_SECONDS
                self.on, self.severity, self.calm, self.quiet_looks = True, degree, 0.0, 0
                self.page("reopened" if back else "opened", score, number, at)
            return
        if score >= policy.CLOSES:
            self.calm, self.quiet_looks = 0.0, 0
        elif not isnan(score):
            self.calm, self.quiet_looks = self.calm + seconds, self.quiet_looks + 1
            if self.calm >= HOUR and self.quiet_looks >= 2:
                self.resolved += self.state != "resolved"
                self.on, self.state, self.ended = False, "resolved", at
                return
        if self.wake(at, score, number):
            return
        twice = degree > 0 and number / 5.0 >= 2 * self.rate and at - self.paged >= AGAIN_SECONDS
        if degree > self.severity or twice:
            self.severity = max(self.severity, degree)
            self.page("reopened" if self.state == "resolved" else "escalated", score, number, at)

    def wake(self, at: float, score: float = nan, number: float = 0.0) -> bool:
        """A snooze is over while it goes on."""
        if not (self.on and self.state == "snoozed" and at >= self.until and self.calm == 0.0):
            return False
        self.page("woken", score, number, at)
        return True


class Machine(RuleBasedStateMachine):
    """Verdicts, unknown looks, people, clocks and restarts in any order, on the service's code and its real store."""

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.store = Store(self.url)
        self.run(self.store.do("FLUSHALL"))
        self.run(self.store.prepare())
        self.name = "acme"
        self.tag = keys.shard(self.name)
        self.fence, self.now, self.judged = 1, BEGIN, BEGIN
        self.model = Model()
        self.watcher = self.begin()

    def run(self, what: Any) -> Any:
        return self.runner.run(what)

    def begin(self) -> Scripted:
        """A ticker that holds nothing but what the store has."""
        brand = Brand(name=self.name, query="acme")
        watcher = Scripted(self.store, brand, Minutes(self.store, self.name), "http://localhost")
        watch = self.run(self.store.do("HGETALL", keys.watch(self.name)))
        watcher.remember(watch, json.dumps({"judged_until": self.judged}).encode())
        return watcher

    def take(self, ends: list[float], scores: list[float], counts: list[float], before: int = 0) -> None:
        """What a tick does of one brand."""

        async def tick() -> None:
            await following.read_open([self.watcher])
            left, first = before, self.now
            while True:
                found = looks(ends, scores, counts)
                first = ends[left] if len(ends) > left else first
                more = await judge.take(self.watcher, found, np.array(ends), left, first, self.now, self.fence)
                if not more:
                    return
                done = sum(end <= self.watcher.looked_until for end in ends)
                del ends[:done], scores[:done], counts[:done]
                left = 0

        self.run(tick())
        self.judged = self.watcher.looked_until

    @rule(
        scores=st.lists(st.sampled_from([20.0, 47.0, 52.0, 58.0, 63.0, 74.0, 96.0, nan]), min_size=1, max_size=4),
        number=st.sampled_from([3.0, 12.0, 25.0, 60.0, 200.0]),
    )
    def look(self, scores: list[float], number: float) -> None:
        """Some minutes pass, each with a score or unknown."""
        if self.now < self.judged:
            return  # the clock was set back: nothing is to be judged until it has caught up
        ends = [self.now + MINUTE * n for n in range(1, len(scores) + 1)]
        for end, score in zip(ends, scores, strict=True):
            self.model.look(end, MINUTE, score, number)
        self.now = ends[-1]
        self.model.wake(self.now)
        self.take(ends, list(scores), [number] * len(scores))

    @rule(minutes=st.sampled_from([30, 59, 61]), score=st.sampled_from([20.0, nan]))
    def rest(self, minutes: int, score: float) -> None:
        """An hour or so passes in calm, or of which nothing is known."""
        if self.now < self.judged:
            return
        ends = [self.now + MINUTE * n for n in range(1, minutes + 1)]
        for end in ends:
            self.model.look(end, MINUTE, score, 3.0)
        self.now = ends[-1]
        self.model.wake(self.now)
        self.take(ends, [score] * minutes, [3.0] * minutes)

    @rule(seconds=st.sampled_from([-2 * HOUR, -300.0, 300.0, 2 * HOUR, 7 * HOUR]))
    def jump(self, seconds: float) -> None:
        """The clock jumps; nobody has looked meanwhile."""
        self.now += seconds
        self.model.wake(self.now)
        self.take([], [], [])

    @rule(part=st.sampled_from([0.1, 0.9]))
    def sight(self, part: float) -> None:
        """Sources fall silent, or tell again."""
        self.watcher.seen = part
        self.now += 16 * MINUTE
        self.model.wake(self.now)
        self.take([], [], [])

    @rule(score=st.sampled_from([30.0, 55.0, 88.0]), minutes=st.integers(5, 300), gone=st.booleans())
    def late(self, score: float, minutes: int, gone: bool) -> None:
        """What was judged is judged again: at most one page, none where it is covered, and nothing ends by it."""
        begin = self.judged - minutes * MINUTE
        self.watcher.late = Changes(np.array([begin]), np.array([-9.0 if gone else 9.0]))
        pages, on = len(self.paged()), self.model.on
        self.now = max(self.now, self.judged) + 601.0
        self.model.wake(self.now)
        pages += len(self.model.pages) - pages
        self.take([begin + MINUTE], [score], [40.0], before=1)
        told = self.paged()
        assert len(told) - pages <= (0 if on else 1)
        standing = self.watcher.standing.get("crisis", policy.Standing())
        assert standing.opened_at is not None or not on
        self.model.pages = told
        self.model.on = standing.opened_at is not None
        self.model.calm, self.model.quiet_looks = standing.calm, standing.looks
        if shown := self.watcher.episode.get("crisis"):
            self.model.severity, self.model.state = shown.severity, shown.state
            self.model.rate = shown.paged_rate.get("volume", 0.0)
            self.model.paged = shown.paged_at.timestamp() if shown.paged_at else 0.0

    @precondition(lambda self: self.model.pages)
    @rule(
        event=st.sampled_from(PEOPLES),
        minutes=st.sampled_from([1, 20, 500]),
    )
    def act(self, event: EventType, minutes: int) -> None:
        """A person does something to the newest episode; what its state does not allow is refused."""
        newest = self.run(self.watcher.episodes.newest(self.name, "crisis"))
        at = datetime.fromtimestamp(self.now, UTC)
        change: dict[str, Any] = {"snoozed_until": at + timedelta(minutes=minutes)} if event == SNOOZED else {}

        async def change_it() -> None:
            await self.watcher.episodes.change(newest.id, lambda e: e.told(at, event, "ann", **change))

        if newest.state == "resolved" and event not in {"episode.noted", "episode.feedback"}:
            with pytest.raises(Refused):
                self.run(change_it())
            return
        self.run(change_it())
        self.model.state = TABLE[event][newest.state]
        if event == SNOOZED:
            self.model.until = self.now + minutes * MINUTE
        self.model.resolved += event == "episode.resolved"

    @rule()
    def restart(self) -> None:
        """Another process takes over; what the old one still writes is refused."""
        old = self.watcher
        self.fence += 1
        self.run(self.store.do("SET", keys.fence(self.tag), self.fence))
        if old.episode.get("crisis"):
            with pytest.raises(Fenced):
                self.run(following.end(old, "crisis", self.now, "by the old one", self.fence - 1))
        seen, self.watcher = old.seen, self.begin()
        self.watcher.seen = seen
        standing = self.watcher.standing.get("crisis", policy.Standing())
        assert (standing.opened_at is not None) == self.model.on
        assert standing.calm <= self.model.calm or not self.model.on
        self.model.calm, self.model.quiet_looks = standing.calm, standing.looks

    def episodes(self) -> list[Episode]:
        found: list[Episode] = self.run(self.watcher.episodes.page(self.name, None, 200, None))[0]
        return found

    def told(self) -> list[dict[str, Any]]:
        entries = self.run(self.store.do("XRANGE", keys.events(self.tag), "-", "+"))
        events = [json.loads(fields[b"event"]) for _, fields in entries]
        return [e for e in events if e["brand"] == self.name]

    def paged(self) -> list[str]:
        return [e["type"] for e in self.told() if e["type"] in PAGES and e["episode"]["kind"] == "crisis"]

    @invariant()
    def no_page_is_missed_and_none_is_doubled(self) -> None:
        assert self.paged() == self.model.pages

    @invariant()
    def one_is_open_at_the_most_and_only_what_is_known_to_be_over_ends(self) -> None:
        found = self.episodes()
        for kind in ("crisis", "blind"):
            assert sum(e.kind == kind and e.state != "resolved" for e in found) <= 1
        crises = [e for e in found if e.kind == "crisis"]
        assert (max(crises, key=lambda e: e.opened_at).state if crises else "resolved") == self.model.state
        ends = [entry for e in crises for entry in e.log if entry.type == "episode.resolved"]
        assert len(ends) == self.model.resolved

    @invariant()
    def every_log_tells_its_episode_and_every_entry_was_told_once(self) -> None:
        found, told = self.episodes(), self.told()
        for one in found:
            assert rebuild(one.log) == one.condition
        entries = sorted((e.id, str(entry.type), entry.at.isoformat()) for e in found for entry in e.log)
        at = [(e["episode"]["id"], e["type"], datetime.fromisoformat(e["at"]).isoformat()) for e in told]
        assert sorted(at) == entries
        assert len({e["id"] for e in told}) == len(told)

    def teardown(self) -> None:
        self.run(self.store.close())
        self.runner.close()


def _against_the_model(url: str, examples: int, steps: int, *, random: bool) -> None:
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        derandomize=not random,
        phases=list(Phase) if random else [Phase.generate],
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(_bound(url), settings=chosen)


def _bound(url: str) -> type[Machine]:
    return type("Bound", (Machine,), {"url": url})


def test_who_takes_over_does_not_go_on_with_calm_that_was_broken(store_url: str) -> None:
    model = _bound(store_url)()
    model.look(scores=[52.0], number=25.0)
    model.rest(minutes=55, score=20.0)
    model.look(scores=[47.0], number=3.0)
    model.restart()
    model.rest(minutes=59, score=20.0)
    model.one_is_open_at_the_most_and_only_what_is_known_to_be_over_ends()
    assert model.model.state == "open"
    model.teardown()


def test_what_a_person_resolved_is_reopened_by_a_higher_severity_and_not_by_more_of_the_same(store_url: str) -> None:
    model = _bound(store_url)()
    model.look(scores=[52.0], number=25.0)
    model.act(event="episode.resolved", minutes=1)
    model.look(scores=[58.0, 58.0, 52.0, nan], number=25.0)
    model.one_is_open_at_the_most_and_only_what_is_known_to_be_over_ends()
    assert model.paged() == ["episode.opened"]
    model.look(scores=[63.0], number=25.0)
    model.no_page_is_missed_and_none_is_doubled()
    assert model.paged() == ["episode.opened", "episode.reopened"]
    model.teardown()


def test_any_order_of_events_gives_each_incident_once_and_ends_none_on_silence(store_url: str) -> None:
    _against_the_model(store_url, examples=25, steps=25, random=False)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_very_many_orders_of_events_do(store_url: str) -> None:
    _against_the_model(store_url, examples=1000, steps=60, random=True)
