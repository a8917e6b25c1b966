"""Everything that the service asks of its store, done once: for topologies, which must make no difference to it."""

import asyncio
import contextlib
from datetime import timedelta
from typing import Any

from collectors.mention import Count
from service import metrics
from service.access import ensure_admin, find_key
from service.brand import Webhook
from service.clock import open_clock
from service.episodes import Episodes
from service.events import Events
from service.ingest import Receipt
from service.lease import Lease
from service.room import Room
from service.store import Store
from tests.service.test_lease import episode
from tests.service.test_way_in import NOW, Door, mention


async def whole_path(store: Store) -> None:
    """Post, count, search, judge's writes, events, leases, metrics: on an empty store that was prepared."""
    key = await ensure_admin(store, None)
    assert key is not None
    assert await find_key(store, key) is not None
    door = await Door(store).open()
    await door.registry.put_webhook(
        Webhook(name="hook", url="https://example.org/x", secret="whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0")
    )

    await door.post(*(mention(f"acme globex {n}", id=str(n)) for n in range(30)))
    await door.post(*(mention(f"acme globex {n}", id=str(n)) for n in range(30)))
    assert [await door.mentions(brand) for brand in ("acme", "globex", "initech")] == [30, 30, 0]
    assert len(await door.texts("globex")) == 30
    start = NOW.replace(second=0) - timedelta(minutes=10)
    count = Count(brand="acme", source="desk", start=start, seconds=300, count=7, complete_until=NOW)
    assert (await door.ingest.counts([(0, count)], Receipt())).accepted == 1
    assert await door.mentions("acme") == 37

    await _events(store)
    lease, other = Lease(store, "a", "tick"), Lease(store, "b", "tick")
    token = await lease.hold()
    assert token is not None
    assert await other.hold() is None
    await lease.release()
    assert (await other.hold() or 0) > token
    room = Room(store)
    await room.look()
    assert room.refuse() is None
    assert b'foreshock_mentions_total{brand="globex"' in await metrics.scrape(
        store, await open_clock(store), door.registry, room
    )


async def _events(store: Store) -> None:
    """An episode's event reaches who listens, who comes later, and the group that sends webhooks."""
    events = Events(store)
    tail = asyncio.create_task(events.run())
    heard: list[Any] = []
    listening = events.listen(None)
    first = asyncio.ensure_future(anext(listening))
    try:
        await asyncio.sleep(0)  # the tail and the listener are in place
        await Episodes(store).save(episode(), fence=1)
        heard.append(await asyncio.wait_for(first, 5))
    finally:
        tail.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await tail
        await listening.aclose()
    later = events.listen("0-0")
    assert await anext(later) == heard[0]
    await later.aclose()
    found = await store.read_group("notify", "n", [f"{{s{n:03d}}}:events" for n in range(256)], count=16, block_ms=1000)
    assert [fields[b"event"] for _, entries in found for _, fields in entries] == [heard[0][1]]
    assert (await Episodes(store).page(None, None, 10, None))[0] == [episode()]
