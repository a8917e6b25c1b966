"""A positive surge opens an opportunity of its own, names who spoke up, and takes nothing for a crisis."""

import json
import math
from typing import Any

import msgspec
import numpy as np

from service import keys
from service.brand import Brand
from service.clock import SystemClock, iso
from service.episode import Episode
from service.evidence import advocates, gather
from service.lease import Lease
from service.opportunity import LEAST_SECONDS, SETTLE, SPREAD, Opportunities
from service.quotes import quoted_keys, without
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from service.ticker import Ticker
from tests.service.live import with_store
from tests.service.test_feedback import crisis
from tests.service.test_ticker import crises, state

HOUR, DAYS = 3600, 12
END = 1_772_409_600.0
"""A full hour, before which all was counted."""
JUDGED = END + SETTLE + SPREAD


async def praised(store: Store, surge: int, end: float = END, days: int = DAYS) -> None:
    """Days of 10 mentions an hour, one in five of them positive; in the last hour `surge` more, all positive."""
    rng, n = np.random.default_rng(2), days * 24
    said = rng.poisson(10.0, n)
    good = rng.binomial(said, 0.2)
    angry = rng.binomial(said - good, 0.1)
    said[-1] += surge
    good[-1] += surge
    first = math.floor(end / HOUR) - n
    commands: list[tuple[Any, ...]] = []
    for width in (300, HOUR):
        for i in range(n):
            number, offset = divmod((first + i) * HOUR // width, keys.SEGMENT[width])  # all is told in five minutes
            packed = [int(said[i]), 0, int(said[i]), 1000 * int(angry[i]), 0, int(good[i]), 0, int(said[i])]
            commands.append(("HSET", keys.segment("acme", "x", width, number), offset, msgspec.msgpack.encode(packed)))
    number, offset = divmod(int(end - 1800) // 60, keys.SEGMENT[60])
    packed = [int(said[-1]), 0, int(said[-1]), 0, 0, int(good[-1]), 0, int(said[-1])]
    commands.append(("HSET", keys.segment("acme", "x", 60, number), offset, msgspec.msgpack.encode(packed)))
    since = [f"x{keys.SEPARATOR}first", first * HOUR, f"x{keys.SEPARATOR}last", end - 60]
    await store.pipe([*commands, ("HSET", keys.since("acme"), *since)])


def post(identity: str, sentiment: str, followers: int, author: str | None = None) -> dict[str, Any]:
    who = {"id": author or f"a{identity}", "name": f"Ann {identity}", "followers": followers}
    text = f"acme {'made my day' if sentiment == 'positive' else 'was late'} {identity}"
    at = iso(END - 1800 + int(identity))
    return {"id": identity, "source": "x", "text": text, "published_at": at, "author": who, "sentiment": sentiment}


async def keep(store: Store, *posts: dict[str, Any]) -> None:
    for one in posts:
        key = keys.identity("x", one["id"])
        await store.do("SET", keys.text("acme", key), json.dumps(one))
        await store.do("ZADD", keys.recent("acme"), END - 1800 + int(one["id"]), key)


async def ticking(store: Store) -> Ticker:
    registry = Registry(store)
    await registry.put_brand(Brand(name="acme", query="acme", budget=3))
    ticker = Ticker(store, SystemClock(), registry, Lease(store, "me", "tick"), Settings())
    assert await ticker.take() is not None
    return ticker


async def opportunity(store: Store) -> Episode:
    (found,) = [episode for episode in await crises(store) if episode.kind == "opportunity"]
    return found


def test_praise_out_of_the_ordinary_opens_an_opportunity_that_names_who_spoke_up(store_url: str) -> None:
    async def body(store: Store) -> None:
        await praised(store, 45)
        await keep(store, *(post(str(n), "positive", 100 * n) for n in range(8)), post("9", "negative", 90_000))
        ticker = await ticking(store)
        await ticker.tick(JUDGED, JUDGED)
        found = await opportunity(store)
        assert (found.detector, found.state, found.budget) == ("advocates", "open", 0.5)
        assert "positive mentions in 1 h" in found.reason
        assert found.observed > found.high
        assert (found.started_at.timestamp(), found.growth) == (END - HOUR, None)
        spoke = found.evidence["advocates"]
        assert (spoke["mentions"], spoke["authors"], spoke["reach"]) == (8, 8, 2800)
        assert [one["author"]["name"] for one in spoke["posts"][:2]] == ["Ann 7", "Ann 6"]
        assert all(one["text"].endswith(one["id"]) for one in found.evidence["first_mentions"])
        assert "90000" not in json.dumps(found.evidence["top_authors"])
        shown = await state(store)
        assert round(shown["praise"], 1) == found.score
        assert "advocates" not in shown["scores"]

    with_store(store_url, body)


def test_usual_praise_opens_nothing_and_is_judged_once(store_url: str) -> None:
    async def body(store: Store) -> None:
        await praised(store, 0)
        ticker = await ticking(store)
        await ticker.tick(JUDGED, JUDGED)
        assert [e for e in await crises(store) if e.kind == "opportunity"] == []
        assert (await state(store))["praise"] < 45.0
        assert (await state(store))["praise_judged_until"] == END

    with_store(store_url, body)


def test_the_next_process_goes_on_and_two_usual_hours_end_it(store_url: str) -> None:
    async def body(store: Store) -> None:
        await praised(store, 45)
        await (await ticking(store)).tick(JUDGED, JUDGED)
        opened = await opportunity(store)
        await store.do("HSET", keys.lease("tick"), "until", 0)
        heir = await ticking(store)
        await heir.tick(JUDGED + 60, JUDGED + 60)
        assert (await opportunity(store)).log == opened.log
        for hour in range(1, 30):
            await heir.tick(JUDGED + HOUR * hour, JUDGED + HOUR * hour)
        ended = await opportunity(store)
        assert (ended.state, ended.id) == ("resolved", opened.id)

    with_store(store_url, body)


def test_a_brand_of_less_than_three_days_has_no_usual_praise_yet(store_url: str) -> None:
    async def body(store: Store) -> None:
        await praised(store, 45, days=int(LEAST_SECONDS // 86_400) - 1)
        ticker = await ticking(store)
        await ticker.tick(JUDGED, JUDGED)
        assert [e for e in await crises(store) if e.kind == "opportunity"] == []

    with_store(store_url, body)


def test_a_crisis_names_its_advocates_too_each_author_once_and_reposts_not(store_url: str) -> None:
    async def body(store: Store) -> None:
        again = {**post("3", "positive", 10), "repost_of": "x:1"}
        every = [post("1", "positive", 50, "ann"), post("2", "positive", 50, "ann"), again, post("4", "negative", 5)]
        await keep(store, *every)
        found = await gather(store, "acme", "acme", END - HOUR, END, angry=True)
        assert [m["id"] for m in found["first_mentions"]] == ["4"]
        spoke = found["advocates"]
        assert (spoke["mentions"], spoke["authors"], spoke["reach"]) == (2, 1, 50)

    with_store(store_url, body)


def test_amid_anger_only_what_is_surely_praise_is_called_praise() -> None:
    doubtful = {**post("1", "positive", 50), "negative": 0.14}
    sure = {**post("2", "positive", 9), "negative": 0.02}
    assert advocates([doubtful, sure])["authors"] == 2
    amid = advocates([doubtful, sure], angrier=10.8)  # 20 % are angry on a usual day, 73 % now
    assert [one["author"]["name"] for one in amid["posts"]] == ["Ann 2"]


def test_nobody_spoke_up_where_nobody_is_known_to_have() -> None:
    unsigned = {**post("1", "positive", 5), "author": None}
    assert advocates([unsigned, post("2", "neutral", 5)]) == {"mentions": 0, "authors": 0, "reach": 0, "posts": []}


def test_who_deletes_a_post_is_named_no_more() -> None:
    found = {"advocates": advocates([post("1", "positive", 5), post("2", "positive", 9)])}
    gone = keys.identity("x", "2")
    assert gone in quoted_keys(found)
    left = without(crisis().model_copy(update={"evidence": found}), {gone})
    assert [one["author"]["name"] for one in left.evidence["advocates"]["posts"]] == ["Ann 1"]
    assert "Ann 2" not in left.model_dump_json()


def test_praise_is_found_beside_the_ticker_and_told_with_the_next_look(store_url: str) -> None:
    async def body(store: Store) -> None:
        await praised(store, 45)
        ticker = await ticking(store)
        await ticker.tick(JUDGED, JUDGED, patient=False)
        (watcher,) = ticker.watchers.all()
        await watcher.learn(JUDGED)
        found = Opportunities(store)
        await found.find([watcher], JUDGED)
        assert watcher.praised_until == END
        assert watcher.due_at == 0.0
        assert [e for e in await crises(store) if e.kind == "opportunity"] == []
        await found.find([watcher], JUDGED)
        assert len(watcher.praised) == 1  # an hour is judged once
        await ticker.tick(JUDGED + 5, JUDGED + 5, patient=False)
        assert (await opportunity(store)).opened_at.timestamp() == JUDGED + 5
        assert watcher.praised == []

    with_store(store_url, body)
