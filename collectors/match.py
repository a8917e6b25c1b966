"""Which brands a text is about: all queries at once, through one automaton over their terms."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collectors.fold import fold
from collectors.query import Query
from collectors.query_fields import LOOKED_UP, Field, Followers, known
from collectors.query_holds import Asking, Holds
from collectors.query_tree import And, Cased, Leaf, Near, Node, Or, Phrase, Prefix, Term, asks
from collectors.reading import PIECE, Hit, Reading, Terms

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
        self.asking = Asking(self._terms, self._cased)
        self._holds: dict[str, Holds] = {}
        number = self._terms.number
        # By term: the brands that it alone decides, and those whose tree must be looked at.
        self._alone: list[list[str]] = [[] for _ in number]
        self._anchored: dict[int, list[str]] = {}
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
                        self._anchored.setdefault(number[anchor.key], []).append(brand)
                elif isinstance(anchor, Field) and anchor.name in LOOKED_UP:
                    self._filtered.setdefault(anchor.name, {}).setdefault(anchor.value, []).append(brand)
                else:
                    self._always.append(brand)
        self._asks_fields = bool(self._filtered or self._always)

    def match(self, text: str, said: Mapping[str, Any] | None = None) -> list[str]:
        """Names of the brands whose query matches `text`, sorted; `said` is what else is known of the mention."""
        folded = fold(text)
        hits = self._terms.standing(folded)
        return self._brands(text, said, folded, hits) if hits or self._asks_fields else []

    def _brands(self, text: str, said: Mapping[str, Any] | None, folded: str, hits: list[Hit]) -> list[str]:
        brands: set[str] = set()
        candidates: set[str] = set()
        found = {hit[0] for hit in hits}
        for term in found:
            brands.update(self._alone[term])
            if term in self._anchored:
                candidates.update(self._anchored[term])
        if self._asks_fields:
            candidates.update(self._always)
            for name, table in self._filtered.items():
                for value in known(name, said or {}):
                    candidates.update(table.get(value, ()))
        candidates -= brands
        if candidates:
            reading = Reading(text, said, folded, hits, found, self._terms, self._cased)
            for brand in candidates:
                holds = self._holds.get(brand) or self._made(brand)
                if holds(reading):
                    brands.add(brand)
        return sorted(brands)

    def _made(self, brand: str) -> Holds:
        """Keep what tells whether a brand's tree is true; made when first asked: thousands are built quickly."""
        holds = self._holds[brand] = self.asking.holds(self._queries[brand].root)
        return holds

    def match_all(self, mentions: Sequence[Mapping[str, Any]]) -> list[list[str]]:
        """Brands of each mention, as `match` gives them.

        Most texts match nothing, which many together tell in less time.
        """
        if self._asks_fields:
            return [self.match(mention["text"], mention) for mention in mentions]
        found: list[list[str]] = [[] for _ in mentions]
        plain, others = [], []
        for n, mention in enumerate(mentions):
            text = mention["text"]
            if len(text) > PIECE:
                found[n] = self.match(text, mention)
            elif text.isascii() and text.isprintable() and "  " not in text:
                plain.append((n, text))
            else:
                others.append((n, fold(text)))
        for texts in (plain, others):
            for begin in range(0, len(texts), TOGETHER):
                some = texts[begin : begin + TOGETHER]
                lines = "\n".join([text for _, text in some])
                for line, folded, hits in self._standing(lines.lower() if texts is plain else lines):
                    mention = mentions[some[line][0]]
                    found[some[line][0]] = self._brands(mention["text"], mention, folded, hits)
        return found

    def _standing(self, lines: str) -> Iterator[tuple[int, str, list[Hit]]]:
        """Numbers of the folded lines in which terms stand, with these; none of them holds a line's end."""
        by_line: dict[int, list[Hit]] = {}
        for term, start, end in self._terms.all_standing(lines):
            begin = lines.rfind("\n", 0, start) + 1
            by_line.setdefault(begin, []).append((term, start - begin, end - begin))
        for begin, hits in by_line.items():
            yield lines.count("\n", 0, begin), lines[begin:].partition("\n")[0], hits

    def reading(self, text: str, said: Mapping[str, Any] | None = None) -> Reading:
        """Give what the queries see of a text."""
        folded = fold(text)
        hits = self._terms.standing(folded)
        return Reading(text, said, folded, hits, {hit[0] for hit in hits}, self._terms, self._cased)


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
