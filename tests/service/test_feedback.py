"""What people say of an episode reaches what the brand learns, and a known campaign can be planned by one call."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from detectors.calibrate import SPENT
from detectors.series import Series
from service import keys
from service.brand import Brand
from service.clock import ReplayClock, start_replay_clock
from service.episode import Episode, Span, new_id
from service.episodes import Episodes
from service.feedback import campaign_of, strange
from service.minutes import Minutes
from service.registry import Registry
from service.store import Store
from service.watcher import Watcher
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.weeks import counted

END = datetime(2026, 3, 2, tzinfo=UTC)
NOW = END.timestamp()
BACK, LASTS = timedelta(days=4), timedelta(hours=1)


def crisis(said: str | None = None, begin: datetime = END - BACK, lasts: timedelta = LASTS) -> Episode:
    """A crisis of `acme` that is over, of which people said so."""
    episode = Episode(
        id=new_id(keys.shard("acme"), begin.timestamp(), "acme"), version=0, kind="crisis", brand="acme", severity=2,
        detector="revolt", score=64.0, opened_at=begin, started_at=begin, updated_at=begin, observed=60, expected=9,
        low=3, high=17, p_value=1e-9, window_seconds=1800, method="", reason="", budget=0.5, replay_command="",
    ).told(begin, "episode.opened", "foreshock")  # fmt: skip
    over = episode.told(begin + lasts, "episode.resolved", "foreshock", calm_at=begin + lasts)
    return over if said is None else over.told(END, "episode.feedback", "ann", feedback=said)


def buckets(days: int = 10) -> Series:
    return Series(NOW - days * 86_400.0, 300.0, np.ones(days * 288))


def test_a_false_alarm_was_no_crisis_and_the_others_are_kept_from_the_baseline() -> None:
    spans = {said: strange(buckets(), [crisis(said)], None, NOW) for said in (None, "real", "false alarm")}
    assert [found.mask.sum() for found in spans.values()] == [12, 12, 0]
    assert [found.feedback.left.sum() for found in spans.values()] == [0, 12, 0]
    assert [found.feedback.false.sum() for found in spans.values()] == [0, 0, 12]
    assert strange(buckets(), [crisis("known campaign")], None, NOW).feedback.left.sum() == 12


def test_a_real_crisis_that_became_the_new_level_is_learned_by_the_baseline_and_not_by_the_tail() -> None:
    found = strange(buckets(), [crisis("real", lasts=timedelta(days=3))], None, NOW)
    assert (found.mask.sum(), found.feedback.left.sum()) == (0, 3 * 288)


def test_every_time_that_an_episode_was_on_is_of_what_people_say() -> None:
    earlier = [Span(start=END - BACK - timedelta(hours=5), end=END - BACK - timedelta(hours=4))]
    found = strange(buckets(), [crisis("real").model_copy(update={"earlier": earlier})], None, NOW)
    assert found.feedback.left.sum() == 24


def test_what_was_said_of_weeks_ago_is_no_news() -> None:
    assert strange(buckets(), [crisis("real", begin=END - timedelta(days=20))], None, NOW).said == frozenset()
    assert strange(buckets(), [crisis()], None, NOW).said == frozenset()


def test_the_next_fit_follows_what_people_say_and_moves_the_threshold_the_right_way(store_url: str) -> None:
    async def body(store: Store) -> None:
        await counted(store, "acme", NOW, 14, crisis=(4 * 288, 12, 4.0))
        minutes = Minutes(store, "acme")
        minutes.remember({b"x\x1ffirst": str(NOW - 14 * 86_400).encode(), b"x\x1flast": str(NOW - 60).encode()}, None)
        watcher = Watcher(store, Brand(name="acme", query="acme"), minutes, "")
        episodes = Episodes(store)
        await episodes.save(crisis().told(END, "episode.noted", "ann").model_copy(update={"version": 1}))

        async def threshold(said: str | None) -> float:
            if said is not None:
                await episodes.change(crisis().id, lambda e: e.told(END, "episode.feedback", "ann", feedback=said))
            await watcher.learn(NOW)
            assert watcher.watch is not None
            assert watcher.watch.calibration.tail is not None
            return watcher.watch.calibration.tail.reached(SPENT * 0.5)

        unsaid = await threshold(None)
        real, false, campaign = [await threshold(said) for said in ("real", "false alarm", "known campaign")]
        assert real < unsaid < false < 1.5 * unsaid
        assert campaign == pytest.approx(real)
        before = watcher.watch
        await watcher.learn(NOW)
        assert watcher.watch is not None
        assert before is not None
        assert watcher.watch.calibration is before.calibration  # nothing new was said: nothing is learned twice

    with_store(store_url, body)


def test_a_campaign_is_planned_from_the_first_strange_bucket_to_the_end() -> None:
    planned = campaign_of(crisis("known campaign"), END)
    assert (planned.start, planned.end) == (END - BACK, END - BACK + LASTS)
    assert planned.name == "known campaign of 2026-02-26"
    open_still = crisis().model_copy(update={"state": "open", "closed_at": None, "calm_at": None})
    assert campaign_of(open_still, END).end == END + timedelta(days=1)
    with pytest.raises(ValueError, match="end: must be later than 2026-02-26T00:00:00"):
        campaign_of(crisis(), END, end=END - BACK)


def test_one_call_plans_a_known_campaign_once_and_refuses_what_nobody_called_so(store_url: str) -> None:
    async def body(store: Store) -> None:
        await start_replay_clock(store, NOW)
        registry = Registry(store)
        await registry.put_brand(Brand(name="acme", query="acme", budget=2))
        await Episodes(store).save(crisis().model_copy(update={"version": 1}))
        async with serving(store, clock=ReplayClock(store)) as client:
            path = f"/v1/episodes/{crisis().id}"
            refused = await client.post(f"{path}/campaign", json={"name": "Spring sale"})
            assert (refused.status_code, "POST that as feedback first" in refused.text) == (409, True)
            await client.post(f"{path}/feedback", json={"verdict": "known campaign", "by": "ann"})
            for _ in range(2):
                answer = await client.post(f"{path}/campaign", json={"name": "Spring sale", "by": "ann"})
            assert (answer.status_code, answer.json()["name"]) == (200, "Spring sale")
            early = {"end": (END - 2 * BACK).isoformat()}
            assert (await client.post(f"{path}/campaign", json=early)).status_code == 422
            brand = (await client.get("/v1/brands/acme")).json()
            log = (await client.get(path)).json()["log"]
        assert [c["name"] for c in brand["campaigns"]] == ["Spring sale"]
        assert brand["budget"] == 2
        assert "planned as 'Spring sale'" in log[-1]["note"]

    with_store(store_url, body)
