"""A deleted post leaves the episode that quotes it, what is frozen beside it, and the event log."""

import asyncio
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from service import keys
from service.clock import ReplayClock, start_replay_clock
from service.episode import Episode, Event
from service.episodes import Episodes
from service.frozen import frozen
from service.ingest import drained
from service.lease import Lease
from service.registry import Registry
from service.settings import Settings
from service.store import Store
from service.takedown import GROUP, take_down
from service.ticker import Ticker
from service.worker import Worker
from tests.service.live import with_store
from tests.service.rest import serving
from tests.service.test_counting import count, row
from tests.service.test_evidence import ANGRY
from tests.service.test_lease import AT, episode
from tests.service.test_ticker import BRAND, HOURS, NOW, crises, talk

TAG = keys.shard("acme")
SECRET = "whistleblower4711"
"""In the text of the post that is deleted, and its author's name."""


def post(number: int, second: float, **change: Any) -> dict[str, Any]:
    at = datetime.fromtimestamp(NOW - NOW % 60 + second, UTC)
    author = {"id": f"u{number}", "name": f"anna_{number}", "followers": 200 + number}
    text = f"{ANGRY[number % len(ANGRY)]} {number}"
    return {
        "id": f"p{number}", "source": "x", "text": text, "published_at": at.isoformat(), "author": author, **change
    }  # fmt: skip


def loud() -> dict[str, Any]:
    """The first and widest post: it is quoted wherever one can be."""
    author = {"id": SECRET, "name": SECRET, "followers": 900_000}
    text = f"{SECRET}: awful, acme staff dragged a doctor off the plane, horrible"
    return post(999, 1.0, id="loud", author=author, text=text)


async def everything(store: Store) -> str:
    """All that the store holds, as text."""
    reads: dict[str, Callable[[bytes], tuple[Any, ...]]] = {
        "string": lambda key: ("GET", key),
        "hash": lambda key: ("HGETALL", key),
        "set": lambda key: ("SMEMBERS", key),
        "zset": lambda key: ("ZRANGE", key, 0, -1),
        "list": lambda key: ("LRANGE", key, 0, -1),
        "stream": lambda key: ("XRANGE", key, "-", "+"),
    }
    every = await store.do("KEYS", "*")
    kinds = await store.pipe([("TYPE", key) for key in every])
    values = await store.pipe([reads[kind.decode()](key) for key, kind in zip(every, kinds, strict=True)])
    packed = [b":frozen:" in key for key in every]
    found = [zlib.decompress(value) if small else value for value, small in zip(values, packed, strict=True)]
    return repr(found)


async def sent(client: httpx.AsyncClient, store: Store, *mentions: dict[str, Any]) -> None:
    """Post mentions and wait until they are counted."""
    answer = await client.post("/v1/mentions", json=list(mentions))
    assert answer.json()["accepted"] == len(mentions), answer.text
    await drained(store, ["acme"])


async def places(client: httpx.AsyncClient, identity: str) -> dict[str, str]:
    """What people and systems can read of an episode."""
    path = f"/v1/episodes/{identity}"
    asked = {"episode": path, "list": "/v1/episodes", "md": f"{path}/report?format=md", "html": f"{path}/report"}
    return {name: (await client.get(url)).text for name, url in asked.items()}


def test_by_the_real_way_a_deleted_post_is_nowhere_any_more(store_url: str) -> None:
    async def body(store: Store) -> None:
        registry = Registry(store)
        await registry.put_brand(BRAND)
        await talk(store, NOW - NOW % 60 - HOURS * 3600, HOURS * 60, 1, "calm")
        await start_replay_clock(store, NOW)
        clock = ReplayClock(store)
        ticker = Ticker(store, clock, registry, Lease(store, "me", "tick"), Settings())
        assert await ticker.take() is not None
        await ticker.tick(NOW, NOW)
        worker = asyncio.create_task(Worker(store, clock, "w").run())
        try:
            async with serving(store, clock=clock) as client:
                await clock.set(now=NOW + 600)
                await sent(client, store, loud(), *(post(n, 3.0 * n) for n in range(190)))
                await ticker.tick(NOW + 600, NOW + 600)
                (opened,) = await crises(store)
                before = await places(client, opened.id)
                assert all(SECRET in text for text in before.values())
                assert SECRET in await everything(store)
                kept = await frozen(store, opened.id)
                assert kept is not None
                assert any(p["id"] == "loud" for p in kept.posts)
                gone = {**loud(), "deleted": True}
                gone["updated_at"] = datetime.fromtimestamp(NOW + 590, UTC).isoformat()
                await sent(
                    client,
                    store,
                    gone,
                )
                await take_down(store, keys.all_shards())
                after = await places(client, opened.id)
                left = await frozen(store, opened.id)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)
        assert not [name for name, text in after.items() if SECRET in text]
        held = await everything(store)
        assert SECRET not in held, held[held.index(SECRET) - 300 : held.index(SECRET) + 100]
        assert left is not None
        assert (left.curve, len(left.posts)) == (kept.curve, len(kept.posts) - 1)
        (found,) = await crises(store)
        assert (found.version, found.severity, found.log[0].at) == (
            opened.version + 1, opened.severity, opened.log[0].at
        )  # fmt: skip
        assert len(found.evidence["first_mentions"]) == len(opened.evidence["first_mentions"]) - 1

    with_store(store_url, body)


QUOTED = keys.identity("x", "loud")


def quoting(**change: Any) -> Episode:
    """An episode that quotes the loud post and another."""
    first = [{**loud(), "text": loud()["text"]}, post(1, 2.0)]
    return episode(evidence={"first_mentions": first}, **change)


async def deleted(store: Store) -> None:
    await count(store, row(id="loud", updated=2_000_000_000_000, deleted=1, text=""))


async def log(store: Store) -> list[tuple[str, bool]]:
    """The events of the shard: id, and whether the deleted post is quoted."""
    entries = await store.do("XRANGE", keys.events(TAG), "-", "+")
    return [(Event.model_validate_json(f[b"event"]).id, SECRET.encode() in f[b"event"]) for _, f in entries]


async def taken(store: Store, n: int = 16) -> list[tuple[Any, str]]:
    """What the group of the tellers gets next: entry and event."""
    found = await store.read_group(GROUP, "t", [keys.events(TAG)], count=n)
    return [(entry, Event.model_validate_json(f[b"event"]).id) for _, some in found for entry, f in some]


def test_events_that_were_told_go_and_those_that_were_not_are_told_once_without_the_post(store_url: str) -> None:
    async def body(store: Store) -> None:
        episodes, first = Episodes(store), quoting()
        await episodes.save(first)
        for n in range(3):
            await episodes.change(first.id, lambda e, n=n: e.told(AT, "episode.noted", f"p{n}"))  # type: ignore[misc]
        (entry, _), *_ = await taken(store, 2)  # two are in hand, of which one is settled
        await store.do("XACK", keys.events(TAG), GROUP, entry)
        names = [name for name, _ in await log(store)]
        await deleted(store)
        assert await take_down(store, [TAG]) == 1
        assert await log(store) == [(name, False) for name in names[1:]]
        assert [name for _, name in await taken(store)] == names[1:]
        assert await taken(store) == []
        pending = await store.do("XPENDING", keys.events(TAG), GROUP)
        assert pending["pending"] == 3
        assert await take_down(store, [TAG]) == 0
        found = await episodes.get(first.id)
        assert found is not None
        assert [p["id"] for p in found.evidence["first_mentions"]] == ["p1"]
        assert len(found.log) == 4

    with_store(store_url, body)


def test_an_episode_that_is_stored_after_its_post_was_deleted_does_not_keep_it(store_url: str) -> None:
    async def body(store: Store) -> None:
        await count(store, row(id="loud"))
        await deleted(store)
        assert await take_down(store, [TAG]) == 0
        late = quoting()
        await Episodes(store).save(late)
        assert SECRET in await everything(store)
        assert await take_down(store, keys.all_shards()) == 1
        assert SECRET not in await everything(store)

    with_store(store_url, body)


def test_what_other_episodes_of_the_shard_quote_is_left_alone(store_url: str) -> None:
    async def body(store: Store) -> None:
        other = episode(
            id=f"ep_{TAG.strip('{}')}_2_acme-blind", kind="blind", evidence={"first_mentions": [post(2, 2.0)]}
        )
        for one in (quoting(), other):
            await Episodes(store).save(one)
        await deleted(store)
        assert await take_down(store, [TAG]) == 1
        assert await Episodes(store).get(other.id) == other
        assert other.id in {e.episode.id for e in await told(store)}
        index = await store.do("ZRANGE", keys.quoted(TAG), 0, -1)
        assert {member.decode().partition(":")[2] for member in index} == {quoting().id, other.id}
        assert QUOTED not in {member.decode().partition(":")[0] for member in index}

    with_store(store_url, body)


async def told(store: Store) -> list[Event]:
    entries = await store.do("XRANGE", keys.events(TAG), "-", "+")
    return [Event.model_validate_json(fields[b"event"]) for _, fields in entries]


def test_a_deletion_that_its_worker_died_of_is_made_up_for_by_the_next(store_url: str) -> None:
    async def body(store: Store) -> None:
        await start_replay_clock(store, NOW)
        await Episodes(store).save(quoting())
        await deleted(store)  # counted, and nothing after it
        worker = asyncio.create_task(Worker(store, ReplayClock(store), "next").run())
        try:
            async with asyncio.timeout(20):
                while SECRET in await everything(store):
                    await asyncio.sleep(0.01)
        finally:
            worker.cancel()
            await asyncio.gather(worker, return_exceptions=True)

    with_store(store_url, body)
