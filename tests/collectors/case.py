"""What the conformance suite needs of each collector: a `Case`, which cases.py names under its source.

A case is a local server that speaks the network's protocol, a way to publish posts on it that the brand's query
`acmeair` matches, and a way to build the collector. The suite breaks the server by itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from collectors.collector import Collector
from collectors.outbound import Outbound
from tests.collectors.networks import Network

NOW = datetime(2026, 3, 8, 12, 0, 40, tzinfo=UTC)


@dataclass
class Case:
    """A collector with its network.

    `publish(n, at)` puts `n` posts on the server, at `at` or within the minute before it, and returns what the
    collector must give for them: mentions' ids, or `ISO minute=count` for sources of counts. `disorder` makes the
    server repeat or reorder what it gives. `outbound` is False where not all of it goes through `Outbound.fetch`; `out`
    is set by the suite. `clock` sets the server's own clock, where it has one. `answers` is False where no server is
    asked at all.
    """

    network: Network
    build: Callable[[Outbound], Collector]
    publish: Callable[[int, datetime], list[str]]
    now: datetime = NOW
    disorder: Callable[[], None] | None = None
    outbound: bool = True
    clock: Callable[[datetime], None] = lambda _: None
    out: Outbound | None = None
    answers: bool = True

    def move(self, minutes: float) -> None:
        """Let time pass, for the collector and its network."""
        self.now += timedelta(minutes=minutes)
        self.clock(self.now)
