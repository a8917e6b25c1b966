"""`kill -9` of worker, API and store, each at random instants of their own, while a load is sent; then the oracle."""

import contextlib
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import redis

from service.embedded import EmbeddedStore
from tests.acceptance.running import KEY, Service
from tests.chaos.comparison import Comparison, compare
from tests.chaos.load import CONFIG, Load
from tests.chaos.oracle import Oracle
from tests.chaos.progress import Progress, backlog
from tests.chaos.sender import Sender
from tests.until import alive, until

WORKS = {"worker": ("counted",), "api": ("accepted",), "store": ("accepted", "counted")}
"""By what one sees that a process works."""
AMID = 0.25
"""Seconds: who is killed did something within this time."""
LONGEST = 0.8
"""Seconds, at most, from the first work of a process to its kill, beyond which it is killed at the next work."""
DRAINED = 300.0
"""Seconds that counting what is left may take."""


@dataclass(frozen=True)
class Plan:
    """How many mentions are sent and how many times each kind of process is killed, `lives` times the whole service.

    The supervisor waits longer before each restart of what dies again and again, as it should; with the death of the
    whole service it starts anew, so a life has few kills.
    """

    mentions: int
    kills: int
    lives: int
    seed: int
    quick: bool = False


@dataclass
class Result:
    """What came of a plan; `recovery` holds the seconds from a kill until the work went on, by kind."""

    sent: int
    repeats: int
    kills: dict[str, int]
    recovery: dict[str, list[float]]
    comparison: Comparison
    seconds: float


@dataclass
class Killer:
    """Kills one kind of process of a service, `times` in one life of it, whenever it works."""

    kind: str
    service: Service
    progress: Progress
    chance: random.Random
    times: int
    recovery: list[float] = field(default_factory=list)
    failure: str = ""

    def run(self) -> None:
        """Kill `times` times."""
        try:
            for _ in range(self.times):
                self._once()
        except AssertionError as error:
            self.failure = f"{self.kind}: {error}"

    def _once(self) -> None:
        begun = time.monotonic()
        until(lambda: self.progress.since(begun, WORKS[self.kind]), 60, f"work of the {self.kind}")
        time.sleep(self.chance.random() * LONGEST)
        until(self._at_work, 60, f"work of the {self.kind}")
        pid = process_id(self.service, self.kind)
        assert pid
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: not alive(pid), 10, "the death")
        until(lambda: process_id(self.service, self.kind) not in (None, pid), 60, f"the {self.kind}'s restart")
        until(lambda: self.progress.since(killed + AMID, WORKS[self.kind]), 90, f"work of the next {self.kind}")
        self.recovery.append(self.progress.resumed(killed + AMID, WORKS[self.kind]) - killed)

    def _at_work(self) -> bool:
        amid = self.progress.since(time.monotonic() - AMID, WORKS[self.kind])
        pid = process_id(self.service, self.kind)
        return amid and pid is not None and alive(pid)


def process_id(service: Service, kind: str) -> int | None:
    """Return the process that is the service's worker, API or store, as long as there is one."""
    if kind != "store":  # of the workers those that count
        return next(iter(service.pids("count" if kind == "worker" else kind)), None)
    with contextlib.suppress(OSError, ValueError):
        return int((service.data_dir / "valkey.lock").read_text())
    return None


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Result:
    """Send the load, kill, and compare at the end what is counted with the oracle."""
    (folder / "foreshock.yaml").write_text(CONFIG)
    service = Service(folder / "data", ("--config", str(folder / "foreshock.yaml"))).start()
    url = EmbeddedStore(service.data_dir).url
    began, chance = time.monotonic(), random.Random(plan.seed)
    killed: dict[str, list[float]] = {kind: [] for kind in (*WORKS, "service")}
    planned = plan.kills * len(WORKS) * plan.lives

    def allowed() -> float:
        """As much of the load as of the kills, so that there is work for each of them."""
        return plan.mentions * (1 + sum(map(len, killed.values())) + sum(len(k.recovery) for k in killers)) / planned

    killers: list[Killer] = []
    sender = Sender(Load(plan.seed, Oracle()), service.url, KEY, allowed)
    progress = Progress(lambda: redis.Redis.from_url(url), lambda: sender.accepted)
    sender.start()
    progress.start()
    for life in range(plan.lives):
        killers = [Killer(kind, service, progress, random.Random(chance.random()), plan.kills) for kind in WORKS]
        threads = [threading.Thread(target=killer.run) for killer in killers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        failed = [killer.failure for killer in killers if killer.failure]
        failed += sender.refused
        assert not failed, f"{failed}\n{service.output.read_text()[-5000:]}"
        for killer in killers:
            killed[killer.kind] += killer.recovery
        killers = []
        counts = {kind: len(times) for kind, times in killed.items()}
        say(f"life {life + 1} of {plan.lives}: {sender.load.sent} sent, killed {counts}")
        if life + 1 < plan.lives:
            killed["service"].append(kill_all(service, progress))
    try:
        until(lambda: sender.load.sent >= plan.mentions or sender.refused, DRAINED, "the rest of the load")
        sender.finish()
        with contextlib.closing(redis.Redis.from_url(url)) as client:
            until(lambda: not backlog(client), DRAINED, "all to be counted")
        progress.finish()
        with service.client() as rest:
            comparison = compare(rest, sender.load.oracle, quick=plan.quick)
    finally:
        assert service.stop() == 0, service.output.read_text()[-5000:]
    return Result(
        sender.load.sent, sender.repeats, {kind: len(times) for kind, times in killed.items()}, killed, comparison,
        time.monotonic() - began,
    )  # fmt: skip


def kill_all(service: Service, progress: Progress) -> float:
    """Kill the supervisor, with which everything dies, start it again; return the seconds until all went on."""
    assert service.process is not None
    service.process.kill()
    killed = time.monotonic()
    service.process.wait()
    service.start()
    until(lambda: progress.since(killed + AMID, WORKS["store"]), 90, "work of the next life")
    return time.monotonic() - killed
