"""Webhooks of systems: the event as JSON, signed by Standard Webhooks with each of the channel's secrets."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks.webhooks import Webhook as Signer

from collectors.outbound import Outbound, OutboundError
from service.notify.channel import Channel, ChannelError, WebhookChannel, with_secrets
from service.notify.notice import Message, Notice, Outcome
from service.notify.posting import may_have_arrived

GONE = 410
"""The receiver is there no more, says Standard Webhooks."""


class WebhookSender:
    """Sends every event under its own id, however often."""

    def __init__(self, outbound: Outbound, channel: WebhookChannel, secrets: Mapping[str, str]) -> None:
        self._outbound = outbound
        self._channel: Channel = channel
        self._secrets = secrets

    async def send(self, notice: Notice, message: Message) -> Outcome:  # noqa: ARG002 - systems read the event
        """Try once."""
        try:
            channel = with_secrets(self._channel, self._secrets)
        except ChannelError as error:
            return Outcome("again", str(error))
        assert isinstance(channel, WebhookChannel)
        at, text = datetime.now(UTC), notice.event.model_dump_json()
        headers = {"content-type": "application/json", **signed(channel.secrets, notice.event.id, at, text)}
        try:
            answer = await self._outbound.fetch("POST", channel.url, content=text.encode(), headers=headers)
        except OutboundError as error:
            return Outcome("again", str(error), maybe=may_have_arrived(error))
        if 200 <= answer.status < 300:
            return Outcome("delivered", str(answer.status))
        what = f"the receiver answered {answer.status}"
        if answer.status == GONE:
            return Outcome("never", what)
        return Outcome("again", what, after=answer.retry_after(at))


def signed(secrets: Sequence[str], identity: str, at: datetime, text: str) -> dict[str, str]:
    """Return the headers of a delivery: one signature a secret, so that an old and a new one are both good.

    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(Signer(secret).sign(identity, at, text) for secret in secrets),
    }
