"""The month's caps hold for all processes together, whatever dies in between."""

import contextlib
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from collectors.collector import Price
from service import keys
from service.ledger import CapReached, Caps, Ledger, Month, exceeded
from service.store import Store
from tests.service.live import with_store

NOW = datetime(2026, 11, 16, tzinfo=UTC).timestamp()
"""The middle of a month of 30 days."""

SPENDER = """
import asyncio, sys
from collectors.collector import Price
from service.ledger import CapReached, Ledger
from service.store import Store

async def main(url, name, settles):
    async with Store(url) as store:
        ledger, bought = Ledger(store), 0
        print("ready", flush=True)
        while True:
            try:
                held = await ledger.reserve(name, "x", "acme", Price(0.01), float(sys.argv[4]))
            except CapReached:
                break
            print("bought", flush=True)
            await asyncio.sleep(0.001)
            if settles:
                await ledger.settle(held, "x", 0.005)

asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3] == "settles"))
"""


def spender(url: str, name: str, settles: str = "settles") -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", SPENDER, url, name, settles, str(NOW)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])


async def total(store: Store) -> float:
    return int(await store.do("HGET", keys.ledger("2026-11"), keys.SEPARATOR) or 0) / 1e6


async def buy(ledger: Ledger, most: float, cost: float | None = None, brand: str = "acme", source: str = "x") -> None:
    held = await ledger.reserve(f"{source} {brand}", source, brand, Price(most), NOW)
    await ledger.settle(held, source, most if cost is None else cost)


def test_what_was_put_aside_and_not_needed_can_be_spent_again(store_url: str) -> None:
    async def body(store: Store) -> None:
        ledger = Ledger(store)
        await ledger.set_caps(Caps(brand_cap=1.0))
        for _ in range(10):
            await buy(ledger, 0.5, 0.05)
        assert await total(store) == 0.5
        held = await ledger.reserve("x acme", "x", "acme", Price(0.5), NOW)
        with pytest.raises(CapReached, match=r"cap of \$1 for brand acme is reached; .* 2026-12-01, or with a higher"):
            await ledger.reserve("feed acme", "feed", "acme", Price(0.1), NOW)
        await ledger.settle(held, "x", 0.25)
        await ledger.settle(held, "x", 0.0)
        assert await total(store) == 0.75, "settled once"
        assert float(await store.do("HGET", keys.COSTS, "x")) == pytest.approx(0.75)

    with_store(store_url, body)


def test_each_cap_holds_for_what_it_is_of_and_a_new_month_begins_at_nothing(store_url: str) -> None:
    async def body(store: Store) -> None:
        ledger = Ledger(store)
        await ledger.set_caps(Caps(monthly_cap=10, brand_cap=3, brands={"globex": 6}, sources={"y": 1}))
        await buy(ledger, 3)
        for brand, source, most, whose in (
            ("acme", "x", 0.000001, "brand acme"),
            ("globex", "y", 1.5, "source y"),
            ("globex", "x", 6.5, "brand globex"),
        ):
            with pytest.raises(CapReached, match=whose):
                await buy(ledger, most, brand=brand, source=source)
        await buy(ledger, 6, brand="globex")
        with pytest.raises(CapReached, match=r"\$10 for all brands together"):
            await buy(ledger, 2, brand="initech")
        assert await total(store) == 9, "what was refused was charged to nobody"
        next_month = NOW + 15 * 86_400
        assert (await ledger.reserve("x acme", "x", "acme", Price(3.0), next_month)).key == keys.ledger("2026-12")

    with_store(store_url, body)


def test_paced_money_lasts_until_the_end_of_the_month_and_leaves_the_rest_to_what_comes_first(store_url: str) -> None:
    async def body(store: Store) -> None:
        ledger = Ledger(store)
        await ledger.set_caps(Caps(brand_cap=60.0))
        bought = 0
        with contextlib.suppress(CapReached):
            while bought < 1000:
                held = await ledger.reserve("x acme", "x", "acme", Price(0.5, paced=True), NOW)
                await ledger.settle(held, "x", 0.5)
                bought += 1
        assert bought == 62, "half of the month's, and a thirtieth of the other half"
        await buy(ledger, 20.0)

    with_store(store_url, body)


def test_two_processes_that_are_killed_and_start_again_never_spend_more_than_the_cap(store_url: str) -> None:
    async def caps(store: Store) -> None:
        await Ledger(store).set_caps(Caps(brand_cap=None, monthly_cap=2.0))

    with_store(store_url, caps)
    first, second = spender(store_url, "a"), spender(store_url, "b")
    heard = 0
    for process in (first, second):
        assert process.stdout is not None
        while heard < 20 and (line := process.stdout.readline()):
            heard += line == "bought\n"
        os.kill(process.pid, signal.SIGKILL)
        heard += process.communicate(timeout=60)[0].count("bought")
    again = [spender(store_url, name) for name in ("a", "b")]
    for process in again:
        out, _ = process.communicate(timeout=60)
        heard += out.count("bought")
        assert process.returncode == 0

    async def after(store: Store) -> None:
        spent = await total(store)
        assert 1.98 < spent <= 2.0
        # Every purchase that was made cost 0.005 and is in the ledger; the two that were cut off are in it with 0.01.
        assert 0.005 * heard <= spent + 1e-9
        assert spent <= 0.005 * heard + 2 * 0.01

    with_store(store_url, after)


def test_a_request_sent_twice_after_a_lost_answer_is_charged_once(store_url: str) -> None:
    async def body(store: Store) -> None:
        for _ in range(2):
            over = await store.call("fs_reserve", keys.ledger("2026-11"), "id", "attempt", 400, NOW, "a", 500, "b", "")
            assert over == b""
        assert await store.do("HMGET", keys.ledger("2026-11"), "a", "b") == [b"400", b"400"]

    with_store(store_url, body)


def test_the_month_is_forecast_from_the_rate_so_far_and_says_which_cap_will_stop_it(store_url: str) -> None:
    async def body(store: Store) -> None:
        ledger = Ledger(store)
        held = await ledger.reserve("x acme", "x", "acme", Price(1.0), NOW - 5 * 86_400)
        await ledger.settle(held, "x", 1.0)
        await buy(ledger, 9.0)
        (one,) = await ledger.spent(NOW)
        assert (one.source, one.brand, one.dollars) == ("x", "acme", 10.0)
        assert one.forecast == pytest.approx(10 + 15 * 10 / 5)
        assert list(exceeded(Caps(brand_cap=50), [one])) == []
        assert list(exceeded(Caps(brand_cap=30), [one])) == [
            "$40.00 this month for brand acme at this rate, its cap of $30 stops it before"
        ]

    with_store(store_url, body)


@pytest.mark.parametrize(
    ("day", "name", "days"),
    [("2026-12-31", "2026-12", 31), ("2028-02-29", "2028-02", 29), ("2026-11-01", "2026-11", 30)],
)
def test_a_month_is_of_the_calendar(day: str, name: str, days: int) -> None:
    month = Month.of(datetime.fromisoformat(f"{day}T23:59:59+00:00").timestamp())
    assert (month.name, (month.end - month.start) / 86_400) == (name, days)
    assert month.paced(10.0, month.end) == 10.0


def test_the_default_cap_pays_for_the_minute_counts_of_a_brand_on_x() -> None:
    assert (Caps().brand_cap or 0.0) > 31 * 86_400 / 300 * 0.005
