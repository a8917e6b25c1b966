"""Puts the episode's picture into what people are sent; a page without it is better than a page that waits."""

import asyncio
import contextlib
import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import replace

from redis.exceptions import RedisError

from service.episode import PAGES, Event
from service.frozen import frozen
from service.notify.channel import Channel
from service.notify.chart import load, png
from service.notify.notice import Message, Notice, Outcome, Sender
from service.notify.senders import IncidentSender
from service.registry import Registry
from service.store import Store

PATIENCE = 4.0
"""Seconds that a message waits for its picture: drawing takes 0.3, of many at once only the first are waited for."""
KEPT = 16
"""Pictures that are kept: one event goes to several channels."""
TYPES = frozenset({"apprise"})
"""Channels that take a picture beside the words."""

log = logging.getLogger("foreshock.notify")

Makers = Mapping[str, Callable[[Channel], Sender]]


class Pictures:
    """Draws what pages and ends show, one at a time; nobody waits longer than `patience` (seconds) for it."""

    def __init__(self, store: Store, registry: Registry, patience: float = PATIENCE) -> None:
        self._store, self._registry = store, registry
        self._patience = patience
        self._turn = asyncio.Lock()
        self._drawn: OrderedDict[str, bytes] = OrderedDict()

    async def warm(self) -> None:
        """Load what draws, which takes seconds, before the first page is to have a picture."""
        with contextlib.suppress(RedisError, OSError):  # it is loaded with the first picture then
            await self._registry.refresh()
        if any(channel.type in TYPES for channel in self._registry.channels.values()):
            await asyncio.to_thread(load)

    async def of(self, event: Event) -> bytes | None:
        """Return the picture of an event's episode; None where there is none in time."""
        if event.type not in PAGES and event.type != "episode.resolved":
            return None
        try:
            async with asyncio.timeout(self._patience), self._turn:
                return self._drawn.get(event.id) or await self._draw(event)
        except TimeoutError:
            log.warning("the picture for %s was not there in time", event.id)
        except Exception:  # a page without a picture is better than none
            log.exception("the picture for %s", event.id)
        return None

    async def _draw(self, event: Event) -> bytes | None:
        kept = await frozen(self._store, event.episode.id)
        if kept is None or kept.curve is None:
            return None
        brand = self._registry.brands.get(event.brand)
        picture = await asyncio.to_thread(png, event.episode, kept.curve, brand.timezone if brand else "UTC")
        self._drawn[event.id] = picture
        while len(self._drawn) > KEPT:
            self._drawn.popitem(last=False)
        return picture


class Pictured:
    """A sender whose messages have a picture."""

    def __init__(self, sender: Sender, pictures: Pictures) -> None:
        self._sender, self._pictures = sender, pictures

    async def send(self, notice: Notice, message: Message) -> Outcome:
        """Try once, as the sender does; one message of many events (its id has a `+`) has none."""
        if message.chart is None and "+" not in notice.id:
            message = replace(message, chart=await self._pictures.of(notice.event))
        return await self._sender.send(notice, message)


def pictured(senders: Makers, pictures: Pictures) -> Makers:
    """Return senders of which those for people who see pictures put one in."""

    def with_picture(make: Callable[[Channel], Sender]) -> Callable[[Channel], Sender]:
        def made(channel: Channel) -> Sender:
            sender = make(channel)
            return sender if isinstance(sender, IncidentSender) else Pictured(sender, pictures)

        return made

    return {name: with_picture(make) if name in TYPES else make for name, make in senders.items()}
