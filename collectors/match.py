"""Which brands a text is about: all queries at once, through one automaton over their terms."""

from collections import Counter
from collections.abc import Iterator, Mapping

from ahocorasick_rs import AhoCorasick, Implementation

from collectors.query import And, Node, Or, Query, Term, fold, is_whole

DENSE = 500_000
"""Characters of all terms up to which the automaton is a table: a third quicker, at 48 bytes a character."""


class Matcher:
    """Matches texts against the queries of many brands; built anew when a query changes.

    The automaton (Aho and Corasick 1975) finds every term of every query in one pass over the text; a brand's tree is
    looked at only where one of its anchors stands as whole words.
    """

    def __init__(self, queries: Mapping[str, Query]) -> None:
        self._queries = dict(queries)
        spread = Counter(term for query in self._queries.values() for term in query.terms)
        self._terms = list(spread)
        dense = sum(map(len, self._terms)) <= DENSE
        automaton = AhoCorasick(self._terms, implementation=Implementation.DFA if dense else None)
        self._find = automaton.find_matches_as_indexes
        number = {term: n for n, term in enumerate(self._terms)}
        # By term: the brands that it alone decides, and those whose tree must be looked at.
        self._alone: list[list[str]] = [[] for _ in self._terms]
        self._anchored: list[list[str]] = [[] for _ in self._terms]
        for brand, query in self._queries.items():
            alone = set(_alternatives(query.root))
            for term in alone:
                self._alone[number[term]].append(brand)
            for term in _anchors(query.root, spread) - alone:
                self._anchored[number[term]].append(brand)

    def match(self, text: str) -> list[str]:
        """Names of the brands whose query matches `text`, sorted."""
        folded = fold(text)
        hits = self._find(folded, overlapping=True)
        if not hits:
            return []
        found: set[int] = set()
        brands: set[str] = set()
        candidates: set[str] = set()
        for term, start, end in hits:
            if term not in found and is_whole(folded, start, end):
                found.add(term)
                brands.update(self._alone[term])
                candidates.update(self._anchored[term])
        candidates -= brands
        if candidates:
            terms = {self._terms[term] for term in found}
            brands |= {brand for brand in candidates if self._queries[brand].root.holds(terms)}
        return sorted(brands)


def _alternatives(node: Node) -> Iterator[str]:
    """Terms of which each alone makes the node hold."""
    if isinstance(node, Term):
        yield node.text
    elif isinstance(node, Or):
        for part in node.parts:
            yield from _alternatives(part)


def _anchors(node: Node, spread: Counter[str]) -> set[str]:
    """Terms of which one stands wherever the node holds; an AND gives its rarest part's: common words cost little."""
    if isinstance(node, And):
        return min((_anchors(part, spread) for part in node.parts), key=lambda terms: sum(spread[t] for t in terms))
    if isinstance(node, Or):
        return {term for part in node.parts for term in _anchors(part, spread)}
    return set(node.terms())
