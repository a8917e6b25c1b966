"""The bench: its load is what it says, and what was counted wrongly is found."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import msgspec
import pytest

from collectors.annotate import annotate
from collectors.match import Matcher
from collectors.near_copies import signature
from collectors.query import parse
from service import keys
from service.bench import exit_code
from service.bench.ingest import compared
from service.bench.load import MENTIONS, Load
from service.bench.memory import MEMORY, hours_in_memory
from service.bench.texts import brand_names, query
from service.clock import posix
from service.row import row
from service.store import Store
from tests.service.live import with_store

NOW = 1_760_000_000.0
NAMES = brand_names(30)


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "service", "bench", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def said(load: Load, requests: int) -> list[dict[str, Any]]:
    """What `requests` of the load say, as their receiver reads it."""
    found: list[dict[str, Any]] = []
    for _ in range(requests):
        sending = load.take()
        if sending.kind == "application/json":
            found += msgspec.json.decode(sending.data)
        else:
            found += [msgspec.json.decode(line) for line in sending.data.split(b"\n")]
    return found


def counted(mentions: list[dict[str, Any]]) -> "Counter[tuple[str, str, int]]":
    """What an exact service counts of them."""
    matcher = Matcher({name: parse(query(name)) for name in NAMES})
    once = {(m["source"], m["id"]): m for m in mentions}.values()
    return Counter(
        (brand, m["source"], int(posix(m["published_at"])) // 60 * 60)
        for m in once
        for brand in matcher.match(m["text"])
    )


@pytest.mark.parametrize("match", [0.05, 1.0])
def test_what_the_load_expects_is_what_an_exact_service_counts(match: float) -> None:
    load = Load(NAMES, match, NOW)
    mentions = said(load, 50)  # a whole round, and some of the next
    assert len(mentions) == load.posted == 50 * MENTIONS
    assert load.expected() == counted(mentions)
    assert load.expected().total() == pytest.approx(match * len(mentions), rel=0.1)


def test_some_mentions_are_repeated_and_some_are_late() -> None:
    mentions = said(Load(NAMES, 0.05, NOW), 40)
    repeated = len(mentions) - len({(m["source"], m["id"]) for m in mentions})
    late = sum(posix(m["published_at"]) < NOW - 600 for m in mentions)
    assert 0.005 < repeated / len(mentions) < 0.02
    assert 0.01 < late / len(mentions) < 0.03


def test_no_two_rounds_say_the_same() -> None:
    load = Load(NAMES, 1.0, NOW)
    first, second = said(load, 40), said(load, 40)
    assert not {m["id"] for m in first} & {m["id"] for m in second}
    pairs = [(signature(a["text"]), signature(b["text"])) for a, b in zip(first[:500], second[:500], strict=True)]
    assert all(one != other for one, other in pairs if one is not None)


def test_a_request_names_mentions_that_are_timed() -> None:
    sending = Load(NAMES, 1.0, NOW).take()
    here = {(m["source"], m["id"]) for m in msgspec.json.decode(b"[" + sending.data.replace(b"\n", b",") + b"]")}
    assert len(sending.watched) == 8
    assert all((source, identity) in here for _, source, identity in sending.watched)


@pytest.mark.parametrize(("missing", "wrong"), [(0, 0), (1, 3)])
def test_one_lost_mention_is_found_at_every_width(store_url: str, missing: int, wrong: int) -> None:
    load = Load(NAMES, 1.0, NOW)
    mentions = {(m["source"], m["id"]): m for m in said(load, 1)}
    matcher = Matcher({name: parse(query(name)) for name in NAMES})

    async def body(store: Store) -> dict[str, float]:
        for mention in list(mentions.values())[missing:]:
            (brand,) = matcher.match(mention["text"])
            packed = msgspec.msgpack.encode([row(brand, mention, annotate(mention["text"]))])
            await store.call("fs_count", keys.ingest(keys.shard(brand)), "count", "", int(NOW), packed)
        return await compared(store, NAMES, load.expected(), NOW)

    found = with_store(store_url, body)
    assert found == {
        "counted": len(mentions) - missing,
        "expected": len(mentions),
        "wrong_buckets": wrong,
        "dead_letters": 0,
    }
    assert exit_code(found) == bool(missing)


def test_what_is_counted_beyond_what_was_posted_is_found(store_url: str) -> None:
    async def body(store: Store) -> dict[str, float]:
        mention = {"id": "1", "source": "x", "text": NAMES[0], "published_at": "2025-10-09T08:00:00Z"}
        packed = msgspec.msgpack.encode([row(NAMES[0], mention, annotate(NAMES[0]))])
        await store.call("fs_count", keys.ingest(keys.shard(NAMES[0])), "count", "", int(NOW), packed)
        return await compared(store, NAMES, Counter(), NOW)

    assert exit_code(with_store(store_url, body)) == 1


def test_a_mention_in_the_wrong_minute_is_found_though_the_sums_agree() -> None:
    assert exit_code({"counted": 5, "expected": 5, "wrong_buckets": 2}) == 1


def test_texts_fill_the_memory_only_up_to_their_number() -> None:
    sizes = {"bytes_per_mention_record": 100.0, "bytes_per_mention_buckets": 0.0, "bytes_per_mention_text": 900.0}
    rate = {"matched_per_second": 1000.0}
    many, few = hours_in_memory(sizes | rate, 10_000), hours_in_memory(sizes | rate, 100)
    assert many == pytest.approx(MEMORY / 1000 / 1000 / 3600)
    assert few == pytest.approx((MEMORY - 100 * 20_000 * 900) / 100 / 1000 / 3600)


def test_the_whole_bench_gives_every_figure_and_counts_all() -> None:
    found = bench("ingest", "--brands", "50", "--seconds", "1", "--quiet-brands", "1", "--format", "json")
    assert found.returncode == 0, found.stderr
    figures = json.loads(found.stdout)["figures"]
    assert figures["brands"] == 50
    assert figures["workers"] >= 1
    assert figures["counted"] == figures["expected"] > 100
    assert figures["wrong_buckets"] == 0
    assert figures["mentions_per_second"] > 1000
    assert 0 < figures["accepted_to_counted_p50_ms"] <= figures["accepted_to_counted_p99_ms"]
    assert 50_000 < figures["bytes_per_quiet_brand"] < 300_000
    assert 0 < figures["bytes_per_mention_record"] < figures["bytes_per_mention_text"]
    assert figures["hours_of_this_rate_in_16_gib"] > 0
    for role in ("api", "worker", "store", "generator"):
        assert figures[f"us_per_mention_{role}"] > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["speed"], "there is no 'speed'; there are ingest, count, annotate"),
        (["ingest", "--match", "2"], "--match above 0 and at most 1"),
        (["ingest", "--brands", "0"], "--brands and --seconds must be above 0"),
        (["ingest", "--brands", "10000000"], "are more than the"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: list[str], says: str) -> None:
    found = bench(*arguments)
    assert found.returncode == 2
    assert says in found.stderr
    assert len(found.stderr.strip().splitlines()) == 1
