"""More is read of what is suspicious, and reading more is not more talk."""

import json
from datetime import timedelta
from typing import Any

import pytest

from service import keys
from service.clock import iso
from service.counts import read
from service.ledger import Caps, Ledger, Month
from service.store import Store
from service.suspicion import suspicion
from tests.collectors.networks import XNetwork
from tests.service.live import with_store
from tests.service.test_collect import MINUTE, NOW, Bench, bench
from tests.service.test_x_stream import count


async def say(b: Bench, **state: Any) -> None:
    """Write what the judging process says of acme now."""
    await b.store.do("SET", keys.state("acme"), json.dumps({"at": iso(b.clock.at.timestamp()), **state}))


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ({"scores": {}, "episode": None}, 0.0),
        ({"scores": {"volume": 12.0, "voice": None}, "episode": None}, 0.0),
        ({"scores": {"volume": 30.0, "revolt": 40.0}, "episode": None}, 0.5),
        ({"scores": {"revolt": 71.0}, "episode": None}, 1.0),
        ({"scores": {"revolt": 10.0}, "episode": "e"}, 1.0),
        ({"scores": "none"}, 0.0),
    ],
)
def test_suspicion_grows_to_where_a_page_goes_out(store_url: str, state: dict[str, Any], expected: float) -> None:
    async def body(store: Store) -> None:
        await store.do("SET", keys.state("acme"), json.dumps({"at": iso(NOW.timestamp()), **state}))
        assert await suspicion(store, "acme", NOW.timestamp() + 60) == pytest.approx(expected)
        assert await suspicion(store, "acme", NOW.timestamp() + 3600) == 0.0, "nobody has judged for an hour"
        assert await suspicion(store, "globex", NOW.timestamp()) == await suspicion(store, "", NOW.timestamp()) == 0.0

    with_store(store_url, body)


def test_while_an_episode_is_open_more_posts_are_read_and_sooner_and_the_volume_is_the_same(store_url: str) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            await b.watch("acme", type="x")
            await Ledger(store).set_caps(Caps(brand_cap=1000))
            pages: list[int] = []
            for suspicious in (False, True):
                await say(b, scores={}, episode="e" if suspicious else None)
                for n in range(700):
                    network.post(b.clock.at - timedelta(seconds=90, milliseconds=n), f"acme {n}")
                before = len(network.asked)
                while (wait := await b.turn()) == 0.0:
                    pass
                assert (55 <= wait <= 65) if suspicious else (280 <= wait <= 320)
                searches = [asked for asked in network.asked[before:] if asked.path.endswith("search/recent")]
                pages.append(len(searches))
                b.move(minutes=5)
            assert pages == [1, 7], "a page when calm, all that there is while an episode is open"
            await count(b)
            end = MINUTE.timestamp() + 300
            table = await read(store, "acme", end - 600, end, 60, end)
            assert table.sources["x"].columns["m"].sum() == 800, "posts that were read"
            assert table.total("mentions").sum() == 1400, "what X counts, however many are read"
            b.move(minutes=-4)
            await say(b, scores={}, episode="e")
            before = len(network.asked)
            await b.turn()
            assert [asked.path for asked in network.asked[before:]] == ["/2/tweets/search/recent"], (
                "counts keep to their five minutes"
            )

    with XNetwork(NOW) as network:
        with_store(store_url, body)


def test_three_days_in_advance_leave_the_counts_their_share_of_the_default_cap() -> None:
    for year, month in ((2026, 2), (2026, 3), (2026, 4)):
        start = NOW.replace(year=year, month=month, day=1, hour=0, minute=0, second=0).timestamp()
        of = Month.of(start)
        counts_left = 0.005 * (of.end - of.start) / 300
        assert 50.0 - of.paced(50.0, start, 3.0) >= counts_left
