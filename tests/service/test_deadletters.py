"""Dead letters: what can't be counted lies apart with its reason, holds nothing up, and can be put in again."""

import asyncio
import contextlib
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from redis.exceptions import ResponseError

from collectors.mention import Mention
from service import exhume, keys
from service.__main__ import main
from service.brand import Brand
from service.clock import SystemClock
from service.counts import read
from service.deadletters import ALONE, MOST, TRIES, bury, deadly, one_by_one, purge, quarantine
from service.ingest import Busy, Ingest, Receipt, drained
from service.registry import Registry
from service.store import Store
from service.worker import Worker
from tests.service.live import with_store
from tests.service.rest import KEY, serving

NOW = datetime.now(UTC)
BRANDS = ["acme", "globex", "initech"]


def mention(identity: str = "1", **more: Any) -> dict[str, Any]:
    at = (NOW - timedelta(minutes=5)).isoformat()
    return {"id": identity, "source": "x", "text": f"awful {identity}", "published_at": at, **more}


async def door(store: Store) -> Ingest:
    registry = Registry(store)
    for name in BRANDS:
        await registry.put_brand(Brand(name=name, query=name))
    return Ingest(store, SystemClock(), registry)


async def count_all(store: Store) -> None:
    worker = asyncio.create_task(Worker(store, SystemClock(), "w").run())
    await drained(store, BRANDS)
    worker.cancel()
    await asyncio.gather(worker, return_exceptions=True)


async def counted(store: Store, brand: str = "acme") -> int:
    now = NOW.timestamp() + 60
    return int((await read(store, brand, now - 86_400, now, 60, now)).total("mentions").sum())


async def letters(store: Store, brand: str | None = None) -> list[exhume.DeadLetter]:
    return (await exhume.page(store, brand, 200))[0]


async def put(store: Store, brand: str, *packed: bytes) -> None:
    entry = msgspec.msgpack.encode([(brand, some) for some in packed])
    await store.do("XADD", keys.ingest(keys.shard(brand)), "*", "m", entry)


def test_a_mention_that_cannot_be_annotated_lies_apart_and_the_rest_of_its_batch_counts(store_url: str) -> None:
    async def body(store: Store) -> None:
        await door(store)
        good = [msgspec.json.encode(mention(str(n))) for n in range(3)]
        bad = {"id": "7", "source": "x", "text": "no time"}
        await put(store, "acme", good[0], msgspec.json.encode(bad), *good[1:])
        await count_all(store)
        assert await counted(store) == 3
        (letter,) = await letters(store)
        assert (letter.brand, letter.source, letter.mention_id, letter.kind) == ("acme", "x", "7", "annotate")
        assert letter.mention == bad

    with_store(store_url, body)


def test_burying_the_same_again_changes_nothing(store_url: str) -> None:
    async def body(store: Store) -> None:
        for reason in ("first", "again"):
            await bury(store, "acme", mention(), reason)
        await bury(store, "acme", mention(text="edited"), "another")
        assert [letter.reason for letter in await letters(store)] == ["another", "first"]
        assert await store.do("HGETALL", keys.dead_totals(keys.shard("acme"))) == {b"annotate": b"2"}

    with_store(store_url, body)


def test_a_reason_is_one_line_without_the_text(store_url: str) -> None:
    async def body(store: Store) -> None:
        await bury(store, "acme", mention(text="my secret life"), "can't read\n'my secret life'\tat 3" + "!" * 900)
        (letter,) = await letters(store)
        assert letter.reason.startswith("can't read '...' at 3!!!")
        assert len(letter.reason) == 200

    with_store(store_url, body)


def test_letters_of_all_shards_come_newest_first_each_on_one_page(store_url: str) -> None:
    async def body(store: Store) -> None:
        names = [f"brand-{n % 7}" for n in range(40)]
        for n, name in enumerate(names):
            await bury(store, name, mention(str(n)), "broken")
        for brand in (None, "brand-3"):
            seen: list[exhume.DeadLetter] = []
            cursor: str | None = None
            while True:
                some, cursor = await exhume.page(store, brand, 3, cursor)
                seen += some
                if cursor is None:
                    break
            wanted = {str(n) for n, name in enumerate(names) if brand in (None, name)}
            assert {letter.mention_id for letter in seen} == wanted
            assert len(seen) == len(wanted)
            times = [letter.id.split("-")[1] for letter in seen]
            assert times == sorted(times, reverse=True)
        with pytest.raises(ValueError, match="`next`"):
            await exhume.page(store, None, 3, "tomorrow")

    with_store(store_url, body)


def test_what_is_put_in_again_counts_once_and_is_a_dead_letter_no_more(store_url: str) -> None:
    async def body(store: Store) -> None:
        ingest = await door(store)
        for brand in ("acme", "globex"):
            await bury(store, brand, mention(), "broken")
        lying = await letters(store)
        outcome = await exhume.replay(store, ingest, None)
        assert (outcome.done, outcome.failed) == (2, 0)
        assert await letters(store) == []
        for letter in lying:  # whoever died before it was removed finds it again
            await bury(store, letter.brand, mention(), "broken")
        await exhume.replay(store, ingest, [letter.id for letter in await letters(store)])
        await count_all(store)
        assert [await counted(store, brand) for brand in BRANDS] == [1, 1, 0]

    with_store(store_url, body)


def test_what_is_still_wrong_stays_and_says_why(store_url: str) -> None:
    async def body(store: Store) -> None:
        ingest = await door(store)
        old = (NOW - timedelta(days=9)).isoformat()
        await bury(store, "acme", mention("old", published_at=old), "broken")
        await bury(store, "acme", {"id": "7", "source": "x", "text": "no time"}, "broken")
        await bury(store, "forgotten", mention("other"), "broken")
        await bury(store, "acme", mention("good"), "broken")
        outcome = await exhume.replay(store, ingest, None)
        assert (outcome.done, outcome.failed) == (1, 3)
        why = {letter.mention_id: letter.id for letter in await letters(store)}
        told = {error["id"]: error["what"] for error in outcome.errors}
        assert "more than 8 days ago" in told[why["old"]]
        assert told[why["7"]] == "published_at: Field required"
        assert "there is no brand 'forgotten'" in told[why["other"]]
        unknown = await exhume.replay(store, ingest, ["007-1-1", "nonsense"])
        assert (unknown.done, unknown.failed) == (0, 2)

    with_store(store_url, body)


def test_nothing_is_lost_when_no_more_is_taken(store_url: str) -> None:
    class Full:
        def refuse(self) -> str | None:
            return "the store is full"

    async def body(store: Store) -> None:
        await door(store)
        await bury(store, "acme", mention(), "broken")
        ingest = Ingest(store, SystemClock(), Registry(store), Full())
        with pytest.raises(Busy):
            await exhume.replay(store, ingest, None)
        assert len(await letters(store)) == 1

    with_store(store_url, body)


def test_a_deletion_that_died_takes_its_mention_out_when_it_is_put_in_again(store_url: str) -> None:
    async def body(store: Store) -> None:
        ingest = await door(store)
        given = Mention.model_validate(mention(text="acme and globex"))
        await ingest.mentions([(0, given)], Receipt())
        gone = {k: v for k, v in mention(deleted=True, updated_at=NOW.isoformat(), brands=[]).items() if k != "text"}
        await count_all(store)
        await bury(store, "", gone, "broken")
        assert (await exhume.replay(store, ingest, None)).errors == []
        await count_all(store)
        assert [await counted(store, brand) for brand in BRANDS] == [0, 0, 0]

    with_store(store_url, body)


def test_dropping_takes_what_was_chosen_and_no_more(store_url: str) -> None:
    async def body(store: Store) -> None:
        for brand in BRANDS:
            for n in range(3):
                await bury(store, brand, mention(str(n)), "broken")
        first = (await letters(store))[0]
        assert (await exhume.drop(store, [first.id])).done == 1
        assert (await exhume.drop(store, None, "globex")).done == 3
        assert {letter.brand for letter in await letters(store)} == {"acme", "initech"}
        assert (await exhume.drop(store, None)).done == 5
        assert await store.do("EXISTS", *[keys.dead_index(keys.shard("acme"))]) == 0

    with_store(store_url, body)


def test_a_deleted_mention_leaves_the_dead_letters_too(store_url: str) -> None:
    async def body(store: Store) -> None:
        for identity in ("1", "11", "2"):
            await bury(store, "acme", mention(identity), "broken")
        await bury(store, "acme", mention("1", text="another version"), "broken")
        tag = keys.shard("acme")
        assert await purge(store, [(tag, keys.identity("x", "1")), (tag, keys.identity("x", "none"))]) == 2
        assert [letter.mention_id for letter in await letters(store)] == ["2", "11"]
        assert await purge(store, [(keys.shard("globex"), keys.identity("x", "2"))]) == 0

    with_store(store_url, body)


def test_a_deletion_that_comes_the_ordinary_way_leaves_no_dead_letter_of_its_mention(store_url: str) -> None:
    async def body(store: Store) -> None:
        ingest = await door(store)
        for brand in BRANDS:
            await bury(store, brand, mention(), "broken")
        await bury(store, "acme", mention("2"), "broken")
        gone = Mention.model_validate(mention(deleted=True, updated_at=NOW.isoformat()))
        await ingest.mentions([(0, gone)], Receipt())
        await count_all(store)
        assert [letter.mention_id for letter in await letters(store)] == ["2"]

    with_store(store_url, body)


def test_a_shard_keeps_its_newest_and_counts_what_makes_way(store_url: str) -> None:
    async def body(store: Store) -> None:
        tag = keys.shard("acme")
        fields = ("key", "k", "kind", "count", "reason", "r", "brand", "acme", "mention")
        for n in range(0, MOST, 1000):
            old = [("XADD", keys.dead(tag), f"{i + 1}-0", *fields, json.dumps({"id": i})) for i in range(n, n + 1000)]
            await store.pipe(old)
        for n in range(3):
            await bury(store, "acme", mention(str(n)), "broken")
        assert await store.do("XLEN", keys.dead(tag)) == MOST
        assert (await store.do("XRANGE", keys.dead(tag), "-", "+", "COUNT", 1))[0][0] == b"4-0"
        assert (await store.do("HGET", keys.dead_totals(tag), "trimmed")) == b"3"

    with_store(store_url, body)


def test_an_entry_that_cannot_be_read_is_buried_whole_and_goes_in_again_once_it_can(store_url: str) -> None:
    async def body(store: Store) -> None:
        ingest = await door(store)
        tag = keys.shard("acme")
        packed = msgspec.json.encode(mention())
        for entry in (b"\xff\xff", msgspec.msgpack.encode([("acme", packed)])):
            await store.do("XADD", keys.ingest(tag), "*", "m", entry)
        found = await store.read_group(keys.COUNTERS, "w", [keys.ingest(tag)], count=2)
        for stream, entries in found:
            for identity, fields in entries:
                await quarantine(store, stream, identity, fields, "truncated")
        assert await store.do("XLEN", keys.ingest(tag)) == 0
        assert {letter.kind for letter in await letters(store)} == {"read"}
        outcome = await exhume.replay(store, ingest, None)
        assert (outcome.done, [error["what"] for error in outcome.errors]) == (1, ["its entry can't be read"])
        await count_all(store)
        assert await counted(store) == 1

    with_store(store_url, body)


POISONED = """
import asyncio, os, sys, msgspec
from service import keys
from service.deadletters import deadly, one_by_one
from service.store import Store

async def count(brand, packed):
    if b"poison" in packed:
        os._exit(9)
    await store.do("RPUSH", "counted", packed)

async def main():
    global store
    async with Store(sys.argv[1]) as store:
        stream = keys.ingest(keys.shard("acme"))
        for _, entries in await store.read_group(keys.COUNTERS, "w", [stream], count=9, after="0"):
            for entry, fields in entries:
                assert await deadly(store, [(stream, entry, fields)])
                waiting = msgspec.msgpack.decode(fields[b"m"], type=list[tuple[str, bytes]])
                await one_by_one(store, stream, entry, waiting, count)

asyncio.run(main())
"""


def test_a_mention_that_kills_its_workers_is_buried_and_the_rest_of_its_entry_counts(store_url: str) -> None:
    async def body(store: Store) -> None:
        stream = keys.ingest(keys.shard("acme"))
        await put(store, "acme", b'{"id": "1"}', b'{"id": "2", "text": "poison"}', b'{"id": "3"}')
        found = await store.read_group(keys.COUNTERS, "w", [stream], count=1)
        for delivery in range(2, TRIES):
            (entry, fields) = found[0][1][0]
            assert await deadly(store, [(stream, entry, fields)]) == set(), delivery
            found = await store.read_group(keys.COUNTERS, "w", [stream], count=1, after="0")
        ends = []
        while await store.do("XLEN", stream):
            worker = await asyncio.create_subprocess_exec(sys.executable, "-c", POISONED, store_url)
            ends.append(await worker.wait())
        assert ends == [9] * ALONE + [0]
        assert set(await store.do("LRANGE", "counted", 0, -1)) == {b'{"id": "1"}', b'{"id": "3"}'}
        (letter,) = await letters(store)
        assert (letter.mention_id, letter.kind) == ("2", "kill")
        assert (await store.do("XPENDING", stream, keys.COUNTERS))["pending"] == 0
        assert await store.do("EXISTS", keys.tried(keys.shard("acme"))) == 0

    with_store(store_url, body)


def test_what_the_store_refuses_is_buried_and_a_store_that_is_away_buries_nothing(store_url: str) -> None:
    async def body(store: Store) -> None:
        stream = keys.ingest(keys.shard("acme"))
        answers = ["user_function:3: no number", "OOM command not allowed", "LOADING"]

        async def count(brand: str, packed: bytes) -> None:
            raise ResponseError(answers.pop(0))

        await put(store, "acme", b'{"id": "1"}', b'{"id": "2"}')
        ((_, ((entry, _),)),) = await store.read_group(keys.COUNTERS, "w", [stream], count=1)
        with pytest.raises(ResponseError, match="OOM"):
            await one_by_one(store, stream, entry, [("acme", b'{"id": "1"}'), ("acme", b'{"id": "2"}')], count)
        assert [letter.mention_id for letter in await letters(store)] == ["1"]
        assert await store.do("XLEN", stream) == 1

    with_store(store_url, body)


def test_a_full_store_still_buries_what_it_accepted(store_url: str) -> None:
    async def body(store: Store) -> None:
        await store.do("CONFIG", "SET", "maxmemory", 1)
        try:
            await bury(store, "acme", mention(), "broken")
            assert len(await letters(store)) == 1
        finally:
            await store.do("CONFIG", "SET", "maxmemory", 0)

    with_store(store_url, body)


async def command(url: str, *arguments: str) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = await asyncio.to_thread(main, ["dead", *arguments, "--url", url, "--key", KEY])
    return code, out.getvalue(), err.getvalue()


def test_rest_lists_replays_and_drops(store_url: str) -> None:
    async def body(store: Store) -> None:
        await door(store)
        for n in range(3):
            await bury(store, "acme", mention(str(n)), "broken")
        await bury(store, "forgotten", mention("9"), "broken")
        async with serving(store) as client:
            first = (await client.get("/v1/dead-letters", params={"brand": "acme", "limit": 2})).json()
            assert [item["mention_id"] for item in first["items"]] == ["2", "1"]
            assert first["items"][0]["mention"]["text"] == "awful 2"
            more = await client.get("/v1/dead-letters", params={"brand": "acme", "cursor": first["next"]})
            assert [item["mention_id"] for item in more.json()["items"]] == ["0"]
            assert more.json()["next"] is None
            both = {"ids": [first["items"][0]["id"]], "all": True}
            assert (await client.post("/v1/dead-letters/replay", json=both)).status_code == 422
            assert (await client.post("/v1/dead-letters/replay", json={})).status_code == 422
            told = (await client.post("/v1/dead-letters/replay", json={"all": True})).json()
            assert (told["done"], told["failed"]) == (3, 1)
            assert "no brand 'forgotten'" in told["errors"][0]["what"]
            gone = await client.request("DELETE", "/v1/dead-letters", json={"ids": [told["errors"][0]["id"]]})
            assert gone.json()["done"] == 1
            refused = await client.get("/v1/dead-letters", headers={"Authorization": "Bearer no"})
            assert refused.status_code == 401
        await count_all(store)
        assert await counted(store) == 3

    with_store(store_url, body)


def test_the_command_line_lists_replays_and_drops_through_rest(store_url: str) -> None:
    async def body(store: Store) -> None:
        await door(store)
        for brand in ("acme", "globex", "forgotten"):
            await bury(store, brand, mention("\x1b[31m1"), "broken")
        async with serving(store) as client:
            url = str(client.base_url)
            code, out, _ = await command(url, "list", "--format", "json")
            assert (code, len(out.splitlines())) == (0, 3)
            code, out, _ = await command(url, "list")
            assert "\x1b" not in out
            assert "globex" in out
            assert await command(url, "drop") == (
                2, "", "foreshock dead: drop which ones? ids, --brand B or --all would be right\n"
            )  # fmt: skip
            code, out, _ = await command(url, "drop", "--brand", "globex")
            assert (code, out) == (0, "dropped 1, stay 0\n")
            code, out, err = await command(url, "replay", "--all")
            assert (code, out) == (1, "put in again 1, stay 1\n")
            assert "there is no brand 'forgotten'" in err

    with_store(store_url, body)


def test_the_command_line_says_in_one_line_that_nothing_answers() -> None:
    async def body() -> None:
        code, _, err = await command("http://127.0.0.1:1", "list")
        assert code == 2
        assert len(err.splitlines()) == 1

    asyncio.run(body())
