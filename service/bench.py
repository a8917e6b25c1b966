"""`foreshock bench NAME`: measures a part of the service, on this machine, with its real parts."""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

Figures = dict[str, float]


def run(arguments: argparse.Namespace) -> int:
    """Run one bench and print its figures."""
    bench = BENCHES.get(arguments.name)
    if bench is None:
        print(f"foreshock bench: there is no {arguments.name!r}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    figures = {name: round(value, 3) for name, value in bench().items()}
    if arguments.format == "json":
        print(json.dumps({"name": arguments.name, "figures": figures}))
        return 0
    for name, value in figures.items():
        print(f"{name:<28} {value:>14,.3f}")
    return 0


def texts(n: int) -> list[str]:
    """Return `n` texts as people write them, of the simulated recording."""
    from collectors.simulate import recording

    some = [m.text for m in recording(1, datetime(2026, 3, 1, tzinfo=UTC), 4.0).mentions]
    return (some * (n // len(some) + 1))[:n]


def annotate_bench() -> Figures:
    """Language, sentiment, spam and signature of 5,000 texts, and 10,000 brands' queries matched, on one core."""
    from collectors.annotate import annotate
    from collectors.match import Matcher
    from collectors.query import parse

    some = texts(5000)
    annotate(some[0])
    began = time.perf_counter()
    for text in some:
        annotate(text)
    annotated = time.perf_counter() - began
    matcher = Matcher({f"b{n}": parse(f'"brand {n}" OR brand{n}') for n in range(9_999)} | {"air": parse("northvane")})
    began = time.perf_counter()
    hits = sum(bool(matcher.match(text)) for text in some)
    matched = time.perf_counter() - began
    return {
        "texts": len(some),
        "annotate_us": 1e6 * annotated / len(some),
        "texts_per_second": len(some) / annotated,
        "queries": 10_000,
        "match_us": 1e6 * matched / len(some),
        "matched_share": hits / len(some),
    }


def ingest_bench() -> Figures:
    """20,000 mentions of 100 brands through the way in and one counting worker, on an embedded store."""
    return asyncio.run(_ingest(20_000, 100))


async def _ingest(n: int, brands: int) -> Figures:
    from collectors.mention import Author, Mention
    from service.brand import Brand
    from service.clock import SystemClock
    from service.embedded import EmbeddedStore
    from service.ingest import Ingest, Receipt, drained
    from service.registry import Registry
    from service.store import Store
    from service.worker import Worker

    chance, now = random.Random(1), datetime.now(UTC)  # noqa: S311 - a bench's mentions
    mentions = [
        Mention(
            id=str(i),
            source="x",
            text=f"brand{chance.randrange(brands)} {text}",
            published_at=now - timedelta(seconds=chance.randrange(86_400)),
            author=Author(id=str(chance.randrange(n))),
        )
        for i, text in enumerate(texts(n))
    ]
    with tempfile.TemporaryDirectory() as folder, EmbeddedStore(Path(folder)) as embedded:
        async with Store(embedded.url) as store:
            await store.prepare()
            registry, clock = Registry(store), SystemClock()
            for i in range(brands):
                await registry.put_brand(Brand(name=f"brand-{i}", query=f"brand{i}"))
            ingest = Ingest(store, clock, registry)
            began = time.perf_counter()
            for i in range(0, n, 1000):
                await ingest.mentions(enumerate(mentions[i : i + 1000]), Receipt())
            accepted = time.perf_counter() - began
            worker = asyncio.create_task(Worker(store, clock, "bench").run())
            began = time.perf_counter()
            await drained(store, registry.brands)
            counted = time.perf_counter() - began
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
    return {"mentions": n, "accepted_per_second": n / accepted, "counted_per_second": n / counted}


BENCHES: dict[str, Callable[[], Figures]] = {"annotate": annotate_bench, "ingest": ingest_bench}
