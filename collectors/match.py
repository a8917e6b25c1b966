"""Which brands a text is about: all queries at once, through one automaton over their terms."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collectors.fold import begins, fold, is_whole
from collectors.query import Query
from collectors.query_fields import LOOKED_UP, Field, Followers, known
from collectors.query_tree import And, Cased, Leaf, Near, Node, Or, Phrase, Prefix, Term, asks
from collectors.reading import PIECE, Reading, Standing, Terms

LOOKED_UP_COST, ALWAYS_COST = 10**6, 10**9
"""What a filter costs as an anchor, in terms shared by as many brands: one by its value, one that is always asked."""

TOGETHER = 16
"""Texts that are looked through at once: enough to save most of what a call costs."""


class Matcher:
    """Matches texts against the queries of many brands; built anew when a query changes.

    The automaton finds every term of every query in one pass over the text; a brand's tree is looked at only where one
    of its anchors stands as whole words, or one of its filters where it has no words.
    """

    def __init__(self, queries: Mapping[str, Query]) -> None:
        self._queries = dict(queries)
        spread: Counter[str] = Counter()
        cased: set[str] = set()
        for query in self._queries.values():
            said = {leaf for leaf in query.root.leaves() if isinstance(leaf, Term | Prefix | Cased)}
            spread.update({leaf.key for leaf in said})
            cased.update(leaf.text for leaf in said if isinstance(leaf, Cased))
        self._terms, self._cased = Terms(spread), Terms(cased)
        self._find = self._terms.find  # looked up once: most texts match nothing, and cost little more than this
        number = {key: n for n, key in enumerate(self._terms.keys)}
        # By term: the brands that it alone decides, and those whose tree must be looked at.
        self._alone: list[list[str]] = [[] for _ in number]
        self._anchored: list[list[str]] = [[] for _ in number]
        # By a filter's name and by its value; and those that no table finds.
        self._filtered: dict[str, dict[str, list[str]]] = {}
        self._always: list[str] = []
        for brand, query in self._queries.items():
            alone = set(_alternatives(query.root))
            for key in alone:
                self._alone[number[key]].append(brand)
            for anchor in _anchors(query.root, spread):
                if not isinstance(anchor, Field | Followers):
                    if anchor.key not in alone:
                        self._anchored[number[anchor.key]].append(brand)
                elif isinstance(anchor, Field) and anchor.name in LOOKED_UP:
                    self._filtered.setdefault(anchor.name, {}).setdefault(anchor.value, []).append(brand)
                else:
                    self._always.append(brand)
        self._asks_fields = bool(self._filtered or self._always)

    def match(self, text: str, said: Mapping[str, Any] | None = None) -> list[str]:
        """Names of the brands whose query matches `text`, sorted; `said` is what else is known of the mention."""
        folded = fold(text)
        hits = self._find(folded, overlapping=True) if len(folded) <= PIECE else self._terms.pieces(folded)
        if not hits and not self._asks_fields:
            return []
        found: set[int] = set()
        brands: set[str] = set()
        candidates: set[str] = set()
        whole = self._terms.whole
        for term, start, end in hits:
            if term not in found and (is_whole(folded, start, end) if term < whole else begins(folded, start)):
                found.add(term)
                brands.update(self._alone[term])
                candidates.update(self._anchored[term])
        if self._asks_fields:
            candidates.update(self._always)
            for name, table in self._filtered.items():
                for value in known(name, said or {}):
                    candidates.update(table.get(value, ()))
        candidates -= brands
        if candidates:
            plain = Standing(self._terms, folded, hits, {self._terms.keys[term] for term in found})
            reading = Reading(text, said, plain, self._cased)
            brands |= {brand for brand in candidates if self._queries[brand].root.holds(reading)}
        return sorted(brands)

    def match_all(self, mentions: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """Brands of each mention, as `match` gives them.

        Most texts match nothing, which many together tell in half the time.
        """
        texts = [mention["text"] for mention in mentions]
        found: list[list[str]] = [[] for _ in texts]
        for n in range(len(texts)) if self._asks_fields else self._touched(texts):
            found[n] = self.match(texts[n], mentions[n])
        return found

    def _touched(self, texts: Sequence[str]) -> Iterator[int]:
        """Places of the texts in which a term stands as whole words, and of those that are looked at one by one."""
        plain, others = [], []
        for n, text in enumerate(texts):
            if len(text) > PIECE:
                yield n
            elif text.isascii() and text.isprintable() and "  " not in text:
                plain.append(n)
            else:
                others.append(n)
        for begin in range(0, len(plain), TOGETHER):
            some = plain[begin : begin + TOGETHER]
            yield from self._standing(some, "\n".join([texts[n] for n in some]).lower())
        for begin in range(0, len(others), TOGETHER):
            some = others[begin : begin + TOGETHER]
            yield from self._standing(some, "\n".join([fold(texts[n]) for n in some]))

    def _standing(self, numbers: Sequence[int], lines: str) -> set[int]:
        """Numbers of the folded lines in which a term stands; no term and no folded text holds a line's end."""
        whole = self._terms.whole
        return {
            numbers[lines.count("\n", 0, start)]
            for term, start, end in self._find(lines, overlapping=True)
            if (is_whole(lines, start, end) if term < whole else begins(lines, start))
        }

    def reading(self, text: str, said: Mapping[str, Any] | None = None) -> Reading:
        """Give what the queries see of a text."""
        folded = fold(text)
        return Reading(text, said, Standing(self._terms, folded, self._terms.hits(folded)), self._cased)


def _alternatives(node: Node) -> Iterator[str]:
    """Keys of the terms of which each alone makes the node hold."""
    if isinstance(node, Term | Prefix):
        yield node.key
    elif isinstance(node, Or):
        for part in node.parts:
            yield from _alternatives(part)


def _anchors(node: Node, spread: Counter[str]) -> set[Leaf]:
    """Leaves of which one holds wherever the node does; an AND gives its rarest part's: common words cost little."""
    if isinstance(node, And):
        return _cheapest([_anchors(part, spread) for part in node.parts if asks(part)], spread)
    if isinstance(node, Near):
        sides = [{leaf for choice in side for leaf in choice.leaves()} for side in (node.left, node.right)]
        return _cheapest(sides, spread)
    if isinstance(node, Phrase):
        return _cheapest([{part} for part in node.parts], spread)
    if isinstance(node, Or):
        return {leaf for part in node.parts for leaf in _anchors(part, spread)}
    return set(node.leaves())


def _cheapest(choices: list[set[Leaf]], spread: Counter[str]) -> set[Leaf]:
    def cost(leaf: Leaf) -> int:
        if isinstance(leaf, Term | Prefix | Cased):
            return spread[leaf.key]
        return LOOKED_UP_COST if isinstance(leaf, Field) and leaf.name in LOOKED_UP else ALWAYS_COST

    return min(choices, key=lambda leaves: sum(map(cost, leaves)))
