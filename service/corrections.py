"""How brands' shares are corrected by their labels, as every process reads it from the store."""

import time
from collections.abc import Iterable
from typing import Any

import msgspec
import numpy as np

from collectors.correct import Correction, Estimate
from detectors.series import Floats
from service import keys
from service.store import Store

AGE = 2.0
"""Seconds that what was read stands; what is decided takes effect ten minutes later at the least."""


class Comparison(msgspec.Struct, frozen=True):
    """A brand's own model beside the default one on held-out labels, every class weighing the same.

    `gain` is the log loss saved a label, `error` its standard error; `wins` where it is more than that.
    """

    at: str
    labels: int
    loss_before: float
    loss: float
    gain: float
    error: float
    accuracy_before: float
    accuracy: float
    wins: bool


class Standing(msgspec.Struct, frozen=True):
    """What a brand's labels led to.

    `seen` is the number of changes that it rests on, `at` when (POSIX seconds), `labels` how many are of scored
    mentions, `why` none is corrected. `before` and `after` are the share of the last week, raw and corrected. `own` is
    the last training of the brand's own model, `why_not_own` why there is none.
    """

    seen: int
    at: float
    labels: int
    correction: Correction | None = None
    why: str | None = None
    before: float | None = None
    after: Estimate | None = None
    own: Comparison | None = None
    why_not_own: str | None = None

    def shown(self) -> dict[str, Any]:
        """Return what REST tells of it."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        spells = self.correction.spells if self.correction else ()
        newest = spells[-1] if spells else None
        del found["seen"], found["correction"], found["at"]
        return {
            **found,
            "corrected": self.correction is not None,
            "model": ("own" if newest.model else "default") if newest else "default",
            "rates": msgspec.to_builtins(newest.rates) if newest else None,
        }


async def standing(store: Store, brand: str) -> Standing | None:
    """Return what a brand's labels led to; None where none was looked at yet."""
    found = await store.do("HGET", keys.CORRECTIONS, brand)
    return _standing.decode(found) if found else None


async def correction(store: Store, brand: str) -> Correction | None:
    """Return how a brand's shares are corrected, None where they are not."""
    found = await standing(store, brand)
    return found.correction if found else None


class Corrections:
    """All brands' corrections as one process holds them: one read now and then, parsed only where it changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._said: dict[bytes, bytes] = {}
        self._by_name: dict[str, Correction] = {}
        self._read_at = -AGE

    async def refresh(self) -> None:
        """Read what is decided now, unless that was just done."""
        if time.monotonic() - self._read_at < AGE:
            return
        said: dict[bytes, bytes] = await self._store.do("HGETALL", keys.CORRECTIONS)
        for field in {name for name, _ in said.items() ^ self._said.items()}:
            found = _standing.decode(said[field]).correction if field in said else None
            self._by_name.pop(field.decode(), None)
            if found is not None:
                self._by_name[field.decode()] = found
        self._said, self._read_at = said, time.monotonic()

    def of(self, brand: str) -> Correction | None:
        """Return how a brand's shares are corrected."""
        return self._by_name.get(brand)

    def all(self) -> Iterable[tuple[str, Correction]]:
        """Return every correction with its brand."""
        return self._by_name.items()


def told(found: Correction | None, times: Floats, total: Floats, scored: Floats) -> dict[str, Any] | None:
    """Return a window's corrected share as it is shown; `times`, `total`, `scored` (n,) are its parts."""
    estimate = found.estimate(times, total, scored) if found else None
    if estimate is None or found is None:
        return None
    shares = {name: round(value, 4) for name, value in msgspec.to_builtins(estimate).items()}
    return {**shares, "labels": found.labels}


def one(time: float, total: float, scored: float) -> tuple[Floats, Floats, Floats]:
    """Return the parts of a window that is one."""
    return np.array([time]), np.array([total]), np.array([scored])


_standing = msgspec.json.Decoder(Standing)
