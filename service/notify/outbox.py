"""From the event log to notices: each event is planned once, in the order of its shard's log."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable

from pydantic import ValidationError
from redis.exceptions import RedisError

from service import keys
from service.episode import PAGES, Event
from service.notify.due import Due, Pending
from service.notify.route import Told
from service.notify.routing import receivers, told
from service.notify.schedule import MANNERS
from service.registry import Registry
from service.store import Store, mended

GROUP = "notify"
BLOCK_MS = 1000
LEFT_MS = 5_000
"""How long an event that somebody took and did not plan is left to him; planning takes milliseconds."""
FORGET_IDLE_MS = 3_600_000
"""Who has not been heard of for so long is gone: each start makes a new name, in every shard."""
PAUSES = (0.05, 0.2, 0.0)
"""Seconds that an event waits for an earlier one that another process is planning just now; then it is left."""
LAG = 86_400.0
"""Seconds that an event may have waited and still be on this clock; more is a replay's time."""

log = logging.getLogger("foreshock.notify")


class Outbox:
    """Plans what the event logs hold; any number may run, under different names. `planned` is told its shard."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        name: str,
        planned: Callable[[str], None] = lambda _: None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._store, self._due = store, Due(store)
        self._registry = registry
        self._name = name
        self._planned = planned
        self._now = now
        self._streams = [keys.events(tag) for tag in keys.all_shards()]

    async def run(self) -> None:
        """Plan until cancelled."""
        loop, looked, forgot = asyncio.get_running_loop(), 0.0, False
        while True:
            try:
                if not forgot:
                    await self.forget()
                    forgot = True
                await self.new(BLOCK_MS)
                if loop.time() - looked > LEFT_MS / 1000:
                    looked = loop.time()
                    await self.left()
            except (RedisError, OSError) as error:
                log.warning("the store is away (%s), trying again", type(error).__name__)
                await asyncio.sleep(0.5)
                await mended(self._store, error)
            except Exception:  # the event stays pending and is tried again; the auditor says so
                log.exception("planning what is to be told")
                await asyncio.sleep(1.0)

    async def forget(self, idle_ms: int = FORGET_IDLE_MS) -> None:
        """Forget who holds no event and has not been heard of for so long."""
        told = await self._store.pipe([("XINFO", "CONSUMERS", stream, GROUP) for stream in self._streams])
        gone = [
            ("XGROUP", "DELCONSUMER", stream, GROUP, consumer[b"name"])
            for stream, consumers in zip(self._streams, told, strict=True)
            for consumer in consumers
            if consumer[b"pending"] == 0 and consumer[b"idle"] >= idle_ms and consumer[b"name"] != self._name.encode()
        ]
        await self._store.pipe(gone)

    async def new(self, block_ms: int | None = None) -> None:
        """Plan what nobody took yet."""
        for stream, entries in await self._store.read_group(
            GROUP, self._name, self._streams, count=16, block_ms=block_ms
        ):
            for identity, fields in entries:
                await self._plan(stream.decode(), identity.decode(), fields)

    async def left(self, idle_ms: int = LEFT_MS) -> None:
        """Plan what somebody took and left: his process died."""
        waiting = await self._store.pipe([("XPENDING", stream, GROUP) for stream in self._streams])
        for stream, summary in zip(self._streams, waiting, strict=True):
            if summary["pending"]:
                # All are taken, in order: what is younger only waits for what is older.
                claim = ("XAUTOCLAIM", stream, GROUP, self._name, idle_ms, "-", "COUNT", 100)
                _, entries, *_ = await self._store.do(*claim)
                for identity, fields in entries:
                    await self._plan(stream, identity.decode(), fields)

    async def _plan(self, stream: str, entry: str, fields: dict[bytes, bytes]) -> None:
        tag = stream.partition(":")[0]
        await self._registry.refresh()
        for pause in PAUSES:
            now = self._now()
            if not await self._due.plan(tag, entry, now, planned(self._registry, tag, entry, fields, now)):
                self._planned(tag)
                return
            await asyncio.sleep(pause)


def planned(registry: Registry, tag: str, entry: str, fields: dict[bytes, bytes], now: float) -> list[Pending]:
    """Return what is to be told of an entry of an event log, planned `now` (POSIX seconds)."""
    try:
        event = Event.model_validate_json(fields[b"event"])
    except (ValidationError, KeyError):
        log.exception("entry %s of the events of %s can't be read: nobody is told of it", entry, tag)
        return []
    lag = now - event.at.timestamp()
    waited = lag if 0 < lag < LAG else 0.0
    found = []
    channels = receivers(registry)
    for one in who(registry, event):
        due = now + max(one.after_seconds - waited, 0.0)
        found.append(_pending(event, entry, one, channels[one.channel].type, due))
    return found


def who(registry: Registry, event: Event) -> list[Told]:
    """Return who is told of an event, when and why."""
    try:
        return told(registry, event)
    except Exception:  # routes that fail must not keep a page from anybody
        log.exception("the routes fail for %s: all channels are told", event.id)
        return [Told(name, event.type in PAGES, "the routes failed") for name in receivers(registry)]


def _pending(event: Event, entry: str, one: Told, kind: str, due: float) -> Pending:
    return Pending(
        id=notice_id(event.id, one),
        entry=entry,
        event=event.id,
        type=event.type,
        at=event.at.isoformat(),
        brand=event.brand,
        episode=event.episode.id,
        channel=one.channel,
        kind=kind,
        system=not MANNERS[kind].people,
        why=one.why,
        page=one.page,
        due=due,
        unless=one.unless,
        only_if_paged=one.only_if_paged,
        muted=one.muted,
    )


def notice_id(event: str, one: Told) -> str:
    """Return the id of a notice: of the event, the channel and why, so that a repetition is the same."""
    parts = "\0".join((event, one.channel, one.why, one.muted or ""))
    return f"ntc_{hashlib.blake2b(parts.encode(), digest_size=12).hexdigest()}"
