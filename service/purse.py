"""What one collector may spend for many brands: the ledger holds a reservation for each, under the brand's own caps."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from collectors.collector import Price
from service import keys
from service.clock import Clock
from service.ledger import CapReached, Ledger, Reservation
from service.polling import short
from service.store import Store
from service.suspicion import suspicion

SUSPICIOUS_AHEAD = 3.0
"""Days of the money that is left that a stream may use in advance while an episode is open, as a search's posts may."""


@dataclass
class BrandsPurse:
    """A reservation stays while nothing of it was spent, so that a quiet brand costs the store nothing.

    What a process held that died stays charged: it may have been spent.
    """

    store: Store
    ledger: Ledger
    clock: Clock
    name: str
    source: str
    _held: dict[str, Reservation] = field(default_factory=dict)
    _owed: dict[str, float] = field(default_factory=dict)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def fill(self, prices: Mapping[str, Price], spent: Mapping[str, float]) -> Mapping[str, str]:
        """Settle what brands have `spent` since, and put `prices` aside for those that have spent, or are new.

        Brands without a price give back what they hold. Returns why not, by brand, where a cap does not allow it.
        """
        async with self._turn:  # a stream that is ended may settle while the next one begins
            return await self._fill(prices, spent)

    async def _fill(self, prices: Mapping[str, Price], spent: Mapping[str, float]) -> Mapping[str, str]:
        for brand, dollars in spent.items():  # owed until it is settled: the store may be away
            self._owed[brand] = self._owed.get(brand, 0.0) + dollars
        for brand in self._owed.keys() - self._held.keys():  # under way when the money ended, and billed all the same
            self._held[brand] = await self._reserve(brand, Price(self._owed[brand]), capped=False)
        for brand in [brand for brand in self._held if brand in self._owed or brand not in prices]:
            await self.ledger.settle(self._held[brand], self.source, self._owed.get(brand, 0.0))
            del self._held[brand]
            self._owed.pop(brand, None)
        refused: dict[str, str] = {}
        for brand, price in prices.items():
            if price.most and brand not in self._held:
                try:
                    self._held[brand] = await self._reserve(brand, price)
                except CapReached as reached:
                    refused[brand] = str(reached)
        return refused

    async def _reserve(self, brand: str, price: Price, capped: bool = True) -> Reservation:
        """Put money aside under a name of the brand's own, since a name holds one reservation at a time."""
        now = await self.clock.now()
        if price.paced:
            heed = await suspicion(self.store, brand, now)
            price = replace(price, ahead=price.ahead + (SUSPICIOUS_AHEAD - price.ahead) * heed)
        held = keys.SEPARATOR.join((short(self.name), self.source, brand))
        return await self.ledger.reserve(held, self.source, brand, price, now, capped)
