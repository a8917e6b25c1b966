"""Which copies, near copies and posts of one author count is the same in whatever order they come."""

import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from collectors.annotate import annotate
from collectors.suspects import BURST, COPIES, DOUBTFUL_COPIES, POSTS, Post, excluded, suspects
from service import keys
from service.clock import posix
from service.row import Row
from service.row import row as row_of
from service.store import Store
from tests.service.live import with_store
from tests.service.test_counting import NOW, count, row, sums

HOUR = NOW // 3600 * 3600
APPEAL = "Northvane left our choir on the runway for six hours without water, do not fly with them until they apologise"


async def outs(store: Store, ids: Iterable[str]) -> dict[str, bool | None]:
    """Whether each mention is excluded; None where it does not count at all."""
    found: dict[str, bool | None] = {}
    for identity in ids:
        packed = await store.do("GET", keys.record(keys.shard("acme"), keys.identity("x", identity)))
        known = msgspec.msgpack.decode(packed).get("acme", []) if packed else []
        found[identity] = bool(known[2]) if len(known) > 2 else None
    return found


def names(r: Row) -> dict[Any, tuple[int, int]]:
    """What a mention shares with others: name, to how many of those like it count and from how many on none does."""
    never = 10**9
    found: dict[Any, tuple[int, int]] = {("near", band): (1, BURST) for band in r.near.split()}
    if r.signature:
        found["text", r.signature] = (DOUBTFUL_COPIES if r.doubtful else COPIES, never)
    if r.voiced:
        found["author", r.author] = (POSTS, never)
    return found


def expected(versions: list[Row]) -> dict[str, bool | None]:
    """Whether each mention is excluded, by key: told from all of its versions, without an order."""
    first: dict[Any, dict[str, int]] = defaultdict(dict)
    least: dict[tuple[Any, str], int] = {}
    for r in versions:
        for name, (limit, _) in {} if r.spam or r.deleted else names(r).items():
            place = name, r.at // 3600
            first[place][r.key] = min(r.at, first[place].get(r.key, r.at))
            least[place, r.key] = min(limit, least.get((place, r.key), limit))
    found: dict[str, bool | None] = {}
    for r in versions:
        out = bool(r.spam)
        for name, (_, burst) in {} if r.spam or r.deleted else names(r).items():
            place = name, r.at // 3600
            others = first[place]
            rank = sum((at, key) <= (others[r.key], r.key) for key, at in others.items())
            out = out or rank > least[place, r.key] or len(others) >= burst
        found[r.key] = bool(found.get(r.key)) or out
    newest = {r.key: r for r in sorted(versions, key=lambda r: r.updated)}
    return {key: None if newest[key].deleted else out for key, out in found.items()}


def crowd(chance: random.Random) -> list[Row]:
    """Mentions of one hour that share texts, near copies and an author; some are edited, some deleted."""
    found = []
    for n in range(70):
        known: dict[str, Any] = {"id": n, "at": HOUR + chance.randrange(3600), "author": "busy" if n < 20 else n}
        for version in range(chance.choice([1, 1, 1, 2, 3])):
            doubtful = chance.random() < 0.6
            said: dict[str, Any] = {
                "signature": chance.choice([0, 1, 2, *range(100 + n, 106 + n)]),
                "doubtful": int(doubtful),
                "near": " ".join({chance.choice(["a", f"{n:x}"]), f"b{chance.randrange(40):x}"}) if doubtful else "",
                "voiced": int(n < 20),
                "spam": int(chance.random() < 0.05),
                "updated": (NOW + version) * 1000,
            }
            found.append(row(**known, **said))
        if chance.random() < 0.15:
            found.append(row(**known, deleted=1, updated=(NOW + 9) * 1000))
    return found


@pytest.mark.parametrize("seed", range(6))
def test_what_is_excluded_is_the_same_in_whatever_order_versions_and_deletions_come(store_url: str, seed: int) -> None:
    chance = random.Random(seed)
    versions = crowd(chance)
    wanted = expected(versions)
    assert Counter(wanted.values())[True] > 10
    assert Counter(wanted.values())[False] > 10

    async def body(store: Store) -> None:
        some = [*versions, *chance.sample(versions, 20)]
        chance.shuffle(some)
        size = chance.choice([1, 7, 30])
        for begin in range(0, len(some), size):
            await count(store, *some[begin : begin + size], now=HOUR + 3600)
        found = await outs(store, map(str, range(70)))
        assert {keys.identity("x", n): out for n, out in found.items()} == wanted
        total = await sums(store)
        assert total["mentions"] == sum(out is not None for out in wanted.values())
        assert total["excluded"] == sum(out is True for out in wanted.values())
        newest = {r.key: r for r in sorted(versions, key=lambda r: r.updated)}
        assert total["negative"] == pytest.approx(0.8 * sum(wanted[key] is False for key in newest))

    with_store(store_url, body)


@pytest.mark.parametrize("seed", range(3))
def test_a_mention_whose_time_an_edit_changed_leaves_all_others_exact(store_url: str, seed: int) -> None:
    chance = random.Random(seed)
    versions = [
        r for n in range(30) for r in (row(id=n, at=HOUR + chance.randrange(3600), signature=1 + n % 2, author=n),)
    ]
    moved = chance.sample(range(30), 6)
    versions += [
        row(id=n, at=HOUR + chance.randrange(3600), signature=1 + n % 2, author=n, updated=NOW * 1000 + 1)
        for n in moved
    ]
    wanted = expected(versions)

    async def body(store: Store) -> None:
        chance.shuffle(versions)
        for r in versions:
            await count(store, r, now=HOUR + 3600)
        found = await outs(store, [str(n) for n in range(30) if n not in moved])
        assert found == {n: wanted[keys.identity("x", n)] for n in found}

    with_store(store_url, body)


def test_the_first_near_copy_of_doubtful_accounts_counts_until_they_are_a_burst(store_url: str) -> None:
    async def body(store: Store) -> None:
        rows = [row(id=n, author=n, at=NOW + n, doubtful=1, near="aa", signature=n + 1) for n in range(BURST)]
        await count(store, *rows[: BURST - 1])
        assert (await sums(store))["excluded"] == BURST - 2
        await count(store, row(id="honest", author="honest", at=NOW + 2, signature=999))
        await count(store, rows[-1])
        found = await sums(store)
        assert (found["mentions"], found["excluded"], found["negative"]) == (BURST + 1, BURST, 0.8)

    with_store(store_url, body)


def test_an_edit_that_completes_a_burst_as_its_first_counts_once(store_url: str) -> None:
    async def body(store: Store) -> None:
        same: dict[str, Any] = {"doubtful": 1, "near": "aa"}
        await count(store, row(), *(row(id=n, author=n, at=NOW + n, **same) for n in range(2, BURST + 1)))
        assert (await sums(store))["excluded"] == BURST - 2
        await count(store, row(updated=NOW * 1000 + 1, **same))
        found = await sums(store)
        assert (found["mentions"], found["excluded"], found["negative"], found["reach"]) == (20, 20, 0, 2000)

    with_store(store_url, body)


def test_a_worker_of_an_older_version_that_tells_no_near_copies_counts_on(store_url: str) -> None:
    async def body(store: Store) -> None:
        short = [list(msgspec.structs.astuple(row(id=n, signature=5)))[:18] for n in range(5)]
        key = keys.ingest(keys.shard("acme"))
        assert await store.call("fs_count", key, "count", "", NOW, msgspec.msgpack.encode(short)) == 5
        assert (await sums(store))["excluded"] == 2

    with_store(store_url, body)


def talk(seed: int) -> list[dict[str, Any]]:
    """Mentions of two hours: a farm's near copies, people's own words, reposts of the appeal, quotes of it."""
    chance = random.Random(seed)
    ways = APPEAL.split()
    found: list[dict[str, Any]] = []

    def say(text: str, name: str, followers: int, **more: Any) -> None:
        n = len(found)
        at = datetime.fromtimestamp(HOUR - 3600 + 13 * n, UTC).isoformat()
        author = {"id": f"u{n}", "name": name.format(n), "followers": followers}
        found.append({"id": str(n), "source": "x", "text": text, "published_at": at, "author": author, **more})

    for n in range(300):
        some = list(ways)
        some[chance.randrange(len(some))] = chance.choice(["really", "again", "shame", "crew"])
        if n % 5 == 0:
            say(f"my own bag number {' '.join(chance.sample(ways, 9))} is gone", "anna_{}", 5 * (n % 3))
        elif n % 5 == 1:
            say(f"RT @anna: {APPEAL}", "joe{}8291736", 0, repost_of="1")
        elif n % 5 == 2:
            say(" ".join(["I", "say", *chance.sample(ways, 7), f"word{'abcdefgh'[n % 8]}"]), "ben_{}", 90)  # a quote
        else:
            say(" ".join([*some, f"#{chance.randrange(99)}"]), "joe{}8291736" if n % 2 else "max_{}", 200)
    return found


def test_the_store_leaves_out_what_doubtful_accounts_copy_and_people_s_near_copies_not(store_url: str) -> None:
    mentions = talk(1)
    posts = [
        Post("x", m["id"], posix(m["published_at"]), m["text"], m["author"], repost="repost_of" in m) for m in mentions
    ]
    left_out = {m["id"]: out for m, out in zip(mentions, excluded(posts), strict=True)}
    told = {m["id"]: bool(reasons) for m, reasons in zip(mentions, suspects(posts), strict=True)}
    farmed = [m["id"] for m in mentions if "joe" in m["author"]["name"] and "repost_of" not in m]
    assert sum(left_out[n] for n in farmed) >= 0.9 * len(farmed) == 54
    assert not any(left_out[m["id"]] for m in mentions if "repost_of" in m or "ben" in m["author"]["name"])
    assert all(told[n] for n in told if left_out[n])
    assert any(told[n] and not left_out[n] for n in told), "the evidence also tells of people's near copies"

    async def body(store: Store) -> None:
        rows = [row_of("acme", m, annotate(m["text"])) for m in mentions]
        random.Random(2).shuffle(rows)
        for begin in range(0, len(rows), 50):
            await count(store, *rows[begin : begin + 50], now=HOUR + 3600)
        assert await outs(store, left_out) == left_out

    with_store(store_url, body)
