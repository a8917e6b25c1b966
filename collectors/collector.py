"""What every collector declares and does; the runtime does the rest once for all of them."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, runtime_checkable

from collectors.mention import Count, Fields, Mention


class CollectorError(Exception):
    """The source could not be read this time; `retry_after` (seconds) is what it asked for, if it did.

    `unpaid` where it is sure that nothing was delivered that could be billed.
    """

    def __init__(self, reason: str, retry_after: float | None = None, *, unpaid: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.unpaid = unpaid


@dataclass(frozen=True)
class Limit:
    """What a network lets one key ask: `requests` within any `seconds`, counted by host or by path."""

    requests: int
    seconds: float
    per: Literal["host", "path"] = "host"


@dataclass(frozen=True)
class Declaration:
    """What a collector can do, needs and costs: the rows of the table of sources.

    `limit` is kept by the runtime for all brands together, beside what the answers' headers say.
    """

    name: str
    reads: str
    needs_key: bool
    push: bool
    counts: bool
    backfill: str
    price: str
    poll_seconds: float
    limit: Limit | None = None


@dataclass(frozen=True)
class Told:
    """What a shared source says of one brand alone; `why` it does not tell now, and that in a sentence."""

    complete_until: datetime | None = None
    missed: tuple[datetime, datetime] | None = None
    why: Literal["error", "cap"] | None = None
    said: str | None = None


@dataclass(frozen=True)
class Batch:
    """One answer of a source.

    `cursor` is where the next poll goes on and is stored only after the batch was accepted; `complete_until` says up
    to when the source has told all it will; `cost` is what reading it cost, in dollars; `missed` is a span before it
    that the source no longer tells of. `each` is what a shared source says of single brands.
    """

    mentions: list[Mention] = field(default_factory=list)
    counts: list[Count] = field(default_factory=list)
    cursor: Mapping[str, Any] = field(default_factory=dict)
    complete_until: datetime | None = None
    cost: float = 0.0
    more: bool = False
    skipped: int = 0
    missed: tuple[datetime, datetime] | None = None
    each: Mapping[str, Told] = field(default_factory=dict)


class Collector(Protocol):
    """Reads one source for one brand. It keeps no state between polls: all of it is in the cursor."""

    declaration: Declaration

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read what is new since `cursor` ({} at first).

        Raises:
            CollectorError: the source could not be read; nothing was taken, the cursor stays.
        """
        ...


@dataclass(frozen=True)
class Price:
    """What the next poll may cost at `most`, in dollars.

    One that is `paced` may only use what the month's money allows by now, so that it lasts, and `ahead` days' part of
    what is left; where it is too dear, the collector goes on from the cursor `instead`, if there is one.
    """

    most: float
    paced: bool = False
    instead: Mapping[str, Any] | None = None
    ahead: float = 1.0


@runtime_checkable
class Paid(Protocol):
    """A collector whose reading costs money: the runtime reserves it before the poll, and settles it after."""

    def price(self, cursor: Mapping[str, Any], now: datetime) -> Price:
        """Say what the poll from `cursor` may cost; a batch never costs more."""
        ...


@runtime_checkable
class Streaming(Protocol):
    """A collector that keeps its connection: the runtime takes `stream`; `poll` gives the first batch of it."""

    def stream(self, cursor: Mapping[str, Any], now: datetime) -> AsyncGenerator[Batch, None]:
        """Give batch after batch over one connection, at least one in 20 seconds, and end after some minutes.

        Each is accepted, and its cursor stored, before the next one is asked for. An empty one is given too, since it
        says up to when the source is complete. What is paid is reserved for each batch.

        Raises:
            CollectorError: the connection broke; what was given before counts, the cursor is that of the last batch.
        """
        ...


Wanted = Callable[[Sequence[Fields]], Sequence[bool]]
"""Says of each mention, as fields, whether any brand asks for it: most of a network's posts are dropped by this."""


@runtime_checkable
class Shared(Protocol):
    """A collector that reads the same for all brands that configured it alike; the runtime sets `wanted`.

    Edits and deletions are given whatever `wanted` says: what a post was before is known to the store alone.
    """

    wanted: Wanted | None


@runtime_checkable
class Heedful(Protocol):
    """A collector that reads more while its brand is suspicious; the runtime says how much before each poll, 0 to 1."""

    suspicion: float


@dataclass(frozen=True)
class Ask:
    """What a brand asks of a shared source: its query, and its settings of the source."""

    query: str
    settings: Any


class Purse(Protocol):
    """What a shared collector may spend, a reservation for each of its brands."""

    async def fill(self, prices: Mapping[str, Price], spent: Mapping[str, float]) -> Mapping[str, str]:
        """Settle what brands have `spent` since, and put `prices` aside for those that have spent, or are new.

        Brands without a price give back what they hold. Returns why not, by brand, where a cap does not allow it.
        """
        ...


@runtime_checkable
class Ruled(Protocol):
    """A shared collector that tells its network what brands ask for, and that each pays for; the runtime sets both."""

    asks: Callable[[], Mapping[str, Ask]]
    purse: Purse | None
