"""`foreshock bench alert`: from a mention's POST to the socket of who must know, in the running service.

The service runs as users run it (`foreshock serve`) and watches brands that have a past of days, of which people go on
talking as ever. Then some of them meet a revolt: all of it, angry posts of the last minutes by as many people, comes in
one POST, as a collector's read brings it. Before that POST nothing is strange, after it the alert can be told from
chance: it tips the scale, and time runs from when it is sent until the receiver of a webhook has the whole
signed request of `episode.opened`. Between the two lie the way in, the worker, the ticker (every 5 seconds; revolts
come at any time between its looks), episode and outbox in one step, and HTTP.
"""

import argparse
import asyncio
import random
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from collectors.sentiment import engine
from service import keys
from service.bench import BenchError, Figures
from service.bench.client import Client
from service.bench.ingest import settled, watch_brands
from service.bench.load import Sending, record
from service.bench.running import Running, running
from service.bench.texts import brand_names, frames
from service.brand import Webhook
from service.registry import Registry
from service.store import Store

SOURCE = "x"
PER_MINUTE = 1.0
"""Mentions of a brand in a minute, on average, always."""
PAST_DAYS = 3
"""Days of which a brand's counts are known: enough to learn from."""
FINE, MINUTE, DAY = 300, 60, 86_400
KINDS = 8
"""Pasts that are drawn; the brands' are copies of them."""
POSTS, POSTED_SECONDS = 40, 180.0
"""Angry posts of a revolt, and the seconds in which people wrote them."""
ANGRY = 0.8
"""P(negative) of a text from which on it is an angry one."""
REVOLTS, SHORT_REVOLTS, SHORT_BRANDS = 40, 8, 100
EVERY = 2.3
"""Seconds between two revolts: no part of a tick, so that they come at any time between two."""
LEARNED_SECONDS = 900.0
"""Seconds that learning all pasts may take: some 0.1 s of a core a brand, half of the time."""
LAST_SECONDS = 60.0
"""Seconds after the last revolt in which an alert counts as told."""
SECRET = "whsec_" + "Zm9yZXNob2NrLWJlbmNoLWFsZXJ0LXNlY3JldC0x"


@dataclass
class Receiver:
    """A system's receiver: notes when each request was there as a whole, by the event's id."""

    came: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)
    port: int = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            size = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.startswith("content-length:"))
            event = msgspec.json.decode(await reader.readexactly(size))
            self.came.append((time.perf_counter(), str(event["id"]), event))
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            await writer.drain()
        writer.close()

    def opened(self) -> dict[str, float]:
        """Return when each brand's crisis was first heard of."""
        found: dict[str, float] = {}
        for at, _, event in self.came:
            if event["type"] == "episode.opened" and event["episode"]["kind"] == "crisis":
                found.setdefault(str(event["brand"]), at)
        return found


def measure(arguments: argparse.Namespace) -> Figures:
    """Measure how long a page takes, and whether each revolt is told once."""
    brands, revolts = arguments.brands, REVOLTS
    if arguments.short:
        brands, revolts = min(brands, SHORT_BRANDS), SHORT_REVOLTS
    if brands < revolts:
        raise BenchError(f"--brands must be {revolts} or more")
    try:
        names = brand_names(brands)
    except ValueError as error:
        raise BenchError(str(error)) from None
    return asyncio.run(_measured(arguments, names, revolts))


async def _measured(arguments: argparse.Namespace, names: list[str], revolts: int) -> Figures:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.take, "127.0.0.1", 0, limit=2**20)
    receiver.port = server.sockets[0].getsockname()[1]
    allowed = {"FORESHOCK_ALLOW_HOSTS": f"127.0.0.1:{receiver.port}"}
    async with server:
        with running(arguments.mode, arguments.apis, allowed) as service:
            async with Store(service.store_url) as store:
                chance = random.Random(arguments.seed)  # noqa: S311 - a bench's mentions
                return await _Session(service, store, receiver, names, chance).run(revolts)


@dataclass
class _Session:
    service: Running
    store: Store
    receiver: Receiver
    names: list[str]
    chance: random.Random
    posted: int = 0

    async def run(self, revolts: int) -> Figures:
        texts, angry, share = _moods()
        await write_pasts(
            self.store, self.names, time.time(), share, np.random.default_rng(self.chance.randrange(2**32))
        )
        hook = Webhook(name="bench", url=f"http://127.0.0.1:{self.receiver.port}/", secret=SECRET)
        await Registry(self.store).put_webhook(hook)
        await watch_brands(self.store, self.names)
        talking = asyncio.create_task(self._talk(texts))
        try:
            began = time.perf_counter()
            await self._learned()
            learned = time.perf_counter() - began
            before = {str(event["brand"]) for _, _, event in self.receiver.came}
            chosen = self.chance.sample([name for name in self.names if name not in before], revolts)
            sent = await self._revolt(chosen, angry)
            until = time.perf_counter() + LAST_SECONDS
            while not self.receiver.opened().keys() >= sent.keys() and time.perf_counter() < until:
                if talking.done():
                    talking.result()
                await asyncio.sleep(0.05)
        finally:
            talking.cancel()
        await settled(self.store)
        return self._figures(sent, learned)

    def _figures(self, sent: dict[str, float], learned: float) -> Figures:
        opened = self.receiver.opened()
        took = [opened[name] - at for name, at in sent.items() if name in opened]
        if not took:
            raise BenchError("of the revolts none was told")
        times = Counter(identity for _, identity, _ in self.receiver.came)
        half, most = np.percentile(took, (50, 99))
        return {
            "brands": len(self.names),
            "revolts": len(sent),
            "mentions_posted": self.posted,
            "learned_seconds": learned,
            "incidents": len(took),
            "missed": len(sent) - len(took),
            "others": len(opened.keys() - sent.keys()),
            "posts_received": len(self.receiver.came),
            "repeated_posts": len(self.receiver.came) - len(times),
            "post_to_receiver_p50_s": float(half),
            "post_to_receiver_p99_s": float(most),
            "post_to_receiver_max_s": max(took),
        }

    async def _revolt(self, chosen: list[str], angry: list[str]) -> dict[str, float]:
        """Let brands meet their revolts one after the other; return when each one's POST was begun."""
        client, sent, began = Client(self.service), dict[str, float](), time.perf_counter()
        for n, name in enumerate(chosen):
            await asyncio.sleep(max(began + n * EVERY - time.perf_counter(), 0.0))
            now = time.time()
            some = [
                self._mention(f"r{n}-{i}", name, self.chance.choice(angry), now - self.chance.random() * POSTED_SECONDS)
                for i in range(POSTS)
            ]
            body = Sending(msgspec.json.encode(some), "application/json", [])
            sent[name] = time.perf_counter()
            await client.post(body)
            self.posted += len(some)
        client.close()
        return sent

    async def _talk(self, texts: list[str]) -> None:
        """Post what is said of the brands as ever, each second."""
        client, draw, n = Client(self.service), np.random.default_rng(7), 0
        while True:
            began, now = time.perf_counter(), time.time()
            number = int(draw.poisson(PER_MINUTE / MINUTE * len(self.names)))
            some = []
            for _ in range(number):
                n += 1
                name, text = self.chance.choice(self.names), self.chance.choice(texts)
                some.append(self._mention(f"t{n}", name, text, now - self.chance.random()))
            if some:
                await client.post(Sending(msgspec.json.encode(some), "application/json", []))
                self.posted += number
            await asyncio.sleep(max(began + 1.0 - time.perf_counter(), 0.0))

    def _mention(self, identity: str, name: str, text: str, at: float) -> dict[str, object]:
        found = record(self.chance, SOURCE, identity, at, name)
        person = {"id": identity, "name": identity, "followers": int(180 * self.chance.lognormvariate(0, 1.0))}
        return {**found, "text": f"{text.format(brand=name)} {_word(identity)}", "author": person}

    async def _learned(self) -> None:
        """Wait until every brand is judged by its own past."""
        until = time.monotonic() + LEARNED_SECONDS
        while True:
            states = await self.store.pipe([("GET", keys.state(name)) for name in self.names])
            known = sum(1 for state in states if state and msgspec.json.decode(state)["scores"])
            if known == len(self.names):
                return
            if time.monotonic() > until:
                raise BenchError(f"after {LEARNED_SECONDS:.0f} s {known} of {len(self.names)} brands are judged")
            await asyncio.sleep(1.0)


def _moods() -> tuple[list[str], list[str], float]:
    """Return texts with a place for the brand's name, those of them that are angry, and the mean of P(negative)."""
    texts = [f"{before}{{brand}}{after}" for before, after in frames() if "{" not in before + after]
    texts = texts[:2000]
    judge = engine("linear")
    told = [judge.judge(text.format(brand="it")).negative or 0.0 for text in texts]
    angry = [text for text, negative in zip(texts, told, strict=True) if negative >= ANGRY]
    calm = [text for text, negative in zip(texts, told, strict=True) if negative < 1 - ANGRY]
    return calm + angry[: len(calm) // 9], angry, 0.1


def _word(identity: str) -> str:
    """Return a word of its own for each mention, so that no text is a copy of another."""
    return "".join(chr(ord("a") + int(digit)) if digit.isdigit() else digit for digit in identity)


async def write_pasts(store: Store, names: list[str], now: float, share: float, draw: np.random.Generator) -> None:
    """Store the counts of some days for brands: Poisson, `share` of them negative."""
    for kind in range(KINDS):
        some = names[kind::KINDS]
        segments = _past(now, share, draw)
        commands = [("HSET", keys.segment(some[0], SOURCE, width, n), *pairs) for (width, n), pairs in segments.items()]
        await store.pipe(commands)
        dumps = await store.pipe([("DUMP", command[1]) for command in commands])
        spoke = (f"{SOURCE}{keys.SEPARATOR}first", now - PAST_DAYS * DAY, f"{SOURCE}{keys.SEPARATOR}last", now - 1)
        for name in some:
            copies = [
                ("RESTORE", keys.segment(name, SOURCE, width, n), 0, dump)
                for (width, n), dump in zip(segments, dumps, strict=True)
            ]
            await store.pipe([*(copies if name != some[0] else ()), ("HSET", keys.since(name), *spoke)])


def _past(now: float, share: float, draw: np.random.Generator) -> dict[tuple[int, int], list[object]]:
    """Return packed counters by width and segment: places and buckets in turn."""
    end = int(now) // MINUTE * MINUTE
    begin = (end - PAST_DAYS * DAY) // FINE * FINE
    minutes = draw.poisson(PER_MINUTE, (end - begin) // MINUTE)
    negative = draw.binomial(minutes, share)
    found: dict[tuple[int, int], list[object]] = {}
    for width in (MINUTE, FINE):
        size, part = keys.SEGMENT[width], width // MINUTE
        for n in range(len(minutes) // part):
            at, of = begin + n * width, slice(n * part, (n + 1) * part)
            count, bad = int(minutes[of].sum()), int(negative[of].sum())
            if count and (width == FINE or at >= end - DAY):
                number, place = divmod(at // width, size)
                packed = msgspec.msgpack.encode([count, 0, count, 1000 * bad, 0, 0, 0, count])
                found.setdefault((width, number), []).extend((place, packed))
    return found
