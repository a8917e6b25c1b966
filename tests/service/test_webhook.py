"""Every event reaches every receiver of `webhooks:` over real HTTP, signed, once, whatever dies in between."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from collectors.outbound import Outbound
from service import keys
from service.brand import Webhook
from service.notify import delivery_log
from service.notify.outbox import LEFT_MS
from service.notify.senders import senders
from service.notify.telling import Telling
from service.registry import Registry
from service.store import Store
from tests.acceptance.receiver import SECRET, Receiver, receiver
from tests.service.live import with_store
from tests.service.notify.tellers import opened

GROUP = "notify"


async def sent(store: Store, to: Receiver, count: int) -> list[str]:
    """Run all of telling until `count` events have come and are noted; their ids in order."""
    registry = Registry(store)
    await registry.put_webhook(Webhook(name="hook", url=to.url, secret=SECRET))
    async with Outbound(frozenset({to.allowed})) as outbound:
        telling = asyncio.create_task(
            Telling(store, registry, senders(outbound, {}, store), "http://board", "me").run()
        )
        try:
            async with asyncio.timeout(30):
                while len(to.received) < count or any(await _waiting(store)):
                    assert not telling.done(), telling.result()
                    await asyncio.sleep(0.01)
        finally:
            telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await telling
    return sorted(identity for identity, _ in to.received)


async def _waiting(store: Store) -> list[int]:
    return await store.pipe([("HLEN", keys.notices(tag)) for tag in keys.all_shards()])


def on_store(url: str, body: Callable[[Store, Receiver], Awaitable[None]]) -> None:
    with receiver() as found:
        with_store(url, lambda store: body(store, found))


def test_events_of_two_shards_that_have_the_same_number_are_both_told(store_url: str) -> None:
    async def body(store: Store, to: Receiver) -> None:
        events = []
        for brand in ("acme", "globex"):
            await opened(store, brand)
            ((_, fields),) = await store.do("XRANGE", keys.events(keys.shard(brand)), "-", "+")
            events.append(fields[b"event"])
        for brand, event in zip(("acme", "globex"), events, strict=True):
            stream = keys.events(keys.shard(brand))
            await store.do("XTRIM", stream, "MAXLEN", 0)
            await store.do("XADD", stream, "9999999999999-1", "event", event)
        assert await sent(store, to, 2) == sorted(json.loads(event)["id"] for event in events)

    on_store(store_url, body)


def test_what_a_process_held_that_died_is_sent_by_another(store_url: str) -> None:
    async def body(store: Store, to: Receiver) -> None:
        await opened(store)
        stream = keys.events(keys.shard("acme"))
        ((_, ((entry, fields),)),) = await store.read_group(GROUP, "gone", [stream], count=1)
        await store.do("XCLAIM", stream, GROUP, "gone", 0, entry, "IDLE", LEFT_MS + 1)
        assert await sent(store, to, 1) == [json.loads(fields[b"event"])["id"]]

    on_store(store_url, body)


def test_a_receiver_that_fails_once_is_asked_again_with_the_same_id(store_url: str) -> None:
    async def body(store: Store, to: Receiver) -> None:
        to.failing = 1
        await opened(store)
        assert len(await sent(store, to, 1)) == 1
        assert to.refused == 1
        found, _ = await delivery_log.page(store)
        assert [(one.outcome, one.tries) for one in found] == [("delivered", 2), ("failed", 1)]
        assert found[1].detail == "the receiver answered 503"

    on_store(store_url, body)


def test_an_event_that_nobody_can_read_keeps_no_other_from_being_told(store_url: str) -> None:
    async def body(store: Store, to: Receiver) -> None:
        await store.do("XADD", keys.events(keys.shard("acme")), "1-1", "event", "{}")
        await opened(store)
        assert len(await sent(store, to, 1)) == 1

    on_store(store_url, body)
