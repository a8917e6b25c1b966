"""Which brands a text is about: all queries at once, through one automaton over their terms."""

from collections import Counter
from collections.abc import Mapping

from ahocorasick_rs import AhoCorasick

from collectors.query import And, Node, Or, Query, fold, is_whole


class Matcher:
    """Matches texts against the queries of many brands; built anew when a query changes.

    The automaton (Aho and Corasick 1975) finds every term of every query in one pass over the text; a brand's tree is
    looked at only where one of its anchors stands as whole words.
    """

    def __init__(self, queries: Mapping[str, Query]) -> None:
        self._queries = dict(queries)
        spread = Counter(term for query in self._queries.values() for term in query.terms)
        self._terms = list(spread)
        self._automaton = AhoCorasick(self._terms)
        self._anchored: dict[str, list[str]] = {}
        for brand, query in self._queries.items():
            for term in _anchors(query.root, spread):
                self._anchored.setdefault(term, []).append(brand)

    def match(self, text: str) -> list[str]:
        """Names of the brands whose query matches `text`, sorted."""
        folded = fold(text)
        found: set[int] = set()
        for term, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            if term not in found and is_whole(folded, start, end):
                found.add(term)
        if not found:
            return []
        terms = {self._terms[term] for term in found}
        candidates = {brand for term in terms for brand in self._anchored.get(term, ())}
        return sorted(brand for brand in candidates if self._queries[brand].root.holds(terms))


def _anchors(node: Node, spread: Counter[str]) -> set[str]:
    """Terms of which one stands wherever the node holds; an AND gives its rarest part's: common words cost little."""
    if isinstance(node, And):
        return min((_anchors(part, spread) for part in node.parts), key=lambda terms: sum(spread[t] for t in terms))
    if isinstance(node, Or):
        return {term for part in node.parts for term in _anchors(part, spread)}
    return set(node.terms())
