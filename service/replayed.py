"""Waiting for the ticker on the replay's clock."""

import asyncio

from service.clock import ReplayClock

POLL = 0.002
"""Seconds between looks; a simulated step is judged in milliseconds."""


async def judged(clock: ReplayClock, until: float) -> None:
    """Wait until every minute up to `until` (POSIX seconds) has been judged."""
    while await clock.judged() < until:
        await asyncio.sleep(POLL)
