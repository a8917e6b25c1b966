"""What is sent in tests of senders: notices of an episode, and what a person reads of them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from collectors.outbound import Outbound
from service.episode import Event, EventType, event_of
from service.notify.channel import CHANNEL, Channel
from service.notify.message import message
from service.notify.notice import Message, Notice, Outcome, Quote, Sender
from tests.service.test_lease import AT, episode

HOSTILE = "<!channel> <b>@everyone</b> <http://evil.example|your bank>"


def channel(kind: str, name: str = "c", **fields: Any) -> Channel:
    """Return a channel."""
    return CHANNEL.validate_python({"type": kind, "name": name, **fields})


def event(kind: EventType = "episode.opened", **change: Any) -> Event:
    """Return an event of an episode that was opened before."""
    found = episode(reason="40 of 50 are negative", replay_command="foreshock replay acme", **change)
    return event_of(found if kind == "episode.opened" else found.told(AT, kind, "ann", "looking"))


def notice(of: Event, to: str = "c", *, page: bool = True, identity: str = "ntc_1") -> Notice:
    """Return a notice of an event."""
    return Notice(identity, to, of, "route all", page)


def words(of: Event, **change: Any) -> Message:
    """Return what is read of an event, with a post that was written to do harm."""
    quote = Quote(HOSTILE, "eve", "x", "https://x.example/1")
    return replace(message(of, None, "http://board.example"), **{"quotes": [quote], **change})


def sent(sender: Callable[[Outbound], Sender], *of: Event, allow: Sequence[str] = (), **out: Any) -> list[Outcome]:
    """Send events one after the other; returns what became of each."""

    async def body(outbound: Outbound) -> list[Outcome]:
        way = sender(outbound)
        return [await way.send(notice(e, identity=f"ntc_{n}"), words(e)) for n, e in enumerate(of)]

    return outside(body, allow, **out)


def outside(body: Callable[[Outbound], Awaitable[Any]], allow: Sequence[str] = (), **out: Any) -> Any:
    """Run with a way out to `allow`, the exceptions that an operator made."""

    async def run() -> Any:
        async with Outbound(frozenset(allow), **out) as outbound:
            return await body(outbound)

    return asyncio.run(run())
