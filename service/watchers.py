"""All brands' watchers of one process: found, told what changed, and read, hundreds in one round trip."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from service import keys
from service.brand import Brand
from service.completeness import Completeness
from service.corrections import Corrections
from service.minutes import Minutes, Place
from service.pace import most_in_calm
from service.segment import MINUTE, SEGMENT, counters, mentions
from service.store import Fenced, Store
from service.voices import heard, lately
from service.watcher import Watcher

AT_ONCE = 200
"""Brands that are read in one round trip: their answers are some megabytes at the most."""


@dataclass(frozen=True)
class News:
    """What changed of a brand: minutes, packed as the store had them, and whole segments that are to be read."""

    minutes: dict[Place, bytes] = field(default_factory=dict)
    segments: set[Place] = field(default_factory=set)

    def places(self) -> set[Place]:
        """Return the segments in which anything changed."""
        return self.segments.union((source, minute // SEGMENT) for source, minute in self.minutes)


UNCHANGED = News()


class Watchers:
    """What is held of every brand; all of it can be had again from the store."""

    def __init__(self, store: Store, public_url: str) -> None:
        self._store = store
        self._public_url = public_url
        self._by_name: dict[str, Watcher] = {}
        self._changed: dict[str, News] = {}
        self._newest: dict[str, News] = {}
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
    def changed(self) -> Mapping[str, News]:
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
        if any(int(newest or 0) > fence for newest in answers[1::2]):
            raise Fenced("a newer ticker has taken over")
        some = [keys.dirty(tag) for tag, told in zip(tags, answers[::2], strict=True) if told or self._fence != fence]
        for told in await self._store.calls("fs_changed", some, fence):
            for member, packed in zip(told[::2], told[1::2], strict=True):
                brand, source, number, *offset = member.decode().split(keys.SEPARATOR)
                if brand not in brands:
                    continue
                if number == "voices":
                    self._spoken.add(brand)
                    continue
                news = self._newest.get(brand) or self._newest.setdefault(brand, News())
                if offset:
                    news.minutes[source, int(number) * SEGMENT + int(offset[0])] = packed
                else:
                    news.segments.add((source, int(number)))
        for brand, news in self._newest.items():
            known = self._changed.setdefault(brand, news)
            if known is not news:
                known.minutes.update(news.minutes)
                known.segments.update(news.segments)
        self._fence = fence

    async def take(self, brands: Sequence[Brand], first: float, now: float) -> list[Watcher]:
        """Return the brands' watchers with all that is needed to judge from `first` to `now` (POSIX seconds) read."""
        unknown = [b for b in brands if b.name not in self._by_name]
        new = [
            Watcher(self._store, b, Minutes(self._store, b.name), self._public_url, everybody=self.all) for b in unknown
        ]
        await self._remember(new)
        self._by_name |= {w.brand.name: w for w in new}
        found = [self._by_name[b.name] for b in brands]
        changed = {w.brand.name: self._changed.pop(w.brand.name, UNCHANGED) for w in found}
        fresh = {w.brand.name for w in new}
        moved = {name: news.places() for name, news in changed.items() if news is not UNCHANGED}
        firsts = {name: self._by_name[name].minutes.first for name in moved.keys() | fresh}
        await self._hear([w for w in found if w.minutes.unheard(moved.get(w.brand.name, ()))])
        places = {
            w.brand.name: w.minutes.places(first, now) if w.brand.name in fresh else w.minutes.held(some)
            for w in found
            if (some := changed[w.brand.name].segments) or w.brand.name in fresh
        }
        commands = [("HGETALL", keys.segment(name, s, MINUTE, n)) for name, some in places.items() for s, n in some]
        spoken = [w for w in found if w.brand.name in self._spoken or w.brand.name in fresh]
        commands += [lately(w.brand.name, first) for w in spoken]
        answers = iter(await self._store.pipe(commands))
        rows = iter(counters([packed for news in changed.values() for packed in news.minutes.values()]).tolist())
        for watcher in found:
            name = watcher.brand.name
            watcher.corrected(self.corrections.of(name))
            judged = 0.0 if name in fresh else watcher.looked_until
            news = changed[name]
            watcher.changes(watcher.minutes.put(zip(news.minutes, rows, strict=False), judged), first)
            if name in places:
                read = zip(places[name], answers, strict=False)
                watcher.changes(watcher.minutes.take(read, judged), first)
            if name in moved and judged:
                watcher.changes(watcher.minutes.older(moved[name], first), first)
            if name in firsts:
                watcher.heard_of(firsts[name], first)
        for watcher, voices in zip(spoken, answers, strict=True):
            watcher.heard = heard(voices)
            self._spoken.discard(watcher.brand.name)
        return found

    def jumped(self, names: Sequence[str], now: float) -> list[str]:
        """Return those of `names` of which much more is said, in this minute or the last, than is normal, or loudly.

        Only the sources that the last `drain` told of are looked at: no other can have jumped since.
        """
        minute = int(now // MINUTE)
        told = {name: self._newest.get(name, UNCHANGED) for name in names}
        lately = {n: {s for s, m in news.minutes if m in (minute - 1, minute)} for n, news in told.items()}
        asked = [(n, s, m) for n, sources in lately.items() for s in sources for m in (minute - 1, minute)]
        some = [(n, s, m) for n, s, m in asked if (s, m) in self._changed[n].minutes]
        rows = counters([self._changed[n].minutes[s, m] for n, s, m in some]).tolist()
        said = dict(zip(some, map(mentions, rows), strict=True))
        return [
            name
            for name in names
            if name in self._spoken
            or any(number == minute // SEGMENT for _, number in told[name].segments)  # known once they are read
            or (lately[name] and self._jumped(name, lately[name], minute, said))
        ]

    def _jumped(
        self, name: str, sources: Collection[str], minute: int, said: Mapping[tuple[str, str, int], int]
    ) -> bool:
        minutes, most = self._by_name[name].minutes, most_in_calm(self._by_name[name].usual(MINUTE))
        for m in (minute - 1, minute):
            counts = [said[name, s, m] if (name, s, m) in said else mentions(minutes.said(s, m)) for s in sources]
            if sum(counts) > most:
                return True
        return False

    async def _remember(self, new: Sequence[Watcher]) -> None:
        names = (keys.watch, keys.since, keys.gaps)
        commands: list[tuple[Any, ...]] = [("HGETALL", key(w.brand.name)) for w in new for key in names]
        commands += [("GET", keys.state(w.brand.name)) for w in new]
        answers = await self._store.pipe(commands)
        for i, watcher in enumerate(new):
            watch, since, gaps = answers[3 * i : 3 * i + 3]
            watcher.remember(watch, answers[3 * len(new) + i])
            watcher.minutes.remember(since, gaps)

    async def learn_gaps(self) -> None:
        """Take in the gaps that collectors noted since the last time: what was taken for calm teaches nothing."""
        some = [w for name in self.completeness.gapped if (w := self._by_name.get(name)) is not None]
        self.completeness.gapped.clear()
        answers = await self._store.pipe([("HGETALL", keys.gaps(w.brand.name)) for w in some])
        for watcher, gaps in zip(some, answers, strict=True):
            watcher.minutes.remember({}, gaps)
            watcher.learns_at = 0.0 if watcher.knows else watcher.learns_at

    async def _hear(self, some: Sequence[Watcher]) -> None:
        answers = await self._store.pipe([("HGETALL", keys.since(w.brand.name)) for w in some])
        for watcher, since in zip(some, answers, strict=True):
            watcher.minutes.remember(since, None)
