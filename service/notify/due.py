"""What is still to be told, as the store keeps it: planned in one step with the event, claimed, settled."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec

from service import keys
from service.store import Store

Ending = Literal["delivered", "lost", "dropped", "muted"]
"""How a notice ends: arrived; given up (a defect); needless by now; nobody wants to hear of it."""
Said = Ending | Literal["failed"]
"""What the delivery log says of a try, or of an end without one."""

LEASE, HOLD = 6.0, 30.0
"""Seconds that a claim lasts and who died keeps others waiting; how long it is renewed, longer than a try may take."""
AT_ONCE = 16
"""Notices claimed of a shard in one turn."""


class Pending(msgspec.Struct, frozen=True):
    """A notice until it is settled.

    `entry` is its event's in the shard's event log; `type`, `at` (ISO 8601), `brand` and `episode` are the event's.
    `kind` is the type of its channel, `system` whether that is a machine's. `due` is when it is tried first (POSIX
    seconds); `tries` were made. `maybe`: one of them may have arrived, though none was answered.
    """

    id: str
    entry: str
    event: str
    type: str
    at: str
    brand: str
    episode: str
    channel: str
    kind: str
    system: bool
    why: str
    page: bool
    due: float
    unless: Literal["acknowledged"] | None = None
    only_if_paged: bool = False
    muted: str | None = None
    tries: int = 0
    maybe: bool = False


@dataclass(frozen=True)
class Claim:
    """A notice in hand; `knows` is whether its channel was told of the episode before."""

    tag: str
    pending: Pending
    knows: bool


_decoder = msgspec.json.Decoder(Pending)
_several = msgspec.json.Decoder(list[str])


def packed(pendings: Sequence[Pending]) -> str:
    """Return notices as the store keeps them."""
    return msgspec.json.encode([msgspec.json.encode(p).decode() for p in pendings]).decode()


def unpacked(text: bytes) -> list[Pending]:
    """Return the notices that `packed` made a text of."""
    return [_decoder.decode(one) for one in _several.decode(text)]


class Due:
    """Changes what is still to be told, each change one step on one shard."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._held: dict[tuple[str, str], float] = {}

    async def plan(self, tag: str, entry: str, now: float, pendings: Sequence[Pending], repair: bool = False) -> bool:
        """Acknowledge an event and keep what is to be told of it; say whether an earlier event must go first.

        With `repair`, notices that are lost are put in again.
        """
        text = packed(pendings)
        return int(await self._store.call("fs_plan", keys.events(tag), entry, now, text, int(repair))) < 0

    async def claim(self, tags: Sequence[str], now: float) -> list[Claim]:
        """Take what is due in some shards for LEASE seconds; nobody else gets it meanwhile."""
        found = await self._store.calls("fs_claim", [keys.due(tag) for tag in tags], now, LEASE, AT_ONCE)
        claims = [
            Claim(tag, _decoder.decode(told[n]), bool(told[n + 1]))
            for tag, told in zip(tags, found, strict=True)
            for n in range(0, len(told), 2)
        ]
        self._held |= {(claim.tag, claim.pending.id): now + HOLD for claim in claims}
        return claims

    async def renew(self, now: float) -> None:
        """Keep what was claimed here and is still under way."""
        self._held = {of: until for of, until in self._held.items() if until > now}
        await self._store.pipe([("ZADD", keys.sending(tag), "XX", now + LEASE, notice) for tag, notice in self._held])

    async def later(
        self, tag: str, pending: Pending, now: float, due: float, detail: str = "", ms: float = 0.0
    ) -> None:
        """Put a notice back until `due`; with a `detail` a try has failed, else there was none."""
        outcome = "failed" if detail else ""
        await self._tried(tag, pending, now, due, outcome, detail, ms, "")

    async def end(self, tag: str, pending: Pending, now: float, how: Ending, detail: str = "", ms: float = 0.0) -> None:
        """Settle a notice; the next of its line is due."""
        over = pending.type == "episode.resolved"
        knows = ("0" if over else "1") if how == "delivered" or (pending.maybe and not over) else ""
        await self._tried(tag, pending, now, "", how, detail, ms, knows)

    async def _tried(
        self, tag: str, pending: Pending, now: float, due: float | str, said: str, detail: str, ms: float, knows: str
    ) -> None:
        self._held.pop((tag, pending.id), None)
        text = msgspec.json.encode(pending)
        await self._store.call("fs_tried", keys.due(tag), text, now, due, said, detail, round(ms, 1), knows)

    async def held(self, tag: str, pendings: Sequence[Pending]) -> list[bool]:
        """Say of each notice whether it is sure to be sent."""
        if not pendings:
            return []
        return [bool(n) for n in await self._store.call("fs_held", keys.due(tag), packed(pendings))]
