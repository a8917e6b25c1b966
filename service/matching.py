"""Which brands a text is about, while brands come and go: what changed lately has a small automaton of its own."""

from collections.abc import Mapping
from typing import Protocol

from collectors.match import Matcher
from collectors.query import Query, parse

APART = 256
"""Changed queries that are matched apart before all are built together again, which takes 0.3 s for 10,000 brands."""


class Matches(Protocol):
    """Whatever tells the brands of a text."""

    def match(self, text: str) -> list[str]:
        """Names of the brands whose query matches `text`, sorted."""
        ...


class _Apart:
    """The brands of one matcher, but those in `new` of another."""

    def __init__(self, old: Matcher, changed: frozenset[str], new: Mapping[str, Query]) -> None:
        self._old, self._changed, self._new = old, changed, Matcher(new)

    def match(self, text: str) -> list[str]:
        return sorted({n for n in self._old.match(text) if n not in self._changed} | set(self._new.match(text)))


class Matching:
    """The queries of all brands; built when they are asked for, and then only what changed."""

    def __init__(self) -> None:
        self._wanted: dict[str, str] = {}
        self._built: dict[str, str] = {}
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
        (self._changed.discard if self._built.get(name) == query else self._changed.add)(name)

    def matcher(self) -> Matches:
        """Return what matches every query as it is now."""
        if self._now is None:
            self._now = self._build()
        return self._now

    def _build(self) -> Matches:
        if len(self._changed) > APART:
            self._all = Matcher({name: parse(query) for name, query in self._wanted.items()})
            self._built = dict(self._wanted)
            self._changed.clear()
        if not self._changed:
            return self._all
        new = {name: parse(self._wanted[name]) for name in self._changed if name in self._wanted}
        return _Apart(self._all, frozenset(self._changed), new)
