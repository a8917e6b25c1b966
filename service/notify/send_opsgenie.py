"""Opsgenie's Alert API: one alert an episode by its alias, acknowledged and closed as the episode is."""

import json
import re
from typing import Any
from urllib.parse import parse_qs, quote, unquote

from collectors.outbound import Outbound
from service.episode import PAGES
from service.notify.notice import Message, Notice, Outcome
from service.notify.posting import post

HOSTS = {"us": "https://api.opsgenie.com", "eu": "https://api.eu.opsgenie.com"}
ACTS = {"episode.acknowledged": "acknowledge", "episode.snoozed": "acknowledge", "episode.resolved": "close"}
RESPONDERS = {
    "@": ("user", "username"),
    "#": ("team", "name"),
    "*": ("schedule", "name"),
    "^": ("escalation", "name"),
}
MESSAGE, DESCRIPTION, ALIAS = 130, 15_000, 512
"""Characters that each field takes."""


class OpsgenieSender:
    """Sends to `opsgenie://API_KEY/#team/@user`; `host` stands in for Opsgenie's."""

    def __init__(self, outbound: Outbound, url: str, host: str | None = None) -> None:
        self._outbound = outbound
        place, _, query = url.partition("://")[2].partition("?")
        first, *targets = [unquote(part) for part in place.split("/")]
        self._key = first.rpartition("@")[2]
        self._host = host or HOSTS.get(parse_qs(query).get("region", ["us"])[0].lower(), HOSTS["us"])
        named = [(*RESPONDERS.get(t[0], ("team", "name")), re.sub(r"^[@#*^]", "", t)) for t in targets if t]
        self._responders = [{"type": kind, by: name} for kind, by, name in named]

    async def send(self, notice: Notice, message: Message) -> Outcome:
        """Try once; what changes nothing of an alert is not sent."""
        kind, alias = notice.event.type, notice.event.episode.id[:ALIAS]
        if kind in PAGES or kind == "episode.updated":
            return await self._post("/v2/alerts", self._alert(alias, message))
        if kind not in ACTS:
            return Outcome("delivered", "nothing of it changes the alert")
        path = f"/v2/alerts/{quote(alias, safe='')}/{ACTS[kind]}?identifierType=alias"
        return await self._post(path, {"source": "Foreshock", "note": message.title})

    def _alert(self, alias: str, message: Message) -> dict[str, Any]:
        return {
            "message": message.title[:MESSAGE],
            "alias": alias,
            "description": "\n".join([message.summary, *message.lines, message.url])[:DESCRIPTION],
            "responders": self._responders,
            "details": dict(message.facts),
            "priority": f"P{6 - message.severity}",
            "source": "Foreshock",
        }

    async def _post(self, path: str, told: dict[str, Any]) -> Outcome:
        headers = {"authorization": f"GenieKey {self._key}"}
        return await post(self._outbound, self._host + path, json.dumps(told).encode(), headers, name="Opsgenie")
