"""All of telling in one process: events are planned, notices sent, and both audited."""

import asyncio

from service.episode import Event
from service.lease import Lease
from service.notify.auditor import Auditor
from service.notify.dispatch import Dispatch, Senders
from service.notify.message import message
from service.notify.notice import Message
from service.notify.outbox import Outbox
from service.notify.pictured import Pictures, pictured
from service.notify.send_apprise import load
from service.notify.standing import Standing
from service.registry import Registry
from service.store import Store


class Telling:
    """Any number may run, under different names; one of them audits."""

    def __init__(self, store: Store, registry: Registry, senders: Senders, public_url: str, name: str) -> None:
        self._pictures = Pictures(store, registry)
        shown = pictured(senders, self._pictures)
        self._registry = registry

        def compose(event: Event) -> Message:
            return message(event, registry.brands.get(event.brand), public_url)

        self._dispatch = Dispatch(store, registry, shown, compose)
        self._outbox = Outbox(store, registry, name, self._dispatch.wake)
        self._auditor = Auditor(store, registry, Lease(store, name, "audit"))
        self._standing = Standing(store, registry, senders, compose, Lease(store, name, "standing"))

    async def run(self) -> None:
        """Tell until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._warm())
            for part in (self._outbox, self._dispatch, self._auditor, self._standing):
                group.create_task(part.run())

    async def _warm(self) -> None:
        """Load what a first page would wait for."""
        await self._pictures.warm()
        if any(channel.type == "apprise" for channel in self._registry.channels.values()):
            await asyncio.to_thread(load)
