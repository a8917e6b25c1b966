"""What is told to a channel, and what became of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from service.episode import Event

Result = Literal["delivered", "again", "never"]
"""Arrived; to be tried again; refused for good (trying again would give the same)."""


@dataclass(frozen=True)
class Notice:
    """One event for one channel; `id` is the same however often it is sent, `why` says what sent it there.

    `page`: somebody is to be woken. Else it keeps those up to date who know already.
    """

    id: str
    channel: str
    event: Event
    why: str
    page: bool


@dataclass(frozen=True)
class Outcome:
    """What became of one try; `after` is how many seconds the receiver asked to wait, None where it did not say.

    `maybe`: it may have arrived though no answer did, as with a time-out after it was sent.
    """

    result: Result
    detail: str = ""
    after: float | None = None
    maybe: bool = False


@dataclass(frozen=True)
class Quote:
    """A post that shows what it is about; all of it is what strangers wrote, so every sender escapes it."""

    text: str
    author: str = ""
    source: str = ""
    url: str | None = None


@dataclass(frozen=True)
class Message:
    """What a person reads in ten seconds, in the brand's local time; plain text, for senders to dress and escape.

    `summary` is a line, `lines` are the proof, `facts` name and value beside it; `url` leads to the
    episode on the board.
    """

    title: str
    summary: str
    lines: Sequence[str] = ()
    facts: Sequence[tuple[str, str]] = ()
    quotes: Sequence[Quote] = ()
    url: str = ""
    severity: int = 1
    resolved: bool = False
    chart: bytes | None = field(default=None, repr=False)


class Sender(Protocol):
    """One channel's way out."""

    async def send(self, notice: Notice, message: Message) -> Outcome:
        """Try once; what goes wrong is an outcome, never an exception."""
        ...
