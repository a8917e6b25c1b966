"""Late data: what was judged and changed since is judged again; it pages where it is fresh, and annotates where not."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from service import keys
from service.annotations import annotations
from service.brand import Brand
from service.clock import posix
from service.episode import Episode
from service.store import Store
from service.ticker import Ticker
from tests.service.live import with_store
from tests.service.test_counting import count, row
from tests.service.test_ticker import NOW, crises, state, taken_over, talk, watched

START = NOW - NOW % 60
"""The whole minute in which the brand is first judged."""
HOUR = 3600.0


async def calm(store: Store, ticker: Ticker, hours: float, begin: float = START) -> float:
    """One mention a minute for so long, judged every ten minutes; the end in POSIX seconds."""
    await talk(store, begin, round(hours * 60), 1, f"after{begin}")
    end = begin + hours * HOUR
    for instant in range(int(begin) + 600, int(end) + 1, 600):
        await ticker.tick(float(instant), float(instant))
    return end


async def events(store: Store) -> list[dict[str, Any]]:
    found = await store.do("XRANGE", keys.events(keys.shard("acme")), "-", "+")
    return [json.loads(fields[b"event"]) for _, fields in found]


async def pages(store: Store) -> list[str]:
    return [e["type"] for e in await events(store) if e["type"] in {"episode.opened", "episode.escalated"}]


async def delete(store: Store, start: float, minutes: int, each: int, name: str) -> None:
    """Take out what `talk` counted."""
    ids = [(f"{name}{m}-{n}", int(start + 60 * m + n % 60)) for m in range(minutes) for n in range(each)]
    for i in range(0, len(ids), 200):
        await count(store, *(row(id=name, at=at, updated=2, deleted=1) for name, at in ids[i : i + 200]), now=start)


async def open_storm(store: Store, ticker: Ticker) -> Episode:
    """A storm of ten minutes from START, judged at its end."""
    await ticker.tick(NOW, NOW)
    await talk(store, START, 10, 20, "storm")
    await ticker.tick(START + 600, START + 600)
    (found,) = await crises(store)
    return found


def test_a_revolt_that_comes_an_hour_late_pages_once_and_says_so(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        end = await calm(store, ticker, 2)
        await talk(store, START + HOUR, 10, 20, "storm")
        for later in range(5):
            await ticker.tick(end + 60 * later, end + 60 * later)
        (found,) = await crises(store)
        assert found.opened_at.timestamp() == end
        assert abs(found.started_at.timestamp() - (START + HOUR)) <= 300
        assert found.reason.endswith(
            f"; late data: 200 mentions came after {_iso(START + HOUR)} to {_iso(START + HOUR + 600)} had been judged"
        )
        assert await pages(store) == ["episode.opened"]
        assert (await state(store))["episode"] == found.id

    with_store(store_url, body)


def test_what_paged_late_ends_after_an_hour_of_calm_and_does_not_page_again(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        end = await calm(store, ticker, 1)
        await talk(store, START + 1200, 10, 20, "storm")
        await ticker.tick(end + 1, end + 1)
        await calm(store, ticker, 2, end)
        await talk(store, START + 1200, 10, 20, "more")  # of a time that an episode covers
        await ticker.tick(end + 2 * HOUR + 60, end + 2 * HOUR + 60)
        (found,) = await crises(store)
        assert found.state == "resolved"
        assert await pages(store) == ["episode.opened"]
        assert found.log[-1].type == "episode.updated"
        assert found.log[-1].note is not None
        assert found.log[-1].note.startswith("late data: 200 mentions came after")
        assert found.observed >= 200

    with_store(store_url, body)


def test_a_revolt_that_comes_more_than_six_hours_late_pages_nobody_and_is_kept_as_an_annotation(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        end = await calm(store, ticker, 8)
        await talk(store, START + 1800, 4, 20, "storm")
        await ticker.tick(end + 1, end + 1)
        assert await crises(store) == []
        (found,) = await annotations(store, "acme")
        assert found["score"] >= 50
        assert posix(found["start"]) < START + 1800 + 240 <= posix(found["end"]) + 300
        assert "80 mentions came after" in found["note"]
        await talk(store, START + 1800, 4, 5, "more")
        await ticker.tick(end + 601, end + 601)
        (again,) = await annotations(store, "acme")
        assert again["observed"] > found["observed"]

    with_store(store_url, body)


def test_late_data_of_an_open_episode_update_it_and_page_nobody(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        before = await open_storm(store, ticker)
        await talk(store, START + 600, 10, 20, "on")
        await ticker.tick(START + 1200, START + 1200)
        paged = await pages(store)
        await talk(store, START, 10, 30, "late")
        await ticker.tick(START + 1260, START + 1260)
        (found,) = await crises(store)
        assert found.id == before.id
        assert await pages(store) == paged
        assert found.score > before.score
        assert found.observed > before.observed
        notes = [entry.note or "" for entry in found.log]
        assert sum("300 mentions came after" in note for note in notes) == 1

    with_store(store_url, body)


def test_an_open_episode_whose_mentions_are_taken_out_is_judged_again_and_says_so(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await open_storm(store, ticker)
        await talk(store, START + 600, 10, 1, "after")
        await ticker.tick(START + 1200, START + 1200)
        await delete(store, START, 10, 20, "storm")
        await ticker.tick(START + 1260, START + 1260)
        (found,) = await crises(store)
        assert found.score < 50
        assert found.severity == 1
        assert found.observed <= found.high
        note = found.log[-1].note or ""
        assert "200 were taken out after" in note
        assert "below the 50 that opens" in note
        assert (await state(store))["severity"] == 1
        await calm(store, ticker, 1.2, START + 1260)
        (found,) = await crises(store)
        assert found.state == "resolved"

    with_store(store_url, body)


@pytest.mark.parametrize("days", [1, 6])
def test_a_backfill_of_thousands_of_minutes_is_judged_and_told_once(store_url: str, days: int) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        end = await calm(store, ticker, 1)
        begin = end - days * 86_400
        await talk(store, begin, days * 1440 - 60, 1, "backfill", source="late")
        await talk(store, begin + 7200, 5, 20, "old storm", source="x")
        for later in range(1, 6):
            await ticker.tick(end + 60 * later, end + 60 * later)
        assert await crises(store) == []
        assert await events(store) == []
        assert len(await annotations(store, "acme")) == 1

    with_store(store_url, body)


def test_a_mention_that_comes_some_seconds_late_is_no_late_data(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        await ticker.tick(START + 300, START + 300)
        await talk(store, START, 5, 20, "storm")
        await ticker.tick(START + 305, START + 305)
        (found,) = await crises(store)
        assert found.opened_at.timestamp() == START + 305
        assert "late data" not in found.reason
        assert await pages(store) == ["episode.opened"]

    with_store(store_url, body)


def test_what_nobody_judged_while_no_ticker_ran_is_judged_by_who_takes_over(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await ticker.tick(NOW, NOW)
        await talk(store, START, 30, 1, "after")
        await talk(store, START + 1800, 5, 20, "storm")
        await talk(store, START + 2100, 60, 1, "later")
        back = START + 2100 + HOUR
        heir = await taken_over(store, "heir")
        await heir.tick(back, back)
        (found,) = await crises(store)
        assert found.opened_at.timestamp() == back
        assert abs(found.started_at.timestamp() - (START + 1800)) <= 300

    with_store(store_url, body)


def test_the_same_comes_of_the_same_late_data_however_fast_the_clock_runs(store_url: str) -> None:
    def outcome(step: int) -> list[tuple[datetime, str, str | None]]:
        async def body(store: Store) -> list[tuple[datetime, str, str | None]]:
            await store.do("FLUSHALL")
            ticker = await watched(store)
            await ticker.tick(START, START)
            await talk(store, START, 240, 1, "after")
            await talk(store, START + 3660, 5, 12, "storm")
            for stop in (2 * HOUR, 3 * HOUR, 4 * HOUR):
                for first in range(int(START + stop - HOUR), int(START + stop), step):
                    await ticker.tick(float(first + 60), float(first + step))
                if stop == 2 * HOUR:
                    await talk(store, START + 4020, 5, 12, "late")
                if stop == 3 * HOUR:
                    await talk(store, START + 5700, 5, 20, "later")
            (found,) = await crises(store)
            return [(e.at, e.type, e.note) for e in found.log if e.type != "episode.updated" or e.note]

        return with_store(store_url, body)

    slow = outcome(60)
    assert slow == outcome(1800)
    assert [at for at, _, note in slow if note and note.startswith("late data")] == [
        _at(START + 2 * HOUR + 60),
        _at(START + 3 * HOUR + 60),
    ]


def _at(instant: float) -> datetime:
    return datetime.fromtimestamp(instant, UTC)


def _iso(instant: float) -> str:
    return _at(instant).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_brand_without_late_data_has_no_annotations(store_url: str) -> None:
    async def body(store: Store) -> None:
        assert await annotations(store, Brand(name="acme", query="acme").name) == []

    with_store(store_url, body)
