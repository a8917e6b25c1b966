"""What every collector declares and does; the runtime does the rest once for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from collectors.mention import Count, Mention


class CollectorError(Exception):
    """The source could not be read this time; `retry_after` (seconds) is what it asked for, if it did."""

    def __init__(self, reason: str, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after


@dataclass(frozen=True)
class Declaration:
    """What a collector can do, needs and costs: the rows of the table of sources."""

    name: str
    reads: str
    needs_key: bool
    push: bool
    counts: bool
    backfill: str
    price: str
    poll_seconds: float


@dataclass(frozen=True)
class Batch:
    """One answer of a source.

    `cursor` is where the next poll goes on and is stored only after the batch was accepted; `complete_until` says up
    to when the source has told all it will; `cost` is what reading it cost, in dollars.
    """

    mentions: list[Mention] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    cursor: Mapping[str, Any] = field(default_factory=dict)
    complete_until: datetime | None = None
    cost: float = 0.0
    more: bool = False
    skipped: int = 0


class Collector(Protocol):
    """Reads one source for one brand. It keeps no state between polls: all of it is in the cursor."""

    declaration: Declaration

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read what is new since `cursor` ({} at first).

        Raises:
            CollectorError: the source could not be read; nothing was taken, the cursor stays.
        """
        ...
