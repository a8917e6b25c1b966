"""Dead letters: what was accepted and could not be counted lies apart, with the reason, and holds nothing else up.

A mention is buried alone; an entry of the stream that can't be read, whole. `service/exhume.py` lists them and puts
them in again.
"""

import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from redis.exceptions import ResponseError

from service import keys
from service.store import Store

Kind = Literal["annotate", "count", "kill", "read"]
KINDS: tuple[Kind, ...] = ("annotate", "count", "kill", "read")
"""Where it went wrong: annotating it, counting it in the store, its worker's life, reading its entry."""
MOST = 10_000
"""Dead letters kept on a shard; the oldest make way, and are counted."""
TRIES = 5
"""Deliveries after which an entry is counted row by row: restarts of the service come two or three in a row."""
ALONE = 2
"""Times that a row counted alone may have no end: one worker may be stopped at it, or lose the store, by chance."""
REASON = 200
"""Characters of a reason."""
TRIED_SECONDS = 86_400
"""How long the rows that had no end are remembered."""

Entry = tuple[Any, Any, dict[bytes, bytes]]
"""A stream, an entry's id, its fields."""
CountOne = Callable[[str, bytes], Awaitable[None]]
"""Counts one mention (JSON) of one brand without acknowledging its entry."""

_SCRIPT = Path(__file__).with_suffix(".lua").read_text()


async def bury(store: Store, brand: str, mention: dict[str, Any], reason: str, kind: Kind = "annotate") -> None:
    """Set a brand's mention aside; `reason` is cut to one line, and to what is not the mention's text.

    Burying the same again changes nothing. The oldest beyond `MOST` of the shard are dropped and counted.
    """
    content = json.dumps(mention)
    await _add(
        store, keys.shard(brand), _key(mention, content), brand, "mention", content, _line(reason, mention), kind
    )


async def quarantine(store: Store, stream: Any, entry: Any, fields: dict[bytes, bytes], error: str) -> None:
    """Bury an entry that can't be read, whole (base64), and let it go from the stream."""
    content = base64.b64encode(msgspec.msgpack.encode(fields)).decode()
    await _add(store, tag_of(stream), keys.identity("", content), "", "entry", content, _line(error, {}), "read")
    await _let_go(store, stream, entry)


async def deadly(store: Store, entries: Iterable[Entry]) -> set[Any]:
    """Return which entries, taken up or over just now, have been delivered `TRIES` times or more without being counted.

    Ask only about entries that were delivered before; a new one can't be deadly yet.
    """
    found = set()
    for stream, entry, _ in entries:
        told = await store.do("XPENDING", stream, keys.COUNTERS, entry, entry, 1, parse_detail=True)
        if told and told[0]["times_delivered"] >= TRIES:
            found.add(entry)
    return found


async def one_by_one(
    store: Store, stream: Any, entry: Any, waiting: Sequence[tuple[str, bytes]], count: CountOne
) -> None:
    """Count an entry's (brand, mention as JSON) each for itself, bury the guilty one, and let the entry go.

    The row that is being counted is noted before: one that its worker dies of `ALONE` times is buried by the next. What
    the store's function refuses is buried too; a store that is away raises, and nothing is lost.
    """
    tried = keys.tried(tag_of(stream))
    for number, (brand, packed) in enumerate(waiting):
        row = f"{_text(entry)}:{number}"
        times, _ = await store.pipe([("HINCRBY", tried, row, 1), ("EXPIRE", tried, TRIED_SECONDS)])
        if int(times) > ALONE:
            await bury(store, brand, decoded(packed), f"its worker ended {ALONE} times while it counted this", "kill")
        else:
            try:
                await count(brand, packed)
            except ResponseError as error:
                if not refused(error):
                    raise
                await bury(store, brand, decoded(packed), str(error), "count")
        await store.do("HDEL", tried, row)
    await _let_go(store, stream, entry)


def refused(error: Exception) -> bool:
    """Say whether our function in the store failed on what it was given, which will not change by itself."""
    return isinstance(error, ResponseError) and "user_function" in str(error)


async def purge(store: Store, deleted: Sequence[tuple[str, str]]) -> int:
    """Drop the dead letters of mentions that are deleted, each as shard's tag and `keys.identity`; say how many.

    To be called before the deletion is acknowledged. One small read a mention where there are no dead letters.
    """
    commands = [("ZRANGEBYLEX", keys.dead_index(tag), f"[{key}:", f"({key};") for tag, key in deleted]
    found = await store.pipe(commands) if commands else []
    some = [(tag, member.decode()) for (tag, _), members in zip(deleted, found, strict=True) for member in members]
    return await remove(store, some)


async def remove(store: Store, members: Iterable[tuple[str, str]]) -> int:
    """Drop letters, each as shard's tag and member of its index (KEY:ENTRY); say how many were there."""
    commands: list[tuple[Any, ...]] = []
    for tag, member in members:
        commands.append(("XDEL", keys.dead(tag), member.partition(":")[2]))
        commands.append(("ZREM", keys.dead_index(tag), member))
    return sum(int(n) for n in (await store.pipe(commands))[::2]) if commands else 0


def tag_of(stream: Any) -> str:
    """Return the shard's tag of a key, which may come as the store's client gives it."""
    name = _text(stream)
    return name[: name.index("}") + 1]


async def _add(store: Store, tag: str, key: str, brand: str, name: str, content: str, reason: str, kind: Kind) -> None:
    names = (keys.dead(tag), keys.dead_index(tag), keys.dead_totals(tag))
    await store.do("EVAL", _SCRIPT, len(names), *names, MOST, key, kind, reason, brand, name, content)


async def _let_go(store: Store, stream: Any, entry: Any) -> None:
    await store.pipe([("XACK", stream, keys.COUNTERS, entry), ("XDEL", stream, entry)])


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _key(mention: dict[str, Any], content: str) -> str:
    source, identity = mention.get("source"), mention.get("id")
    named = isinstance(source, str) and isinstance(identity, str)
    return keys.identity(str(source), str(identity)) if named else keys.identity("", content)


def decoded(packed: bytes) -> dict[str, Any]:
    """Return a mention that waited as JSON; where it is none, what stood there."""
    try:
        return msgspec.json.decode(packed, type=dict[str, Any])
    except msgspec.DecodeError:
        return {"unreadable": packed.decode(errors="replace")}


def _line(reason: str, mention: dict[str, Any]) -> str:
    text = mention.get("text")
    if isinstance(text, str) and len(text) > 3:
        reason = reason.replace(text, "...")
    return " ".join(reason.split())[:REASON] or "no reason given"
