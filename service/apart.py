"""Runs one heavy piece of work in a process of its own: the event loop stays free, and its time is bounded."""

import asyncio
import os
import pickle
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

MOST = 2
"""Pieces of work at once, of this process; each takes a core and some 100 MB while it lasts."""
NICENESS = 10
"""What is computed on demand gives way to counting and judging."""


class Crowded(Exception):
    """MOST pieces of work are under way."""


class TooLong(Exception):
    """The work was not done in its time, and was ended."""


_under_way = 0


async def apart(seconds: float, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return `work(*args)`, a function of a module with arguments and answer that can be pickled.

    Raises:
        Crowded: too much is under way already; nothing was begun.
        TooLong: it took more than `seconds`.
        ValueError: `work` raised it, or a kind of it.
        RuntimeError: `work` raised something else, which is on standard error.
    """
    global _under_way
    if _under_way >= MOST:
        raise Crowded
    _under_way += 1
    try:
        found: T | ValueError = pickle.loads(await _done(seconds, pickle.dumps((seconds, work, args, kwargs))))  # noqa: S301
    finally:
        _under_way -= 1
    if isinstance(found, ValueError):
        raise found
    return found


async def _done(seconds: float, order: bytes) -> bytes:
    """Have an order worked on by a new process."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "service.apart", stdin=PIPE, stdout=PIPE)
    try:
        async with asyncio.timeout(seconds):
            answer, _ = await process.communicate(order)
    except TimeoutError:
        raise TooLong from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        raise RuntimeError(f"the process apart ended with {process.returncode}")
    return answer


def main() -> None:
    """Do what standard input says, and write the answer; an end of the parent is no reason to stay."""
    os.nice(NICENESS)
    seconds, work, args, kwargs = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 - from the process above
    signal.alarm(int(seconds) + 5)
    try:
        answer = work(*args, **kwargs)
    except ValueError as error:
        answer = error
    sys.stdout.buffer.write(pickle.dumps(answer))


if __name__ == "__main__":
    main()
