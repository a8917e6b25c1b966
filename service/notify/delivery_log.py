"""The delivery log: every try of a notice and how it ended, 90 days, newest first."""

import re
from dataclasses import asdict, dataclass
from typing import Any

from service import keys
from service.episode import shard_of
from service.notify.due import Ending as Ending
from service.notify.due import Said as Said
from service.store import Store

CHUNK = 25
"""Entries read of a shard at a time, where all shards are looked through."""
ROUNDS = 40
"""Reads of one page: what is rarer than that is found by its further pages."""

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*://)(?:[^\s/@]*@)?([^\s/?#'\"]*)[^\s'\"]*", re.IGNORECASE)
_TEXT = 300
"""Characters of a detail."""

Place = tuple[int, int, int]
"""Where an entry stands among all: milliseconds, sequence, shard; the highest is the newest."""


@dataclass(frozen=True)
class Delivery:
    """One try, or an end without one; `at` in POSIX seconds, `tries` up to then, `ms` how long it took."""

    id: str
    notice: str
    event: str
    type: str
    episode: str
    brand: str
    channel: str
    kind: str
    why: str
    tries: int
    at: float
    outcome: Said
    detail: str
    ms: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def public(detail: str) -> str:
    """Return a detail that may be shown: addresses as scheme and host alone, one line, no longer than 300 characters.

    >>> public("https://ann:secret@hooks.example.com/T0/B0?x=1 answered 500")
    'https://hooks.example.com answered 500'
    """
    return " ".join(_ADDRESS.sub(r"\1\2", detail).split())[:_TEXT]


async def page(
    store: Store,
    episode: str | None = None,
    channel: str | None = None,
    outcome: str | None = None,
    limit: int = 50,
    cursor: str | None = None,
) -> tuple[list[Delivery], str | None]:
    """Return up to `limit` entries, newest first, and the next page's cursor; that page may be empty.

    Raises:
        ValueError: the cursor can't be read.
    """
    tags = keys.all_shards()
    if episode is not None:
        tag = shard_of(episode)
        tags = [tag] if tag in tags else []
    before = None if cursor is None else _place(cursor)
    found: list[tuple[Place, Delivery]] = []
    for _ in range(ROUNDS):
        some, before = await _older(store, tags, before)
        found += [
            (place, one)
            for place, one in some
            if (episode is None or one.episode == episode)
            and (channel is None or one.channel == channel)
            and (outcome is None or one.outcome == outcome)
        ]
        if before is None or len(found) > limit:
            break
    if len(found) > limit:
        before = found[limit - 1][0]
    return [one for _, one in found[:limit]], None if before is None else _cursor(before)


async def _older(
    store: Store, tags: list[str], before: Place | None
) -> tuple[list[tuple[Place, Delivery]], Place | None]:
    """Return what comes next below a place, newest first, and down to where that is all; None at the end."""
    ends = [_end(before, int(tag[2:5])) for tag in tags]
    commands = [("XREVRANGE", keys.deliveries(t), e, "-", "COUNT", CHUNK) for t, e in zip(tags, ends, strict=True)]
    found, reached = list[tuple[Place, Delivery]](), list[Place]()
    for tag, entries in zip(tags, await store.pipe(commands), strict=True):
        for identity, fields in entries:
            milliseconds, sequence = map(int, identity.decode().split("-"))
            place = (milliseconds, sequence, int(tag[2:5]))
            found.append((place, _read({k.decode(): v.decode() for k, v in fields.items()}, _cursor(place))))
        if len(entries) == CHUNK:
            reached.append(found[-1][0])
    lowest = max(reached, default=None)
    found = [pair for pair in found if lowest is None or pair[0] >= lowest]
    return sorted(found, key=lambda pair: pair[0], reverse=True), lowest


def _end(before: Place | None, shard: int) -> str:
    if before is None:
        return "+"
    identity = f"{before[0]}-{before[1]}"
    return identity if shard < before[2] else f"({identity}"


def _read(fields: dict[str, str], identity: str) -> Delivery:
    values: dict[str, Any] = {**fields, "id": identity, "tries": int(float(fields["try"]))}
    values |= {"at": float(fields["at"]), "ms": float(fields["ms"])}
    return Delivery(**{name: value for name, value in values.items() if name != "try"})


def _cursor(place: Place) -> str:
    return "{}-{}-{}".format(*place)


def _place(cursor: str) -> Place:
    parts = cursor.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        raise ValueError("cursor: take it from `next` of the page before")
    milliseconds, sequence, shard = map(int, parts)
    return milliseconds, sequence, shard


async def count(store: Store, said: str, kind: str) -> None:
    """Count an outcome of a type of channel, for /metrics."""
    await store.do("HINCRBY", keys.NOTIFICATIONS, f"{kind}{keys.SEPARATOR}{said}", 1)
