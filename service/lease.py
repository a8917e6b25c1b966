"""Who ticks, and who collects: one process at a time, with a fencing token that outdates its predecessor's writes."""

from service import keys
from service.store import Store

HELD_MS = 10_000
"""How long one that died keeps others waiting."""


class Lease:
    """A lease that is taken and renewed by asking for it."""

    def __init__(self, store: Store, holder: str, work: str) -> None:
        self._store = store
        self._holder = holder
        self._key = keys.lease(work)

    async def hold(self) -> int | None:
        """Take or renew the lease; return its fencing token, None where another holds it."""
        return int(await self._store.call("fs_lease", self._key, self._holder, HELD_MS)) or None

    async def release(self) -> None:
        """Give the lease back, so that another need not wait; one that another holds is left alone."""
        await self._store.call("fs_lease", self._key, self._holder, 0)
