"""Once a week somebody reads that all was watched, and how completely; where it was not, the note says so."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from collectors.mention import Count
from service import keys
from service.brand import Brand
from service.drill import revolt
from service.episodes import Episodes
from service.ingest import Receipt
from service.notify.channel import CHANNEL, Channel
from service.notify.notice import Message, Outcome
from service.notify.route import Route
from service.notify.weekly_note import WeeklyNote, wanted
from service.registry import Registry
from service.store import Store
from service.weekly import Watched, last_week, note, watched, zone_of
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.test_lease import episode
from tests.service.test_way_in import NOW, Door

MONDAY = date(2026, 3, 2)
NINE = datetime(2026, 3, 9, 9, tzinfo=UTC).timestamp()
WEEK = 7 * 86_400.0
CALM = Watched("acme", 12_340, 0, 0, 0.5, 0, {"x": 1.0, "reddit": 0.99})


@dataclass
class Desk:
    """Processes that send the note, and what the channels answer; time is the test's."""

    store: Store
    now: float = NINE - WEEK
    answer: Callable[[str], Outcome] = lambda _: Outcome("delivered")
    said: list[tuple[str, Message]] = field(default_factory=list)

    def process(self) -> WeeklyNote:
        return WeeklyNote(
            self.store,
            Registry(self.store),
            dict.fromkeys(("slack", "apprise"), self._sender),
            "http://b",
            lambda: self.now,
        )

    def _sender(self, channel: Channel) -> Any:
        desk = self

        class Of:
            async def send(self, *_: object) -> Outcome:
                raise AssertionError("a weekly note is no notice")

            async def say(self, message: Message) -> Outcome:
                desk.said.append((channel.name, message))
                return desk.answer(channel.name)

        return Of()


def desk(url: str, body: Callable[[Desk], Awaitable[Any]]) -> Any:
    async def run(store: Store) -> Any:
        registry = Registry(store)
        await registry.put_brand(Brand(name="acme", query="acme"))
        for name in ("pr", "ops"):
            to = {"type": "slack", "name": name, "webhook_url": "https://hooks.slack.example/x"}
            await registry.put_channel(CHANNEL.validate_python(to))
        found = Desk(store)
        await found.process().turn()  # the week in which it all began
        found.now = NINE
        return await body(found)

    return with_store(url, run)


def test_every_channel_gets_one_note_whatever_number_of_processes_looks(store_url: str) -> None:
    async def body(at: Desk) -> list[str]:
        await asyncio.gather(*(at.process().turn() for _ in range(5)))
        await at.process().turn()
        return sorted(name for name, _ in at.said)

    assert desk(store_url, body) == ["ops", "pr"]


def test_no_note_comes_before_monday_at_nine_nor_of_a_week_that_was_not_watched(store_url: str) -> None:
    async def body(at: Desk) -> list[int]:
        seen = [len(at.said)]
        for now in (NINE - 1, NINE, NINE + 6 * 86_400, NINE + WEEK):
            at.now = now
            await at.process().turn()
            seen.append(len(at.said))
        return seen

    assert desk(store_url, body) == [0, 0, 2, 2, 4]


def test_a_note_that_fails_is_tried_again_until_it_arrives(store_url: str) -> None:
    async def body(at: Desk) -> tuple[list[float], dict[str, Any]]:
        when = []
        at.answer = lambda name: (
            Outcome("again", "down") if name == "pr" and at.now < NINE + 25 else Outcome("delivered")
        )
        while at.now < NINE + 200:
            before = len(at.said)
            await at.process().turn()
            when += [at.now - NINE for name, _ in at.said[before:] if name == "pr"]
            at.now += 5
        stored = await at.store.do("HGET", keys.WEEKLY, f"weekly:2026-W10{keys.SEPARATOR}pr")
        return when, json.loads(stored)

    when, state = desk(store_url, body)
    assert when == [0, 10, 30]
    assert (state["outcome"], state["tries"]) == ("delivered", 3)


def test_what_was_to_be_told_is_stored_before_it_is_sent(store_url: str) -> None:
    async def body(at: Desk) -> tuple[list[str], list[str]]:
        def dies(_: str) -> Outcome:
            raise ConnectionError

        at.answer = dies
        with pytest.raises(ConnectionError):
            await at.process().turn()
        stored = json.loads(await at.store.do("HGET", keys.WEEKLY, "weekly:2026-W10"))
        await at.store.do("DEL", keys.weekly_try("weekly:2026-W10", "ops", 0))  # the dead process's minute is over
        at.answer = lambda _: Outcome("delivered")
        await at.process().turn()
        return stored["channels"], [name for name, _ in at.said]

    assert desk(store_url, body) == (["ops", "pr"], ["ops", "ops", "pr"])


def test_a_service_that_was_down_on_monday_sends_it_late(store_url: str) -> None:
    async def body(at: Desk) -> list[str]:
        at.now = NINE + 2 * 86_400
        await at.process().turn()
        return [dict(message.facts)["Week"] for _, message in at.said]

    assert desk(store_url, body) == ["02 March 2026 to 08 March 2026"] * 2


def test_rest_lists_the_notes_and_whom_they_reached(store_url: str) -> None:
    async def body(at: Desk) -> list[dict[str, Any]]:
        at.answer = lambda name: Outcome("never", "gone") if name == "ops" else Outcome("delivered", "posted")
        await at.process().turn()
        async with serving(at.store) as client:
            found: list[dict[str, Any]] = (await client.get("/v1/weekly")).json()["items"]
        return found

    newest, first = desk(store_url, body)
    assert newest["id"] == "weekly:2026-W10"
    assert newest["at"] == "2026-03-09T09:00:00Z"
    assert newest["title"].startswith("Foreshock: ")
    assert newest["channels"] == [
        {"channel": "ops", "outcome": "lost", "tries": 1, "detail": "gone"},
        {"channel": "pr", "outcome": "delivered", "tries": 1, "detail": "posted"},
    ]
    assert (first["id"], first["title"], first["channels"]) == ("weekly:2026-W09", None, [])


def test_routes_that_ask_for_it_have_it_alone(store_url: str) -> None:
    async def body(at: Desk) -> tuple[set[str], set[str]]:
        registry = Registry(at.store)
        await registry.refresh()
        everybody = wanted(registry)
        await registry.put_route(Route(name="weekly", to=["pr"], weekly=True))
        return everybody, wanted(registry)

    assert desk(store_url, body) == ({"pr", "ops"}, {"pr"})


def test_a_week_counts_mentions_episodes_and_pages_and_no_drill(store_url: str) -> None:
    async def body(store: Store) -> Watched:
        start = datetime(2026, 2, 16, tzinfo=UTC)
        door = await Door(store).open()
        for hours in (1, 30):
            begin = start + timedelta(hours=hours)
            count = Count(brand="acme", source="desk", start=begin, seconds=3600, count=7, complete_until=begin)
            assert (await door.ingest.counts([(0, count)], Receipt())).accepted == 1
        at = {"opened_at": start + timedelta(days=1), "updated_at": start + timedelta(days=1)}
        opened = episode(**at, started_at=start)
        log = [entry.model_copy(update={"at": at["opened_at"]}) for entry in opened.log]
        await Episodes(store).save(opened.model_copy(update={"log": log}))
        await Episodes(store).save(revolt("acme", start + timedelta(days=2)))
        blind = {"id": f"{opened.id}_blind", "kind": "blind", "detector": "blind", "log": log}
        await Episodes(store).save(opened.model_copy(update=blind))
        return await watched(store, Brand(name="acme", query="acme"), start.timestamp(), NOW.timestamp())

    found = with_store(store_url, body)
    assert (found.mentions, found.episodes, found.pages, found.lost) == (14, 2, 1, 0)
    assert 0 < found.completeness["desk"] < 1


@pytest.mark.parametrize(
    ("brands", "title"),
    [
        ([CALM], "Foreshock: watched last week, all quiet"),
        ([CALM, replace(CALM, brand="b", episodes=2)], "Foreshock: watched last week, 2 episodes"),
        (
            [CALM, replace(CALM, brand="b", completeness={"x": 0.4})],
            "Foreshock: watched last week, all quiet; 1 brand not wholly seen",
        ),
        ([replace(CALM, completeness={})], "Foreshock: all quiet as far as was seen, and too little was"),
        ([], "Foreshock: no brand is watched"),
    ],
)
def test_quiet_is_only_what_was_seen(brands: list[Watched], title: str) -> None:
    assert note(MONDAY, brands, "http://b").title == title


def test_each_brand_has_a_line_and_the_busiest_stands_first() -> None:
    many = [replace(CALM, brand=f"b{n:02d}") for n in range(30)]
    found = note(MONDAY, [*many, replace(CALM, brand="z", episodes=1, pages=2, lost=1)], "http://b")
    assert found.lines[0] == (
        "z: 1 episode, 12,340 mentions, 2 sources told 99 % of it, 2 pages, budget 0.5, 1 delivery lost"
    )
    assert found.lines[1].startswith("b00: quiet, ")
    assert found.lines[-1] == "and 11 brands more, all quiet"
    assert dict(found.facts)["Deliveries lost"] == "1"
    unseen = note(MONDAY, [replace(CALM, completeness={"x": 0.4})], "").lines[0]
    assert unseen.startswith("acme: nothing found, 12,340 mentions, not wholly seen: x told 40 %")


@pytest.mark.parametrize(
    ("now", "zone", "monday"),
    [
        ("2026-03-30T06:59:00Z", "Europe/Berlin", date(2026, 3, 16)),  # clocks went forward the day before
        ("2026-03-30T07:00:00Z", "Europe/Berlin", date(2026, 3, 23)),
        ("2026-03-08T23:59:00Z", "Asia/Tokyo", date(2026, 2, 23)),
        ("2026-03-09T00:00:00Z", "Asia/Tokyo", date(2026, 3, 2)),
    ],
)
def test_nine_is_nine_by_the_brands_clock(now: str, zone: str, monday: date) -> None:
    assert last_week(datetime.fromisoformat(now).timestamp(), ZoneInfo(zone)) == monday


def test_the_clock_is_that_of_most_brands() -> None:
    def brand(name: str, zone: str) -> Brand:
        return Brand(name=name, query="q", timezone=zone)

    berlin = [brand("a", "Europe/Berlin"), brand("b", "Europe/Berlin")]
    assert zone_of([*berlin, brand("c", "UTC")]).key == "Europe/Berlin"
    assert zone_of([]).key == "UTC"


def test_a_channel_whose_routes_name_brands_reads_of_those_alone(store_url: str) -> None:
    async def body(at: Desk) -> dict[str, str]:
        registry = Registry(at.store)
        await registry.put_brand(Brand(name="globex", query="globex"))
        await registry.put_route(Route.model_validate({"name": "a", "to": ["pr"], "brands": ["acme"], "weekly": True}))
        await registry.put_route(Route.model_validate({"name": "b", "to": ["ops"], "weekly": True}))
        await at.process().turn()
        return {name: " ".join(message.lines) for name, message in at.said}

    said = desk(store_url, body)
    assert "acme" in said["pr"]
    assert "globex" not in said["pr"]
    assert "globex" in said["ops"]


def test_a_channel_that_no_route_names_gets_no_note(store_url: str) -> None:
    async def body(at: Desk) -> list[str]:
        await Registry(at.store).put_route(Route.model_validate({"name": "a", "to": ["pr"]}))
        await at.process().turn()
        return [name for name, _ in at.said]

    assert desk(store_url, body) == ["pr"]
