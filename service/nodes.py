"""The primaries that hold the keys: one server, the one that Sentinels name, or those of a Cluster; found when lost."""

import asyncio
import random
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from redis.crc import key_slot
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError

from service.address import ASKING, Address, Place

SLOTS = 16384
ASKED = 8
"""Nodes of a large Cluster that are asked at once who is primary."""

Ranges = list[tuple[int, Place]]
"""First slot of each range, rising, and who has it; ("", -1) where nobody has."""
NOBODY: Place = ("", -1)
T = TypeVar("T")


class Nodes:
    """Clients of the primaries, one each. `version` rises each time that they are found anew."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._lock = asyncio.Lock()
        self._known: list[Place] = list(address.seeds)
        self._clients: dict[Place, Any] = {}
        self._first: list[int] = []
        self._places: list[Place] = []
        self.version = 0
        self.spread = address.kind == "cluster"
        if address.kind == "one":
            self._take([(0, ("", 0))])

    def of(self, key: Any) -> Any:
        """Return the client of who has `key`.

        Raises:
            RedisConnectionError: nobody has it at the moment.
        """
        slot = key_slot(key if isinstance(key, bytes) else str(key).encode()) if self.spread else 0
        place = self._places[bisect_right(self._first, slot) - 1] if self._places else NOBODY
        if place == NOBODY:
            raise RedisConnectionError("no primary is known for the key")
        return self._clients[place]

    def all(self) -> list[Any]:
        """Return the client of every primary."""
        return list(self._clients.values())

    async def renew(self, version: int) -> None:
        """Find the primaries anew, unless that was done since `version`.

        Raises:
            RedisConnectionError: nobody can be asked.
        ResponseError: nobody says it.
        """
        async with self._lock:
            if self.version != version:
                return
            if self._address.kind != "one":
                find = self._by_sentinels if self._address.kind == "sentinel" else self._by_cluster
                gone = self._take(await find())
                await asyncio.gather(*(client.aclose() for client in gone), return_exceptions=True)
            self.version += 1

    async def close(self) -> None:
        """Close every connection."""
        for client in self._clients.values():
            await client.aclose()

    def _take(self, ranges: Ranges) -> list[Any]:
        """Serve from these from now on; return the clients that are of no use any more."""
        self._first = [first for first, _ in ranges]
        self._places = [place for _, place in ranges]
        before, wanted = self._clients, {place for place in self._places if place != NOBODY}
        self._clients = {place: before.get(place) or self._address.primary(place) for place in wanted}
        return [client for place, client in before.items() if place not in wanted]

    async def _by_sentinels(self) -> Ranges:
        name = self._address.service

        async def ask(place: Place) -> tuple[int, Ranges]:
            primary, state = await self._ask(
                place, ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name), ("SENTINEL", "MASTER", name)
            )
            if primary is None:
                raise ResponseError(f"it watches no primary called {name!r}")
            fields = dict(zip(state[::2], state[1::2], strict=True))
            return int(fields[b"config-epoch"]), [(0, (primary[0].decode(), int(primary[1])))]

        return await self._newest(ask, self._address.seeds, "Sentinel")

    async def _by_cluster(self) -> Ranges:
        async def ask(place: Place) -> tuple[int, tuple[Ranges, list[Place]]]:
            info, rows = await self._ask(place, ("CLUSTER", "INFO"), ("CLUSTER", "SLOTS"))
            fields = dict(line.split(":", 1) for line in info.decode().split())
            # One that is cut off from most others says so, and its picture is old.
            return int(fields["cluster_state"] == "ok") << 62 | int(fields["cluster_current_epoch"]), _slots(
                rows, place
            )

        some = random.sample(self._known, min(ASKED, len(self._known)))
        ranges, known = await self._newest(ask, some, "node of the Cluster")
        self._known = list({*known, *self._address.seeds})
        return ranges

    async def _newest(self, ask: Callable[[Place], Awaitable[tuple[int, T]]], places: Sequence[Place], what: str) -> T:
        """Ask all at once and believe the one with the newest epoch."""
        told = await asyncio.gather(*(ask(place) for place in places), return_exceptions=True)
        answers = [answer for answer in told if isinstance(answer, tuple)]
        if not answers:
            refused = all(isinstance(error, ResponseError | AuthenticationError) for error in told)
            kind = ResponseError if refused else RedisConnectionError  # what is refused is refused the next time too
            raise kind(f"no {what} says who is primary: {told[0]}")
        return max(answers, key=lambda answer: answer[0])[1]

    async def _ask(self, place: Place, *commands: tuple[str, ...]) -> list[Any]:
        login = self._address.sentinel_login if self._address.kind == "sentinel" else {}
        client = self._address.client(place, **ASKING, **login)
        try:
            pipeline = client.pipeline(transaction=False)
            for command in commands:
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        finally:
            await client.aclose()
        wrong = [answer for answer in answers if isinstance(answer, RedisError)]
        if wrong and not str(wrong[0]).startswith("No such master"):
            raise wrong[0]
        return [None if isinstance(answer, RedisError) else answer for answer in answers]


def _slots(rows: Sequence[Any], asked: Place) -> tuple[Ranges, list[Place]]:
    """Read CLUSTER SLOTS: who has which slots, and all nodes; one without a host is at the host that was asked."""

    def place(node: Sequence[Any]) -> Place:
        host = (node[0] or b"").decode()
        return (asked[0] if host in ("", "?") else host), int(node[1])

    ranges: Ranges = []
    expected = 0
    for low, high, *nodes in sorted(rows, key=lambda row: int(row[0])):
        if int(low) > expected:
            ranges.append((expected, NOBODY))
        ranges.append((int(low), place(nodes[0])))
        expected = int(high) + 1
    if expected < SLOTS:
        ranges.append((expected, NOBODY))
    return ranges, [place(node) for _, _, *nodes in rows for node in nodes]
