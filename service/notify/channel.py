"""Channels: the ways out to people and systems, as they are configured; what is secret in them is never shown again."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from service.brand import BrandName, Webhook, signing_secret
from service.episode import EventType
from service.notify.apprise_schemes import allowed
from service.settings import CHANNEL as ENVIRONMENT

MASK = "***"
MASKED = ("url", "token", "webhook_url", "signing_secret", "secrets", "password")
"""Fields that are, or hold, a secret."""

_REFERENCE = re.compile(rf"env:{ENVIRONMENT}[A-Z0-9_]+")


class ChannelError(ValueError):
    """A channel can't be used as it is configured; the message is one line without secrets."""


def _reference(text: str) -> bool:
    if text.startswith("env:") and not _REFERENCE.fullmatch(text):
        raise ValueError(f"env: reads variables whose names begin with {ENVIRONMENT} alone")
    if text.endswith(MASK):
        raise ValueError(f"{MASK} is what answers show instead of a secret: give the secret itself")
    return text.startswith("env:")


def _web(text: str) -> str:
    if not _reference(text) and not re.match(r"https?://[^/\s]", text):
        raise ValueError("an address that begins with https:// (or http://) is expected")
    return text


def _apprise(text: str) -> str:
    return text if _reference(text) else allowed(text)


def _signs(text: str) -> str:
    return text if _reference(text) else signing_secret(text)


def _bot(text: str) -> str:
    if not _reference(text) and not text.startswith("xoxb-"):
        raise ValueError("a bot's token is expected, which begins with xoxb-")
    return text


def _plain(text: str) -> str:
    _reference(text)
    return text


Text = Annotated[str, StringConstraints(min_length=1, max_length=2048, strip_whitespace=True)]
Secret = Annotated[Text, AfterValidator(_plain)]
WebAddress = Annotated[Text, AfterValidator(_web)]


class _Channel(BaseModel):
    """What all channels have: a name, and how many messages a minute they take before several become one."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    name: BrandName
    per_minute: int = Field(default=20, ge=1, le=1000, description="messages; what is more is told together")


class AppriseChannel(_Channel):
    """E-mail, Teams, Telegram, PagerDuty, Opsgenie and a hundred more: one Apprise URL of an allowed scheme."""

    type: Literal["apprise"]
    url: Annotated[Text, AfterValidator(_apprise)] = Field(repr=False)


class SlackChannel(_Channel):
    """Slack: a bot's `token` and a `channel` (with buttons, where `signing_secret` is given), or a `webhook_url`."""

    type: Literal["slack"]
    token: Annotated[Text, AfterValidator(_bot)] | None = Field(default=None, repr=False)
    channel: Annotated[str, StringConstraints(min_length=1, max_length=100)] | None = None
    signing_secret: Secret | None = Field(default=None, repr=False, description="proves who pressed a button")
    webhook_url: WebAddress | None = Field(default=None, repr=False)
    api_url: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]", max_length=2048)] = "https://slack.com/api"

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        by_bot = self.token is not None and self.channel is not None
        if by_bot == (self.webhook_url is not None) or (self.token is None) != (self.channel is None):
            raise ValueError("either token and channel, or webhook_url are expected")
        return self


class WebhookChannel(_Channel):
    """A system's receiver, signed by Standard Webhooks with each of `secrets`, so that they can be exchanged."""

    type: Literal["webhook"]
    url: WebAddress = Field(repr=False)
    secrets: list[Annotated[Text, AfterValidator(_signs)]] = Field(min_length=1, max_length=5, repr=False)
    events: list[EventType] | None = Field(default=None, min_length=1, description="only these; all by default")


class AlertmanagerChannel(_Channel):
    """Alertmanager's API v2: `url` is its root; `token` goes as a bearer's, `username` and `password` as basic."""

    type: Literal["alertmanager"]
    url: WebAddress = Field(repr=False)
    token: Secret | None = Field(default=None, repr=False)
    username: str | None = Field(default=None, max_length=200)
    password: Secret | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _one_proof(self) -> Self:
        if (self.username is None) != (self.password is None) or (self.token and self.password):
            raise ValueError("either token, or username and password, or none of them are expected")
        return self


Channel = Annotated[
    AppriseChannel | SlackChannel | WebhookChannel | AlertmanagerChannel,
    Field(discriminator="type"),
]
CHANNEL: TypeAdapter[Channel] = TypeAdapter(Channel, config=ConfigDict(hide_input_in_errors=True))


@lru_cache(maxsize=1000)
def of_webhook(webhook: Webhook) -> WebhookChannel:
    """Return an entry of `webhooks:` as a channel."""
    return WebhookChannel(type="webhook", name=webhook.name, url=webhook.url, secrets=[webhook.secret])


def masked(channel: Channel) -> dict[str, Any]:
    """Return a channel as answers show it: secrets as ***, references to the environment as they are."""

    def shown(value: Any) -> Any:
        if isinstance(value, list):
            return [shown(v) for v in value]
        return value if value is None or value.startswith("env:") else _start(value) + MASK

    told = channel.model_dump(mode="json")
    return {name: shown(value) if name in MASKED else value for name, value in told.items()}


def _start(secret: str) -> str:
    """Return what of a secret says no more than where it leads: scheme and host on the web, the scheme of others."""
    scheme, address, _ = secret.partition("://")
    if not address:
        return ""
    try:
        host = urlsplit(secret).hostname if scheme.lower() in {"http", "https"} else None
    except ValueError:
        host = None
    return f"{scheme}://{host}/" if host else f"{scheme}://"


def with_secrets(channel: Channel, environ: Mapping[str, str]) -> Channel:
    """Return a channel with what `env:NAME` stands for (`Settings.channel_secrets`), checked as in a file.

    Raises:
        ChannelError: a variable is not set, or what it holds is not what is expected there.
    """
    told = channel.model_dump()

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(v) for v in value]
        if not isinstance(value, str) or not value.startswith("env:"):
            return value
        found = environ.get(value.removeprefix("env:"), "").strip()
        if not found or found.startswith("env:"):
            raise ChannelError(f"channel {channel.name}: {value.removeprefix('env:')} is not set")
        return found

    try:
        return CHANNEL.validate_python({n: read(v) if n in MASKED else v for n, v in told.items()})
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        raise ChannelError(f"channel {channel.name}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
