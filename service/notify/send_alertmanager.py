"""Alertmanager's API v2: an alert an episode, kept firing until the episode is resolved.

An alert is known by its labels, so none of them changes: no severity, and the detector is the one that opened it.
Alertmanager holds alerts in memory alone; what stands is kept here, and `service/notify/standing.py` sends it again.
"""

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from collectors.outbound import Outbound
from service import keys
from service.episode import Episode
from service.notify.channel import AlertmanagerChannel, Channel, ChannelError, with_secrets
from service.notify.notice import Message, Notice, Outcome
from service.notify.posting import post
from service.store import Store

FIRES = timedelta(days=1)
"""How long an alert fires by itself: our own outage must not look like the end of a crisis."""

Alert = dict[str, Any]


class AlertmanagerSender:
    """Sends to one Alertmanager."""

    def __init__(
        self, outbound: Outbound, channel: AlertmanagerChannel, secrets: Mapping[str, str], store: Store
    ) -> None:
        self._outbound = outbound
        self._channel: Channel = channel
        self._secrets = secrets
        self._store = store

    async def send(self, notice: Notice, message: Message) -> Outcome:
        """Try once: let the alert fire as the episode stands, or end it."""
        episode = notice.event.episode
        field = place(self._channel.name, episode.id)
        stands = await self._store.do("HGET", keys.STANDING, field)
        alert = described(episode, message)
        if stands:
            alert |= json.loads(stands)
        over = episode.state == "resolved"
        if not over:
            kept = {name: alert[name] for name in ("labels", "startsAt")}  # and no words, which a deletion would miss
            await self._store.do("HSET", keys.STANDING, field, json.dumps(kept))  # first: who sends it may die
        outcome = await self.post([ended(alert) if over else alert])
        if over and outcome.result == "delivered":
            await self._store.do("HDEL", keys.STANDING, field)
        return outcome

    async def post(self, alerts: Sequence[Alert]) -> Outcome:
        """Try once to tell of alerts as they stand now."""
        try:
            channel = with_secrets(self._channel, self._secrets)
        except ChannelError as error:
            return Outcome("again", str(error))
        assert isinstance(channel, AlertmanagerChannel)
        until = (datetime.now(UTC) + FIRES).isoformat()
        told = json.dumps([{"endsAt": until, **alert} for alert in alerts]).encode()
        url = channel.url.rstrip("/") + "/api/v2/alerts"
        return await post(self._outbound, url, told, _proof(channel), name="Alertmanager")


def place(channel: str, episode: str) -> str:
    """Return the field of an alert that stands."""
    return f"{channel}{keys.SEPARATOR}{episode}"


def described(episode: Episode, message: Message) -> Alert:
    """Return the alert of an episode."""
    labels = {"alertname": "ForeshockEpisode", "brand": episode.brand, "kind": episode.kind}
    labels |= {"detector": episode.detector, **({"drill": "true"} if episode.drill else {})}
    said = {"severity": str(episode.severity), "state": episode.state, "episode": episode.id}
    return {
        "labels": labels,
        "annotations": {
            "title": message.title, "summary": message.summary, "description": "\n".join(message.lines), **said,
        },
        "startsAt": episode.opened_at.isoformat(),
        "generatorURL": message.url,
    }  # fmt: skip


def ended(alert: Alert) -> Alert:
    """Return an alert that ends now."""
    return {**alert, "endsAt": datetime.now(UTC).isoformat()}


def _proof(channel: AlertmanagerChannel) -> dict[str, str]:
    if channel.token:
        return {"authorization": f"Bearer {channel.token}"}
    if channel.username:
        pair = base64.b64encode(f"{channel.username}:{channel.password}".encode()).decode()
        return {"authorization": f"Basic {pair}"}
    return {}
