"""A source that does not tell is unknown, then blind; what it tells after all is judged as if told at once."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from collectors.collector import Price
from service import keys
from service.clock import SystemClock
from service.completeness import report
from service.episode import Episode
from service.episodes import Episodes
from service.lease import Lease
from service.ledger import Caps, Ledger
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from service.ticker import Ticker
from tests.collectors.networks import Reply, XNetwork
from tests.service.live import with_store
from tests.service.test_collect import Bench, bench

START = datetime(2026, 3, 31, 22, 30, 40, tzinfo=UTC)
"""The last evening of a month."""
STORM = range(20, 50)
"""Minutes after START in which a storm is on."""


def talk(network: XNetwork, begin: int, end: int) -> None:
    """Post from one minute after START to another: one a minute or so, twelve in the storm."""
    rng = np.random.default_rng(7)
    for minute in range(begin, end):
        for _ in range(12 if minute in STORM else int(rng.poisson(1.0))):
            network.post(START.replace(second=5) + timedelta(minutes=minute), "acme")


class Evening:
    """The brand acme on X alone, read and judged every five minutes by the test's clock."""

    def __init__(self, b: Bench, ticker: Ticker) -> None:
        self.b, self.ticker = b, ticker

    @property
    def now(self) -> float:
        return self.b.clock.at.timestamp()

    async def judge(self) -> None:
        await self.ticker.tick(self.now, self.now)

    async def minutes(self, many: int, *, polled: bool = True) -> None:
        for _ in range(0, many, 5):
            self.b.move(minutes=5)
            if polled:
                await self.b.turn()
            await self.judge()

    async def told(self, kind: str) -> list[Episode]:
        return [e for e in (await Episodes(self.b.store).page("acme", None, 9, None))[0] if e.kind == kind]

    async def missing(self) -> list[str]:
        begin = START.timestamp()
        found = (await report(self.b.store, "acme", begin, self.now - 120, 60, self.now))["x"]
        return [span["why"] for span in found["missing"]]


async def begin(b: Bench) -> Evening:
    """A week is known, and all is calm."""
    b.clock.at = START
    b.move()
    await b.watch("acme")
    lease = Lease(b.store, "me", "tick")
    evening = Evening(b, Ticker(b.store, SystemClock(), Registry(b.store), lease, Settings()))
    assert await evening.ticker.take() is not None
    await b.turn()
    await evening.judge()
    watcher = evening.ticker.watchers.get("acme")
    assert watcher is not None
    assert watcher.knows
    await evening.minutes(10)
    assert await evening.missing() == []
    return evening


async def capped(evening: Evening, network: XNetwork) -> str:
    await Ledger(evening.b.store).set_caps(Caps(brand_cap=0.001))
    await evening.minutes(70)
    return "cap"


async def raised(evening: Evening, network: XNetwork) -> None:
    await Ledger(evening.b.store).set_caps(Caps())


async def spent(evening: Evening, network: XNetwork) -> str:
    await Ledger(evening.b.store).reserve("another", "feed", "acme", Price(49.97), evening.now)
    await evening.minutes(70)
    return "cap"


async def next_month(evening: Evening, network: XNetwork) -> None:
    await evening.minutes(10)  # it is the first of April


async def dead(evening: Evening, network: XNetwork) -> str:
    network.failures.extend(Reply(503) for _ in range(999))
    await evening.minutes(70)
    return "error"


async def throttled(evening: Evening, network: XNetwork) -> str:
    network.failures.extend(Reply(429, headers={"retry-after": "4000"}) for _ in range(999))
    await evening.minutes(70)
    return "limit"


async def well(evening: Evening, network: XNetwork) -> None:
    network.failures.clear()


async def waited(evening: Evening, network: XNetwork) -> None:
    network.failures.clear()
    evening.b.collection._limiters["x"]._routes.clear()  # its time is over


async def away(evening: Evening, network: XNetwork) -> str:
    await evening.minutes(70, polled=False)
    return "lag"


async def lost(evening: Evening, network: XNetwork) -> None:
    await evening.b.store.do("DEL", keys.CURSORS)


@pytest.mark.parametrize(
    ("fail", "mend"),
    [
        pytest.param(capped, raised, id="a raised cap", marks=pytest.mark.slow),
        pytest.param(spent, next_month, id="the next month"),
        pytest.param(dead, well, id="a dead source"),
        pytest.param(throttled, waited, id="a throttled source", marks=pytest.mark.slow),
        pytest.param(away, lost, id="a lost cursor", marks=pytest.mark.slow),
    ],
)
def test_what_was_not_told_is_unknown_then_blind_and_judged_once_it_comes(
    store_url: str,
    fail: Callable[[Evening, XNetwork], Awaitable[str]],
    mend: Callable[[Evening, XNetwork], Awaitable[None]],
) -> None:
    async def body(store: Store) -> None:
        async with bench(store, network) as b:
            evening = await begin(b)
            why = await fail(evening, network)
            assert await evening.missing() == [why]
            assert await evening.told("crisis") == [], "nobody knows of the storm"
            (blind,) = await evening.told("blind")
            assert blind.state == "open"
            await mend(evening, network)
            await evening.minutes(25)
            assert await evening.missing() == []
            (crisis,) = await evening.told("crisis")
            assert abs((crisis.started_at - START).total_seconds() / 60 - STORM.start) <= 5
            (blind,) = await evening.told("blind")
            assert blind.state == "resolved"

    with XNetwork(START) as network:
        talk(network, -7 * 1440, 130)
        with_store(store_url, body)
