"""Bringing a store from an older schema to this one, in place.

A migration that was killed is taken up where it was (see schema1.py). The newer schema is written first, so that an
older service refuses the store from then on; `fs:migrating` stands until all is done.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from service import keys, schema1
from service.store import Store, StoreError

SCHEMA = 2
LOCK_MS = 15_000
"""A migration that was killed keeps the next from starting for so long. Two at once would do no harm."""
BATCH = 500
"""Keys looked at in one round trip: some milliseconds of the server's time."""
ENTRIES = 100
"""Entries of a stream that are read at once: a megabyte or ten."""
TELL_SECONDS = 10.0
LOCK = f"{keys.MIGRATING}:lock"

log = logging.getLogger("foreshock.migrate")


async def migrate(store: Store, patience: float = 15.0) -> None:
    """Bring a store of an older schema to this one; one that has it, or holds nothing, is left alone.

    Of several processes that start at once one migrates and the others wait. `patience` is how many seconds a service
    of the older version may take to end.

    Raises:
        StoreError: a service of the older version still runs on the store.
    """
    holder = uuid.uuid4().hex
    while await outdated(store):
        if await store.do("SET", LOCK, holder, "NX", "PX", LOCK_MS):
            try:
                await _from_1(store, holder, patience)
            finally:
                await store.do("DEL", LOCK)
        else:
            await asyncio.sleep(0.1)


async def outdated(store: Store) -> bool:
    """Say whether the store has an older schema, or is on its way from one."""
    stored, started = await store.pipe([("GET", keys.SCHEMA), ("EXISTS", keys.MIGRATING)])
    return stored is not None and (int(stored) < SCHEMA or bool(started))


async def _from_1(store: Store, holder: str, patience: float) -> None:
    if not await outdated(store):
        return
    await _older_gone(store, patience)
    await store.do("SET", keys.MIGRATING, 1)
    await store.do("SET", keys.SCHEMA, SCHEMA)
    log.warning("the store is brought to schema %d, once; this may take minutes", SCHEMA)
    began = told = time.monotonic()
    looked = changed = 0
    async for names in _pages(store):
        changed += await _change(store, names, holder)
        looked += len(names)
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            log.warning("%d keys looked at, %d changes made", looked, changed)
    changed += await _streams(store, holder, keys.ingest, schema1.waiting)
    changed += await _streams(store, holder, keys.dead, schema1.letters)
    await _leases(store)
    await store.do("DEL", keys.MIGRATING)
    log.warning("the store has schema %d: %d changes in %.1f s", SCHEMA, changed, time.monotonic() - began)


async def _pages(store: Store) -> AsyncIterator[list[str]]:
    """Yield the names of all keys of shards, some perhaps twice; those that come meanwhile may be left out."""
    for client in await store.primaries():
        cursor = -1
        while cursor:
            cursor, names = await client.scan(max(cursor, 0), match="{s*", count=BATCH)
            yield [name.decode() for name in names]


async def _older_gone(store: Store, patience: float) -> None:
    """Wait until nobody holds a lease of schema 1, which is a string; that of one that was killed goes within 10 s."""
    deadline = time.monotonic() + patience
    while True:
        kinds = [await store.do("TYPE", keys.lease(work)) for work in ("tick", "collect")]
        if b"string" not in kinds:
            return
        if time.monotonic() > deadline:
            raise StoreError("a service of an older version still runs on this store: stop it, then start this one")
        await asyncio.sleep(0.1)


async def _change(store: Store, names: Sequence[str], holder: str) -> int:
    """Change what is of schema 1 among the keys; return how many steps that took."""
    found = [change for name in names if (change := schema1.change(name))]
    answers = iter(await store.pipe([read for change in found for read in change.reads]))
    steps = [step for change in found for step in change.commands(*[next(answers) for _ in change.reads])]
    return await _take(store, steps, holder)


async def _streams(
    store: Store, holder: str, named: Callable[[str], str], steps_of: Callable[[str, Any], list[schema1.Command]]
) -> int:
    """Change the entries of all shards' streams, which go to the end and leave the next old ones at the beginning."""
    taken = 0
    for stream in map(named, keys.all_shards()):
        while steps := steps_of(stream, await store.do("XRANGE", stream, "-", "+", "COUNT", ENTRIES)):
            taken += await _take(store, steps, holder)
    return taken


async def _take(store: Store, steps: Sequence[schema1.Command], holder: str) -> int:
    for i in range(0, len(steps), BATCH):
        await store.pipe([("SET", LOCK, holder, "PX", LOCK_MS), *steps[i : i + BATCH]])
    return len(steps)


async def _leases(store: Store) -> None:
    """Let the fencing tokens go on where they were: the shards refuse lower ones."""
    token = await store.do("GET", schema1.FENCE)
    if token is not None:
        for work in ("tick", "collect"):
            await store.do("HSETNX", keys.lease(work), "token", int(token))
        await store.do("DEL", schema1.FENCE)
