"""What the last weeks would have raised is told before a budget is chosen, from the brand's own history."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import httpx
import numpy as np
import pytest

from detectors.series import Series
from service import keys
from service.apart import Crowded, TooLong, apart
from service.brand import Brand
from service.clock import iso
from service.preview import Past, preview
from service.registry import Registry
from service.store import Store
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.weeks import DAY, counted

NOW = 1_760_000_100.0
"""A whole 5 minutes."""
BODY = {"weeks": 1, "budgets": [2, 0.1]}
FIELDS = {
    "opened_at", "closed_at", "escalated_at", "detector", "severity", "score", "observed", "expected", "low", "high",
    "window_seconds", "reason",
}  # fmt: skip


class At:
    """A clock that stands."""

    replay = False

    async def now(self) -> float:
        return NOW


def asked(
    store_url: str, body: Callable[[httpx.AsyncClient], Awaitable[Any]], days: int = 9, crisis: int | None = DAY
) -> Any:
    """What `body` gets of a service that has counted `days` of acme, with a crisis so many buckets ago."""

    async def run(store: Store) -> Any:
        await Registry(store).put_brand(Brand(name="acme", query="acme", timezone="Europe/Berlin"))
        if days:
            await counted(store, "acme", NOW, days, crisis=None if crisis is None else (crisis, 24, 8.0))
        async with serving(store, clock=At()) as client:
            return await body(client)

    return with_store(store_url, run)


def test_a_crisis_of_the_past_is_told_at_every_budget_with_its_proof(store_url: str) -> None:
    async def body(client: httpx.AsyncClient) -> Any:
        answer = await client.post("/v1/brands/acme/preview", json=BODY)
        assert answer.status_code == 200, answer.text
        return answer.json()

    found = asked(store_url, body)
    assert (found["brand"], found["weeks"], found["known"]) == ("acme", 1.0, 1.0)
    assert (found["start"], found["end"]) == (iso(NOW - 7 * 86_400), iso(NOW))
    assert found["learned_from"] == iso(NOW - 9 * 86_400)
    assert [at["budget"] for at in found["budgets"]] == [0.1, 2.0]
    for at in found["budgets"]:
        worst = max(at["raised"], key=lambda alert: alert["score"])
        assert set(worst) == FIELDS
        opened = datetime.fromisoformat(worst["opened_at"]).timestamp()
        assert NOW - 86_400 <= opened <= NOW - 86_400 + 3600
        assert datetime.fromisoformat(worst["closed_at"]).timestamp() > opened
        assert worst["detector"] == "revolt"
        assert worst["low"] <= worst["expected"] <= worst["high"] < worst["observed"]
        assert worst["severity"] >= 2
        assert at["alerts"] == len(at["raised"])
        assert at["pages"] == at["pages_a_week"] == sum(1 + len(a["escalated_at"]) for a in at["raised"])
    mentions = found["hours"]["mentions"]
    assert len(mentions["observed"]) == len(mentions["low"]) == 7 * 24 - 1
    assert mentions["low"][0] <= mentions["expected"][0] <= mentions["high"][0]
    begun = round((NOW - 86_400 - datetime.fromisoformat(found["hours"]["start"]).timestamp()) / 3600)
    for name in ("mentions", "negative"):
        band = found["hours"][name]
        assert band["observed"][begun + 1] > 2 * band["high"][begun + 1]


@pytest.mark.parametrize("by", ["accept", pytest.param("address", marks=pytest.mark.slow)])
def test_it_comes_as_a_picture_too_and_nothing_of_that_stays_in_the_service(store_url: str, by: str) -> None:
    async def body(client: httpx.AsyncClient) -> httpx.Response:
        if by == "address":
            return await client.get("/v1/brands/acme/preview.png?weeks=1&budget=0.5")
        given = {"weeks": 1, "budgets": [0.5]}
        return await client.post("/v1/brands/acme/preview", json=given, headers={"Accept": "image/png"})

    before = set(sys.modules)  # other tests of this process may have drawn
    answer = asked(store_url, body, days=3)
    assert answer.headers["content-type"] == "image/png"
    assert answer.content.startswith(b"\x89PNG")
    assert [int.from_bytes(answer.content[i : i + 4]) for i in (16, 20)] == [1440, 768]
    assert not any(name.startswith("matplotlib") for name in sys.modules.keys() - before)


def test_what_cannot_be_previewed_says_what_is_needed(store_url: str) -> None:
    async def body(client: httpx.AsyncClient) -> None:
        for path, given, status, said in (
            ("nobody", {}, 404, "there is no brand 'nobody'"),
            ("acme", {}, 409, "nothing was ever counted of acme: a preview needs 24 hours"),
            ("acme", {"weeks": 6}, 422, "weeks"),
            ("acme", {"weeks": 0}, 422, "weeks"),
            ("acme", {"budgets": []}, 422, "budgets"),
            ("acme", {"budgets": [1] * 6}, 422, "budgets"),
            ("acme", {"budgets": [0]}, 422, "budgets.0"),
            ("acme", {"month": 1}, 422, "month"),
        ):
            answer = await client.post(f"/v1/brands/{path}/preview", json=given)
            assert answer.status_code == status, answer.text
            assert answer.headers["content-type"] == "application/problem+json"
            assert said in answer.json()["detail"]
        assert (await client.get("/v1/brands/acme/preview.png?budget=many")).status_code == 422
        assert (await client.get("/v1/brands/acme/preview.png?weeks=9")).status_code == 422

    asked(store_url, body, days=0)


def test_the_api_describes_it(store_url: str) -> None:
    async def body(client: httpx.AsyncClient) -> Any:
        return (await client.get("/openapi.json")).json()

    found = asked(store_url, body, days=0)
    ways = found["paths"]["/v1/brands/{brand}/preview"]["post"]["responses"]["200"]["content"]
    assert ways["application/json"]["schema"] == {"$ref": "#/components/schemas/Preview"}
    assert "image/png" in ways
    assert set(found["components"]["schemas"]["Alert"]["properties"]) == FIELDS
    assert "text/calendar" in found["paths"]["/v1/brands/{brand}/campaigns"]["put"]["requestBody"]["content"]


def test_a_young_brand_is_told_from_when_on(store_url: str) -> None:
    async def body(store: Store) -> None:
        await Registry(store).put_brand(Brand(name="acme", query="acme"))
        since = [f"x{keys.SEPARATOR}first", NOW - 3 * 3600, f"x{keys.SEPARATOR}last", NOW]
        await store.do("HSET", keys.since("acme"), *since)
        async with serving(store, clock=At()) as client:
            detail = (await client.post("/v1/brands/acme/preview")).json()["detail"]
        assert "3.0 hours" in detail
        assert detail.endswith(f"ask from {iso(NOW + 21 * 3600)} on")

    with_store(store_url, body)


def past(**sources: Series) -> Past:
    series = next(iter(sources.values()))
    return Past("acme", sources, np.zeros(len(series), dtype=np.bool_), 0.0, series.start)


def steady(days: int, each: float = 4.0, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).poisson(each, days * DAY).astype(float)


def test_a_source_that_begins_in_between_is_unknown_before_and_no_alert() -> None:
    late = steady(8, 40.0, 2)
    late[: 5 * DAY] = np.nan
    found = preview(past(x=Series(0.0, 300.0, steady(8)), shop=Series(0.0, 300.0, late)), [0.5])
    assert found.budgets[0].alerts == 0
    assert found.known == 1.0


def test_what_no_source_told_is_unknown_and_no_hour_of_it_is_drawn() -> None:
    counts = steady(4)
    counts[2 * DAY : 2 * DAY + 30] = np.nan
    found = preview(past(x=Series(0.0, 300.0, counts)), [0.5])
    assert found.known == round(1 - 30 / len(counts), 3)
    observed = found.hours.mentions.observed
    assert [place for place, value in enumerate(observed) if value is None] == [48, 49, 50]
    assert found.hours.negative.observed == [None] * len(observed)


def test_a_planned_event_raises_nothing() -> None:
    counts = steady(6)
    counts[4 * DAY : 4 * DAY + 24] += 60.0
    loud = past(x=Series(0.0, 300.0, counts))
    planned = loud.campaign.copy()
    planned[4 * DAY : 4 * DAY + 24] = True
    assert preview(loud, [0.5]).budgets[0].alerts == 1
    assert preview(Past("acme", loud.sources, planned, 0.0, 0.0), [0.5]).budgets[0].alerts == 0


def test_alerts_before_the_weeks_that_are_asked_for_only_teach() -> None:
    counts = steady(6)
    counts[3 * DAY : 3 * DAY + 6] += 60.0
    series = Series(0.0, 300.0, counts)
    all_of_it = preview(past(x=series), [0.5])
    (alert,) = all_of_it.budgets[0].raised
    later = (alert.opened_at + timedelta(hours=1)).timestamp()
    found = preview(Past("acme", {"x": series}, np.zeros(len(series), dtype=np.bool_), 0.0, later), [0.5])
    assert (found.budgets[0].alerts, found.start.timestamp()) == (0, later)
    assert len(found.hours.mentions.observed) < len(all_of_it.hours.mentions.observed)


def test_work_apart_gives_its_answer_its_error_and_ends_in_time() -> None:
    async def body() -> None:
        assert await apart(20.0, pow, 2, 10) == 1024
        with pytest.raises(ValueError, match="invalid literal"):
            await apart(20.0, int, "many")
        with pytest.raises(TooLong):
            await apart(0.05, pow, 2, 10)
        with pytest.raises(RuntimeError, match="ended with 1"):
            await apart(20.0, divmod, 1, 0)
        three = await asyncio.gather(*(apart(20.0, pow, 2, n) for n in range(3)), return_exceptions=True)
        assert [answer if isinstance(answer, int) else type(answer) for answer in three] == [1, 2, Crowded]

    asyncio.run(body())


@pytest.mark.parametrize("weeks", [1, 5])
def test_the_longest_history_takes_seconds(weeks: int) -> None:
    series = Series(0.0, 300.0, steady(35))
    found = preview(
        Past("acme", {"x": series}, np.zeros(35 * DAY, dtype=np.bool_), 0.0, (5 - weeks) * 604_800.0), [0.5]
    )
    assert found.weeks == weeks
