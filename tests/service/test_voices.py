"""Loud angry voices are kept with what is counted, learned from, and page in the first look."""

import json
import random
from typing import Any

import numpy as np
import pytest
from msgspec.structs import replace

from detectors.series import Series
from service import keys
from service.backtest import Opened, backtest
from service.clock import iso
from service.episode import Episode
from service.heard import Heard
from service.registry import Registry
from service.row import Row
from service.store import Store
from service.ticker import Ticker
from service.voices import heard, lately, named, widest
from tests.service.live import with_store
from tests.service.test_counting import NOW, count, elsewhere, row
from tests.service.test_pace import judged_until, ticked
from tests.service.test_ticker import BRAND, crises, state, taken_over, talk, watched
from tests.service.test_ticker import NOW as MORNING

LOUD = {"reach": 12_000}
WIDE = 200_000
"""Followers that are many for a brand of which many are angry, and which is known for some hours alone."""
START = 1_700_006_400.0
"""A midnight."""


async def kept(store: Store) -> list[tuple[float, float]]:
    """When the brand's voices spoke after NOW, and to how many."""
    found = heard(await store.do(*lately("acme", NOW)))
    return [(at - NOW, reach) for at, reach in zip(found.at.tolist(), found.reach.tolist(), strict=True)]


def test_a_loud_angry_voice_is_kept_and_no_other(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row(**LOUD), row(id="quiet", reach=4999), row(id="calm", negative=499, **LOUD))
        await count(store, row(id="unscored", scored=0, negative=0, **LOUD), row(id="spam", spam=1, **LOUD))
        assert await kept(store) == [(0.0, 12_000.0)]

    with_store(store_url, body)


@pytest.mark.parametrize(
    ("change", "left"),
    [
        ({"deleted": 1}, []),
        ({"negative": 100}, []),
        ({"reach": 30}, []),
        ({"reach": 15_000}, [(0.0, 15_000.0)]),
        ({"at": NOW - 60}, [(-60.0, 12_000.0)]),
        ({"negative": 900}, [(0.0, 12_000.0)]),
    ],
)
def test_an_edit_and_a_deletion_change_what_is_kept(
    store_url: str, change: dict[str, Any], left: list[tuple[float, float]]
) -> None:
    async def body(store: Store) -> None:
        await count(store, row(**LOUD))
        await count(store, row(**{**LOUD, **change}, updated=NOW * 1000 + 1))
        assert await kept(store) == left

    with_store(store_url, body)


def test_a_voice_that_speaks_of_the_brand_no_more_is_gone(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row(**LOUD))
        await count(store, elsewhere("other"))
        assert await kept(store) == []

    with_store(store_url, body)


def test_copies_beyond_the_third_are_no_voices_whatever_the_order(store_url: str) -> None:
    rows = [row(id=n, author=n, at=NOW + n, signature=77, **LOUD) for n in range(6)]

    async def body(store: Store) -> None:
        for seed in range(4):
            await store.do("FLUSHALL")
            random.Random(seed).shuffle(rows)
            for one in rows:
                await count(store, one)
            assert await kept(store) == [(0.0, 12_000.0), (1.0, 12_000.0), (2.0, 12_000.0)]

    with_store(store_url, body)


def test_voices_are_kept_35_days_and_5000_of_them(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row(id="old", at=NOW - 36 * 86_400, **LOUD))
        assert await store.do("ZCARD", keys.voices("acme")) == 0
        for begin in range(0, 5200, 200):
            await count(store, *(row(id=n, author=n, at=NOW + n, **LOUD) for n in range(begin, begin + 200)))
        assert await store.do("ZCARD", keys.voices("acme")) == 5000
        assert (await kept(store))[0] == (200.0, 12_000.0), "the oldest made way"
        assert 34 * 86_400 < await store.do("TTL", keys.voices("acme")) <= 35 * 86_400

    with_store(store_url, body)


def test_the_widest_voice_of_a_time_is_named_with_its_post(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, said(NOW, 9000, "small"), said(NOW + 60, 100_000, "wide"), said(NOW + 600, 200_000))
        found = await widest(store, "acme", NOW, NOW + 300)
        assert found is not None
        assert (found["id"], found["text"], found["author"]["followers"]) == ("wide", "acme, never again", 100_000)
        assert await widest(store, "acme", NOW - 300, NOW - 1) is None
        await store.do("DEL", keys.text("acme", keys.identity("x", "wide")))
        assert await widest(store, "acme", NOW, NOW + 300) is None, "its text is gone"

    with_store(store_url, body)


def test_a_reason_names_who_spoke_where_that_is_known() -> None:
    reason = "an author with 12,000 followers is angry"
    assert named(reason, {"author": {"id": "7", "name": "@dave"}}) == "@dave with 12,000 followers is angry"
    assert named(reason, {"author": {"id": "7", "name": None}}) == "7 with 12,000 followers is angry"
    assert named(reason, {"author": {"id": "7", "name": "a\nb " + 99 * "c"}}).startswith("a b cccc")
    assert len(named(reason, {"author": {"id": "7", "name": 999 * "c"}})) < len(reason) + 60
    assert named(reason, {"author": None}) == named(reason, None) == reason
    assert named("9 mentions in 5 min", {"author": {"id": "7"}}) == "9 mentions in 5 min"


def test_nobody_was_heard_where_nothing_is_kept() -> None:
    assert heard([]).widest_at(100.0) == Heard().widest_at(100.0) == 100.0


def said(at: float, reach: int, name: str = "dave") -> Row:
    """What a loud and angry author says."""
    author = {"id": name, "name": f"@{name}", "followers": reach}
    mention = {"id": name, "source": "x", "text": "acme, never again", "published_at": iso(at), "author": author}
    text = json.dumps({**mention, "negative": 0.9, "sentiment": "negative"})
    return row(id=name, at=int(at), reach=reach, negative=900, author=name, text=text)


async def opened(store: Store, ticker: Ticker, reach: int) -> list[Episode]:
    """What one voice opens within one look, though hardly anything else is said."""
    await ticker.tick(MORNING, MORNING)
    assert await crises(store) == []
    await count(store, said(MORNING + 2, reach), now=MORNING + 3)
    await ticker.tick(MORNING + 5, MORNING + 5)
    return await crises(store)


def test_one_wide_angry_voice_opens_an_episode_in_one_look(store_url: str) -> None:
    async def body(store: Store) -> None:
        (found,) = await opened(store, await watched(store), WIDE)
        assert (found.detector, found.observed, found.high) == ("voice", WIDE, 0.0)
        assert found.reason.startswith("@dave with 200,000 followers is angry; so wide an angry voice comes once in ")
        assert found.started_at.timestamp() == MORNING // 60 * 60
        assert "followers" in found.method
        assert found.evidence["voice"]["id"] == "dave"
        assert "dave" in [mention["id"] for mention in found.evidence["top_mentions"]]
        scores = (await state(store))["scores"]
        assert scores["voice"] == pytest.approx(found.score, abs=0.1)
        assert max(scores["volume"], scores["revolt"]) < 50.0

    with_store(store_url, body)


def test_a_brand_of_which_a_loud_voice_speaks_is_looked_at_at_once_however_long_calm_ones_wait(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        for later in (0, 5, 10):
            await ticked(ticker, MORNING + later)
        ticker._pace.calm_seconds = 60.0
        before = await judged_until(store)
        await talk(store, MORNING + 11, 1, 1, "murmur")
        await ticked(ticker, MORNING + 15)
        assert await judged_until(store) == before, "a calm word waits"
        await count(store, said(MORNING + 16, WIDE), now=MORNING + 17)
        await ticked(ticker, MORNING + 20)
        assert [found.detector for found in await crises(store)] == ["voice"]

    with_store(store_url, body)


@pytest.mark.parametrize("change", [{"reach": 4900}, {"negative": 100}, {"spam": 1}])
def test_who_is_not_loud_or_not_angry_or_spam_opens_nothing(store_url: str, change: dict[str, Any]) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(MORNING, MORNING)
        await count(store, replace(said(MORNING + 2, WIDE), **change), now=MORNING + 3)
        await ticker.tick(MORNING + 5, MORNING + 5)
        assert await crises(store) == []
        assert (await state(store))["scores"]["voice"] == 0.0

    with_store(store_url, body)


@pytest.mark.parametrize(("usual", "pages"), [(0, 1), (30, 0)])
def test_where_such_voices_are_usual_none_opens_an_episode(store_url: str, usual: int, pages: int) -> None:
    async def body(store: Store) -> None:
        await Registry(store).put_brand(BRAND)
        calm = '{"id": "calm", "source": "x", "text": "acme", "published_at": "2025-10-01T00:00:00Z"}'
        month = [
            row(id=f"calm{n}", author=n, at=int(MORNING) - 1800 * n, negative=100, text=calm) for n in range(1, 1440)
        ]
        daily = [said(MORNING - 86_400 * day - 7000, 6000 + 500 * day, f"voice{day}") for day in range(usual)]
        for begin in range(0, 1440, 200):
            await count(store, *month[begin : begin + 200], now=MORNING)
        await count(store, *daily, now=MORNING)
        ticker = await taken_over(store, "me")
        assert len(await opened(store, ticker, 12_000)) == pages

    with_store(store_url, body)


def test_a_voice_that_is_told_late_pages_and_begins_where_it_spoke(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(MORNING, MORNING)
        await ticker.tick(MORNING + 600, MORNING + 600)
        await count(store, said(MORNING + 2, WIDE), now=MORNING + 610)
        await ticker.tick(MORNING + 620, MORNING + 620)
        (found,) = await crises(store)
        assert found.detector == "voice"
        assert found.started_at.timestamp() == MORNING // 60 * 60

    with_store(store_url, body)


def test_a_voice_is_over_after_an_hour_of_calm_and_does_not_open_again(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        assert len(await opened(store, ticker, WIDE)) == 1
        await talk(store, MORNING, 300, 1, "after")
        for minute in range(1, 301):
            await ticker.tick(MORNING + 60 * minute, MORNING + 60 * minute)
        (found,) = await crises(store)
        assert found.state == "resolved"
        assert found.closed_at is not None
        assert 74 * 60 <= found.closed_at.timestamp() - MORNING <= 80 * 60

    with_store(store_url, body)


def played(heard: Heard, rows: int = 14 * 288) -> list[tuple[int, str]]:
    """What two quiet weeks and these voices open: rows and detectors."""
    calm = np.random.default_rng(1).poisson(3.0, 14 * 288).astype(float)[:rows]
    series = Series(START, 300.0, calm, calm / 6, calm, calm)
    return [(h.row, h.verdict.detector) for h in backtest(series, heard=heard) if isinstance(h, Opened)]


def test_what_the_past_would_have_raised_includes_its_voices_and_looks_at_none_that_came_later() -> None:
    days, reach = START + 86_400.0 * np.array([9.0, 13.0]), np.array([12e3, 90e3])
    assert played(Heard(days, reach), 12 * 288) == [(9 * 288, "voice")]
    assert played(Heard(days, reach)) == [(9 * 288, "voice"), (13 * 288, "voice")]
    every = START + 43_200.0 * np.arange(1.0, 28.0)
    pages = played(Heard(every, np.full(27, 12e3)))
    assert len(pages) <= 1, "what comes twice a day is usual"
    assert played(Heard()) == []
