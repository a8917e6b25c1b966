"""What the accuracy page says of a brand: pages against the budget, with honest intervals where few."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from service import keys
from service.accuracy import minutes, rate, window
from service.brand import Brand
from service.clock import ReplayClock, start_replay_clock
from service.episode import Episode
from service.episodes import Episodes
from service.registry import Registry
from service.store import Store
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.test_feedback import END, NOW, crisis
from tests.service.weeks import counted

DAYS = timedelta(days=1)


def judged(weeks: int, *crises: Episode, watched: float = 12.0, budget: float = 0.5) -> Any:
    since = NOW - watched * 7 * 86_400.0
    return window(weeks, NOW, since, budget, crises, {"lost": 0}, {"x": 1.0})


@pytest.mark.parametrize("true", [0.05, 0.3, 0.5, 2.0, 5.0])
def test_the_interval_of_a_rate_holds_the_true_rate_nearly_always(true: float) -> None:
    numbers = np.random.default_rng(3).poisson(true * 12.0, 400).tolist()
    found = [rate(number, 12.0) for number in numbers]
    assert np.mean([(one.low or 0.0) - 0.01 <= true <= (one.high or 0.0) + 0.01 for one in found]) >= 0.95


def test_few_pages_say_little_and_no_page_in_twelve_weeks_keeps_the_budget() -> None:
    assert judged(4).false_pages.verdict == "too early to say"
    assert judged(12).false_pages.verdict == "kept"
    assert judged(12, watched=2.0).false_pages.verdict == "too early to say"
    assert judged(12, watched=2.0).watched_weeks == 2.0
    new = judged(4, crisis(begin=END - timedelta(hours=1)), watched=0.01)
    assert (new.pages.number, new.pages.a_week, new.false_pages.verdict) == (1, None, "too early to say")


def test_what_nobody_said_anything_of_may_be_false_and_what_was_called_real_is_not() -> None:
    every = [crisis(said, begin=END - n * DAYS) for n, said in enumerate(["real", "false alarm", None, None], 2)]
    found = judged(4, *every)
    assert found.said == {"real": 1, "false alarm": 1, "known campaign": 0, "unsaid": 2}
    assert (found.false_pages.least.number, found.false_pages.most.number) == (1, 3)
    assert found.pages.number == 4
    many = [crisis("false alarm", begin=END - n * DAYS) for n in range(2, 12)]
    assert judged(4, *many).false_pages.verdict == "over"


def test_a_page_counts_when_it_was_and_a_snooze_that_is_over_is_no_false_page() -> None:
    episode = crisis(begin=END - 40 * DAYS).model_copy(update={"state": "snoozed", "closed_at": None})
    later = episode.told(END - 3 * DAYS, "episode.woken", "foreshock").told(
        END - DAYS, "episode.escalated", "foreshock"
    )
    found = judged(4, later)
    assert found.by_type == {"woken": 1, "escalated": 1}
    assert (found.pages.number, found.false_pages.most.number, sum(found.said.values())) == (2, 1, 0)


def test_times_are_from_the_estimated_begin_to_the_page_and_from_there_to_the_acknowledgement() -> None:
    opened = crisis().model_copy(update={"started_at": END - 4 * DAYS - timedelta(minutes=12), "state": "open"})
    taken = opened.told(END - 4 * DAYS + timedelta(minutes=7), "episode.acknowledged", "ann")
    found = judged(4, taken, crisis(begin=END - 2 * DAYS))
    assert (found.start_to_page.number, found.start_to_page.median) == (2, 6.0)
    assert (found.to_acknowledge.median, found.never_acknowledged) == (7.0, 1)


def test_a_median_has_an_interval_from_six_times_on() -> None:
    assert (minutes([60.0] * 5).low, minutes([]).median) == (None, None)
    assert (minutes([60.0 * n for n in range(6)]).low, minutes([60.0 * n for n in range(6)]).high) == (0.0, 5.0)


def test_the_page_is_told_by_rest_with_deliveries_and_completeness(store_url: str) -> None:
    async def body(store: Store) -> None:
        await start_replay_clock(store, NOW)
        await Registry(store).put_brand(Brand(name="acme", query="acme"))
        await counted(store, "acme", NOW, 20)
        gap = f"x{keys.SEPARATOR}{int(NOW - 86_400)}"
        await store.do("HSET", keys.gaps("acme"), gap, int(NOW - 43_200))
        await Episodes(store).save(crisis().model_copy(update={"version": 1}))
        for number, (brand, outcome) in enumerate((("acme", "delivered"), ("acme", "lost"), ("other", "lost"))):
            entry = ("brand", brand, "episode", crisis().id, "outcome", outcome, "at", NOW - 60)
            await store.do("XADD", keys.deliveries(keys.shard("acme")), f"{int(NOW * 1000) + number}-0", *entry)
        async with serving(store, clock=ReplayClock(store)) as client:
            found, missing = await asyncio.gather(
                client.get("/v1/brands/acme/accuracy"), client.get("/v1/brands/none/accuracy")
            )
            assert (await client.get("/v1/brands/acme/accuracy?weeks=0")).status_code == 422
        assert missing.status_code == 404
        four, twelve = found.json()["windows"]
        assert (four["weeks"], twelve["weeks"], four["pages"]["number"]) == (4, 12, 1)
        assert four["watched_weeks"] == pytest.approx(20 / 7, abs=0.01)
        assert four["deliveries"] == {"delivered": 1, "lost": 1, "dropped": 0, "muted": 0}
        assert four["completeness"]["x"] == pytest.approx(1 - 12 / 480, abs=0.005)
        assert datetime.fromisoformat(found.json()["at"]) == datetime.fromtimestamp(NOW, UTC)

    with_store(store_url, body)
