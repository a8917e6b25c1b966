"""What schema 1 kept, key by key, and the step that turns each key into schema 2.

A step runs on the server in one go, and only while what it turns is there: doing all of it again, or twice at once,
gives the same.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from service import keys
from service.row import row

FENCE = "fs:lease:fence"
"""The last fencing token that was given, for all leases."""
SEGMENT = {60: 60, 300: 48, 3600: 48}
"""Buckets in a packed segment, by width in seconds."""
OLDEST = 1_000_000_000
"""POSIX seconds, 2001: numbers of schema 1 times their own unit lie above, those of schema 2 below (until 2096)."""
TEXT_BEFORE_RECORD_MS = 90_000_000
"""A text goes 7 days after its publication, the record 8 days and an hour after."""
TEXT_SECONDS = 7 * 86_400
CODES = "mxsnwprahvk"
"""A bucket's counters in the order they are packed, by their names in schema 1; w and h are new."""

STEP = """
local function command(at) return {unpack(ARGV, at + 1, at + ARGV[at])}, at + ARGV[at] + 1 end
local first, at = command(1)
local there = redis.call(unpack(first))
if not there or there == 0 then return 0 end
while at <= #ARGV do
  first, at = command(at)
  redis.call(unpack(first))
end
return 1
"""
"""Commands, each after its length: if the first one finds something (not nil, not 0), the rest is run."""

RECORD = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local left = redis.call('PTTL', KEYS[1])
local before = redis.call('GET', KEYS[2])
local brands = before and cmsgpack.unpack(before) or {}
brands[ARGV[1]] = cmsgpack.unpack(ARGV[2])
redis.call('SET', KEYS[2], cmsgpack.pack(brands), 'PX', math.max(left, redis.call('PTTL', KEYS[2]), 1000))
local text = redis.call('HGET', KEYS[1], 'text')
if text and left > tonumber(ARGV[3]) then redis.call('SET', KEYS[3], text, 'PX', left - tonumber(ARGV[3])) end
return redis.call('DEL', KEYS[1])
"""
"""OLD NEW TEXT | BRAND RECORD EARLIER: adds a brand's record to that of the shard's, and gives the text its own key."""

LETTER = """
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
local id = redis.call('XADD', KEYS[1], '*', 'key', ARGV[2], 'kind', 'annotate', unpack(ARGV, 3))
redis.call('HINCRBY', KEYS[3], 'annotate', 1)
return redis.call('ZADD', KEYS[2], 0, ARGV[2] .. ':' .. id)
"""
"""STREAM INDEX TOTALS | ENTRY KEY FIELDS: puts a dead letter in again, so that its mention finds it."""

Command = tuple[Any, ...]


class Change(NamedTuple):
    """What has to be read to change a key, and the commands that change it, given the answers."""

    reads: list[Command]
    commands: Callable[..., list[Command]]


_pack = msgspec.msgpack.Encoder().encode
_json = msgspec.json.Encoder().encode


def change(name: str) -> Change | None:
    """Return what is to be done with a key, None where it is not of schema 1."""
    tag, _, rest = name.partition(":")
    match rest.split(":", 2):  # neither brands nor sources have a colon; ids of mentions may
        case ["r", brand, mention] if keys.SEPARATOR in mention:
            return _record(name, tag, brand, *mention.split(keys.SEPARATOR, 1))
        case ["b", brand, what]:
            return _of_brand(name, tag, brand, what.split(":"))
        case ["c", _, _]:
            return _dropped(name)
        case ["dirty"]:
            return Change([("SMEMBERS", name)], lambda members: _dirty(name, members))
    return None


def _of_brand(name: str, tag: str, brand: str, what: list[str]) -> Change | None:
    match what:
        case ["recent"]:
            return Change([("ZRANGE", name, 0, -1, "WITHSCORES")], lambda members: _recent(name, members))
        case [source, ("60" | "300" | "3600") as width, number] if _is_old(number, int(width) * SEGMENT[int(width)]):
            return _segment(name, brand, source, int(width), int(number))
        case [_, ("a60" | "a300" | "a3600") as width, number] if _is_old(number, int(width[1:])):
            return _dropped(name)
        case ["s", signature, hour] if _is_old(hour, 3600):  # after these: a source may be named s
            return _copies(name, tag, brand, signature, int(hour))
    return None


def _is_old(number: str, seconds: int) -> bool:
    """Say whether a number counts units of schema 1, which are the shorter ones."""
    return int(number) * seconds > OLDEST


def _step(name: str, there: Command, commands: Sequence[Command]) -> Command:
    return ("EVAL", STEP, 1, name, *[x for command in (there, *commands) for x in (len(command), *command)])


def _dropped(name: str) -> Change:
    return Change([], lambda: [("UNLINK", name)])


def _segment(name: str, brand: str, source: str, width: int, number: int) -> Change:
    """One field a counter becomes one value a bucket."""
    first = number * SEGMENT[width]
    new = first // keys.SEGMENT[width]
    key = keys.segment(brand, source, width, new)
    longer = (new + 1) * keys.SEGMENT[width] - first - SEGMENT[width]

    def commands(fields: Mapping[bytes, bytes], left: int) -> list[Command]:
        offset = first - new * keys.SEGMENT[width]
        packed = [x for at, values in buckets(fields).items() for x in (offset + at, _pack(values))]
        put = [("HSET", key, *packed), ("PEXPIRE", key, max(left, 1000) + 1000 * longer * width)] if packed else []
        return [_step(name, ("EXISTS", name), [*put, ("DEL", name)])]

    return Change([("HGETALL", name), ("PTTL", name)], commands)


def buckets(fields: Mapping[bytes, bytes]) -> dict[int, list[int]]:
    """Return a segment's counters by the bucket's offset, in the new order, trailing zeros cut.

    The variance of the negative mentions was not kept: it is estimated as if all scored ones of a bucket had the same
    P(negative), n (s - n) / s, which is the most it can have been. Authors are a count whose list is gone.
    """
    found: dict[int, list[int]] = {}
    for name, value in fields.items():
        code = name[-1:].decode()
        if code in CODES:
            found.setdefault(int(name[:-1]), [0] * len(CODES))[CODES.index(code)] = int(value)
    for values in found.values():
        scored, negative = 1000 * values[2], values[3]
        values[4] = round(negative * (scored - negative) / scored) if scored else 0
        values[8] = int(values[7] > 0)
        while values and values[-1] == 0:
            values.pop()
    return found


def _record(name: str, tag: str, brand: str, source: str, identity: str) -> Change:
    """A brand's record of a mention becomes its part of the shard's record, and its text a key of its own."""
    key = keys.identity(source, identity)

    def commands(fields: list[bytes | None]) -> list[Command]:
        updated, at, out, add, text = fields
        record: list[Any] = [int(updated or 0), int(at or 0)]
        if add:
            c = json.loads(add)
            negative = int(c["n"])
            spread = round(negative * (1000 - negative) / 1000)
            author = row(brand, json.loads(text), None).author if text else 0
            record += [int(out or 0), int(c["s"]), negative, spread, int(c["p"]), int(c["r"]), author]
        names = (name, keys.record(tag, key), keys.text(brand, key))
        return [("EVAL", RECORD, 3, *names, brand, _pack(record), TEXT_BEFORE_RECORD_MS)]

    return Change([("HMGET", name, "updated", "at", "out", "add", "text")], commands)


def _copies(name: str, tag: str, brand: str, signature: str, hour: int) -> Change:
    """How often a text was copied in an hour becomes a field of the hour's hash."""
    key = f"{tag}:g:{brand}:{hour}"

    def commands(copies: bytes | None, left: int) -> list[Command]:
        put = ("HSET", key, (int(signature, 16) >> 12) or 1, int(copies or 0))
        life = ("PEXPIRE", key, max(left, 0) + 3_600_000)  # it was kept from the mention on, not from the hour's end
        return [_step(name, ("EXISTS", name), [put, life, ("DEL", name)])]

    return Change([("GET", name), ("PTTL", name)], commands)


def _recent(name: str, members: Sequence[tuple[bytes, float]]) -> list[Command]:
    found: list[Command] = []
    for member, at in members:
        source, separator, identity = member.decode().partition(keys.SEPARATOR)
        if separator:
            put = ("ZADD", name, at, keys.identity(source, identity))
            found.append(_step(name, ("ZSCORE", name, member), [put, ("ZREM", name, member)]))
    return [*found, ("EXPIRE", name, TEXT_SECONDS)] if found else []


def waiting(stream: str, entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Command]:
    """Return what brings a stream's entries of the old form to its end in the new; what was handed out waits anew."""
    found = []
    for identity, fields in entries:
        if b"rows" in fields:
            rows = [(brand, _json(mention)) for brand, mention in json.loads(fields[b"rows"])]
            put = [("XACK", stream, "count", identity), ("XADD", stream, "*", "m", _pack(rows))]
            found.append(_step(stream, ("XDEL", stream, identity), put))
    return found


def letters(stream: str, entries: Sequence[tuple[bytes, Mapping[bytes, bytes]]]) -> list[Command]:
    """Return what brings a shard's dead letters of the old form into the new."""
    found = []
    for entry, fields in entries:
        if b"key" not in fields:
            mention = json.loads(fields[b"mention"])
            key = keys.identity(str(mention.get("source")), str(mention.get("id")))
            names = (stream, f"{stream}:index", f"{stream}:totals")
            found.append(("EVAL", LETTER, 3, *names, entry, key, *(x for pair in fields.items() for x in pair)))
    return found


def _dirty(name: str, members: Sequence[bytes]) -> list[Command]:
    """Hours that changed become segments of minutes that did."""
    found = []
    for member in members:
        brand, source, hour = member.decode().split(keys.SEPARATOR)
        if _is_old(hour, 3600):
            new = keys.SEPARATOR.join((brand, source, str(int(hour) * 60 // keys.SEGMENT[60])))
            found.append(_step(name, ("SISMEMBER", name, member), [("SADD", name, new), ("SREM", name, member)]))
    return found
