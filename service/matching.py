"""Which brands a text is about, while brands come and go: what changed lately has a small automaton of its own."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from collectors.match import Matcher
from collectors.query import Query, parse

APART = 256
"""Changed queries that are matched apart before all are built together again, which takes 0.3 s for 10,000 brands."""


class Matches(Protocol):
    """Whatever tells the brands of a text."""

    def match(self, text: str, said: Mapping[str, Any] | None = None) -> list[str]:
        """Names of the brands whose query matches `text`, sorted; `said` is what else is known of the mention."""
        ...

    def match_all(self, mentions: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """Brands of each mention, as `match` gives them."""
        ...


class _Apart:
    """The brands of one matcher, but those in `new` of another."""

    def __init__(self, old: Matcher, changed: frozenset[str], new: Mapping[str, Query]) -> None:
        self._old, self._changed, self._new = old, changed, Matcher(new)

    def match(self, text: str, said: Mapping[str, Any] | None = None) -> list[str]:
        old = {name for name in self._old.match(text, said) if name not in self._changed}
        return sorted(old.union(self._new.match(text, said)))

    def match_all(self, mentions: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        both = zip(self._old.match_all(mentions), self._new.match_all(mentions), strict=True)
        return [sorted({name for name in old if name not in self._changed}.union(new)) for old, new in both]


class Matching:
    """The queries of all brands; built when they are asked for, and then only what changed."""

    def __init__(self) -> None:
        self._wanted: dict[str, str] = {}
        self._built: dict[str, str] = {}
        self._trees: dict[str, Query] = {}
        self._changed: set[str] = set()
        self._all = Matcher({})
        self._now: Matches | None = self._all

    def put(self, name: str, query: str | None) -> None:
        """Watch for another query of a brand; None is for none any more."""
        if self._wanted.get(name) == query:
            return
        if query is None:
            del self._wanted[name]
        else:
            self._wanted[name] = query
        self._now = None
        self._trees.pop(name, None)
        (self._changed.discard if self._built.get(name) == query else self._changed.add)(name)

    def matcher(self) -> Matches:
        """Return what matches every query as it is now."""
        if self._now is None:
            self._now = self._build()
        return self._now

    def _build(self) -> Matches:
        if len(self._changed) > APART:
            self._all = Matcher({name: self._tree(name) for name in self._wanted})
            self._built = dict(self._wanted)
            self._changed.clear()
        if not self._changed:
            return self._all
        new = {name: self._tree(name) for name in self._changed if name in self._wanted}
        return _Apart(self._all, frozenset(self._changed), new)

    def _tree(self, name: str) -> Query:
        """Parse a brand's query, once: most stay as they are when others change."""
        if name not in self._trees:
            self._trees[name] = parse(self._wanted[name])
        return self._trees[name]
