"""Every event reaches every receiver, whichever shards' logs hold it and however often a sender dies."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable

from collectors.outbound import Outbound
from service import keys
from service.brand import Webhook
from service.registry import Registry
from service.store import Store
from service.webhook import GROUP, RETRY_MS, Sender
from tests.acceptance.receiver import SECRET, Receiver, receiver
from tests.service.live import with_store

FIRST, SECOND = (keys.events(tag) for tag in keys.all_shards()[:2])


async def sent(store: Store, to: Receiver, count: int) -> list[str]:
    """Run a sender until `count` events have come; their ids in order."""
    registry = Registry(store)
    await registry.put_webhook(Webhook(name="hook", url=to.url, secret=SECRET))
    async with Outbound(frozenset({to.allowed})) as outbound:
        sender = asyncio.create_task(Sender(store, registry, outbound, "me").run())
        try:
            async with asyncio.timeout(10):
                while len(to.received) < count or any(await pending(store)):
                    await asyncio.sleep(0.01)
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sender
    return sorted(identity for identity, _ in to.received)


async def pending(store: Store) -> list[int]:
    return [(await store.do("XPENDING", stream, GROUP))["pending"] for stream in (FIRST, SECOND)]


def on_store(url: str, body: Callable[[Store, Receiver], Awaitable[None]]) -> None:
    with receiver() as found:
        with_store(url, lambda store: body(store, found))


def test_entries_of_two_shards_that_have_the_same_number_are_both_told(store_url: str) -> None:
    async def body(store: Store, to: Receiver) -> None:
        for stream, name in ((FIRST, "evt_a"), (SECOND, "evt_b")):
            await store.do("XADD", stream, "5-1", "event", json.dumps({"id": name, "type": "x"}))
        assert await sent(store, to, 2) == ["evt_a", "evt_b"]

    on_store(store_url, body)


def test_what_a_sender_held_that_died_is_sent_by_another(store_url: str) -> None:
    async def body(store: Store, to: Receiver) -> None:
        identity = await store.do("XADD", FIRST, "*", "event", json.dumps({"id": "evt_a", "type": "x"}))
        assert await store.read_group(GROUP, "gone", [FIRST], count=1) != []
        await store.do("XCLAIM", FIRST, GROUP, "gone", 0, identity, "IDLE", RETRY_MS[0] + 1, "RETRYCOUNT", 1)
        assert await sent(store, to, 1) == ["evt_a"]

    on_store(store_url, body)
