"""What reading costs: money is reserved before a paid request and settled after it, under hard caps a calendar month.

A request whose process died, or whose answer got lost, stays charged with the most it may have cost: the caps hold, and
the ledger may say a little more than the bill. Months are UTC's.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field

from collectors.collector import Price
from service import keys
from service.brand import BrandName
from service.store import Store

MILLION = 1_000_000
"""The ledger counts whole millionths of a dollar, so that sums are exact."""
LEAST_SECONDS = 3600.0
"""Spending is forecast from the rate of this long at the least: a first poll says nothing of the month."""


class Caps(BaseModel):
    """Dollars that reading may cost a calendar month (UTC); None is without a cap."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    monthly_cap: float | None = Field(default=None, ge=0, le=1e9, description="all brands and sources together")
    brand_cap: float | None = Field(default=50.0, ge=0, le=1e9, description="of each brand that `brands` does not name")
    brands: dict[BrandName, float] = Field(default_factory=dict, description="of single brands")
    sources: dict[str, float] = Field(default_factory=dict, description="of single sources, all brands together")


@dataclass(frozen=True)
class Month:
    """A calendar month of UTC; instants are POSIX seconds."""

    name: str
    start: float
    end: float

    @classmethod
    def of(cls, now: float) -> "Month":
        """Return the month that holds `now`."""
        first = datetime.fromtimestamp(now, UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        after = first.replace(year=first.year + first.month // 12, month=first.month % 12 + 1)
        return cls(f"{first:%Y-%m}", first.timestamp(), after.timestamp())

    def paced(self, cap: float, now: float, ahead: float = 1.0) -> float:
        """Return what may be spent of `cap` by `now` so that it lasts: its share, and `ahead` days' of the rest."""
        passed = (now - self.start) / (self.end - self.start)
        return cap * (passed + (1.0 - passed) * ahead * 86_400.0 / (self.end - self.start))


@dataclass(frozen=True)
class Reservation:
    """Money that was put aside for one poll."""

    key: str
    id: str
    attempt: str
    names: tuple[str, ...]


class CapReached(Exception):
    """The month's money does not allow the poll."""


@dataclass(frozen=True)
class Spent:
    """What one source cost for one brand this month, in dollars, and what the whole month will at this rate."""

    source: str
    brand: str
    dollars: float
    forecast: float


class Ledger:
    """The store's account of what reading cost."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def caps(self) -> Caps:
        """Return what may be spent."""
        text = await self._store.do("GET", keys.CAPS)
        return Caps.model_validate_json(text) if text else Caps()

    async def set_caps(self, caps: Caps) -> None:
        """Say what may be spent from now on."""
        await self._store.do("SET", keys.CAPS, caps.model_dump_json())

    async def reserve(
        self, collector: str, source: str, brand: str, price: Price, now: float, capped: bool = True
    ) -> Reservation:
        """Put the most that a poll may cost aside; `collector` names who polls, one poll at a time.

        What was read already is billed whatever the caps say, and so not `capped`.

        Raises:
            CapReached: a cap would be exceeded; nothing was put aside.
        """
        caps, month = await self.caps(), Month.of(now)
        limits = {name: cap if capped else None for name, cap in _limits(caps, source, brand)}
        shown = {
            name: cap if cap is None or not price.paced else month.paced(cap, now, price.ahead)
            for name, cap in limits.items()
        }
        found = Reservation(keys.ledger(month.name), collector, uuid.uuid4().hex, tuple(limits))
        amount = _millionths(price.most)
        pairs = [x for name, cap in shown.items() for x in (name, "" if cap is None else _millionths(cap))]
        over = await self._store.call("fs_reserve", found.key, found.id, found.attempt, amount, now, *pairs)
        if over:
            name, on = over.decode(), datetime.fromtimestamp(month.end, UTC)
            raise CapReached(
                f"the month's cap of ${limits[name]:g} for {_whose(name)} is reached; "
                f"reading goes on with {on:%Y-%m-%d}, or with a higher cap"
            )
        return found

    async def settle(self, reservation: Reservation, source: str, cost: float) -> None:
        """Replace what was put aside by what the poll cost, in dollars; a second time changes nothing."""
        amount = _millionths(cost)
        done = await self._store.call(
            "fs_settle", reservation.key, reservation.id, reservation.attempt, amount, *reservation.names
        )
        if done and amount:
            await self._store.do("HINCRBYFLOAT", keys.COSTS, source, cost)

    async def spent(self, now: float) -> list[Spent]:
        """Return what each source cost for each brand in the month of `now`, dearest first.

        What a stream holds for a brand is put aside, and not yet spent.
        """
        month = Month.of(now)
        told = {
            name.decode(): value for name, value in (await self._store.do("HGETALL", keys.ledger(month.name))).items()
        }
        aside = {}
        for name, value in told.items():
            held, _, whose = name.partition(keys.SEPARATOR)
            if held.startswith("held ") and whose:
                aside[whose] = int(value.split()[1])
        found = []
        for name, value in told.items():
            source, _, brand = name.partition(keys.SEPARATOR)
            if source and brand and " " not in source:
                dollars = (int(value) - aside.get(name, 0)) / MILLION
                since = max(now - float(told[f"since {name}"]), LEAST_SECONDS)
                forecast = dollars + dollars / since * (month.end - now)
                found.append(Spent(source, brand, dollars, forecast))
        return sorted(found, key=lambda s: (-s.dollars, s.source, s.brand))


def exceeded(caps: Caps, spent: list[Spent]) -> Iterator[str]:
    """Yield, a sentence each, which caps the month's forecast exceeds."""
    told: dict[str, tuple[float, float]] = {}
    for one in spent:
        for name, cap in _limits(caps, one.source, one.brand):
            if cap is not None:
                told[name] = cap, told.get(name, (cap, 0.0))[1] + one.forecast
    for name, (cap, forecast) in told.items():
        if forecast > cap:
            yield f"${forecast:.2f} this month for {_whose(name)} at this rate, its cap of ${cap:g} stops it before"


def _limits(caps: Caps, source: str, brand: str) -> Iterator[tuple[str, float | None]]:
    """Yield what a poll is charged to, by name in the ledger, with its cap in dollars."""
    yield keys.SEPARATOR, caps.monthly_cap
    yield source + keys.SEPARATOR, caps.sources.get(source)
    yield keys.SEPARATOR + brand, caps.brands.get(brand, caps.brand_cap)
    yield source + keys.SEPARATOR + brand, None


def _whose(name: str) -> str:
    source, _, brand = name.partition(keys.SEPARATOR)
    return f"brand {brand}" if brand else f"source {source}" if source else "all brands together"


def _millionths(dollars: float) -> int:
    return round(dollars * MILLION)
