"""Alerts that stand at Alertmanagers are told again every minute, since a restarted one knows none of them."""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Mapping

from redis.exceptions import RedisError

from service import keys
from service.episode import Event, event_of
from service.episodes import Episodes
from service.lease import Lease
from service.notify.channel import Channel
from service.notify.notice import Message, Sender
from service.notify.routing import seen_by
from service.notify.send_alertmanager import Alert, AlertmanagerSender, described, ended
from service.registry import Registry
from service.store import Store, mended

EVERY = 60.0
"""Seconds: Prometheus' own resend delay."""

log = logging.getLogger("foreshock.notify")


class Standing:
    """Any number may run; who holds the lease tells."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        senders: Mapping[str, Callable[[Channel], Sender]],
        compose: Callable[[Event], Message],
        lease: Lease,
    ) -> None:
        self._store, self._registry = store, registry
        self._senders = senders
        self._compose = compose
        self._lease = lease

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            try:
                if await self._lease.hold():
                    await self.told_again()
            except (RedisError, OSError) as error:
                log.warning("the store is away (%s), trying again", type(error).__name__)
                await mended(self._store, error)
            except Exception:  # one alert that can't be told again must not end what tells all others
                log.exception("what stands could not be told again")
            await asyncio.sleep(EVERY)

    async def told_again(self) -> None:
        """Tell every Alertmanager what stands; what is over by now, or gone, ends there."""
        stored = await self._store.do("HGETALL", keys.STANDING)
        if not stored:
            return
        await self._registry.refresh()
        by_channel: dict[str, dict[str, Alert]] = defaultdict(dict)
        for field, text in stored.items():
            channel, _, episode = field.decode().partition(keys.SEPARATOR)
            by_channel[channel][episode] = json.loads(text)
        for name, alerts in by_channel.items():
            configured = self._registry.channels.get(name)
            if configured is None or configured.type != "alertmanager":
                await self._forget(name, list(alerts))
                continue
            sender = self._senders["alertmanager"](configured)
            assert isinstance(sender, AlertmanagerSender)
            await self._tell(name, sender, alerts)

    async def _tell(self, name: str, sender: AlertmanagerSender, alerts: Mapping[str, Alert]) -> None:
        found = await Episodes(self._store).many(list(alerts))
        told, over = list[Alert](), list[str]()
        for (identity, alert), episode in zip(alerts.items(), found, strict=True):
            if episode is None or episode.state == "resolved":
                over.append(identity)
                told.append(ended(alert))
                continue
            try:
                seen = seen_by(self._registry, name, event_of(episode))
                told.append(described(episode, self._compose(seen)) | alert)
            except Exception:  # the words of one alert must not keep the others from standing
                log.exception("the words for %s", identity)
        outcome = await sender.post(told)
        if outcome.result != "delivered":
            log.warning("channel %s: what stands there could not be told again: %s", name, outcome.detail)
        elif over:
            await self._forget(name, over)

    async def _forget(self, name: str, episodes: list[str]) -> None:
        await self._store.do("HDEL", keys.STANDING, *(f"{name}{keys.SEPARATOR}{i}" for i in episodes))
