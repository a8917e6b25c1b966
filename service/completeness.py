"""Up to when every source has told all it will, of all brands: one read a tick, parsed only where it changed."""

from collections import defaultdict

from service import keys
from service.store import Store


class Completeness:
    """What is said in the store of every source; `of` gives a brand's part."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._said: dict[bytes, bytes] = {}
        self._shared: dict[str, float] = {}
        self._own: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)

    async def refresh(self) -> set[str] | None:
        """Read what is said now; return the brands for which that changed, None where it may be any."""
        said: dict[bytes, bytes] = await self._store.do("HGETALL", keys.SOURCES)
        moved: set[str] = set()
        everywhere = False
        for field in {name for name, _ in said.items() ^ self._said.items()}:
            source, brand, collector = (*field.decode().split(keys.SEPARATOR), "", "")[:3]
            value = said.get(field)
            everywhere |= not brand
            moved.add(brand)
            if not brand:
                self._shared.pop(source, None)
                self._shared |= {source: float(value)} if value is not None else {}
            elif value is None:
                self._own[brand].pop((source, collector), None)
            else:
                self._own[brand][source, collector] = float(value)
        self._said = said
        return None if everywhere else moved

    def of(self, brand: str) -> dict[str, float]:
        """Return up to when each source is complete: what it says itself, or what all its collectors have read."""
        found, read = dict(self._shared), dict[str, float]()
        for (source, collector), until in self._own.get(brand, {}).items():
            if collector:
                read[source] = min(read.get(source, until), until)
            else:
                found[source] = max(found.get(source, until), until)
        for source, until in read.items():
            found[source] = max(found.get(source, until), until)
        return found
