"""An episode through the running judge and REST: reopened, woken, paged again, and what is refused."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service import keys
from service.brand import Brand
from service.clock import ReplayClock, start_replay_clock
from service.episode import Episode
from service.episodes import Episodes
from service.lifecycle import PAGES, EventType, rebuild
from service.registry import Registry
from service.store import Conflict, Store
from service.ticker import Ticker
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.test_late import HOUR, START, calm, events
from tests.service.test_lease import AT, episode
from tests.service.test_ticker import NOW, crises, state, storm, taken_over, talk, watched


async def pages(store: Store) -> list[str]:
    return [e["type"] for e in await events(store) if e["type"] in PAGES]


async def only(store: Store) -> Episode:
    (found,) = await crises(store)
    assert rebuild(found.log) == found.condition
    return found


async def act(store: Store, event: EventType, at: float, **change: Any) -> None:
    found, when = await only(store), datetime.fromtimestamp(at, UTC)
    await Episodes(store).change(found.id, lambda e: e.told(when, event, "ann", **change))


async def over(store: Store, ticker: Ticker) -> float:
    """A storm that was resolved by an hour of calm; the end of the calm in POSIX seconds."""
    await storm(store, ticker)
    end = await calm(store, ticker, 1.5, START + 600)
    assert (await only(store)).state == "resolved"
    return end


def test_a_crisis_that_is_back_within_six_hours_is_the_same_episode_and_pages(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        end = await over(store, ticker)
        first = await only(store)
        before = len(await pages(store))
        heir = await taken_over(store, "heir")
        await talk(store, end, 10, 120, "again")
        await heir.tick(end + 600, end + 600)
        found = await only(store)
        assert (found.id, found.state, found.opened_at) == (first.id, "open", first.opened_at)
        assert found.reopened_at == datetime.fromtimestamp(end + 600, UTC)
        assert found.closed_at is found.calm_at is None
        assert abs(found.began.timestamp() - end) <= 300
        assert (found.earlier[0].start, found.earlier[0].end) == (first.started_at, first.calm_at)
        assert (await pages(store))[before] == "episode.reopened"
        assert found.evidence["first_mentions"] == first.evidence["first_mentions"]
        assert (await state(store))["severity"] == found.severity

    with_store(store_url, body)


def test_a_crisis_that_is_back_after_its_window_is_another_episode(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        end = await calm(store, ticker, 6.5, await over(store, ticker))
        await talk(store, end, 10, 120, "again")
        await ticker.tick(end + 600, end + 600)
        newest, first = await crises(store)
        assert (newest.state, newest.reopened_at, first.state) == ("open", None, "resolved")

    with_store(store_url, body)


def test_what_a_person_resolved_stays_quiet_until_it_doubles_and_is_reopened_then(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await storm(store, ticker)
        await act(store, "episode.resolved", START + 601)
        before = len(await pages(store))
        await talk(store, START + 600, 10, 20, "same")
        for minute in range(11, 21):
            await ticker.tick(START + 60 * minute, START + 60 * minute)
        assert (await only(store)).state == "resolved"
        assert (await state(store))["severity"] == 0
        await talk(store, START + 1200, 15, 80, "much more")
        for minute in range(21, 36):
            await ticker.tick(START + 60 * minute, START + 60 * minute)
        found = await only(store)
        assert (found.state, found.closed_at) == ("open", None)
        assert (await pages(store))[before] == "episode.reopened"
        assert (await state(store))["severity"] == found.severity

    with_store(store_url, body)


@pytest.mark.parametrize("goes_on", [True, False])
def test_a_snooze_ends_by_itself_with_a_page_where_it_goes_on_and_in_calm_without(
    store_url: str, goes_on: bool
) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await storm(store, ticker)
        before = len(await pages(store))
        until = datetime.fromtimestamp(START + (1800 if goes_on else 4200), UTC)
        await act(store, "episode.snoozed", START + 601, snoozed_until=until)
        if goes_on:
            await talk(store, START + 600, 25, 6, "on")
            for minute in range(11, 32):
                await ticker.tick(START + 60 * minute, START + 60 * minute)
        else:
            await calm(store, ticker, 1.5, START + 600)
        found = await only(store)
        assert found.state == ("open" if goes_on else "resolved")
        assert found.snoozed_until is None
        told = (await pages(store))[before:]
        assert told == (["episode.woken"] if goes_on else [])
        if goes_on:
            woken = next(entry for entry in found.log if entry.type == "episode.woken")
            assert woken.at == until
            assert (woken.note or "").startswith("the snooze is over and it goes on; ")

    with_store(store_url, body)


def test_a_snooze_ends_though_nothing_is_known_any_more(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await storm(store, ticker)
        until = datetime.fromtimestamp(START + 1800, UTC)
        await act(store, "episode.snoozed", START + 601, snoozed_until=until)
        await ticker.tick(START + 1790, START + 1790)
        assert (await only(store)).state == "snoozed"
        heir = await taken_over(store, "heir")
        await heir.tick(START + 1810, START + 1810)
        assert (await only(store)).state == "open"
        assert (await pages(store))[-1] == "episode.woken"

    with_store(store_url, body)


def test_growth_pages_again_and_the_page_says_why(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await storm(store, ticker)
        found = await only(store)
        paged = [entry for entry in found.log if entry.type in PAGES]
        degrees = [entry.severity or 0 for entry in paged]
        assert degrees == sorted(set(degrees))
        assert min(degrees) >= 1
        assert all("of 5" in (entry.note or "") for entry in paged[1:])
        assert found.severity_rule.startswith(f"{found.severity} of 5: ")
        assert (found.severity, found.paged_at) == (paged[-1].severity, paged[-1].at)
        assert found.paged_rate["revolt"] > 1.0

    with_store(store_url, body)


def test_other_brands_in_crisis_at_the_same_time_are_named_in_it(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await watched(store)
        await Registry(store).put_brand(Brand(name="globex", query="globex"))
        await talk(store, START - 14 * HOUR, 14 * 60, 1, "calm", brand="globex")
        await ticker.tick(NOW, NOW)
        for brand in ("acme", "globex"):
            await talk(store, START, 10, 20, "storm", brand=brand)
        for minute in (10, 21):
            await talk(store, START + 60 * minute, 10, 20, f"on{minute}", brand="acme")
            await ticker.tick(START + 60 * minute, START + 60 * minute)
        assert (await only(store)).evidence["others"] == ["globex"]

    with_store(store_url, body)


def test_a_second_open_episode_of_a_kind_is_refused_by_the_store(store_url: str) -> None:
    async def body(store: Store) -> None:
        episodes, tag = Episodes(store), keys.shard("acme").strip("{}")
        first = episode()
        await episodes.save(first, fence=1)
        second = episode(id=f"ep_{tag}_2_acme")
        with pytest.raises(Conflict):
            await episodes.save(second, fence=1)
        await episodes.save(episode(id=f"ep_{tag}_2_acme-blind", kind="blind"), fence=1)
        assert [e.id for e in await episodes.many([first.id, second.id]) if e] == [first.id]
        over = await episodes.change(first.id, lambda e: e.told(AT, "episode.resolved", "ann"))
        await episodes.save(second, fence=1)
        assert over is not None
        with pytest.raises(Conflict):
            await episodes.save(over.told(AT, "episode.reopened", "foreshock"), fence=1)
        newest = await episodes.newest("acme", "blind")
        assert newest is not None
        assert newest.kind == "blind"
        assert await episodes.newest("acme", "opportunity") is None

    with_store(store_url, body)


def test_of_tickers_and_people_at_once_each_change_is_kept_and_told_once(store_url: str) -> None:
    async def body(store: Store) -> None:
        episodes, opened = Episodes(store), episode()
        await episodes.save(opened, fence=1)
        acts = [
            episodes.change(opened.id, lambda e, n=n: e.told(AT, "episode.noted", f"p{n}", "hm"))  # type: ignore[misc]
            for n in range(3)
        ]
        await asyncio.gather(*acts)
        found = await episodes.get(opened.id)
        assert found is not None
        assert sorted(entry.by for entry in found.log) == ["foreshock", "p0", "p1", "p2"]
        assert [e["id"] for e in await events(store)] == [f"evt_{opened.id[3:]}_{n}" for n in (1, 2, 3, 4)]

    with_store(store_url, body)


def test_by_rest_what_the_state_does_not_allow_is_one_line_with_409(store_url: str) -> None:
    async def body(store: Store) -> None:
        await start_replay_clock(store, AT.timestamp())
        clock, opened = ReplayClock(store), episode()
        await Episodes(store).save(opened)
        async with serving(store, clock=clock) as client:
            path = f"/v1/episodes/{opened.id}"
            snoozed = (await client.post(f"{path}/snooze", json={"minutes": 30, "by": "ann"})).json()
            assert snoozed["state"] == "snoozed"
            assert datetime.fromisoformat(snoozed["snoozed_until"]) == AT + timedelta(minutes=30)
            taken = (await client.post(f"{path}/acknowledge", json={"by": "ben"})).json()
            assert (taken["state"], taken["snoozed_until"]) == ("acknowledged", None)
            mine = (await client.post(f"{path}/assign", json={"to": "ben"})).json()
            assert mine["assignee"] == "ben"
            done = (await client.post(f"{path}/resolve")).json()
            assert (done["state"], datetime.fromisoformat(done["closed_at"])) == ("resolved", AT)
            for what, said in (("acknowledge", {}), ("snooze", {}), ("assign", {"to": "x"}), ("resolve", {})):
                refused = await client.post(f"{path}/{what}", json=said)
                assert refused.status_code == 409
                assert refused.json()["detail"].startswith("an episode that is resolved can't be ")
            assert (await client.post(f"{path}/notes", json={"note": "hm"})).status_code == 200
            said = (await client.post(f"{path}/feedback", json={"verdict": "real"})).json()
        found = Episode.model_validate(said)
        assert rebuild(found.log) == found.condition
        assert found.feedback == "real"

    with_store(store_url, body)
