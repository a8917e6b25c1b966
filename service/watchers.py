"""All brands' watchers of one process: found, told what changed, and read, hundreds in one round trip."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from service import keys
from service.brand import Brand
from service.completeness import Completeness
from service.corrections import Corrections
from service.minutes import Minutes, Place
from service.pace import most_in_calm
from service.segment import MINUTE, mentions
from service.store import Fenced, Store
from service.voices import heard, lately
from service.watcher import Watcher

AT_ONCE = 200
"""Brands that are read in one round trip: their answers are some megabytes at the most."""


class Watchers:
    """What is held of every brand; all of it can be had again from the store."""

    def __init__(self, store: Store, public_url: str) -> None:
        self._store = store
        self._public_url = public_url
        self._by_name: dict[str, Watcher] = {}
        self._changed: dict[str, set[Place]] = {}
        self._newest: dict[str, set[Place]] = {}
        self._spoken: set[str] = set()
        self._brands: Mapping[str, Brand] = {}
        self._fence = 0
        self.completeness = Completeness(store)
        self.corrections = Corrections(store)

    def clear(self) -> None:
        """Forget all: the store is read anew."""
        self._by_name.clear()
        self._changed.clear()
        self._spoken.clear()
        self._fence = 0
        self.completeness = Completeness(self._store)

    def get(self, name: str) -> Watcher | None:
        """Return a brand's watcher if it was found before."""
        return self._by_name.get(name)

    def all(self) -> Iterable[Watcher]:
        """Return those that were found so far."""
        return self._by_name.values()

    @property
    def changed(self) -> Mapping[str, set[Place]]:
        """What changed and was not read yet, by brand."""
        return self._changed

    def keep(self, brands: Mapping[str, Brand]) -> None:
        """Forget the watchers of brands that are gone, or are watched in another way now."""
        if brands is self._brands:
            return
        self._brands = brands
        for name in [n for n, w in self._by_name.items() if brands.get(n) is not w.brand and brands.get(n) != w.brand]:
            del self._by_name[name]

    async def drain(self, brands: Mapping[str, Brand], fence: int) -> None:
        """Take over what the store says has changed since the last time.

        Raises:
            Fenced: a newer ticker has taken over.
        """
        self._newest = {}
        tags = keys.all_shards()
        asked = [command for tag in tags for command in (("EXISTS", keys.dirty(tag)), ("GET", keys.fence(tag)))]
        answers = await self._store.pipe(asked)
        for tag, some, newest in zip(tags, answers[::2], answers[1::2], strict=True):
            if int(newest or 0) > fence:
                raise Fenced("a newer ticker has taken over")
            if not some and self._fence == fence:
                continue
            for member in await self._store.call("fs_drain", keys.dirty(tag), fence):
                brand, source, number = member.decode().split(keys.SEPARATOR)
                if brand not in brands:
                    continue
                if number == "voices":
                    self._spoken.add(brand)
                else:
                    self._newest.setdefault(brand, set()).add((source, int(number)))
        for brand, places in self._newest.items():
            self._changed.setdefault(brand, set()).update(places)
        self._fence = fence

    async def take(self, brands: Sequence[Brand], first: float, now: float) -> list[Watcher]:
        """Return the brands' watchers with all that is needed to judge from `first` to `now` (POSIX seconds) read."""
        unknown = [b for b in brands if b.name not in self._by_name]
        new = [Watcher(self._store, b, Minutes(self._store, b.name), self._public_url) for b in unknown]
        await self._remember(new)
        self._by_name |= {w.brand.name: w for w in new}
        found = [self._by_name[b.name] for b in brands]
        changed = {w.brand.name: self._changed.pop(w.brand.name, set()) for w in found}
        firsts = {w.brand.name: w.minutes.first for w in found}
        await self._hear([w for w in found if w.minutes.unheard(changed[w.brand.name])])
        places = {w.brand.name: w.minutes.held(changed[w.brand.name]) for w in found}
        places |= {w.brand.name: w.minutes.places(first, now) for w in new}
        commands = [("HGETALL", keys.segment(name, s, MINUTE, n)) for name, some in places.items() for s, n in some]
        fresh = {w.brand.name for w in new}
        spoken = [w for w in found if w.brand.name in self._spoken or w.brand.name in fresh]
        commands += [lately(w.brand.name, first) for w in spoken]
        answers = iter(await self._store.pipe(commands))
        for watcher in found:
            name = watcher.brand.name
            watcher.corrected(self.corrections.of(name))
            judged = 0.0 if name in fresh else watcher.looked_until
            changes = watcher.minutes.take(zip(places[name], answers, strict=False), judged)
            if judged:
                changes = changes.joined(watcher.minutes.older(changed[name], first))
            watcher.changes(changes, first)
            if changed[name] or name in fresh:
                watcher.heard_of(firsts[name], first)
        for watcher, voices in zip(spoken, answers, strict=True):
            watcher.heard = heard(voices)
            self._spoken.discard(watcher.brand.name)
        return found

    async def jumped(self, names: Sequence[str], now: float) -> list[str]:
        """Return those of `names` of which much more is said, in this minute or the last, than is normal, or loudly.

        Only the sources that the last `drain` told of are looked at: no other can have jumped since.
        """
        number, offset = divmod(int(now // MINUTE), keys.SEGMENT[MINUTE])
        asked = [(name, source) for name in names for source, n in self._newest.get(name, ()) if n == number]
        commands = [("HMGET", keys.segment(b, s, MINUTE, number), offset, offset - 1) for b, s in asked]
        counted: dict[str, list[int]] = {}
        for (name, _), packed in zip(asked, await self._store.pipe(commands), strict=True):
            minutes = counted.setdefault(name, [0, 0])
            for i, bucket in enumerate(packed):
                minutes[i] += mentions(bucket) if bucket else 0
        more = [n for n, minutes in counted.items() if max(minutes) > most_in_calm(self._by_name[n].usual(MINUTE))]
        return [*more, *self._spoken.intersection(names)]

    async def _remember(self, new: Sequence[Watcher]) -> None:
        names = (keys.watch, keys.since, keys.gaps)
        commands: list[tuple[Any, ...]] = [("HGETALL", key(w.brand.name)) for w in new for key in names]
        commands += [("GET", keys.state(w.brand.name)) for w in new]
        answers = await self._store.pipe(commands)
        for i, watcher in enumerate(new):
            watch, since, gaps = answers[3 * i : 3 * i + 3]
            watcher.remember(watch, answers[3 * len(new) + i])
            watcher.minutes.remember(since, gaps)

    async def _hear(self, some: Sequence[Watcher]) -> None:
        answers = await self._store.pipe([("HGETALL", keys.since(w.brand.name)) for w in some])
        for watcher, since in zip(some, answers, strict=True):
            watcher.minutes.remember(since, None)
