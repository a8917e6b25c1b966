"""Webhooks: every event to every receiver, signed by Standard Webhooks, the same id however often it is sent.

The event log is the outbox: the event stands there in the same step as the episode's change, a consumer group hands it
out, and what could not be delivered waits in the group until it is tried again.
"""

import asyncio
import json
import logging
from datetime import UTC, datetime
from typing import Any

from redis.exceptions import RedisError
from standardwebhooks.webhooks import Webhook as Signer

from collectors.outbound import Outbound, OutboundError
from service import keys
from service.brand import Webhook
from service.registry import Registry
from service.store import Store, mended

GROUP = "notify"
RETRY_MS = (5_000, 15_000, 60_000, 300_000, 1_800_000, 7_200_000, 36_000_000)
"""How long an event waits before its next try, by how often it was tried; then it is given up and counted as lost."""
BLOCK_MS = 1000

log = logging.getLogger("foreshock.webhook")


class Sender:
    """Delivers what the event logs hold; any number may run, under different names."""

    def __init__(self, store: Store, registry: Registry, outbound: Outbound, name: str) -> None:
        self._store = store
        self._registry = registry
        self._outbound = outbound
        self._name = name
        self._streams = [keys.events(tag) for tag in keys.all_shards()]

    async def run(self) -> None:
        """Deliver until cancelled."""
        loop = asyncio.get_running_loop()
        looked = 0.0
        while True:
            try:
                await self._new()
                if loop.time() - looked > RETRY_MS[0] / 1000:
                    looked = loop.time()
                    await self._again()
            except (RedisError, OSError) as error:
                log.warning("the store is away (%s), trying again", error)
                await asyncio.sleep(0.5)
                await mended(self._store, error)

    async def _new(self) -> None:
        found = await self._store.read_group(GROUP, self._name, self._streams, count=16, block_ms=BLOCK_MS)
        for stream, entries in found:
            for identity, fields in entries:
                await self._deliver(stream, identity, fields[b"event"], tries=1)

    async def _again(self) -> None:
        waiting = await self._store.pipe([("XPENDING", stream, GROUP) for stream in self._streams])
        for stream, summary in zip(self._streams, waiting, strict=True):
            if summary["pending"]:
                await self._waiting(stream)

    async def _waiting(self, stream: str) -> None:
        found = await self._store.do("XPENDING", stream, GROUP, "IDLE", RETRY_MS[0], "-", "+", 50, parse_detail=True)
        for entry in found:
            identity, idle = entry["message_id"], int(entry["time_since_delivered"])
            tries = int(entry["times_delivered"])
            if idle < RETRY_MS[min(tries, len(RETRY_MS)) - 1]:
                continue
            for _, fields in await self._store.do("XCLAIM", stream, GROUP, self._name, idle, identity):
                await self._deliver(stream, identity, fields[b"event"], tries + 1)

    async def _deliver(self, stream: Any, identity: Any, event: bytes, tries: int) -> None:
        await self._registry.refresh()
        sent = await asyncio.gather(*(self._send(w, identity, event) for w in self._registry.webhooks.values()))
        if all(sent) or tries > len(RETRY_MS):
            await self._store.do("XACK", stream, GROUP, identity)

    async def _send(self, webhook: Webhook, identity: Any, event: bytes) -> bool:
        """Send one event to one receiver once; a receiver that took it before is not asked again."""
        # Entries of two shards may have the same number, and a version that a failover lost is told of anew.
        done = f"{keys.NOTIFICATIONS}:{webhook.name}:{_message_id(event)}:{identity.decode()}"
        if await self._store.do("EXISTS", done):
            return True
        try:
            outcome = await self._post(webhook, event)
        except Exception as error:  # noqa: BLE001 - what is wrong with one receiver must not keep others waiting
            log.warning("webhook %s: %s", webhook.name, type(error).__name__)
            outcome = "failed"
        await self._store.do("HINCRBY", keys.NOTIFICATIONS, f"webhook{keys.SEPARATOR}{outcome}", 1)
        if outcome == "delivered":
            await self._store.do("SET", done, 1, "EX", 7 * 86_400)
        return outcome == "delivered"

    async def _post(self, webhook: Webhook, event: bytes) -> str:
        message = _message_id(event)
        at = datetime.now(UTC)
        headers = {
            "content-type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Signer(webhook.secret).sign(message, at, event.decode()),
        }
        try:
            answer = await self._outbound.fetch("POST", webhook.url, content=event, headers=headers)
        except OutboundError as error:
            log.warning("webhook %s: %s", webhook.name, error)
            return "failed"
        if 200 <= answer.status < 300:
            return "delivered"
        log.warning("webhook %s: the receiver answered %s", webhook.name, answer.status)
        return "failed"


def _message_id(event: bytes) -> str:
    return str(json.loads(event)["id"])
