"""The brands and webhooks that are configured, as every process sees them; read again when their version rises."""

import json
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from pydantic import TypeAdapter

from collectors.registry import HookConfig
from service import keys
from service.brand import Brand, Webhook
from service.matching import Matches, Matching
from service.store import Store

_HOOK: TypeAdapter[HookConfig] = TypeAdapter(HookConfig)

AT_ONCE = 1000
"""Brands stored in one command."""


class Registry:
    """A process's view of what is configured; `refresh` costs one small read while nothing changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._version = -1
        self._texts: dict[bytes, bytes] = {}
        self._brands: dict[str, Brand] = {}
        self._shards: frozenset[str] = frozenset()
        self._changed: dict[str, Brand | None] = {}
        self._matching = Matching()
        self.webhooks: Mapping[str, Webhook] = {}
        self.hooks: Mapping[str, HookConfig] = {}

    @property
    def store(self) -> Store:
        """Where it is stored."""
        return self._store

    @property
    def brands(self) -> Mapping[str, Brand]:
        """The brands by name, sorted; a mapping that was taken never changes."""
        if self._changed:
            merged = {**self._brands, **self._changed}
            self._brands = {name: brand for name, brand in sorted(merged.items()) if brand is not None}
            self._shards = frozenset(map(keys.shard, self._brands))
            self._changed = {}
        return self._brands

    @property
    def shards(self) -> frozenset[str]:
        """The shards that have a brand."""
        return self._shards if self.brands else frozenset()

    @property
    def matcher(self) -> Matches:
        """What tells the brands of a text."""
        return self._matching.matcher()

    async def refresh(self) -> bool:
        """Read again if somebody changed something; say whether that was so."""
        version = int(await self._store.do("GET", keys.VERSION) or 0)
        if version == self._version:
            return False
        texts, webhooks, hooks = await self._store.pipe(
            [("HGETALL", keys.BRANDS), ("HGETALL", keys.WEBHOOKS), ("HGETALL", keys.HOOKS)]
        )
        for name, text in texts.items() - self._texts.items():
            self._take(name, text)
        for name in self._texts.keys() - texts.keys():
            self._take(name, None)
        self.webhooks = {w.name: w for w in (Webhook.model_validate_json(x) for x in webhooks.values())}
        self.hooks = {h.source: h for h in map(_HOOK.validate_json, hooks.values())}
        self._version = version
        return True

    def _take(self, name: bytes, text: bytes | None) -> None:
        brand = Brand.model_validate_json(text) if text is not None else None
        if text is None:
            self._texts.pop(name, None)
        else:
            self._texts[name] = text
        self._changed[name.decode()] = brand
        self._matching.put(name.decode(), brand.query if brand else None)

    async def put_brand(self, brand: Brand) -> bool:
        """Store a brand; say whether it is new."""
        return await self.put_brands([brand]) == 1

    async def put_brands(self, brands: Sequence[Brand]) -> int:
        """Store many brands in one step; return how many of them are new."""
        texts = {b.name.encode(): b.model_dump_json().encode() for b in brands}
        pairs = list(texts.items())
        parts = [pairs[i : i + AT_ONCE] for i in range(0, len(pairs), AT_ONCE)]
        new = await self._store.append([("HSET", keys.BRANDS, *chain.from_iterable(part)) for part in parts])
        if await self._raised():
            for name, text in pairs:
                self._take(name, text)
        return sum(int(n) for n in new)

    async def drop_brand(self, name: str) -> bool:
        """Stop watching a brand; what was counted expires by itself. Say whether there was one."""
        (gone,) = await self._store.append([("HDEL", keys.BRANDS, name)])
        if await self._raised() and gone:
            self._take(name.encode(), None)
        return bool(gone)

    async def put_webhook(self, webhook: Webhook) -> bool:
        """Store a webhook; say whether it is new."""
        (new,) = await self._store.append([("HSET", keys.WEBHOOKS, webhook.name, webhook.model_dump_json())])
        if await self._raised():
            self.webhooks = {**self.webhooks, webhook.name: webhook}
        return bool(new)

    async def drop_webhook(self, name: str) -> bool:
        """Forget a webhook; say whether there was one."""
        (gone,) = await self._store.append([("HDEL", keys.WEBHOOKS, name)])
        if await self._raised():
            self.webhooks = {n: w for n, w in self.webhooks.items() if n != name}
        return bool(gone)

    async def put_hook(self, hook: HookConfig) -> bool:
        """Store a hook; say whether it is new."""
        (new,) = await self._store.append([("HSET", keys.HOOKS, hook.source, hook.model_dump_json())])
        if await self._raised():
            self.hooks = {**self.hooks, hook.source: hook}
        return bool(new)

    async def drop_hook(self, source: str) -> bool:
        """Forget a hook; say whether there was one."""
        (gone,) = await self._store.append([("HDEL", keys.HOOKS, source)])
        if await self._raised():
            self.hooks = {n: h for n, h in self.hooks.items() if n != source}
        return bool(gone)

    async def _raised(self) -> bool:
        """Raise the version after a change; say whether that change is all that is new, else all is read again."""
        version = int(await self._store.do("INCR", keys.VERSION))
        if version == self._version + 1:
            self._version = version
            return True
        await self.refresh()
        return False


async def states(store: Store, names: list[str]) -> dict[str, dict[str, Any]]:
    """Return each brand's state of the last tick; {} for one that was not looked at yet."""
    found = await store.pipe([("GET", keys.state(name)) for name in names])
    return {name: json.loads(text) if text else {} for name, text in zip(names, found, strict=True)}
