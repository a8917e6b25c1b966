"""PagerDuty's Events API v2: one incident an episode, acknowledged and resolved as the episode is.

Apprise can only open or resolve by a key of its own; the channel is configured by Apprise's URL all the same.
"""

import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote

from collectors.outbound import Outbound
from service.episode import PAGES
from service.notify.notice import Message, Notice, Outcome
from service.notify.posting import post

ACCEPTED = 202
SEVERITIES = {5: "critical", 4: "critical", 3: "error", 2: "warning", 1: "info"}
LONGEST = 1024
"""Characters of a summary."""
HOSTS = {"us": "https://events.pagerduty.com", "eu": "https://events.eu.pagerduty.com"}
ACTS = {"episode.acknowledged": "acknowledge", "episode.snoozed": "acknowledge", "episode.resolved": "resolve"}


class PagerDutySender:
    """Sends to `pagerduty://INTEGRATION_KEY@API_KEY`; `host` stands in for PagerDuty's."""

    def __init__(self, outbound: Outbound, url: str, host: str | None = None) -> None:
        self._outbound = outbound
        place, _, query = url.partition("://")[2].partition("?")
        self._key = unquote(re.split("[/?]", place)[0].rpartition("@")[0])
        self._host = host or HOSTS.get(parse_qs(query).get("region", ["us"])[0].lower(), HOSTS["us"])

    async def send(self, notice: Notice, message: Message) -> Outcome:
        """Try once; what changes nothing of an incident is not sent."""
        kind = notice.event.type
        act = "trigger" if kind in PAGES or kind == "episode.updated" else ACTS.get(kind)
        if act is None:
            return Outcome("delivered", "nothing of it changes the incident")
        return await self._post(act, notice.event.episode.id, message, str(notice.event.episode.opened_at.isoformat()))

    async def _post(self, act: str, key: str, message: Message, at: str) -> Outcome:
        told: dict[str, Any] = {"routing_key": self._key, "event_action": act, "dedup_key": key[:255]}
        if act == "trigger":
            details = {"summary": message.summary, "proof": "\n".join(message.lines), **dict(message.facts)}
            told["payload"] = {
                "summary": f"{message.title}. {message.summary}"[:LONGEST],
                "source": "foreshock",
                "severity": SEVERITIES[message.severity],
                "timestamp": at,
                "custom_details": details,
            }
            told |= {"client": "Foreshock", "client_url": message.url}
            told["links"] = [{"href": message.url, "text": "The episode"}] if message.url else []
        sent = json.dumps(told).encode()
        return await post(self._outbound, f"{self._host}/v2/enqueue", sent, good=(ACCEPTED,), name="PagerDuty")
