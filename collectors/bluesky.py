"""Bluesky: every post of the network from Jetstream, read for all brands at once.

https://github.com/bluesky-social/jetstream: JSON over WebSocket, goes on from a cursor in microseconds, keeps about a
day. The cursor is the same on every server, and events of one moment come in any order: so each connection begins a few
seconds before the last one ended, and what comes twice counts once by its id.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from collectors.collector import Batch, CollectorError, Declaration, Wanted
from collectors.mention import Fields, Mention
from collectors.websocket import WebSocket, open_websocket

if TYPE_CHECKING:
    from collectors.outbound import Outbound

SERVERS = tuple(f"wss://jetstream{n}.us-{side}.bsky.network/subscribe" for side in ("east", "west") for n in (1, 2))
POSTS = "app.bsky.feed.post"
STAY = 5.0
"""Seconds of a batch, and so the longest that a post waits here."""
CONNECTED = 300.0
"""Seconds of a connection: the first server of those that speak is then asked for again, from a little before."""
SILENCE = 10.0
"""Seconds without a post after which the stream is dead: the network writes dozens a second."""
REWIND = 5.0
"""Seconds that a connection begins before the last one's end, for events that were overtaken by others."""
LAG = timedelta(seconds=10)
"""What a post takes from its author's clock to the stream; measured, most take one or two seconds."""
GAP = timedelta(minutes=1)
"""A first event that is so much later than the cursor means that the server keeps no older ones."""
AHEAD = timedelta(minutes=5)
"""What a server's clock may be ahead; a later event does not move the cursor."""
CHUNK = 256
"""Events looked at together: finding brands in many costs half of finding them in each."""
ENOUGH = 2_000
"""Mentions after which a batch ends before its time."""

DECLARATION = Declaration(
    name="bluesky",
    reads="every public post of the network",
    needs_key=False,
    push=True,
    counts=False,
    backfill="one hour, at most a day",
    price="free",
    poll_seconds=1.0,
)

Server = Annotated[str, StringConstraints(pattern=r"^wss?://[^\s@?#]+$", max_length=2048)]


class BlueskySettings(BaseModel):
    """A brand's source `{type: bluesky}`; brands with the same settings share one stream."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["bluesky"] = "bluesky"
    servers: tuple[Server, ...] = Field(default=SERVERS, min_length=1, max_length=16, description="tried in turn")
    backfill_minutes: int = Field(default=60, ge=0, le=1440, description="read back on first contact")


class _Link(msgspec.Struct):
    uri: str = ""


class _Reply(msgspec.Struct):
    parent: _Link = msgspec.field(default_factory=_Link)


class _Record(msgspec.Struct):
    text: str = ""
    created: str = msgspec.field(name="createdAt", default="")
    langs: list[str] | None = None
    reply: _Reply | None = None


class _Commit(msgspec.Struct):
    operation: str
    collection: str
    rkey: str
    record: _Record | None = None


class Event(msgspec.Struct):
    """What is read of one message; `time_us` is when the server saw it, in microseconds."""

    did: str
    time_us: int
    commit: _Commit | None = None


_decode = msgspec.json.Decoder(Event).decode


@dataclass
class _Heard:
    """What a batch holds so far; times are microseconds, but for `spoke`: the loop's when the last message came."""

    latest: int
    spoke: float = 0.0
    first: int | None = None
    last: int = 0
    skipped: int = 0
    more: bool = False
    mentions: dict[str, Mention] = field(default_factory=dict)


class BlueskyCollector:
    """The cursor holds `time_us`, when the server saw the last event that was read, and the `server`."""

    declaration = DECLARATION

    def __init__(
        self,
        settings: BlueskySettings,
        outbound: "Outbound",
        stay: float = STAY,
        silence: float = SILENCE,
        connected: float = CONNECTED,
    ) -> None:
        self.wanted: Wanted | None = None
        self._settings = settings
        self._outbound = outbound
        self._stay = stay
        self._silence = silence
        self._connected = connected

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Give the first batch of a stream.

        Raises:
            CollectorError: no server speaks; nothing was taken, the cursor stays.
        """
        async with aclosing(self.stream(cursor, now)) as batches:
            return await anext(batches)

    async def stream(self, cursor: Mapping[str, Any], now: datetime) -> AsyncGenerator[Batch, None]:
        """Listen from where the last batch ended, at the first server that speaks; a batch every `STAY` seconds.

        Raises:
            CollectorError: none speaks, or the one that did went silent or away.
        """
        failed: CollectorError | None = None
        repeated: Batch | None = None
        for server in self._in_turn(cursor.get("server")):
            given = False
            try:
                async with aclosing(self._listen(server, cursor, now)) as batches:
                    async for batch in batches:
                        if batch.cursor["time_us"] == cursor.get("time_us"):
                            repeated = batch  # nothing is new: another server may know more
                            continue
                        given = True
                        yield batch
                return
            except CollectorError as error:
                if given:
                    raise
                failed = error
        if repeated is None:
            raise failed or CollectorError("Bluesky's stream says nothing")
        yield repeated

    def _in_turn(self, last: object) -> list[str]:
        servers = list(self._settings.servers)
        start = servers.index(last) if last in servers else 0
        return servers[start:] + servers[:start]

    async def _listen(self, server: str, cursor: Mapping[str, Any], now: datetime) -> AsyncGenerator[Batch, None]:
        """Give what one server says until it breaks off or `CONNECTED` seconds are over.

        Raises:
            CollectorError: it says nothing that is newer than the cursor, or no more.
        """
        told = cursor.get("time_us")
        known = told if isinstance(told, int) and told > 0 else None
        since = known or _microseconds(now - timedelta(minutes=self._settings.backfill_minutes))
        url = f"{server}?wantedCollections={POSTS}&cursor={since - int(REWIND * 1e6)}"
        clock = asyncio.get_running_loop().time
        begun = clock()
        async with open_websocket(self._outbound, url) as socket:
            opened = spoke = clock()
            while clock() < opened + self._connected:
                at = now + timedelta(seconds=clock() - begun)
                heard = _Heard(_microseconds(at + timedelta(seconds=self._stay) + AHEAD), spoke=spoke)
                failed: CollectorError | None = None
                try:
                    await self._fill(socket, since, heard)
                except CollectorError as error:
                    failed = error
                if heard.first is not None and (failed or heard.last > (known or 0)):
                    yield self._batch(heard, known, server, at)
                    known = since = max(heard.last, since)
                if failed is not None:
                    raise failed
                spoke = heard.spoke

    async def _fill(self, socket: WebSocket, since: int, heard: _Heard) -> None:
        """Hear what comes in `STAY` seconds, or until anything came.

        Raises:
            CollectorError: nothing came for too long, or the connection broke.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + self._stay
        while clock() < until or heard.last <= since:
            messages: list[bytes] = []
            silent = heard.spoke + self._silence
            try:
                await self._chunk(socket, min(until if clock() < until else silent, silent) - clock(), messages)
            finally:
                self._hear(messages, heard)
            if messages:
                heard.spoke = clock()
            elif clock() >= silent:
                raise CollectorError(f"Bluesky's stream was silent for {self._silence:g} seconds")
            if clock() >= until + self._silence:
                raise CollectorError("Bluesky's stream says nothing that is new")
            if len(heard.mentions) >= ENOUGH and heard.last - since > REWIND * 1e6:
                heard.more = True
                return

    async def _chunk(self, socket: WebSocket, seconds: float, found: list[bytes]) -> None:
        """Wait for a message, then take those that are there."""
        wait = seconds
        while len(found) < CHUNK and (message := await socket.receive(wait)) is not None:
            found.append(message)
            wait = 0.0

    def _hear(self, messages: list[bytes], heard: _Heard) -> None:
        posts: list[tuple[Event, Fields]] = []
        for message in messages:
            try:
                event = _decode(message)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                heard.skipped += 1
                continue
            if event.time_us <= heard.latest:
                heard.first = event.time_us if heard.first is None else min(heard.first, event.time_us)
                heard.last = max(heard.last, event.time_us)
            if event.commit is not None and event.commit.collection == POSTS:
                posts.append((event, _said(event, event.commit)))
        wanted = self.wanted([said for _, said in posts]) if self.wanted else [True] * len(posts)
        for (event, said), asked in zip(posts, wanted, strict=True):
            assert event.commit is not None
            if asked or event.commit.operation != "create":
                self._take(event, event.commit, said, heard)

    def _take(self, event: Event, commit: _Commit, said: Fields, heard: _Heard) -> None:
        try:
            mention = Mention.model_validate({**said, **_rest(event, commit)})
        except (ValidationError, ValueError, OverflowError):
            heard.skipped += 1
            return
        other = heard.mentions.get(mention.id)
        if other is None or _version(mention) >= _version(other):
            heard.mentions[mention.id] = mention

    def _batch(self, heard: _Heard, known: int | None, server: str, now: datetime) -> Batch:
        last = max(heard.last, known or 0)
        assert heard.first is not None
        gap = known is not None and heard.first - known > GAP / timedelta(microseconds=1)
        return Batch(
            mentions=list(heard.mentions.values()),
            cursor={"time_us": last, "server": server},
            complete_until=min(_instant(last), now + timedelta(seconds=self._stay)) - LAG,
            more=heard.more,
            skipped=heard.skipped,
            missed=(_instant(known), _instant(heard.first)) if gap and known is not None else None,
        )


def _said(event: Event, commit: _Commit) -> Fields:
    """What a query can ask of a post, as a mention's fields."""
    record = commit.record or _Record()
    language = record.langs[0] if record.langs else None
    return {
        "id": f"{event.did}/{commit.rkey}",
        "source": DECLARATION.name,
        "text": record.text,
        "url": f"https://bsky.app/profile/{event.did}/post/{commit.rkey}",
        "author": {"id": event.did},
        "language": language if language and len(language) <= 35 else None,
        "kind": "post",
    }


def _rest(event: Event, commit: _Commit) -> Fields:
    """What else is known of it."""
    seen = _instant(event.time_us)
    if commit.operation == "delete":
        return {"published_at": min(_written(commit.rkey) or seen, seen), "updated_at": seen, "deleted": True}
    try:
        created = datetime.fromisoformat(commit.record.created if commit.record else "")
        created = created if created.tzinfo else created.replace(tzinfo=UTC)
    except ValueError:
        created = seen
    reply = commit.record.reply if commit.record else None
    return {
        "published_at": min(created, seen),  # an author's clock may be wrong: nothing was written after it was seen
        "updated_at": seen if commit.operation == "update" else None,
        "reply_to": _identity(reply.parent.uri) if reply else None,
    }


def _version(mention: Mention) -> tuple[datetime, bool]:
    return mention.updated_at or mention.published_at, mention.deleted


def _identity(uri: str) -> str | None:
    """`did/rkey` of a post's address `at://did/collection/rkey`."""
    found = re.fullmatch(r"at://([^/]{1,256})/app\.bsky\.feed\.post/([^/]{1,200})", uri)
    return f"{found[1]}/{found[2]}" if found else None


def _written(rkey: str) -> datetime | None:
    """Instant in a record's key (TID: 53 bits of microseconds above 10 bits of a clock's number, in base 32)."""
    if not re.fullmatch(r"[234567a-j][234567a-z]{12}", rkey):
        return None
    number = 0
    for letter in rkey:
        number = number * 32 + "234567abcdefghijklmnopqrstuvwxyz".index(letter)
    return _instant(number >> 10)


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)


def _microseconds(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
