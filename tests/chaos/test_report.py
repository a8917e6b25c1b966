"""The document says what the figures say: what was kept, what was not, and what was not measured."""

from collections import Counter
from typing import Any

from tests.chaos.accounts import Account
from tests.chaos.comparison import Comparison
from tests.chaos.deliveries import Result as Told
from tests.chaos.failover import Result as Lost
from tests.chaos.kills import Result as Killed
from tests.chaos.parts import kept, of_deliveries, of_failover, of_kills, of_power
from tests.chaos.powercut import Cut
from tests.chaos.powercut import Result as Cuts
from tests.chaos.report import render

MACHINE = {
    "cores": 2,
    "gibibytes": 24,
    "foreshock": "1.0",
    "python": "3.12.1",
    "server": "Valkey v=9",
    "system": "Linux",
}
EXACT = Comparison(buckets=10, mentions=100)
TIMES = {"worker": [1.0, 3.0], "api": [0.5], "store": [0.25], "service": []}


def row(part: str, figures: dict[str, Any]) -> dict[str, Any]:
    return {"part": part, "at": "2026-01-02T03:04:05+00:00", **MACHINE, **figures}


def killed(comparison: Comparison) -> dict[str, Any]:
    return of_kills(Killed(1000, 5, {kind: len(times) for kind, times in TIMES.items()}, TIMES, comparison, 9.0))


def cut(mode: str, lost: int) -> dict[str, Any]:
    cuts = [Cut(4096, 500, lost, 0.75 if lost else 0.0, 0, EXACT), Cut(0, 700, 0, 0.0, 0, EXACT)]
    return of_power(Cuts(mode, True, "strace", 1000, cuts))


def failed_over(accept: str, account: Account | None) -> dict[str, Any]:
    losses = {"killed": 1, "alone": 1, "deaf": 0}
    return of_failover(Lost("sentinel", accept, 900, 3, losses, [1.0, 2.0], None if account else EXACT, account, [0.5]))


def test_what_was_found_stands_beside_what_is_promised() -> None:
    rows = [
        row("kills", killed(EXACT)),
        row("power-always", cut("always", 0)),
        row("power-everysec", cut("everysec", 42)),
        row("sentinel", failed_over("replicas:2", None)),
        row("sentinel", failed_over("memory", Account(17, 0, (1.0,)))),
    ]
    page = render(rows)
    assert "0 lost, 0 counted twice, in 4 kills" in page
    assert "| worker | 2 | 2.00 | 3.00 |" in page
    assert "42 lost, at worst the last 0.75 s; 0 counted twice, in 2 cuts" in page
    assert "17 lost, 0 counted twice, in 2 losses" in page
    assert page.count("not measured") == 3  # Sentinel with replicas:1, and the Cluster
    assert "Foreshock 1.0, Valkey v=9, Python 3.12.1, Linux, 2 cores, 24 GiB of memory." in page
    for part in ("kills", "power-always", "power-everysec", "sentinel"):
        assert f"    python -m tests.chaos {part}\n" in page
    assert all(kept(row["part"], row) for row in rows)


def test_a_promise_that_was_not_kept_is_told() -> None:
    lost = killed(Comparison(buckets=10, mentions=99, lost=1, differences=["one is missing"]))
    assert not kept("kills", lost)
    assert "1 lost, 0 counted twice" in render([row("kills", lost)])
    assert not kept("power-always", cut("always", 1))
    assert kept("power-everysec", cut("everysec", 1))
    assert not kept("sentinel", failed_over("memory", Account(17, 1, (1.0,))))


def test_the_cost_of_a_mode_is_one_column() -> None:
    figures = [
        {"mode": mode, "figures": {"mentions_per_second": n}} for mode, n in (("everysec", 12000.0), ("always", 9000.0))
    ]
    page = render([row("cost", one) for one in figures])
    assert "| | fsync everysec | fsync always |" in page
    assert "| mentions_per_second | 12,000 | 9,000 |" in page


def test_deliveries_are_told_with_how_often_a_post_was_repeated() -> None:
    taken = Counter({"evt_a": 2, "evt_b": 1, "evt_c": 1, "evt_d": 1})
    result = Told(4, {"judge,tell": 2, "store": 1}, {"503": 1}, taken, 0, 0, 0, {"delivered": 4}, 9.0)
    figures = of_deliveries(result)
    page = render([row("deliveries", figures)])
    assert kept("deliveries", figures)
    assert not kept("deliveries", {**figures, "missing": 1})
    assert "| processes killed | 3 |" in page
    assert "| POSTs repeated, of 1,000 events | 250.0 |" in page
