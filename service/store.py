"""The store, Redis (7.2 or newer) or Valkey, behind one small object: one server, Sentinel, or Cluster."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from redis.exceptions import RedisError, ResponseError

from service import keys
from service.address import EXAMPLES, read_address
from service.delivery import Delivery
from service.promise import NotKept, read_promise

SCHEMA_VERSION = 2
"""Rises with every change of what is stored; see `prepare`."""
OLDEST_SERVER = (7, 2)
ONCE = {"fs_changed", "fs_episode"}
"""Functions that must not be sent again by the client after a lost answer: who calls them reads anew and decides."""
LIBRARY = (Path(__file__).with_name("functions.lua"), Path(__file__).parent / "notify" / "notices.lua")
"""One library: each of the files uses the names of those before it."""
FIRST_PAUSE, IDLE_SHARE = 0.002, 0.3
"""Seconds between two polls of a Cluster's streams, which no command can wait for together: none while there is work,
then from the first on doubled, up to this share of the time that the reader would block: 150 ms of 500, which costs an
idle reader 2 % of a core."""

Found = list[tuple[Any, list[tuple[Any, dict[bytes, bytes]]]]]
"""What a read of streams gives: (stream, [(id, fields)]), streams without anything left out."""


class StoreError(Exception):
    """The store can't be used; the message is one sentence for the operator."""


class StoreAway(StoreError):
    """The store can't be used now, and perhaps later: it can't be reached, or replicas are missing."""


class Conflict(Exception):
    """Somebody else changed the same thing in between; read again and repeat."""


class Fenced(Exception):
    """A newer ticker has taken over; this one must stop."""


class Store:
    """The servers of a URL. Commands are given as the store's documentation writes them.

    A command goes to the primary that has its first key; on a Cluster, all keys of one command must be of one shard.
    After a restart or a failover it is sent again, for some seconds, to whoever is primary then; hence it may be run
    twice, except the functions in `ONCE`. `accept` is what `append` promises (see service/promise.py).
    """

    def __init__(self, url: str, accept: str = "memory") -> None:
        try:
            self._address = read_address(url)
        except ValueError as error:
            raise StoreError(f"the store's address can't be read: {error}") from None
        try:
            self._promise = read_promise(accept)
        except ValueError as error:
            raise StoreError(str(error)) from None
        self._delivery = Delivery(self._address)
        self._pauses: dict[str, float] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._delivery.close()

    async def primaries(self) -> list[Any]:
        """Return redis-py's client of every server that has keys; they know no time limit and close with the store."""
        return await self._delivery.primaries()

    async def do(self, *command: Any, **parsing: Any) -> Any:
        """Run one command; `parsing` are the client's options for reading its answer.

        One without a key (INFO, FUNCTION LOAD) runs on every primary and gives the answer of one; see `each`.
        """
        (answer,) = _whole(await self._delivery.send([command], **parsing))
        return answer

    async def each(self, *command: Any) -> list[Any]:
        """Run one command on every primary; return the answers."""
        return _whole(await self._delivery.everywhere(command))

    async def pipe(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run many commands in one round trip a server, each for itself, in order where they are of one shard.

        One that fails keeps no other from being run; the first failure is raised.
        """
        return _whole(await self._delivery.send(commands))

    async def append(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run commands as `pipe` does, for what is being accepted: returns once all is kept as promised.

        Raises:
            NotKept: some of it could not be; repeat all.
        """
        return _whole(await self._delivery.send(commands, promise=self._promise))

    async def call(self, function: str, key: str, *args: Any) -> Any:
        """Run one of our functions on the shard of `key`.

        Raises:
            Conflict: the thing was changed in between.
            Fenced: a newer ticker has taken over.
        """
        (answer,) = await self.calls(function, [key], *args)
        return answer

    async def calls(self, function: str, shards: Sequence[str], *args: Any) -> list[Any]:
        """Run one of our functions on the shards of some keys, in one round trip a server; as `call` does."""
        answers = await self._delivery.send(
            [("FCALL", function, 1, key, *args) for key in shards], once=function in ONCE
        )
        for text in (str(answer) for answer in answers if isinstance(answer, ResponseError)):
            if "CONFLICT" in text:
                raise Conflict(text)
            if "FENCED" in text:
                raise Fenced(text)
        return _whole(answers)

    async def read_group(
        self,
        group: str,
        consumer: str,
        streams: Sequence[str],
        *,
        count: int,
        block_ms: int | None = None,
        after: str = ">",
    ) -> Found:
        """Read from streams of any shard what no consumer of the group got yet, or, `after` an id, what this one holds.

        At most `count` entries a stream. Waits at most `block_ms` (under 2000; None: not at all) for the first.
        """
        who = ("XREADGROUP", "GROUP", group, consumer, "COUNT", count)
        if self._delivery.spread:
            return await self._poll(group, [(*who, "STREAMS", stream, after) for stream in streams], block_ms)
        return await self._wait(who, streams, [after] * len(streams), block_ms)

    async def read(self, places: Mapping[str, Any], *, count: int, block_ms: int | None = None) -> Found:
        """Read what came after the id that `places` has for each stream, of any shard; as `read_group` otherwise."""
        who = ("XREAD", "COUNT", count)
        if self._delivery.spread:
            commands = [(*who, "STREAMS", stream, identity) for stream, identity in places.items()]
            return await self._poll("", commands, block_ms)
        return await self._wait(who, list(places), list(places.values()), block_ms)

    async def _wait(self, who: tuple[Any, ...], streams: Sequence[str], after: Sequence[Any], ms: int | None) -> Found:
        block = () if ms is None else ("BLOCK", ms)
        return list(await self.do(*who, *block, "STREAMS", *streams, *after))

    async def _poll(self, reader: str, commands: Sequence[tuple[Any, ...]], ms: int | None) -> Found:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + (ms or 0) / 1000
        while True:
            left = max(deadline - loop.time(), 0.0)
            await asyncio.sleep(min(self._pauses.get(reader, 0.0), left))
            answers = await self._delivery.try_once(commands)
            found = [pair for answer in answers if isinstance(answer, list) for pair in answer]
            if found:
                self._pauses[reader] = 0.0
                return found
            _whole(answers)  # a server that is away keeps nobody from reading what the others gave
            if loop.time() >= deadline:
                return []
            longest = IDLE_SHARE * (ms or 0) / 1000
            self._pauses[reader] = min(max(2 * self._pauses.get(reader, 0.0), FIRST_PAUSE), longest)

    async def prepare(self) -> None:
        """Check the servers, their schema, whether they can keep what is promised; load our functions and groups.

        Raises:
            StoreError: a server is too old, holds a newer schema, can't keep the promise, or can't be reached.
        """
        try:
            await self._check_server()
            await self._check_schema()
            await self.do("FUNCTION", "LOAD", "REPLACE", "".join(path.read_text() for path in LIBRARY))
            for group, stream in (("count", keys.ingest), ("notify", keys.events)):
                await self._make_groups(group, stream)
            if self._promise.command:
                await self.append([("SET", keys.kept(tag), 1) for tag in keys.all_shards()])
        except NotKept as error:
            raise StoreAway(f"the store can't promise {self._promise}: {error}") from None
        except (RedisError, OSError) as error:
            raise StoreAway(f"the store can't be used: {error}") from error

    async def inspect(self) -> None:
        """Check the servers and their schema, and change nothing.

        Raises:
            StoreError: a server is too old, holds a newer schema or none, or can't be reached.
        """
        try:
            await self._check_server()
            await self._check_whole()
            stored = await self.do("GET", keys.SCHEMA)
        except (RedisError, OSError) as error:
            raise StoreAway(f"the store can't be used: {error}") from error
        if stored is None:
            raise StoreError("the store holds nothing of Foreshock; has a service been started on it?")
        self._check_stored(int(stored))

    async def _check_server(self) -> None:
        for info in await self.each("INFO", "server"):
            version = str(info.get("valkey_version") or info["redis_version"])
            if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_SERVER:
                raise StoreError(f"the store is version {version}; 7.2 or newer of Redis or Valkey is needed")
            mode = info.get("redis_mode") or info.get("server_mode")
            if self._address.kind == "one" and mode in ("cluster", "sentinel"):
                raise StoreError(f"the server is part of a {mode}: name it as {EXAMPLES[mode]}")
        for info in await self.each("INFO", "memory"):
            if (policy := info["maxmemory_policy"]) != "noeviction":
                raise StoreError(f"the store's maxmemory-policy {policy} drops what was accepted: set it to noeviction")

    async def _check_schema(self) -> None:
        from service.migrate import migrate  # which needs this module

        await self._check_whole()
        await self.do("SET", keys.SCHEMA, SCHEMA_VERSION, "NX")
        self._check_stored(int(await self.do("GET", keys.SCHEMA)))
        await migrate(self)

    async def _check_whole(self) -> None:
        if await self.do("EXISTS", keys.RESTORING):
            raise StoreError("a restore into this store was interrupted: repeat `foreshock restore` with the same file")

    def _check_stored(self, stored: int) -> None:
        if stored > SCHEMA_VERSION:
            raise StoreError(
                f"the store holds schema {stored}, this service knows up to {SCHEMA_VERSION}: use the newer service"
            )

    async def _make_groups(self, group: str, stream: Any) -> None:
        commands = [("XGROUP", "CREATE", stream(tag), group, "0", "MKSTREAM") for tag in keys.all_shards()]
        answers = await self._delivery.send(commands)
        _whole([None if "BUSYGROUP" in str(answer) else answer for answer in answers])


def _whole(answers: list[Any]) -> list[Any]:
    """Return the answers; raise the first that is an error."""
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


async def mended(store: Store, error: Exception) -> None:
    """Prepare a store anew that came back without our functions or groups: one that keeps nothing was restarted."""
    if isinstance(error, ResponseError) and any(word in str(error) for word in ("Function not found", "NOGROUP")):
        with contextlib.suppress(StoreError):
            await store.prepare()
