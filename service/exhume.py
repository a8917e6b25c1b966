"""What lies among the dead letters: listed newest first, put in again by the ordinary way in, or dropped."""

import base64
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from pydantic import ValidationError

from collectors.mention import Mention
from service import keys
from service.clock import iso
from service.deadletters import remove
from service.ingest import Ingest, Receipt
from service.store import Store

CHUNK = 500
"""Letters put in again, or dropped, at a time."""
TOLD = 100
"""Letters that an answer names because they could not be put in again."""

Place = tuple[int, int, int]
"""Where a letter stands among all: milliseconds, sequence, shard; the highest is the newest."""


@dataclass(frozen=True)
class DeadLetter:
    """A mention that could not be counted, or (`entry`, base64) an entry of the stream that could not be read.

    `kind` says where it went wrong: annotate, count, kill (its worker died), read; `source` and `mention_id` are the
    mention's, as far as it says.
    """

    id: str
    buried_at: str
    kind: str
    reason: str
    brand: str
    source: str | None
    mention_id: str | None
    mention: dict[str, Any] | None
    entry: str | None
    key: str


@dataclass
class Outcome:
    """What became of the letters that were asked for; `errors` name the first that stay, and why."""

    done: int = 0
    failed: int = 0
    errors: list[dict[str, str]] = field(default_factory=list)

    def fail(self, letter: str, what: str) -> None:
        """Note a letter that stays."""
        self.failed += 1
        if len(self.errors) < TOLD:
            self.errors.append({"id": letter, "what": what})


async def page(
    store: Store, brand: str | None = None, limit: int = 50, cursor: str | None = None
) -> tuple[list[DeadLetter], str | None]:
    """Return up to `limit` letters, newest first, of all brands or one, and the next page's cursor.

    Raises:
        ValueError: the cursor can't be read.
    """
    before = None if cursor is None else _place(cursor, "cursor: take it from `next` of the page before")
    found: list[tuple[Place, DeadLetter]] = []
    for tag in await _filled(store, brand):
        found += await _newest(store, tag, brand, before, limit + 1)
        found = sorted(found, key=lambda f: f[0], reverse=True)[: limit + 1]
    some = [letter for _, letter in found[:limit]]
    return some, some[-1].id if len(found) > limit else None


async def replay(store: Store, ingest: Ingest, ids: Sequence[str] | None, brand: str | None = None) -> Outcome:
    """Put the letters with these ids, or all (of one brand), in again; what was accepted is a dead letter no more.

    Whatever dies in between, each counts once: what is put in twice is a repetition.

    Raises:
        Busy: no more is taken at the moment; what was accepted until then is done.
    """
    outcome = Outcome()
    async for some in _chosen(store, ids, brand, outcome):
        refused = await _put_in(ingest, some)
        for letter, what in refused.items():
            outcome.fail(letter, what)
        outcome.done += await _remove(store, [letter for letter in some if letter.id not in refused])
    return outcome


async def drop(store: Store, ids: Sequence[str] | None, brand: str | None = None) -> Outcome:
    """Forget the letters with these ids, or all (of one brand)."""
    outcome = Outcome()
    async for some in _chosen(store, ids, brand, outcome):
        outcome.done += await _remove(store, some)
    return outcome


async def _filled(store: Store, brand: str | None) -> list[str]:
    """Return the shards that hold dead letters, of all brands or of one."""
    tags = keys.all_shards() if brand is None else [keys.shard(brand)]
    lengths = await store.pipe([("XLEN", keys.dead(tag)) for tag in tags])
    return [tag for tag, length in zip(tags, lengths, strict=True) if length]


async def _newest(
    store: Store, tag: str, brand: str | None, before: Place | None, limit: int
) -> list[tuple[Place, DeadLetter]]:
    """Return up to `limit` letters of a shard with their places, newest first, those that stand before `before`."""
    number = int(tag[2:5])
    found: list[tuple[Place, DeadLetter]] = []
    latest = "+" if before is None else f"{'' if number < before[2] else '('}{before[0]}-{before[1]}"
    while len(found) < limit:
        entries = await store.do("XREVRANGE", keys.dead(tag), latest, "-", "COUNT", limit)
        letters = [_letter(number, entry, fields) for entry, fields in entries]
        found += [(_place(one.id), one) for one in letters if brand is None or one.brand == brand]
        if len(entries) < limit:
            break
        latest = f"({entries[-1][0].decode()}"
    return found[:limit]


async def _chosen(
    store: Store, ids: Sequence[str] | None, brand: str | None, outcome: Outcome
) -> AsyncIterator[list[DeadLetter]]:
    if ids is None:
        for tag in await _filled(store, brand):
            before: Place | None = None
            while found := await _newest(store, tag, brand, before, CHUNK):
                before = found[-1][0]
                yield [letter for _, letter in found]
        return
    for i in range(0, len(ids), CHUNK):
        some = []
        for identity in dict.fromkeys(ids[i : i + CHUNK]):
            letter = await _get(store, identity)
            if letter is None or brand not in (None, letter.brand):
                outcome.fail(identity, "there is no such dead letter")
            else:
                some.append(letter)
        yield some


async def _get(store: Store, identity: str) -> DeadLetter | None:
    try:
        milliseconds, sequence, number = _place(identity)
    except ValueError:
        return None
    entry = f"{milliseconds}-{sequence}"
    found = await store.do("XRANGE", keys.dead(keys.all_shards()[number]), entry, entry)
    return _letter(number, *found[0]) if found else None


async def _put_in(ingest: Ingest, some: list[DeadLetter]) -> dict[str, str]:
    """Put letters in, a brand at a time; return what was refused: letter's id -> why."""
    refused: dict[str, str] = {}
    by_brand: dict[str, list[tuple[int, Mention]]] = defaultdict(list)
    for index, letter in enumerate(some):
        try:
            for brand, mention in _rows(letter):
                by_brand[brand].append((index, _mention(brand, mention)))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            refused[letter.id] = f"{'.'.join(map(str, first['loc'])) or 'mention'}: {first['msg']}"
        except msgspec.DecodeError:
            refused[letter.id] = "its entry can't be read"
    for items in by_brand.values():
        receipt = await ingest.mentions(items, Receipt())
        for told in receipt.errors:
            refused[some[int(str(told["index"]))].id] = f"{told['where']}: {told['what']}"
    return refused


def _rows(letter: DeadLetter) -> list[tuple[str, dict[str, Any]]]:
    """Return the (brand, mention) that a letter holds."""
    if letter.mention is not None:
        return [(letter.brand, letter.mention)]
    fields = msgspec.msgpack.decode(base64.b64decode(letter.entry or ""), type=dict[bytes, bytes])
    waiting = msgspec.msgpack.decode(fields.get(b"m", b""), type=list[tuple[str, bytes]])
    return [(brand, msgspec.json.decode(packed, type=dict[str, Any])) for brand, packed in waiting]


def _mention(brand: str, mention: dict[str, Any]) -> Mention:
    """Return a letter's mention for its brand; one that is to be taken out of all others ("") finds them again."""
    if brand:
        return Mention.model_validate({**mention, "brands": [brand]})
    gone = {"text": ""} if mention.get("deleted") else {}
    return Mention.model_validate({**gone, **mention, "brands": None})


async def _remove(store: Store, letters: list[DeadLetter]) -> int:
    members = []
    for letter in letters:
        number, _, entry = letter.id.partition("-")
        members.append((keys.all_shards()[int(number)], f"{letter.key}:{entry}"))
    return await remove(store, members)


def _letter(number: int, entry: bytes, fields: dict[bytes, bytes]) -> DeadLetter:
    told = {name.decode(): value.decode() for name, value in fields.items()}
    mention = json.loads(told["mention"]) if "mention" in told else None
    said = mention or {}
    return DeadLetter(
        id=f"{number:03d}-{entry.decode()}",
        buried_at=iso(int(entry.partition(b"-")[0]) / 1000),
        kind=told["kind"],
        reason=told["reason"],
        brand=told["brand"],
        source=said.get("source"),
        mention_id=said.get("id"),
        mention=mention,
        entry=told.get("entry"),
        key=told["key"],
    )


def _place(identity: str, otherwise: str = "no dead letter's id") -> Place:
    try:
        number, milliseconds, sequence = map(int, identity.split("-"))
    except ValueError:
        raise ValueError(otherwise) from None
    if not 0 <= number < keys.SHARDS or min(milliseconds, sequence) < 0:
        raise ValueError(otherwise)
    return milliseconds, sequence, number
