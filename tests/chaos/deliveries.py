"""`kill -9` of who tells and of the store, at random instants, while episodes open and resolve; then who was told what.

The receiver fails now and then as receivers do: it answers 503 or 429, or takes a request and never answers.
"""

import asyncio
import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from service.brand import Webhook
from service.embedded import EmbeddedStore
from service.episode import Episode
from service.episodes import Episodes
from service.notify import delivery_log
from service.registry import Registry
from service.store import Conflict, Store, StoreError
from tests.acceptance.receiver import SECRET
from tests.acceptance.running import Service
from tests.chaos.kills import process_id
from tests.service.notify.tellers import opened
from tests.until import alive, until

ROLES = ("judge,tell", "store")
"""The process that judges also tells."""
FAULTS = ("503", "429", "silence")
ARRIVED = 120.0
"""Seconds in which the last must have arrived: after a fault it is sent again within 5 s, after a death within 10."""


@dataclass(frozen=True)
class Plan:
    """How many episodes open and resolve, how often each process is killed, the part of requests that meet a fault."""

    episodes: int
    kills: int
    seed: int
    faults: float = 0.02


@dataclass
class Result:
    """What came of a plan; `taken` is how often each event was taken, `misordered` whose end came before its begin."""

    events: int
    kills: dict[str, int]
    faults: dict[str, int]
    taken: Counter[str]
    missing: int
    unknown: int
    misordered: int
    outcomes: dict[str, int]
    seconds: float

    @property
    def repeated(self) -> int:
        """Requests with an id that was taken before."""
        return self.taken.total() - len(self.taken)


@dataclass
class Faulty:
    """A receiver that takes most requests, and each at the second time."""

    chance: random.Random
    part: float
    met: set[str] = field(default_factory=set)
    order: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def take(self, identity: str) -> int | None:
        """Take one request; return the status, None for no answer."""
        new = identity not in self.met
        self.met.add(identity)
        if new and self.chance.random() < self.part:
            fault = self.chance.choice(FAULTS)
            self.faults[fault] += 1
            if fault != "silence":
                return int(fault)
            self.order.append(identity)
            return None
        self.order.append(identity)
        return 204


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Result:
    """Open episodes, kill, and compare what was taken with what happened."""
    began, chance = time.monotonic(), random.Random(plan.seed)
    receiver = Faulty(random.Random(chance.random()), plan.faults)
    with _serving(receiver) as server:
        port = server.server_address[1]
        allowed = {"FORESHOCK_ALLOW_HOSTS": f"127.0.0.1:{port}"}
        service = Service(folder / "data", env=allowed).start()
        url = EmbeddedStore(service.data_dir).url
        try:
            asyncio.run(_configure(url, f"http://127.0.0.1:{port}/"))
            killed: Counter[str] = Counter()
            killer = threading.Thread(target=_kill, args=(service, plan, random.Random(chance.random()), killed))
            killer.start()
            wanted = asyncio.run(_happen(url, plan.episodes, random.Random(chance.random()), killer))
            killer.join()
            say(f"{len(wanted)} events, killed {dict(killed)}")
            until(lambda: set(receiver.order) >= set(wanted), ARRIVED, "every event")
            outcomes = until(lambda: asyncio.run(_outcomes(url, len(wanted))), ARRIVED, "the log of all")
        finally:
            assert service.stop() == 0, service.output.read_text()[-5000:]
            server.shutdown()
    taken = Counter(receiver.order)
    first = {identity: n for n, identity in reversed(list(enumerate(receiver.order)))}
    pairs = list(zip(wanted[::2], wanted[1::2], strict=True))
    return Result(
        events=len(wanted),
        kills=dict(killed),
        faults=dict(receiver.faults),
        taken=taken,
        missing=len(set(wanted) - taken.keys()),
        unknown=len(taken.keys() - set(wanted)),
        misordered=sum(first[begin] > first[end] for begin, end in pairs),
        outcomes=outcomes,
        seconds=time.monotonic() - began,
    )


def _serving(receiver: Faulty) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            status = receiver.take(self.headers["webhook-id"])
            if status is not None:
                self.send_response(status)
                if status == 429:
                    self.send_header("retry-after", "1")
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    return server


def _kill(service: Service, plan: Plan, chance: random.Random, killed: Counter[str]) -> None:
    """Kill each kind of process so many times, in any order."""
    for role in chance.sample(ROLES * plan.kills, len(ROLES) * plan.kills):
        time.sleep(0.5 + chance.random())
        pid = until(lambda role=role: process_id(service, role) or 0, 60, f"the {role}")  # type: ignore[misc]
        os.kill(pid, signal.SIGKILL)
        until(lambda pid=pid: not alive(pid), 10, "the death")  # type: ignore[misc]
        killed[role] += 1


async def _configure(url: str, hook: str) -> None:
    async with Store(url) as store:
        await Registry(store).put_webhook(Webhook(name="hook", url=hook, secret=SECRET))


async def _happen(url: str, episodes: int, chance: random.Random, killer: threading.Thread) -> list[str]:
    """Open and resolve episodes, as long as there are kills to come; the ids of the events, two of each episode."""
    found: list[str] = []
    async with Store(url) as store:
        n = 0
        while n < episodes or killer.is_alive():
            brand, at = f"brand{n}", time.time()
            first = await _surely(store, brand, lambda brand=brand, at=at: opened(store, brand, at))  # type: ignore[misc]
            over = first.told(datetime.now(UTC), "episode.resolved", "chaos")
            await _surely(store, brand, lambda over=over: Episodes(store).save(over))  # type: ignore[misc]
            found += [f"evt_{first.id.removeprefix('ep_')}_{one.version}" for one in (first, over)]
            n += 1
            await asyncio.sleep(0.1 * chance.random())
    return found


async def _surely(store: Store, brand: str, change: Callable[[], Any]) -> Episode:
    """Make a change to a brand's episode, again while the store is away; return the episode as it is stored then."""
    while True:
        try:
            with contextlib.suppress(Conflict):  # it was made, and only the answer was lost
                await change()
            found = await Episodes(store).newest(brand, "crisis")
        except (RedisError, OSError, StoreError):
            await asyncio.sleep(0.1)
        else:
            assert found
            return found


async def _outcomes(url: str, events: int) -> dict[str, int]:
    """Return the delivery log's outcomes once all events have an end."""
    counts: Counter[str] = Counter()
    async with Store(url) as store:
        cursor: str | None = None
        while True:
            page, cursor = await delivery_log.page(store, limit=200, cursor=cursor)
            counts.update(one.outcome for one in page)
            if cursor is None:
                break
    return dict(counts) if counts["delivered"] + counts["lost"] >= events else {}
