"""What networks push: a hook proves that a delivery is the network's own, and reads the mentions in it."""

import hashlib
import hmac
import json
from abc import ABC, abstractmethod
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from collectors.collector import Declaration
from collectors.mention import Kind, Mention, SourceName

TOLERANCE = timedelta(minutes=5)
"""How far a signed timestamp may lie from our clock, as Standard Webhooks recommends: older ones are replays."""
AS_MILLISECONDS = 10**11
"""A number from here on counts milliseconds since 1970, not seconds."""


class Refused(Exception):
    """The delivery or challenge does not prove that it is the network's."""


class Unreadable(Exception):
    """What was delivered is the network's and yet nothing that it is known to send."""


@dataclass(frozen=True)
class Delivery:
    """A request as it arrived: header names are lower-case, `body` is what was signed, byte by byte."""

    headers: Mapping[str, str]
    body: bytes
    now: datetime


@dataclass(frozen=True)
class Secrets:
    """What proves a sender: `secret` signs, `verify_token` comes with Facebook's challenge."""

    secret: str = field(repr=False)
    verify_token: str = field(default="", repr=False)


@dataclass(frozen=True)
class Found:
    """The mentions of a delivery, and how many of its items held something that could not be read."""

    mentions: list[Mention]
    skipped: int = 0


@dataclass(frozen=True)
class Reply:
    """What a challenge is answered with."""

    body: str
    media_type: str = "text/plain"


def pushed(name: str, reads: str, *, backfill: str = "none") -> Declaration:
    """What all hooks declare alike: a key is needed, nothing is polled, counted or paid."""
    return Declaration(
        name=name,
        reads=reads,
        needs_key=True,
        push=True,
        counts=False,
        backfill=backfill,
        price="free",
        poll_seconds=0.0,
    )


class Hook(BaseModel, ABC):
    """A hook as it is configured. Its secrets may stand in the environment instead, and are in no text of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    declaration: ClassVar[Declaration]

    source: SourceName
    secret: str | None = Field(default=None, min_length=8, max_length=512, repr=False)
    brands: list[str] | None = Field(
        default=None, min_length=1, max_length=100, description="whom all of it is about; else the queries decide"
    )

    @abstractmethod
    def verify(self, delivery: Delivery, secrets: Secrets) -> None:
        """See that the delivery is the network's own.

        Raises:
            Refused: it is not, or too old.
        """

    @abstractmethod
    def read(self, delivery: Delivery) -> Found:
        """Read a verified delivery.

        Raises:
            Unreadable: it is nothing that the network is known to send.
        """

    def challenge(self, parameters: Mapping[str, str], secrets: Secrets) -> Reply:  # noqa: ARG002
        """Answer a network that asks whether the address is ours.

        Raises:
            Refused: it does not know the token, or the network knows no challenges.
        """
        raise Refused(f"{self.source} asks no challenge; deliveries come by POST")


def digest(secret: bytes, *parts: bytes, algorithm: str = "sha256", encoding: Literal["hex", "base64"] = "hex") -> str:
    """HMAC of all parts as text."""
    made = hmac.new(secret, b"".join(parts), getattr(hashlib, algorithm))
    return made.hexdigest() if encoding == "hex" else b64encode(made.digest()).decode()


def same(given: str, expected: str) -> bool:
    """Whether two texts are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def see_signature(given: str | None, expected: str, name: str) -> None:
    """Compare a header with what it should be.

    Raises:
        Refused: they differ.
    """
    if not given:
        raise Refused(f"{name} is missing; a signed delivery would be right")
    if not same(given, expected):
        raise Refused(f"{name} is not of this body and our secret")


def see_fresh(said: datetime | None, now: datetime, name: str) -> None:
    """Compare a signed timestamp with the clock.

    Raises:
        Refused: it lies more than five minutes off, or is none.
    """
    if said is None:
        raise Refused(f"{name} is no time")
    if abs(now - said) > TOLERANCE:
        raise Refused(f"{name} is more than 5 minutes off our clock")


def as_json(body: bytes) -> Any:
    """Read a body as JSON.

    Raises:
        Unreadable: it is none.
    """
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Unreadable("the body is no JSON; a JSON object would be right") from None


def instant(value: object) -> datetime | None:
    """Read a time: seconds or milliseconds since 1970, as number or digits, or ISO 8601 (else of UTC)."""
    try:
        if isinstance(value, str) and not value.strip().isdigit():
            when = datetime.fromisoformat(value.strip())
            return (when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC)
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            number = float(value)
            return datetime.fromtimestamp(number / 1000 if number >= AS_MILLISECONDS else number, UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None


def mention(kind: Kind, source: str, brands: list[str] | None, **fields: Any) -> Mention | None:
    """Make a mention, or None where something in it is not sound."""
    try:
        return Mention(kind=kind, source=source, brands=brands, **fields)
    except ValidationError:
        return None
