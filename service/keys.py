"""Every key in the store, named in one place.

A brand lives on one of 256 fixed shards; the shard's hash tag is in every key of the brand, so that what belongs to it
can be changed by one function on one server.
"""

import base64
import hashlib
import zlib
from functools import lru_cache

SHARDS = 256

SCHEMA = "fs:schema"
MIGRATING = "fs:migrating"
"""stands while the store is brought to a newer schema"""
RESTORING = "fs:restoring"
"""the backup that is being restored into the store; absent once it is there as a whole"""
BRANDS = "fs:brands"
"""hash: brand name -> Brand as JSON"""
WEBHOOKS = "fs:webhooks"
"""hash: webhook name -> Webhook as JSON, secret included"""
HOOKS = "fs:hooks"
"""hash: source -> the hook that takes what its network pushes, as JSON, secret included"""
CHANNELS = "fs:channels"
"""hash: channel name -> Channel as JSON, secrets included"""
DUTIES = "fs:duties"
"""hash: duty name -> Duty as JSON"""
ROUTES = "fs:routes"
"""hash: route name -> Route as JSON"""
MUTES = "fs:mutes"
"""hash: mute name -> Mute as JSON"""
VERSION = "fs:version"
"""rises with every change of what is configured: all of the above"""
WEBSUB = "fs:websub"
"""hash: callback -> what a hub was asked to push, as JSON, secret included; only the collecting process writes it"""
WEBSUB_SAID = "fs:websub:said"
"""hash: callback -> what the hub said to it, as JSON; only API processes write it"""
API_KEYS = "fs:keys"
"""hash: SHA-256 of a key -> ApiKey as JSON"""
CLOCK = "fs:clock"
"""hash of the replay's clock: now, release, judged (POSIX seconds); absent on the system clock"""
SOURCES = "fs:sources"
"""hash: source, or source and brand, or source, brand and collector -> complete_until (POSIX seconds)"""
CURSORS = "fs:cursors"
"""hash: collector -> cursor as JSON"""
COLLECTORS = "fs:collectors"
"""hash: collector -> its last poll's outcome as JSON"""
COSTS = "fs:costs"
"""hash: source -> dollars"""
CAPS = "fs:caps"
"""what may be spent a month, as JSON"""
MOVED = "fs:moved"
"""sources of which most brands rise or fall together, as JSON"""
SUSPECTED = "fs:suspected"
"""spans in which sources are not believed, as a JSON list of Doubt"""
GAPPED = "fs:gapped"
"""hash: brand -> how often collectors noted a gap of it"""
CORRECTIONS = "fs:corrections"
"""hash: brand -> how its shares are corrected by labels, as JSON"""
LABELLED = "fs:labelled"
"""hash: brand -> how often its labels were changed"""
NOTIFICATIONS = "fs:notifications"
"""hash: type of a channel and outcome -> how many"""
STANDING = "fs:standing"
"""hash: channel and episode -> labels and begin of the alert that stands at that Alertmanager, as JSON"""
WEEKLY = "fs:weekly"
"""hash: ISO week -> the weekly note and what became of it, as JSON"""
AUDIT = "fs:audit"
"""hash: what the auditor of deliveries found: heartbeat (POSIX seconds, the last clean pass), missed, why"""
AUDITED = "fs:audited"
"""hash: shard -> entry of its events up to which all were planned"""

COUNTERS = "count"
"""the consumer group that counts what waits on the ingest streams"""

SEPARATOR = "\x1f"
"""Between the parts of a field that may hold any character of a name."""
SEGMENT = {60: 240, 300: 288, 3600: 504}
"""Buckets in a packed segment, by width in seconds; as in functions.lua. Hashes of up to 512 fields stay packed."""


@lru_cache(maxsize=65_536)
def shard(brand: str) -> str:
    """Return the hash tag of a brand, `{s000}` to `{s255}`."""
    return f"{{s{zlib.crc32(brand.encode()) % SHARDS:03d}}}"


def all_shards() -> list[str]:
    """Return every hash tag."""
    return [f"{{s{n:03d}}}" for n in range(SHARDS)]


def weekly_try(week: str, channel: str, number: int) -> str:
    """Return who makes a try of sending a weekly note to a channel."""
    return f"fs:weekly:{week}:{channel}:{number}"


def lease(work: str) -> str:
    """Return who may do `work` (tick, collect) at the moment."""
    return f"fs:lease:{work}"


def ledger(month: str) -> str:
    """Return the hash of what reading cost in a month, `2026-11` (UTC): SOURCE and BRAND -> millionths of a dollar."""
    return f"fs:ledger:{month}"


def ingest(tag: str) -> str:
    """Return the stream of matched mentions that wait to be counted."""
    return f"{tag}:ingest"


def dead(tag: str) -> str:
    """Return the stream of mentions that could not be annotated, with the reason."""
    return f"{tag}:dead"


def dead_index(tag: str) -> str:
    """Return the sorted set of KEY:ENTRY (all of score 0), which finds the dead letters of a mention."""
    return f"{tag}:dead:index"


def dead_totals(tag: str) -> str:
    """Return the hash of dead letters ever buried, by kind; `trimmed` is how many made way for newer ones."""
    return f"{tag}:dead:totals"


def tried(tag: str) -> str:
    """Return the hash of rows that are counted alone: ENTRY:ROW -> how often that was begun and not ended."""
    return f"{tag}:ingest:tried"


def dirty(tag: str) -> str:
    """Return the set of (brand, source, segment of minutes) that changed since the ticker looked."""
    return f"{tag}:dirty"


def fence(tag: str) -> str:
    """Return the fencing token of the newest ticker that took over what changed."""
    return f"{tag}:fence"


def events(tag: str) -> str:
    """Return the stream of what happened to episodes: event log and outbox in one."""
    return f"{tag}:events"


def planned(tag: str) -> str:
    """Return the hash of events whose notices are not all settled: ENTRY -> those notices as JSON."""
    return f"{tag}:planned"


def notices(tag: str) -> str:
    """Return the hash of notices that are not settled: id -> Pending as JSON."""
    return f"{tag}:notices"


def due(tag: str) -> str:
    """Return the sorted set of notices that wait, by when they are due (POSIX seconds)."""
    return f"{tag}:due"


def sending(tag: str) -> str:
    """Return the sorted set of notices that somebody has in hand, by until when."""
    return f"{tag}:sending"


def line(tag: str, episode: str, channel: str) -> str:
    """Return the list of notices of an episode to a channel, in the order in which they are sent."""
    return f"{tag}:line:{episode}:{channel}"


def knows(tag: str, episode: str) -> str:
    """Return the set of channels that an episode was told to, and not yet its end."""
    return f"{tag}:knows:{episode}"


def slack(tag: str, episode: str) -> str:
    """Return the hash of an episode's messages in Slack: channel -> id of the conversation and `ts`."""
    return f"{tag}:slack:{episode}"


def deliveries(tag: str) -> str:
    """Return the stream of tries and ends of notices: the delivery log."""
    return f"{tag}:deliveries"


def episodes(tag: str) -> str:
    """Return the hash of episodes by id."""
    return f"{tag}:episodes"


def episode_index(tag: str) -> str:
    """Return the sorted set of episode ids by opening time."""
    return f"{tag}:episodes:opened"


def frozen(tag: str, episode: str) -> str:
    """Return what is kept beside an episode as it was: counts by source, and a sample of posts (JSON, zlib)."""
    return f"{tag}:frozen:{episode}"


def quoted(tag: str) -> str:
    """Return the sorted set of KEY:EPISODE (all of score 0), which finds the episodes that quote a mention."""
    return f"{tag}:quoted"


def taken(tag: str) -> str:
    """Return the hash of quotations that must go: KEY:EPISODE -> how often that was asked for."""
    return f"{tag}:taken"


def segment(brand: str, source: str, width: int, number: int) -> str:
    """Return the hash of packed buckets of `width` seconds that is segment `number` since 1970."""
    return f"{shard(brand)}:b:{brand}:{source}:{width}:{number}"


def recent(brand: str) -> str:
    """Return the sorted set of the identities of recent mentions by publication."""
    return f"{shard(brand)}:b:{brand}:recent"


def voices(brand: str) -> str:
    """Return the sorted set of a brand's loud angry voices, followers and identity, by publication."""
    return f"{shard(brand)}:b:{brand}:voices"


def identity(source: str, mention: str) -> str:
    """Return a mention in 16 characters: 96 bits of BLAKE2b."""
    digest = hashlib.blake2b(f"{source}\0{mention}".encode(), digest_size=12).digest()
    return base64.urlsafe_b64encode(digest).decode()


def record(tag: str, identity: str) -> str:
    """Return what one mention contributed to the brands of a shard, kept as long as it may be repeated or edited."""
    return f"{tag}:r:{identity}"


def text(brand: str, identity: str) -> str:
    """Return one mention of a brand as JSON, kept as evidence."""
    return f"{shard(brand)}:t:{identity}:{brand}"


def labelled(tag: str) -> str:
    """Return the sorted set of KEY:BRAND (all of score 0), which finds the labels of a mention."""
    return f"{tag}:labelled"


def labels(brand: str) -> str:
    """Return the hash of what people said of a brand's mentions: KEY -> Label as JSON, its text included."""
    return f"{shard(brand)}:b:{brand}:labels"


def drawn(brand: str) -> str:
    """Return the set of KEYs of the brand's mentions that were drawn by chance to be labelled."""
    return f"{shard(brand)}:b:{brand}:drawn"


def models(brand: str) -> str:
    """Return the hash of the brand's own models of sentiment: name -> OwnModel as JSON."""
    return f"{shard(brand)}:b:{brand}:models"


def since(brand: str) -> str:
    """Return the hash of the first and last publication seen, by source."""
    return f"{shard(brand)}:b:{brand}:since"


def gaps(brand: str) -> str:
    """Return the hash of known gaps of sources: source, start -> end (POSIX seconds, "" while open)."""
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


def annotations(brand: str) -> str:
    """Return what late data showed of the brand's past, as a JSON list."""
    return f"{shard(brand)}:b:{brand}:annotations"


def forecasters(brand: str) -> str:
    """Return the report of the brand's last choice among forecasters as JSON."""
    return f"{shard(brand)}:b:{brand}:forecasters"


def kept(key: str) -> str:
    """Return the key, on the server of `key`, that is written to see that what was written before it is kept."""
    _, brace, rest = key.partition("{")
    return f"{{{rest.partition('}')[0] if brace else key}}}:kept"
