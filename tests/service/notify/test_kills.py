"""`kill -9` of the process that tells between the steps of a delivery: each event arrives, under one id."""

import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.brand import Webhook
from service.embedded import EmbeddedStore
from service.episodes import Episodes
from service.notify import delivery_log
from service.registry import Registry
from service.store import Store
from tests.acceptance.receiver import SECRET
from tests.service.notify.tellers import opened
from tests.until import alive, until

BRANDS = 8


@dataclass
class Teller:
    """The role that tells, alone, started anew whenever it died; `kill` kills the one that runs."""

    url: str
    allowed: str
    process: subprocess.Popen[bytes] | None = None
    kills: int = 0
    stopped: bool = False

    def run(self) -> None:
        """Keep one running until stopped."""
        command = [sys.executable, "-m", "service", "worker", "--only", "tell", "--redis-url", self.url]
        env = {**os.environ, "FORESHOCK_ALLOW_HOSTS": self.allowed}
        while not self.stopped:
            self.process = subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL)
            self.process.wait()

    def kill(self) -> None:
        """`kill -9`."""
        if self.process and alive(self.process.pid):
            self.kills += 1
            self.process.send_signal(signal.SIGKILL)


@dataclass
class Killing:
    """A receiver that kills the teller while its request is under way: before it is taken, or after."""

    teller: Teller | None = None
    before: int = 0
    after: int = 0
    taken: Counter[str] = field(default_factory=Counter)
    order: list[str] = field(default_factory=list)

    def take(self, identity: str) -> bool:
        """Take a request; say whether to answer."""
        assert self.teller
        if self.before:
            self.before -= 1
            self.teller.kill()
            return False
        self.taken[identity] += 1
        self.order.append(identity)
        if self.after:
            self.after -= 1
            self.teller.kill()
            return False
        return True


@contextlib.contextmanager
def receiving(found: Killing) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            if found.take(self.headers["webhook-id"]):
                self.send_response(204)
                self.send_header("content-length", "0")
                self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


async def prepare(url: str, port: int) -> None:
    async with Store(url) as store:
        await store.prepare()
        await Registry(store).put_webhook(Webhook(name="hook", url=f"http://127.0.0.1:{port}/", secret=SECRET))


async def open_and_resolve(url: str, brands: int, steps: list[float]) -> list[str]:
    """Open and resolve an episode of each brand, with pauses; the ids of the events."""
    found = []
    async with Store(url) as store:
        for n in range(brands):
            first = await opened(store, f"brand{n}", time.time())
            over = first.told(datetime.now(UTC), "episode.resolved", "test")
            await Episodes(store).save(over)
            found += [f"evt_{first.id.removeprefix('ep_')}_{one.version}" for one in (first, over)]
            await asyncio.sleep(steps[n % len(steps)])
    return found


async def outcomes(url: str) -> Counter[str]:
    async with Store(url) as store:
        found, _ = await delivery_log.page(store, limit=200)
        return Counter(one.outcome for one in found)


@pytest.mark.timeout(120)
def test_whoever_is_killed_in_whatever_step_each_event_arrives_and_open_before_resolve(tmp_path: Path) -> None:
    chance, receiver = random.Random(7), Killing(before=1, after=1)
    with EmbeddedStore(tmp_path / "data") as store, receiving(receiver) as port:
        asyncio.run(prepare(store.url, port))
        teller = receiver.teller = Teller(store.url, f"127.0.0.1:{port}")
        thread = threading.Thread(target=teller.run)
        thread.start()
        try:
            wanted = asyncio.run(open_and_resolve(store.url, BRANDS, [0.0, 0.3]))
            time.sleep(chance.random())  # a random instant of its work, whichever
            teller.kill()
            until(lambda: receiver.taken.keys() >= set(wanted), 60, "every event")
            until(lambda: asyncio.run(outcomes(store.url))["delivered"] == len(wanted), 30, "the log of all")
        finally:
            teller.stopped = True
            while thread.is_alive():  # one may have been started in this moment
                teller.kill()
                thread.join(0.2)
    assert teller.kills >= 1
    assert set(receiver.taken) == set(wanted)
    assert 1 <= receiver.taken.total() - len(wanted) <= teller.kills * 16, "one was taken and not noted before the kill"
    for begin, end in zip(wanted[::2], wanted[1::2], strict=True):
        assert receiver.order.index(begin) < receiver.order.index(end)
