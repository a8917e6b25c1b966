"""The auditor: derives anew from the event log what should have been sent, and compares it with what was and will be.

It looks at every entry of the log since its last pass: each that the group has acknowledged must have been planned.
Of each plan every notice must be settled in the delivery log, or sure to be sent. What is missing is counted and put in
again.
Its heartbeat is written only after a pass that found nothing wrong, so that a silent auditor is an alarm too.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from redis.exceptions import RedisError

from service import keys
from service.lease import Lease
from service.notify import delivery_log
from service.notify.due import Due, Pending, unpacked
from service.notify.outbox import GROUP, planned
from service.registry import Registry
from service.store import Store, mended

EVERY = 20.0
"""Seconds between two passes."""
OVERDUE = 120.0
"""Seconds that something may wait beyond its time: longer than any lease or pause of a breaker."""
SILENT = 120.0
"""Seconds without a heartbeat after which something is wrong."""
RECENT, TOLD = 7 * 86_400.0, 5
"""Seconds for which a lost notice is spoken of, and how many are."""
ENDS = frozenset({b"delivered", b"lost", b"dropped", b"muted"})

log = logging.getLogger("foreshock.notify")


@dataclass
class Findings:
    """What one pass found: notices that were missing, and what is late, in words."""

    missed: int = 0
    late: list[str] = field(default_factory=list)


class Auditor:
    """Audits all shards; `now` gives POSIX seconds."""

    def __init__(self, store: Store, registry: Registry, lease: Lease, now: Callable[[], float] = time.time) -> None:
        self._store, self._due = store, Due(store)
        self._registry = registry
        self._lease = lease
        self._now = now

    async def run(self) -> None:
        """Audit until cancelled, while no other process does."""
        while True:
            try:
                if await self._lease.hold() is not None:
                    await self.look()
            except (RedisError, OSError) as error:
                log.warning("the store is away (%s), trying again", type(error).__name__)
                await mended(self._store, error)
            except Exception:  # who audits must not end who tells; the heartbeat shows it
                log.exception("the audit failed")
            await asyncio.sleep(EVERY)

    async def look(self) -> Findings:
        """Make one pass over all shards."""
        await self._registry.refresh()
        found, now, tags = Findings(), self._now(), keys.all_shards()
        # Read first: what is settled and taken out of it below has been looked at by `_events`.
        plans = await self._store.pipe([("HGETALL", keys.planned(tag)) for tag in tags])
        audited = {_text(tag): _text(entry) for tag, entry in (await self._store.do("HGETALL", keys.AUDITED)).items()}
        groups = await self._store.pipe([("XINFO", "GROUPS", keys.events(tag)) for tag in tags])
        for tag, plan, of in zip(tags, plans, groups, strict=True):
            last = next(_text(group[b"last-delivered-id"]) for group in of if group[b"name"] == GROUP.encode())
            await self._events(tag, audited.get(tag), last, found, now)
            if plan:
                await self._plans(tag, {_text(e): unpacked(text) for e, text in plan.items()}, found, now)
        late = [("ZCOUNT", keys.due(tag), "-inf", now - OVERDUE) for tag in tags]
        if number := sum(await self._store.pipe(late)):
            found.late.append(f"{number} notices are overdue; does a process tell?")
        await self._say(found, now)
        return found

    async def _events(self, tag: str, audited: str | None, last: str, found: Findings, now: float) -> None:
        """See that every event that was acknowledged was planned; `last` is the newest that was handed out."""
        if audited == last:
            return
        stream, done = keys.events(tag), last
        if audited is not None:  # what came before the first pass was told by an older version
            waiting = await self._store.do("XPENDING", stream, GROUP, "-", "+", 1000, parse_detail=True)
            commands = [("HKEYS", keys.planned(tag)), ("XRANGE", stream, f"({audited}", last)]
            plans, entries = await self._store.pipe(commands)
            idle = {_text(entry["message_id"]): entry["time_since_delivered"] / 1000 for entry in waiting}
            planned_ones = {_text(entry) for entry in plans}
            for identity, fields in entries:
                entry = _text(identity)
                if entry in idle:  # those behind it wait for it
                    if idle[entry] > OVERDUE:
                        found.late.append(f"event {entry} of {tag} is not planned since {idle[entry]:.0f} s")
                    break
                if entry not in planned_ones:
                    await self._missed(tag, entry, planned(self._registry, tag, entry, fields, now), found, now)
                audited = entry
            done = audited if entries else last
        await self._store.do("HSET", keys.AUDITED, tag, done)

    async def _plans(self, tag: str, plan: dict[str, list[Pending]], found: Findings, now: float) -> None:
        """See that every notice that was planned is settled, or sure to be sent."""
        every = [pending for pendings in plan.values() for pending in pendings]
        held = dict(zip((p.id for p in every), await self._due.held(tag, every), strict=True))
        # Read after that: what was settled in between is in the log.
        oldest = min(int(entry.partition("-")[0]) for entry in plan)
        told = await self._store.do("XRANGE", keys.deliveries(tag), oldest, "+")
        ended = {fields[b"notice"].decode() for _, fields in told if fields[b"outcome"] in ENDS}
        for entry, pendings in plan.items():
            missing = [p for p in pendings if not held[p.id] and p.id not in ended]
            if missing:
                await self._missed(tag, entry, missing, found, now)
            elif all(p.id in ended for p in pendings):
                await self._store.do("HDEL", keys.planned(tag), entry)

    async def _missed(self, tag: str, entry: str, missing: list[Pending], found: Findings, now: float) -> None:
        found.missed += len(missing)
        for pending in missing:
            log.error("notice %s of event %s to channel %s was missing", pending.id, pending.event, pending.channel)
        await self._due.plan(tag, entry, now, missing, repair=True)

    async def _say(self, found: Findings, now: float) -> None:
        why = [f"{found.missed} notices were missing and are sent now"] if found.missed else []
        why += found.late
        beat = () if why else ("heartbeat", now)
        await self._store.do("HSET", keys.AUDIT, "looked", now, "why", json.dumps(why), *beat)
        if found.missed:
            await self._store.do("HINCRBY", keys.AUDIT, "missed", found.missed)
        for line in found.late:
            log.warning("%s", line)


async def wrong(store: Store, now: float) -> list[str]:
    """Return what is wrong with telling, a line each: an auditor that is silent or found something, what was lost."""
    looked, beat, why, missed = await store.do("HMGET", keys.AUDIT, "looked", "heartbeat", "why", "missed")
    found = []
    if looked is None or now - float(looked) > SILENT:
        found.append("nobody audits what is told; does a worker run?")
    elif beat is None or now - float(beat) > SILENT:
        found += json.loads(why) or ["the audit of what is told has found something wrong"]
    if missed:
        found.append(f"{int(missed)} notices were missing so far, and were put in again")
    lost, _ = await delivery_log.page(store, outcome="lost", limit=TOLD)
    for one in (one for one in lost if now - one.at < RECENT):
        found.append(f"{one.type} of {one.brand} to channel {one.channel} was lost: {one.detail}")
    return found


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
