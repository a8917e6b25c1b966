"""Power loss: the append-only file is cut where it was not on disk yet, and the service starts on what is left."""

import contextlib
import os
import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import redis

from service.embedded import EmbeddedStore
from tests.acceptance.running import KEY, Service
from tests.chaos import synced
from tests.chaos.accounts import Answered, account
from tests.chaos.comparison import Comparison, compare
from tests.chaos.kills import DRAINED, process_id
from tests.chaos.load import CONFIG, Batch, Load
from tests.chaos.oracle import Oracle
from tests.chaos.progress import backlog
from tests.chaos.sender import Sender
from tests.until import alive, until

REQUESTS = 160
"""Requests of a load: each has a minute of its own, and minutes are compared three hours back."""


@dataclass(frozen=True)
class Plan:
    """A mode (`always`, `everysec`), how many mentions are sent, and at how many instants the power is cut."""

    mode: str
    mentions: int
    cuts: int
    seed: int
    plain: bool = True


@dataclass
class Cut:
    """What one cut took: bytes written but not on disk, answered mentions that were gone, seconds back to the first.

    `lost`, `seconds` and `twice` (mentions too many before anything is repeated) are told of plain loads alone.
    """

    unsynced: int
    answered: int
    lost: int
    seconds: float
    twice: int
    after_repeats: Comparison


@dataclass
class Result:
    """What came of a plan."""

    mode: str
    plain: bool
    method: str
    sent: int
    cuts: list[Cut] = field(default_factory=list)


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Result:
    """Send a load to a service in a mode, then cut its file at random instants, each on a copy of its own."""
    config = folder / "foreshock.yaml"
    config.write_text(CONFIG)
    arguments = ("--config", str(config), "--fsync", plan.mode)
    service = Service(folder / "data", arguments).start()
    server = process_id(service, "store")
    assert server
    disk = synced.watch(server, service.data_dir, plan.mode)
    load = Load(plan.seed, Oracle(), plain=plan.plain, batch=max(100, plan.mentions // REQUESTS))
    answers = sent(load, service, plan.mentions)
    assert service.process
    service.process.kill()
    service.process.wait()
    until(lambda: not alive(server), 15, "the server's end")
    disk.finish()
    chance, result = random.Random(plan.seed), Result(plan.mode, plan.plain, disk.method, load.sent)
    file = synced.increment(service.data_dir)
    for number in range(plan.cuts):
        instant = chance.choice(answers[len(answers) // 4 :]).at
        least, most = disk.synced(instant), disk.written(instant)
        kept = chance.randint(least, most) if number % 2 else least  # the disk may hold more, up to a torn record
        copy = Service(folder / f"cut-{number}", arguments)
        shutil.copytree(file.parent, copy.data_dir / file.parent.name)
        os.truncate(synced.increment(copy.data_dir), kept)
        cut = after(copy, load, answers, instant, plan.plain)
        cut.unsynced = most - least
        shutil.rmtree(copy.data_dir)
        result.cuts.append(cut)
        say(f"{plan.mode}, cut {number + 1} of {plan.cuts}: {cut.lost} of {cut.answered} lost, {cut.seconds:.2f} s")
    return result


def sent(load: Load, service: Service, mentions: int) -> list[Answered]:
    """Send some mentions of a load; return every request with the instant of its 202."""
    answers: list[Answered] = []

    def note(batch: Batch) -> None:
        answers.append(Answered(time.time(), batch))

    sender = Sender(load, service.url, KEY, lambda: mentions, note)
    sender.start()
    until(lambda: load.sent >= mentions or sender.refused, 300, "the load")
    sender.finish()
    return answers


def after(service: Service, load: Load, answers: Sequence[Answered], instant: float, plain: bool) -> Cut:
    """Start on what is left, see what of all that was answered by `instant` is there, then repeat all."""
    done = [answer for answer in answers if answer.at <= instant]
    cut = Cut(0, sum(len(answer.batch.sent) for answer in done), 0, 0.0, 0, Comparison())
    service.start()
    try:
        with service.client() as client:
            drained(service)
            if plain:
                found = account(client, done, answers)
                cut.lost, cut.twice = found.lost, found.twice
                cut.seconds = instant - min(found.instants, default=instant)
            sender = Sender(load, service.url, KEY, lambda: 0.0)
            for answer in answers:
                sender.send(client, answer.batch)
            assert not sender.refused, sender.refused[0]
            drained(service)
            cut.after_repeats = compare(client, load.oracle, quick=True)
    finally:
        assert service.stop() == 0, service.output.read_text()[-5000:]
    return cut


def drained(service: Service) -> None:
    """Wait until all that was accepted is counted."""
    with contextlib.closing(redis.Redis.from_url(EmbeddedStore(service.data_dir).url)) as client:
        until(lambda: not backlog(client), DRAINED, "all to be counted")
