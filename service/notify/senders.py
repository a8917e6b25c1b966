"""The senders of all types of channels."""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

from collectors.outbound import Outbound
from service.notify.channel import (
    AlertmanagerChannel,
    AppriseChannel,
    Channel,
    ChannelError,
    SlackChannel,
    WebhookChannel,
    with_secrets,
)
from service.notify.notice import Message, Notice, Outcome, Sender
from service.notify.send_alertmanager import AlertmanagerSender
from service.notify.send_apprise import AppriseSender
from service.notify.send_opsgenie import OpsgenieSender
from service.notify.send_pagerduty import PagerDutySender
from service.notify.send_slack import SlackSender
from service.notify.send_webhook import WebhookSender
from service.store import Store

INCIDENTS: Mapping[str, Callable[[Outbound, str], Sender]] = {
    "pagerduty": PagerDutySender,
    "opsgenie": OpsgenieSender,
}
"""Apprise's schemes for services that keep incidents: they hear of one episode under one key."""


@runtime_checkable
class Speaker(Protocol):
    """A way out to people that takes a message which belongs to no episode."""

    async def say(self, message: Message) -> Outcome:
        """Try once; what goes wrong is an outcome, never an exception."""
        ...


class IncidentSender:
    """Sends to a service that keeps incidents, whose URL may stand in the environment."""

    def __init__(self, outbound: Outbound, channel: AppriseChannel, secrets: Mapping[str, str]) -> None:
        self._outbound = outbound
        self._channel: Channel = channel
        self._secrets = secrets

    async def send(self, notice: Notice, message: Message) -> Outcome:
        """Try once."""
        try:
            url = _url(self._channel, self._secrets)
        except ChannelError as error:
            return Outcome("again", str(error))
        return await INCIDENTS[_scheme(url)](self._outbound, url).send(notice, message)


def senders(outbound: Outbound, secrets: Mapping[str, str], store: Store) -> Mapping[str, Callable[[Channel], Sender]]:
    """Return how each type of channel is sent to; `secrets` are what `env:NAME` may stand for."""

    def apprise(channel: Channel) -> Sender:
        assert isinstance(channel, AppriseChannel)
        try:
            incidents = _scheme(_url(channel, secrets)) in INCIDENTS
        except ChannelError:
            incidents = False
        return (IncidentSender if incidents else AppriseSender)(outbound, channel, secrets)

    def slack(channel: Channel) -> Sender:
        assert isinstance(channel, SlackChannel)
        return SlackSender(outbound, channel, secrets, store)

    def webhook(channel: Channel) -> Sender:
        assert isinstance(channel, WebhookChannel)
        return WebhookSender(outbound, channel, secrets)

    def alertmanager(channel: Channel) -> Sender:
        assert isinstance(channel, AlertmanagerChannel)
        return AlertmanagerSender(outbound, channel, secrets, store)

    return {"apprise": apprise, "slack": slack, "webhook": webhook, "alertmanager": alertmanager}


def _url(channel: Channel, secrets: Mapping[str, str]) -> str:
    found = with_secrets(channel, secrets)
    assert isinstance(found, AppriseChannel)
    return found.url


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()
