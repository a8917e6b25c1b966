"""Every key in the store, named in one place.

A brand lives on one of 256 fixed shards; the shard's hash tag is in every key of the brand, so that what belongs to it
can be changed by one function on one server.
"""

import zlib

SHARDS = 256

SCHEMA = "fs:schema"
BRANDS = "fs:brands"
"""hash: brand name -> Brand as JSON"""
WEBHOOKS = "fs:webhooks"
"""hash: webhook name -> Webhook as JSON, secret included"""
VERSION = "fs:version"
"""rises with every change of BRANDS or WEBHOOKS"""
API_KEYS = "fs:keys"
"""hash: SHA-256 of a key -> ApiKey as JSON"""
CLOCK = "fs:clock"
"""hash of the replay's clock: now, release, judged (POSIX seconds); absent on the system clock"""
FENCE = "fs:lease:fence"
"""the last fencing token that was given"""
SOURCES = "fs:sources"
"""hash: source, or source and brand, or source, brand and collector -> complete_until (POSIX seconds)"""
CURSORS = "fs:cursors"
"""hash: collector -> cursor as JSON"""
COLLECTORS = "fs:collectors"
"""hash: collector -> its last poll's outcome as JSON"""
COSTS = "fs:costs"
"""hash: source -> dollars"""
NOTIFICATIONS = "fs:notifications"
"""hash: channel and outcome -> how many"""

SEPARATOR = "\x1f"
"""Between the parts of a field that may hold any character of a name."""


def shard(brand: str) -> str:
    """Return the hash tag of a brand, `{s000}` to `{s255}`."""
    return f"{{s{zlib.crc32(brand.encode()) % SHARDS:03d}}}"


def all_shards() -> list[str]:
    """Return every hash tag."""
    return [f"{{s{n:03d}}}" for n in range(SHARDS)]


def lease(work: str) -> str:
    """Return who may do `work` (tick, collect) at the moment."""
    return f"fs:lease:{work}"


def ingest(tag: str) -> str:
    """Return the stream of matched mentions that wait to be counted."""
    return f"{tag}:ingest"


def dead(tag: str) -> str:
    """Return the stream of mentions that could not be annotated, with the reason."""
    return f"{tag}:dead"


def dirty(tag: str) -> str:
    """Return the set of (brand, source, hour) whose minutes changed since the ticker looked."""
    return f"{tag}:dirty"


def events(tag: str) -> str:
    """Return the stream of what happened to episodes: event log and outbox in one."""
    return f"{tag}:events"


def episodes(tag: str) -> str:
    """Return the hash of episodes by id."""
    return f"{tag}:episodes"


def episode_index(tag: str) -> str:
    """Return the sorted set of episode ids by opening time."""
    return f"{tag}:episodes:opened"


def segment(brand: str, source: str, width: int, number: int) -> str:
    """Return the hash of packed buckets of `width` seconds that is segment `number` since 1970."""
    return f"{shard(brand)}:b:{brand}:{source}:{width}:{number}"


def recent(brand: str) -> str:
    """Return the sorted set of recent mentions by publication."""
    return f"{shard(brand)}:b:{brand}:recent"


def record(brand: str, member: str) -> str:
    """Return the hash of one mention: what it contributed, and its text while that is kept."""
    return f"{shard(brand)}:r:{brand}:{member}"


def since(brand: str) -> str:
    """Return the hash of the first and last publication seen, by source."""
    return f"{shard(brand)}:b:{brand}:since"


def gaps(brand: str) -> str:
    """Return the hash of known gaps of pushed sources: source, start -> end (POSIX seconds, "" while open)."""
    return f"{shard(brand)}:b:{brand}:gaps"


def totals(brand: str) -> str:
    """Return the hash of all mentions ever counted, by source and sentiment."""
    return f"{shard(brand)}:b:{brand}:totals"


def state(brand: str) -> str:
    """Return the brand's state of the last tick as JSON."""
    return f"{shard(brand)}:b:{brand}:state"


def watch(brand: str) -> str:
    """Return the hash of what the ticker must find again: alarm state and open episode by kind."""
    return f"{shard(brand)}:b:{brand}:watch"
