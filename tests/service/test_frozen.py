"""What an episode rests on is kept with it: the counts as judged, and a sample of its posts."""

from datetime import timedelta

import numpy as np
import pytest

from service import keys
from service.episodes import Episodes
from service.frozen import SAMPLE, Curve, Join, freeze, frozen, thaw
from service.ingest import heartbeat
from service.quotes import key_of
from service.store import Store
from tests.service.live import with_store
from tests.service.test_late import START, calm
from tests.service.test_ticker import HOURS, NOW, crises, storm, talk, watched


async def curve(store: Store) -> Curve:
    (episode,) = await crises(store)
    kept = await frozen(store, episode.id)
    assert kept is not None
    assert kept.curve is not None
    return kept.curve


def between(found: Curve, first: float, last: float) -> list[float | None]:
    """The mentions of the buckets from `first` to `last` (POSIX seconds)."""
    at = [found.start + found.step * n for n in range(len(found.mentions))]
    return [value for value, begin in zip(found.mentions, at, strict=True) if first <= begin < last]


def test_an_alert_keeps_what_was_counted_and_what_was_normal_up_to_the_minute(store_url: str) -> None:
    async def body(store: Store) -> None:
        await storm(store, await watched(store))
        found = await curve(store)
        begin = NOW - NOW % 60
        assert found.step == 300
        assert found.start % 300 == 0
        assert sum(value or 0.0 for value in between(found, begin - 300, begin + 900)) >= 200.0
        quiet = between(found, begin - 7200, begin - 600)
        assert quiet == [5.0] * len(quiet)
        assert found.sources == {"x": found.mentions}
        known = [row for row in zip(found.low, found.expected, found.high, strict=True) if None not in row]
        assert len(known) > HOURS * 12 - 3
        assert all(low <= usual <= high for low, usual, high in known if low is not None and usual and high)
        assert max(value or 0.0 for value in found.negative) > 50
        lengths = {len(row) for row in (found.negative, found.expected, found.expected_negative, found.low)}
        assert lengths == {len(found.mentions)}

    with_store(store_url, body)


def test_it_goes_on_with_the_episode_to_its_end_and_outlives_its_minutes_and_texts(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await storm(store, ticker)
        (opened,) = await crises(store)
        before = await frozen(store, opened.id)
        end = await calm(store, ticker, 1.5, START + 600)
        (over,) = await crises(store)
        assert over.state == "resolved"
        after = await frozen(store, over.id)
        assert before is not None
        assert after is not None
        assert after.at > before.at
        found = await curve(store)
        assert found.start + found.step * len(found.mentions) > end - 1800
        for key in await store.do("KEYS", f"{keys.shard('acme')}:[bt]:*"):
            await store.do("DEL", key)
        assert await frozen(store, over.id) == after
        assert await store.do("TTL", keys.frozen(keys.shard("acme"), over.id)) > 399 * 86_400

    with_store(store_url, body)


def test_what_a_source_did_not_tell_is_kept_as_unknown_and_not_as_nothing(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await store.do("HSET", keys.gaps("acme"), f"x{keys.SEPARATOR}{NOW - 7200 - NOW % 300}", NOW - 3600 - NOW % 300)
        await storm(store, ticker)
        found = await curve(store)
        hole = between(found, NOW - 7200 - NOW % 300, NOW - 3600 - NOW % 300)
        assert hole == [None] * 12

    with_store(store_url, body)


def test_the_sample_holds_what_is_quoted_and_others_over_all_of_the_time(store_url: str) -> None:
    async def body(store: Store) -> None:
        await storm(store, await watched(store))
        (episode,) = await crises(store)
        kept = await frozen(store, episode.id)
        assert kept is not None
        assert len(kept.posts) == SAMPLE
        names = [key_of(post) for post in kept.posts]
        assert len(set(names)) == SAMPLE
        assert {key_of(post) for post in episode.evidence["first_mentions"]} <= set(names)
        minutes = {post["published_at"] for post in kept.posts}
        assert len(minutes) >= 9
        index = {m.decode() for m in await store.do("ZRANGE", keys.quoted(keys.shard("acme")), 0, -1)}
        assert {f"{name}:{episode.id}" for name in names} <= index
        await thaw(store, keys.shard("acme"), episode.id, set(names[:3]))
        thawed = await frozen(store, episode.id)
        assert thawed is not None
        assert (thawed.curve, thawed.posts) == (kept.curve, kept.posts[3:])

    with_store(store_url, body)


def test_a_brand_that_is_silent_has_no_less_kept(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await heartbeat(store, "x", NOW)
        await ticker.tick(NOW, NOW)
        for minute in range(5, 70, 5):
            await ticker.tick(NOW + 60 * minute, NOW + 60 * minute)
        (blind,) = await crises(store)
        kept = await frozen(store, blind.id)
        assert blind.kind == "blind"
        assert kept is not None
        assert kept.curve is not None
        assert kept.curve.mentions[-1] is None

    with_store(store_url, body)


def test_what_was_never_frozen_is_none(store_url: str) -> None:
    async def body(store: Store) -> None:
        await talk(store, START, 1, 1, "one")
        assert await frozen(store, "ep_s001_1_acme") is None
        assert await frozen(store, "nonsense") is None
        assert await Episodes(store).get("nonsense") is None

    with_store(store_url, body)


@pytest.mark.parametrize(
    ("lead", "values", "sums"),
    [
        (0, [1.0, 2.0, 3.0, 4.0], [3.0, 7.0]),
        (1, [1.0, 2.0, 3.0, 4.0], [1.0, 5.0, 4.0]),
        (0, [1.0, np.nan, np.nan, np.nan], [1.0, None]),
    ],
)
def test_buckets_are_joined_by_the_clock_and_what_is_known_of_them(
    lead: int, values: list[float], sums: list[float | None]
) -> None:
    assert Join(lead, 2, len(values))(np.array(values)) == sums


@pytest.mark.parametrize(("days", "step"), [(1, 300), (4, 300), (10, 3600)])
def test_what_lasts_long_is_kept_by_hours(store_url: str, days: int, step: int) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await storm(store, ticker)
        (watcher,) = ticker.watchers.all()
        (episode,) = await crises(store)
        began = episode.started_at - timedelta(days=days)
        await freeze(watcher, episode.model_copy(update={"started_at": began}), NOW + 600)
        found = await curve(store)
        assert found.step == step
        assert found.start % step == 0
        assert sum(value or 0.0 for value in found.mentions) >= 60 * HOURS + 200
        assert any(usual for usual in found.expected)

    with_store(store_url, body)
