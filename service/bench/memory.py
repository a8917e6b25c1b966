"""What is kept costs: a quiet brand for the whole retention, and one mention while it may be repeated or edited."""

import asyncio
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from collectors.annotate import Annotation
from collectors.sentiment import Label
from service import keys
from service.bench import Figures
from service.bench.load import LIVE_SECONDS, SOURCES, record
from service.bench.running import empty_store
from service.bench.texts import brand_names
from service.row import Row, row
from service.store import Store

DAY = 86_400
QUIET_A_DAY = 3.0
"""Mentions a day on each of three sources, at random times: what a quiet brand is."""
HOURS_KEPT, RECORDS_KEPT = 730 * DAY, 8 * DAY
"""Seconds that the coarsest buckets, and what can be read of single mentions, are kept."""
MENTIONS, TALKED_OF = 10_000, 100
"""Live mentions, and of how many brands, that show what one costs."""
LEAST_LIFE_MS = 3_600_000
"""What has outlived its retention is let live for up to an hour by `fs_count`."""
DRAINED = b":dirty"
"""Ends the key of what the ticker takes away."""
TIDIED = 900
"""Seconds: at each whole one `fs_count` drops what is too old from the index of recent mentions."""
KEPT_TEXTS = 20_000
"""Texts of a brand that are kept at the most."""
MEMORY = 16 * 2**30

DROP_LIKE = """
local cursor = '0'
repeat
  local found = redis.call('SCAN', cursor, 'COUNT', 1000, 'MATCH', ARGV[1])
  cursor = found[1]
  for _, key in ipairs(found[2]) do redis.call('DEL', key) end
until cursor == '0'
"""


async def quiet_brand_bytes(brands: int) -> float:
    """Return what a quiet brand's two years take: written by `fs_count` oldest first, as of the end of them.

    What lives on is then copied to a store of its own: the tables of keys are as large there as they need be.
    """
    chance, now = random.Random(1), int(time.time()) // TIDIED * TIDIED  # noqa: S311 - a bench's mentions
    async with empty_store() as draft, empty_store() as store:
        empty = await _used(store)
        for name in brand_names(brands):
            await draft.do("FLUSHALL")
            await _write(draft, list(_two_years(chance, name, now)), now)
            await _copy(draft, store)
        return (await _used(store) - empty) / brands


async def mention_bytes() -> Figures:
    """Return what a live mention takes: its record, its text, and its part of buckets, authors and copies."""
    chance, now = random.Random(1), int(time.time())  # noqa: S311 - a bench's mentions
    async with empty_store() as store:
        empty = await _used(store)
        for name in brand_names(TALKED_OF):
            times = (now - chance.random() * LIVE_SECONDS for _ in range(MENTIONS // TALKED_OF))
            await _write(store, [_whole(chance, name, at) for at in times], now)
        await store.do("EVAL", DROP_LIKE, 0, "*:dirty")
        whole = await _used(store)
        await store.do("EVAL", DROP_LIKE, 0, "*:t:*")
        await store.do("EVAL", DROP_LIKE, 0, "*:recent")
        textless = await _used(store)
        await store.do("EVAL", DROP_LIKE, 0, "*:r:*")
        recordless = await _used(store)
    return {
        "bytes_per_mention_record": (textless - recordless) / MENTIONS,
        "bytes_per_mention_text": (whole - textless) / MENTIONS,
        "bytes_per_mention_buckets": (recordless - empty) / MENTIONS,
    }


def hours_in_memory(figures: Figures, brands: int) -> float:
    """Return for how many hours what matches at the measured rate fits into 16 GiB, with as many texts as are kept."""
    rate, text = figures["matched_per_second"], figures["bytes_per_mention_text"]
    lasting = figures["bytes_per_mention_record"] + figures["bytes_per_mention_buckets"]
    with_all_texts = MEMORY / (lasting + text)
    mentions = with_all_texts
    if with_all_texts > brands * KEPT_TEXTS:
        mentions = (MEMORY - brands * KEPT_TEXTS * text) / lasting
    return mentions / rate / 3600


async def brand_state_bytes(store: Store, names: list[str]) -> float:
    """Return what is kept for each brand besides its counts: how it is configured, and what was last judged."""
    commands = [("MEMORY", "USAGE", key) for name in names for key in (keys.state(name), keys.watch(name))]
    return sum(size or 0 for size in await store.pipe([*commands, ("MEMORY", "USAGE", keys.BRANDS)])) / len(names)


def _two_years(chance: random.Random, name: str, now: int) -> Iterator[Row]:
    """Yield a quiet brand's mentions, oldest first; of those too old to be read only what the buckets count."""
    age = float(HOURS_KEPT)
    while (age := age - chance.expovariate(len(SOURCES) * QUIET_A_DAY / DAY)) > 0:
        if age < RECORDS_KEPT:
            yield _whole(chance, name, now - age)
        else:
            yield _bare(chance, name, now - age)


def _whole(chance: random.Random, name: str, at: float) -> Row:
    mention = record(chance, chance.choice(SOURCES), f"{chance.getrandbits(64)}", at, name)
    return row(name, mention, _note(chance))


def _bare(chance: random.Random, name: str, at: float) -> Row:
    mention = {
        "id": f"{chance.getrandbits(64)}",
        "source": chance.choice(SOURCES),
        "published_at": datetime.fromtimestamp(at, UTC).isoformat(),
        "author": {"id": f"{chance.getrandbits(32)}", "followers": int(180 * chance.lognormvariate(0, 1.3))},
    }
    return row(name, mention, _note(chance))


def _note(chance: random.Random) -> Annotation:
    """Return what a text might say: here it is only weighed, not judged."""
    negative = chance.random()
    label: Label = "negative" if negative > 0.8 else "positive" if negative < 0.2 else "neutral"
    return Annotation("en", label, negative, 1 - negative, scored=True, spam=False, signature=chance.getrandbits(64))


async def _write(store: Store, rows: list[Row], now: int) -> None:
    stream = keys.ingest(keys.shard(rows[0].brand))
    packed = (msgspec.msgpack.encode(rows[i : i + 200]) for i in range(0, len(rows), 200))
    await store.pipe([("FCALL", "fs_count", 1, stream, "count", "", now, some) for some in packed])


async def _copy(draft: Store, store: Store) -> None:
    names = [name for name in await draft.do("KEYS", "*") if not name.endswith(DRAINED)]
    lives = await draft.pipe([("PTTL", name) for name in names])
    kept = [(name, max(life, 0)) for name, life in zip(names, lives, strict=True) if not 0 <= life <= LEAST_LIFE_MS]
    values = await draft.pipe([("DUMP", name) for name, _ in kept])
    await store.pipe([("RESTORE", name, life, value) for (name, life), value in zip(kept, values, strict=True)])


async def _used(store: Store) -> int:
    """Return the bytes of all that is stored, without what connections hold at the moment."""
    await asyncio.sleep(1.0)  # the table of keys is resized in the background
    found = await store.do("INFO", "memory")
    return int(found["used_memory"]) - int(found["mem_clients_normal"])
