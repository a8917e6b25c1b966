"""The brands and webhooks that are configured, as every process sees them: read once, again when the version rises."""

import json
from collections.abc import Mapping
from typing import Any

from collectors.match import Matcher
from collectors.query import parse
from service import keys
from service.brand import Brand, Webhook
from service.store import Store


class Registry:
    """A process's view of what is configured; `refresh` costs one small read while nothing changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1
        self.brands: Mapping[str, Brand] = {}
        self.webhooks: Mapping[str, Webhook] = {}
        self.matcher = Matcher({})

    async def refresh(self) -> bool:
        """Read again if somebody changed something; say whether that was so."""
        version = int(await self._store.do("GET", keys.VERSION) or 0)
        if version == self._version:
            return False
        brands, webhooks = await self._store.pipe([("HVALS", keys.BRANDS), ("HVALS", keys.WEBHOOKS)])
        self.brands = {b.name: b for b in sorted((Brand.model_validate_json(x) for x in brands), key=lambda b: b.name)}
        self.webhooks = {w.name: w for w in (Webhook.model_validate_json(x) for x in webhooks)}
        self.matcher = Matcher({b.name: parse(b.query) for b in self.brands.values()})
        self._version = version
        return True

    async def put_brand(self, brand: Brand) -> bool:
        """Store a brand; say whether it is new."""
        return await self._put(keys.BRANDS, brand.name, brand.model_dump_json())

    async def drop_brand(self, name: str) -> bool:
        """Stop watching a brand; what was counted expires by itself. Say whether there was one."""
        return await self._drop(keys.BRANDS, name)

    async def put_webhook(self, webhook: Webhook) -> bool:
        """Store a webhook; say whether it is new."""
        return await self._put(keys.WEBHOOKS, webhook.name, webhook.model_dump_json())

    async def drop_webhook(self, name: str) -> bool:
        """Forget a webhook; say whether there was one."""
        return await self._drop(keys.WEBHOOKS, name)

    async def _put(self, key: str, name: str, value: str) -> bool:
        new, _ = await self._store.pipe([("HSET", key, name, value), ("INCR", keys.VERSION)])
        await self.refresh()
        return bool(new)

    async def _drop(self, key: str, name: str) -> bool:
        gone, _ = await self._store.pipe([("HDEL", key, name), ("INCR", keys.VERSION)])
        await self.refresh()
        return bool(gone)


async def states(store: Store, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return each brand's state of the last tick; {} for one that was not looked at yet."""
    found = await store.pipe([("GET", keys.state(name)) for name in names])
    return {name: json.loads(text) if text else {} for name, text in zip(names, found, strict=True)}
