"""When most brands of a source move together, the source is suspected, and not believed until it is over."""

from collections.abc import Sequence
from datetime import datetime

import pytest

from service import keys
from service.brand import Brand
from service.clock import SystemClock
from service.completeness import report
from service.doubts import Doubt, holes, sentence, unpacked
from service.episode import Episode
from service.episodes import Episodes
from service.ingest import heartbeat
from service.lease import Lease
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from service.ticker import Ticker
from tests.service.live import with_store
from tests.service.test_ticker import talk
from tests.service.weeks import counted

NOW = 1_760_000_100.0
"""A whole number of 5 minutes, so that what was counted ends there."""
NAMES = [f"brand-{n}" for n in range(5)]
DAY = 86_400.0


async def fleet(
    store: Store, names: Sequence[str] = NAMES, sources: Sequence[str] = ("x",), until: float = NOW + DAY
) -> Ticker:
    """Brands with four days behind them, whose sources are complete `until` then."""
    registry = Registry(store)
    for n, name in enumerate(names):
        await registry.put_brand(Brand(name=name, query=name))
        for source in sources:
            await counted(store, name, NOW, 4, source=source, seed=n)
            await talk(store, NOW - 1200, 20, 1, f"{name}-{source}", source=source, brand=name)
            await heartbeat(store, f"{source}{keys.SEPARATOR}{name}", until)
    ticker = Ticker(store, SystemClock(), registry, Lease(store, "me", "tick"), Settings())
    assert await ticker.take() is not None
    await ticker.tick(NOW, NOW)
    return ticker


async def say(store: Store, begin: int, minutes: int, loud: Sequence[str] = (), source: str = "x") -> None:
    """One mention a minute of every brand from so many minutes after NOW on, 12 angry ones of those that are loud."""
    for name in NAMES:
        each = 12 if name in loud else 1
        await talk(store, NOW + 60 * begin, minutes, each, f"{name}-{source}-{begin}-{each}", source, name)


async def watch(ticker: Ticker, begin: int, end: int, step: int = 1) -> None:
    """Judge every minute between these, counted from NOW, so many in a tick."""
    for minute in range(begin, end + 1, step):
        await ticker.tick(NOW + 60 * minute, NOW + 60 * min(minute + step - 1, end))


async def told(store: Store, kind: str = "crisis", names: Sequence[str] = NAMES) -> list[Episode]:
    found = [one for name in names for one in (await Episodes(store).page(name, None, 9, None))[0]]
    return [one for one in found if one.kind == kind]


async def suspected(store: Store) -> list[Doubt]:
    return unpacked(await store.do("GET", keys.SUSPECTED))


def _posix(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


async def unknown(store: Store, brand: str, end: int, source: str = "x") -> list[tuple[float, float, str]]:
    """Minutes after NOW of which the source is unknown, and why."""
    found = (await report(store, brand, NOW, NOW + 60 * end, 60, NOW + 60 * end))[source]
    minutes = [(_posix(m["start"]), _posix(m["end"]), m["why"]) for m in found["missing"]]
    return [((a - NOW) / 60, (b - NOW) / 60, why) for a, b, why in minutes]


@pytest.mark.parametrize("step", [1, 18])
def test_a_rise_of_all_brands_is_told_once_and_one_brands_is_its_own(store_url: str, step: int) -> None:
    async def body(store: Store) -> None:
        ticker = await fleet(store)
        await say(store, 0, 20, loud=NAMES)
        await watch(ticker, 1, 18, step)
        (one,) = await suspected(store)
        assert (one.source, one.way, one.end) == ("x", "rise", None)
        assert abs(one.begin - NOW) <= 120
        (episode,) = await told(store)
        assert episode.brand == one.teller
        assert episode.evidence["moved_together"] == {"x": "rise"}
        assert "most brands rise together on x: suspect the source" in episode.reason
        other = next(name for name in NAMES if name != one.teller)
        ((begin, end, why),) = await unknown(store, other, 18)
        assert (round(begin) in (-1, 0, 1), end, why) == (True, 18, "suspected")
        assert (await report(store, other, NOW, NOW + 900, 60, NOW + 1020))["x"]["moved_together"] == "rise"
        assert await unknown(store, episode.brand, 18) == []

    with_store(store_url, body)


def test_one_brand_that_rises_alone_is_not_its_sources_fault(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await fleet(store)
        await say(store, 0, 20, loud=NAMES[:1])
        await watch(ticker, 1, 18, step=6)
        assert await suspected(store) == []
        (episode,) = await told(store)
        assert (episode.brand, episode.evidence["moved_together"]) == (NAMES[0], {})

    with_store(store_url, body)


def test_three_brands_in_one_crisis_are_all_told(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await fleet(store, NAMES[:3])
        await say(store, 0, 20, loud=NAMES[:3])
        await watch(ticker, 1, 18, step=6)
        assert await suspected(store) == []
        assert {episode.brand for episode in await told(store)} == set(NAMES[:3])

    with_store(store_url, body)


def test_a_revolt_on_another_source_is_told_while_a_source_is_suspected(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await fleet(store, sources=("x", "feed"))
        await say(store, 0, 60, loud=NAMES)
        await say(store, 0, 20, source="feed")
        await watch(ticker, 1, 20, step=10)
        (one,) = await suspected(store)
        assert [episode.brand for episode in await told(store)] == [one.teller]
        revolting = next(name for name in NAMES if name != one.teller)
        await say(store, 20, 40, loud=[revolting], source="feed")
        await watch(ticker, 21, 60, step=10)
        assert {episode.brand for episode in await told(store)} == {one.teller, revolting}
        assert await told(store, "blind") == [], "what is held back can be seen"

    with_store(store_url, body)


def test_a_source_that_rises_and_then_goes_dark_is_blind(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await fleet(store, until=NOW + 1200)
        await say(store, 0, 20, loud=NAMES)
        await watch(ticker, 1, 20, step=10)
        assert [(one.way, one.end) for one in await suspected(store)] == [("rise", None)]
        await watch(ticker, 21, 80, step=15)
        assert {episode.brand for episode in await told(store, "blind")} == set(NAMES)

    with_store(store_url, body)


def test_a_brand_that_a_suspected_source_never_told_of_is_blind_where_its_own_goes_dark(store_url: str) -> None:
    async def body(store: Store) -> None:
        await counted(store, "apart", NOW, 4, source="feed", seed=9)
        await heartbeat(store, f"feed{keys.SEPARATOR}apart", NOW)
        registry = Registry(store)
        await registry.put_brand(Brand(name="apart", query="apart"))
        ticker = await fleet(store)
        await say(store, 0, 60, loud=NAMES)
        await watch(ticker, 1, 60, step=15)
        assert [(one.source, one.way) for one in await suspected(store)] == [("x", "rise")]
        (blind,) = await told(store, "blind", [*NAMES, "apart"])
        assert (blind.brand, "suspect" in blind.reason) == ("apart", False)

    with_store(store_url, body)


def test_a_fall_of_most_brands_is_unknown_and_not_calm_until_it_is_over(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await fleet(store)
        await watch(ticker, 1, 70, step=10)  # nobody says anything
        (fall,) = await suspected(store)
        assert (fall.way, fall.end, fall.teller) == ("fall", None, None)
        assert abs(fall.begin - NOW) <= 300
        blind = await told(store, "blind")
        assert {episode.brand for episode in blind} == set(NAMES)
        assert "most brands fall together on x: suspect the source" in blind[0].reason
        await say(store, 70, 60)
        await watch(ticker, 71, 130, step=10)
        (fall,) = await suspected(store)
        assert fall.end is not None
        assert abs(fall.end - NOW - 4200) <= 300
        ((begin, end, why),) = await unknown(store, NAMES[0], 130)
        assert (abs(begin) <= 5, abs(end - 70) <= 5, why) == (True, True, "suspected")
        assert {episode.state for episode in await told(store, "blind")} == {"resolved"}
        assert await told(store) == []

        again = Ticker(store, SystemClock(), Registry(store), Lease(store, "me", "tick"), Settings())
        assert await again.take() is not None
        await watch(again, 131, 131)
        watcher = again.watchers.get(NAMES[0])
        assert watcher is not None
        assert watcher.minutes.doubt({"x": [(fall.begin, fall.end)]}) is None, "who takes over knows it too"

    with_store(store_url, body)


def test_a_fall_that_is_filled_later_was_none_and_what_it_hid_is_told(store_url: str) -> None:
    async def body(store: Store) -> None:
        ticker = await fleet(store)
        await watch(ticker, 1, 40, step=10)
        await say(store, 40, 30)
        await watch(ticker, 41, 70, step=10)
        (fall,) = await suspected(store)
        assert fall.end is not None
        await say(store, 0, 40, loud=NAMES[2:3])
        await watch(ticker, 71, 72)
        assert await suspected(store) == []
        (episode,) = await told(store)
        assert episode.brand == NAMES[2]
        assert await unknown(store, NAMES[0], 70) == []

    with_store(store_url, body)


def test_what_lasts_for_days_is_the_new_level_and_no_longer_suspected() -> None:
    one = Doubt("x", "fall", NOW)
    assert holes([one], "acme", NOW + DAY) == {"x": [(NOW, float("inf"))]}
    assert holes([one], "acme", NOW + 2 * DAY) == {}
    rise = Doubt("x", "rise", NOW, NOW + 600, "acme")
    assert holes([rise], "acme", NOW + DAY) == {}
    assert holes([rise], "globex", NOW + DAY) == {"x": [(NOW, NOW + 600)]}


def test_the_sentence_names_source_and_direction() -> None:
    assert sentence({}) is None
    assert sentence({"x": "rise", "feed": "fall"}) == (
        "most brands fall together on feed, most brands rise together on x: suspect the source before the world"
    )
