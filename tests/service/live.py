"""Running coroutines against a prepared store."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from service.store import Store

T = TypeVar("T")


def with_store(url: str, body: Callable[[Store], Awaitable[T]]) -> T:
    """Run `body` on a prepared store."""

    async def run() -> T:
        async with Store(url) as store:
            await store.prepare()
            return await body(store)

    return asyncio.run(run())
