"""What is configured, as every process sees it: brands, and who is told of them; read again when its version rises."""

import json
import logging
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from collectors.registry import HookConfig
from service import keys
from service.brand import Brand, Webhook
from service.matching import Matches, Matching
from service.notify.channel import CHANNEL, Channel
from service.notify.mute import Mute
from service.notify.on_call import Duty
from service.notify.route import Route
from service.store import Store

T = TypeVar("T")

_BRAND = TypeAdapter(Brand)
_HOOK: TypeAdapter[HookConfig] = TypeAdapter(HookConfig)

AT_ONCE = 1000
"""Brands stored in one command."""

log = logging.getLogger("foreshock.registry")


class _Table(Generic[T]):
    """What one hash holds, by name."""

    def __init__(self, key: str, adapter: TypeAdapter[T]) -> None:
        self.key = key
        self.adapter = adapter
        self.items: Mapping[str, T] = {}

    def read(self, stored: Mapping[bytes, bytes]) -> None:
        """Take what is stored; what this version cannot read is left out: it must not end a process."""
        found = {name.decode(): _read(self.adapter, self.key, name, text) for name, text in stored.items()}
        self.items = {name: item for name, item in found.items() if item is not None}


def _read(adapter: TypeAdapter[T], key: str, name: bytes, text: bytes) -> T | None:
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        what = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, what["loc"]))
        log.error("%s %s can't be read by this version and is left out: %s: %s", key, name.decode(), where, what["msg"])
        return None


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
        self._webhooks = _Table(keys.WEBHOOKS, TypeAdapter(Webhook))
        self._hooks = _Table(keys.HOOKS, _HOOK)
        self._channels = _Table(keys.CHANNELS, CHANNEL)
        self._duties = _Table(keys.DUTIES, TypeAdapter(Duty))
        self._routes = _Table(keys.ROUTES, TypeAdapter(Route))
        self._mutes = _Table(keys.MUTES, TypeAdapter(Mute))

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
    def webhooks(self) -> Mapping[str, Webhook]:
        """The receivers of every event by name; what was taken of these mappings never changes."""
        return self._webhooks.items

    @property
    def hooks(self) -> Mapping[str, HookConfig]:
        """What takes what networks push, by source."""
        return self._hooks.items

    @property
    def channels(self) -> Mapping[str, Channel]:
        """The channels by name."""
        return self._channels.items

    @property
    def duties(self) -> Mapping[str, Duty]:
        """The duties by name."""
        return self._duties.items

    @property
    def routes(self) -> list[Route]:
        """The routes, by name."""
        return [route for _, route in sorted(self._routes.items.items())]

    @property
    def mutes(self) -> list[Mute]:
        """The mutes, by name, those included whose time is over."""
        return [mute for _, mute in sorted(self._mutes.items.items())]

    @property
    def matcher(self) -> Matches:
        """What tells the brands of a text."""
        return self._matching.matcher()

    async def refresh(self) -> bool:
        """Read again if somebody changed something; say whether that was so."""
        version = int(await self._store.do("GET", keys.VERSION) or 0)
        if version == self._version:
            return False
        tables: tuple[_Table[Any], ...] = (
            self._webhooks,
            self._hooks,
            self._channels,
            self._duties,
            self._routes,
            self._mutes,
        )
        texts, *found = await self._store.pipe(
            [("HGETALL", keys.BRANDS), *(("HGETALL", table.key) for table in tables)]
        )
        for name, text in texts.items() - self._texts.items():
            self._take(name, text)
        for name in self._texts.keys() - texts.keys():
            self._take(name, None)
        for table, stored in zip(tables, found, strict=True):
            table.read(stored)
        self._version = version
        return True

    def _take(self, name: bytes, text: bytes | None) -> None:
        brand = _read(_BRAND, keys.BRANDS, name, text) if text is not None else None
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
        return await self._put(self._webhooks, webhook.name, webhook)

    async def drop_webhook(self, name: str) -> bool:
        """Forget a webhook; say whether there was one."""
        return await self._drop(self._webhooks, name)

    async def put_hook(self, hook: HookConfig) -> bool:
        """Store a hook; say whether it is new."""
        return await self._put(self._hooks, hook.source, hook)

    async def drop_hook(self, source: str) -> bool:
        """Forget a hook; say whether there was one."""
        return await self._drop(self._hooks, source)

    async def put_channel(self, channel: Channel) -> bool:
        """Store a channel; say whether it is new."""
        return await self._put(self._channels, channel.name, channel)

    async def drop_channel(self, name: str) -> bool:
        """Forget a channel; say whether there was one."""
        return await self._drop(self._channels, name)

    async def put_duty(self, duty: Duty) -> bool:
        """Store a duty; say whether it is new."""
        return await self._put(self._duties, duty.name, duty)

    async def drop_duty(self, name: str) -> bool:
        """Forget a duty; say whether there was one."""
        return await self._drop(self._duties, name)

    async def put_route(self, route: Route) -> bool:
        """Store a route; say whether it is new."""
        return await self._put(self._routes, route.name, route)

    async def drop_route(self, name: str) -> bool:
        """Forget a route; say whether there was one."""
        return await self._drop(self._routes, name)

    async def put_mute(self, mute: Mute) -> bool:
        """Store a mute; say whether it is new."""
        return await self._put(self._mutes, mute.name, mute)

    async def drop_mute(self, name: str) -> bool:
        """Forget a mute; say whether there was one."""
        return await self._drop(self._mutes, name)

    async def _put(self, table: "_Table[T]", name: str, item: T) -> bool:
        (new,) = await self._store.append([("HSET", table.key, name, table.adapter.dump_json(item))])
        if await self._raised():
            table.items = {**table.items, name: item}
        return bool(new)

    async def _drop(self, table: "_Table[T]", name: str) -> bool:
        (gone,) = await self._store.append([("HDEL", table.key, name)])
        if await self._raised():
            table.items = {n: item for n, item in table.items.items() if n != name}
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
