"""The store: one Redis (7.2 or newer) or Valkey server behind one small object."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis.asyncio as aioredis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from service import keys

SCHEMA_VERSION = 1
"""Rises with every change of what is stored; see `prepare`."""
OLDEST_SERVER = (7, 2)
ONCE = {"fs_drain", "fs_episode"}
"""Functions that must not be sent again by the client after a lost answer: who calls them reads anew and decides."""
LIBRARY = Path(__file__).with_name("functions.lua")


class StoreError(Exception):
    """The store can't be used; the message is one sentence for the operator."""


class Conflict(Exception):
    """Somebody else changed the same thing in between; read again and repeat."""


class Fenced(Exception):
    """A newer ticker has taken over; this one must stop."""


class Store:
    """A connection pool to the store. Commands are given as the store's documentation writes them."""

    def __init__(self, url: str) -> None:
        try:
            self._connect(url)
        except ValueError as error:
            raise StoreError(f"the store's address can't be read: {error}") from None

    def _connect(self, url: str) -> None:
        retry = Retry(ExponentialWithJitterBackoff(cap=1.0, base=0.05), 8)
        self._once: Any = aioredis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=5.0)
        self._redis: Any = aioredis.Redis.from_url(
            url, retry=retry, retry_on_error=[RedisConnectionError, RedisTimeoutError], socket_connect_timeout=5.0
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close every connection."""
        await self._redis.aclose()
        await self._once.aclose()

    async def do(self, *command: Any, **parsing: Any) -> Any:
        """Run one command; `parsing` are the client's options for reading its answer."""
        return await self._redis.execute_command(*command, **parsing)

    async def pipe(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run many commands in one round trip, each for itself."""
        if not commands:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        return list(await pipeline.execute())

    async def call(self, function: str, key: str, *args: Any) -> Any:
        """Run one of our functions on the shard of `key`.

        Raises:
            Conflict: the thing was changed in between.
            Fenced: a newer ticker has taken over.
        """
        return await self.call_keys(function, [key], *args)

    async def call_keys(self, function: str, names: Sequence[str], *args: Any) -> Any:
        """Run one of our functions with several keys of one shard."""
        client = self._once if function in ONCE else self._redis
        try:
            return await client.execute_command("FCALL", function, len(names), *names, *args)
        except ResponseError as error:
            text = str(error)
            if "CONFLICT" in text:
                raise Conflict(text) from None
            if "FENCED" in text:
                raise Fenced(text) from None
            raise

    async def prepare(self) -> None:
        """Check the server, its schema, and load our functions and consumer groups.

        Raises:
            StoreError: the server is too old, holds a newer schema, or can't be reached.
        """
        try:
            await self._check_server()
            await self._check_schema()
            await self.do("FUNCTION", "LOAD", "REPLACE", LIBRARY.read_text())
            for group, stream in (("count", keys.ingest), ("notify", keys.events)):
                await self._make_groups(group, stream)
        except (RedisError, OSError) as error:
            raise StoreError(f"the store can't be used: {error}") from error

    async def inspect(self) -> None:
        """Check the server and its schema, and change nothing.

        Raises:
            StoreError: the server is too old, holds a newer schema or none, or can't be reached.
        """
        try:
            await self._check_server()
            stored = await self.do("GET", keys.SCHEMA)
        except (RedisError, OSError) as error:
            raise StoreError(f"the store can't be used: {error}") from error
        if stored is None:
            raise StoreError("the store holds nothing of Foreshock; has a service been started on it?")
        self._check_stored(int(stored))

    async def _check_server(self) -> None:
        info = await self.do("INFO", "server")
        version = str(info.get("valkey_version") or info["redis_version"])
        if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_SERVER:
            raise StoreError(f"the store is version {version}; 7.2 or newer of Redis or Valkey is needed")

    async def _check_schema(self) -> None:
        await self.do("SET", keys.SCHEMA, SCHEMA_VERSION, "NX")
        self._check_stored(int(await self.do("GET", keys.SCHEMA)))

    def _check_stored(self, stored: int) -> None:
        if stored > SCHEMA_VERSION:
            raise StoreError(
                f"the store holds schema {stored}, this service knows up to {SCHEMA_VERSION}: use the newer service"
            )

    async def _make_groups(self, group: str, stream: Any) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        for tag in keys.all_shards():
            pipeline.execute_command("XGROUP", "CREATE", stream(tag), group, "0", "MKSTREAM")
        for answer in await pipeline.execute(raise_on_error=False):
            if isinstance(answer, Exception) and "BUSYGROUP" not in str(answer):
                raise answer


async def mended(store: Store, error: Exception) -> None:
    """Prepare a store anew that came back without our functions or groups: one that keeps nothing was restarted."""
    if isinstance(error, ResponseError) and any(word in str(error) for word in ("Function not found", "NOGROUP")):
        with contextlib.suppress(StoreError):
            await store.prepare()
