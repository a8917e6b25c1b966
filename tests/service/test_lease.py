"""One process ticks at a time, and what an outdated one writes is refused."""

from datetime import UTC, datetime

import pytest

from service import keys
from service.episode import Episode, event_of
from service.episodes import Episodes
from service.lease import Lease
from service.store import Conflict, Fenced, Store
from tests.service.live import with_store

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def episode(**change: object) -> Episode:
    base = {
        "id": f"ep_{keys.shard('acme').strip('{}')}_1_acme",
        "version": 0,
        "kind": "crisis",
        "brand": "acme",
        "severity": 3,
        "detector": "revolt",
        "score": 71.0,
        "opened_at": AT,
        "started_at": AT,
        "updated_at": AT,
        "observed": 40.0,
        "expected": 8.0,
        "low": 3.0,
        "high": 15.0,
        "p_value": 1e-9,
        "window_seconds": 900.0,
        "method": "m",
        "reason": "r",
        "budget": 0.5,
        "replay_command": "c",
    }
    return Episode.model_validate({**base, **change}).told(AT, "episode.opened", "foreshock")


def test_one_holder_at_a_time_and_a_new_one_has_a_higher_token(store_url: str) -> None:
    async def body(store: Store) -> None:
        first, second = Lease(store, "a", "tick"), Lease(store, "b", "tick")
        token = await first.hold()
        assert token is not None
        assert await first.hold() == token
        assert await second.hold() is None
        await first.release()
        later = await second.hold()
        assert later is not None
        assert later > token

    with_store(store_url, body)


def test_who_does_not_hold_a_lease_cannot_give_it_back(store_url: str) -> None:
    async def body(store: Store) -> None:
        mine, other = Lease(store, "a", "tick"), Lease(store, "b", "tick")
        token = await mine.hold()
        await other.release()
        assert await other.hold() is None
        assert await mine.hold() == token
        assert await Lease(store, "b", "collect").hold() is not None

    with_store(store_url, body)


def test_an_outdated_ticker_can_neither_read_changes_nor_write_episodes(store_url: str) -> None:
    async def body(store: Store) -> None:
        tag = keys.shard("acme")
        await store.do("SADD", keys.dirty(tag), "acme\x1fx\x1f1")
        assert await store.call("fs_changed", keys.dirty(tag), 7) == [b"acme\x1fx\x1f1", b""]
        with pytest.raises(Fenced):
            await store.call("fs_changed", keys.dirty(tag), 6)
        with pytest.raises(Fenced):
            await Episodes(store).save(episode(), fence=6)
        assert await Episodes(store).page(None, None, 10, None) == ([], None)

    with_store(store_url, body)


def test_an_episode_and_the_event_that_tells_of_it_are_stored_together(store_url: str) -> None:
    async def body(store: Store) -> None:
        episodes = Episodes(store)
        opened = episode()
        await episodes.save(opened, fence=1, alarm='{"a": 1}')
        assert await episodes.get(opened.id) == opened
        ((_, fields),) = await store.do("XRANGE", keys.events(keys.shard("acme")), "-", "+")
        assert fields[b"event"].decode() == event_of(opened).model_dump_json()
        watch = await store.do("HGETALL", keys.watch("acme"))
        assert watch == {b"crisis\x1fepisode": opened.id.encode(), b"crisis\x1falarm": b'{"a": 1}'}

    with_store(store_url, body)


def test_two_who_change_the_same_version_do_not_overwrite_each_other(store_url: str) -> None:
    async def body(store: Store) -> None:
        episodes = Episodes(store)
        opened = episode()
        await episodes.save(opened)
        mine = opened.told(AT, "episode.acknowledged", "ann", state="acknowledged")
        theirs = opened.told(AT, "episode.noted", "ben", "hm")
        await episodes.save(mine)
        with pytest.raises(Conflict):
            await episodes.save(theirs)
        again = await episodes.change(opened.id, lambda e: e.told(AT, "episode.noted", "ben", "hm"))
        assert again is not None
        assert [entry.by for entry in again.log] == ["foreshock", "ann", "ben"]
        assert again.state == "acknowledged"

    with_store(store_url, body)


def test_pages_of_episodes_are_newest_first_and_complete(store_url: str) -> None:
    async def body(store: Store) -> None:
        episodes = Episodes(store)
        for n in range(25):
            brand = f"brand-{n}"
            at = datetime.fromtimestamp(1_770_000_000 + n // 2, UTC)
            identity = f"ep_{keys.shard(brand).strip('{}')}_{n}_{brand}"
            await episodes.save(episode(id=identity, brand=brand, opened_at=at))
        seen: list[Episode] = []
        cursor = None
        while True:
            page, cursor = await episodes.page(None, None, 7, cursor)
            seen += page
            if cursor is None:
                break
        assert len({e.id for e in seen}) == 25
        assert [e.opened_at for e in seen] == sorted((e.opened_at for e in seen), reverse=True)
        assert (await episodes.page("brand-3", "open", 5, None))[0][0].brand == "brand-3"
        assert (await episodes.page("brand-3", "resolved", 5, None))[0] == []

    with_store(store_url, body)
