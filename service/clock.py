"""One clock for all processes: the system's, or the replay's, which lives in the store and moves when it is told to."""

import asyncio
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Protocol

from service import keys
from service.store import Store

POLL = 0.002
"""Seconds between looks at the replay's clock; a simulated step is judged in milliseconds."""


class Clock(Protocol):
    """Gives the time to everything that needs it."""

    replay: bool

    async def now(self) -> float:
        """Return POSIX seconds."""
        ...


class SystemClock:
    """The machine's clock."""

    replay = False

    async def now(self) -> float:
        """Return POSIX seconds."""
        return time.time()


class ReplayClock:
    """A clock in the store; `release` is up to when all was posted, `judged` up to when the ticker has looked."""

    replay = True

    def __init__(self, store: Store) -> None:
        self._store = store

    async def now(self) -> float:
        """Return the replay's POSIX seconds."""
        return float(await self._store.do("HGET", keys.CLOCK, "now"))

    async def judged(self, until: float) -> None:
        """Wait until every minute up to `until` (POSIX seconds) has been judged."""
        while (await self.waiting())[0] < until:
            await asyncio.sleep(POLL)

    async def waiting(self) -> tuple[float, float]:
        """Return up to when every minute has been judged, and up to when it may be."""
        judged, release = await self._store.do("HMGET", keys.CLOCK, "judged", "release")
        return float(judged), float(release)

    async def set(self, **fields: float) -> None:
        """Set `now`, `release` or `judged`."""
        await self._store.do("HSET", keys.CLOCK, *[x for pair in fields.items() for x in pair])


async def open_clock(store: Store) -> Clock:
    """Return the clock that this store's service runs on."""
    return ReplayClock(store) if await store.do("EXISTS", keys.CLOCK) else SystemClock()


async def start_replay_clock(store: Store, start: float) -> None:
    """Put the service on the replay's clock, standing at `start` (POSIX seconds); one that runs already goes on."""
    if not await store.do("EXISTS", keys.CLOCK):
        await ReplayClock(store).set(now=start, release=start, judged=start)


@lru_cache(maxsize=16)  # thousands of brands are told of at the same instant
def iso(instant: float) -> str:
    """Return an instant (POSIX seconds) as ISO 8601 in UTC, to the second."""
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def posix(text: str) -> float:
    """Return POSIX seconds of an ISO 8601 time; UTC where it has no offset.

    Raises:
        ValueError: the text is no such time.
    """
    value = datetime.fromisoformat(text)
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
