"""What `make chaos` does, part by part, in the long mode and in the short one that the ordinary tests run."""

import dataclasses
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.chaos import deliveries, failover, kills, powercut

Say = Callable[[str], None]
Figures = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """One part of the document: its name on the command line, and what it does in each mode."""

    name: str
    long: Sequence[Any]
    short: Sequence[Any]


PARTS = (
    Part("kills", [kills.Plan(250_000, 5, 5, seed) for seed in range(4)], [kills.Plan(30_000, 2, 2, 1, quick=True)]),
    Part(
        "power-always",
        [powercut.Plan("always", 50_000, 12, 1), powercut.Plan("always", 20_000, 3, 2, plain=False)],
        [powercut.Plan("always", 6_000, 2, 1)],
    ),
    Part(
        "power-everysec",
        [powercut.Plan("everysec", 50_000, 12, 1), powercut.Plan("everysec", 20_000, 3, 2, plain=False)],
        [powercut.Plan("everysec", 6_000, 1, 1), powercut.Plan("everysec", 6_000, 1, 2, plain=False)],
    ),
    Part(
        "sentinel",
        [
            failover.Plan("sentinel", "replicas:2", 21, 1),
            failover.Plan("sentinel", "replicas:1", 12, 2, plain=True),
            failover.Plan("sentinel", "memory", 9, 3, plain=True),
        ],
        [failover.Plan("sentinel", "replicas:2", 2, 1, quick=True)],
    ),
    Part(
        "cluster",
        [failover.Plan("cluster", "replicas:1", 21, 1), failover.Plan("cluster", "memory", 9, 2, plain=True)],
        [failover.Plan("cluster", "replicas:1", 2, 1, quick=True)],
    ),
    Part("deliveries", [deliveries.Plan(2000, 20, seed) for seed in (1, 2)], [deliveries.Plan(60, 2, 1)]),
    Part("cost", ["everysec", "always"], []),
)


def run(part: Part, short: bool, seed: int, say: Say) -> Iterator[Figures]:
    """Run a part; yield the figures of each of its plans."""
    for plan in part.short if short else part.long:
        if isinstance(plan, str):
            yield cost(plan, say)
            continue
        with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
            seeded = dataclasses.replace(plan, seed=plan.seed + 1000 * seed)
            if isinstance(plan, kills.Plan):
                yield of_kills(kills.run(seeded, Path(folder), say))
            elif isinstance(plan, deliveries.Plan):
                yield of_deliveries(deliveries.run(seeded, Path(folder), say))
            elif isinstance(plan, powercut.Plan):
                yield of_power(powercut.run(seeded, Path(folder), say))
            else:
                yield of_failover(failover.run(seeded, Path(folder), say))


def of_kills(result: kills.Result) -> Figures:
    """Return the figures of a run of kills."""
    return {
        "mentions_sent": result.sent,
        "requests_repeated": result.repeats,
        "kills": result.kills,
        "seconds_until_work_went_on": result.recovery,
        **_compared(result.comparison),
        "seconds": result.seconds,
    }


def of_deliveries(result: deliveries.Result) -> Figures:
    """Return the figures of a run of deliveries."""
    return {
        "events": result.events,
        "kills": result.kills,
        "faults_of_the_receiver": result.faults,
        "missing": result.missing,
        "unknown": result.unknown,
        "misordered": result.misordered,
        "repeated_posts": result.repeated,
        "repeated_rate": result.repeated / result.events,
        "outcomes": result.outcomes,
        "seconds": result.seconds,
    }


def of_power(result: powercut.Result) -> Figures:
    """Return the figures of the cuts of one run."""
    cuts = result.cuts
    measured = {
        "mentions_lost": [cut.lost for cut in cuts],
        "seconds_lost": [cut.seconds for cut in cuts],
        "twice_before_repeats": sum(cut.twice for cut in cuts),
    }
    return {
        "mode": result.mode,
        "plain": result.plain,
        "method": result.method,
        "mentions_sent": result.sent,
        "cuts": len(cuts),
        "unsynced_bytes": [cut.unsynced for cut in cuts],
        "answered": [cut.answered for cut in cuts],
        **(measured if result.plain else {}),
        "lost": sum(cut.after_repeats.lost for cut in cuts),
        "twice": sum(cut.after_repeats.twice for cut in cuts),
        "differences": sum(len(cut.after_repeats.differences) for cut in cuts),
        "buckets": sum(cut.after_repeats.buckets for cut in cuts),
    }


def of_failover(result: failover.Result) -> Figures:
    """Return the figures of a run of lost primaries."""
    found: Figures = {
        "topology": result.topology,
        "accept": result.accept,
        "mentions_sent": result.sent,
        "requests_repeated": result.repeats,
        "losses": result.losses,
        "seconds_until_work_went_on": result.recovery,
    }
    if result.comparison:
        return found | _compared(result.comparison)
    assert result.account
    return found | {"lost": result.account.lost, "twice": result.account.twice, "seconds_lost": result.seconds}


def _compared(comparison: Any) -> Figures:
    return {
        "buckets": comparison.buckets,
        "lost": comparison.lost,
        "twice": comparison.twice,
        "differences": len(comparison.differences),
        "first_differences": comparison.differences[:5],
    }


def cost(mode: str, say: Say) -> Figures:
    """Return what the bench of the way in says of a mode."""
    say(f"measuring the way in, fsync {mode}")
    command = [sys.executable, "-m", "service", "bench", "ingest", "--mode", mode, "--match", "1", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"mode": mode, "figures": json.loads(done.stdout.strip().splitlines()[-1])["figures"]}


def kept(part: str, figures: Figures) -> bool:
    """Say whether a run found what is promised."""
    if part == "cost":
        return True
    if part == "deliveries":
        return not (figures["missing"] or figures["unknown"] or figures["misordered"])
    if "seconds_lost" in figures and "topology" in figures:  # a plain load measures what is not promised
        return not figures["twice"]
    lost_by_cut = sum(figures.get("mentions_lost", [])) if figures.get("mode") == "always" else 0
    exact = not (figures["lost"] or figures["twice"] or figures["differences"])
    return exact and not lost_by_cut and not figures.get("twice_before_repeats", 0)
