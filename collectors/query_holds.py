"""What a query asks of a text, made of its tree once: sets of terms that are asked together, and functions."""

from bisect import bisect_right
from collections.abc import Callable, Sequence

from collectors.query_fields import Field, Followers
from collectors.query_tree import And, Cased, Near, Node, Not, Or, Phrase, Prefix, Sayable, Term
from collectors.reading import Place, Reading, Span, Terms

Holds = Callable[[Reading], bool]
"""Whether something is true of a text."""

_Where = Callable[[Reading], list[Span]]


class Asking:
    """Makes functions of trees, for readings of the same terms."""

    def __init__(self, terms: Terms, cased: Terms) -> None:
        self._number, self._cased = terms.number, cased.number

    def holds(self, node: Node) -> Holds:
        """Return what tells whether a tree is true of a text."""
        if isinstance(node, Term | Prefix):
            number = self._number[node.key]
            return lambda reading: number in reading.found
        if isinstance(node, Cased):
            number, written = self._number[node.key], self._cased[node.text]
            return lambda reading: number in reading.found and bool(reading.cased.places(written))
        if isinstance(node, Phrase):
            needed, where = self._terms(node.parts), self._where(node)
            return lambda reading: needed <= reading.found and bool(where(reading))
        if isinstance(node, Near):
            return self._near(node)
        if isinstance(node, Not):
            part = self.holds(node.part)
            return lambda reading: not part(reading)
        if isinstance(node, Or):
            return self._any(node)
        if isinstance(node, And):
            return self._all(node)
        assert isinstance(node, Field | Followers)
        return node.holds

    def places(self, term: Term | Prefix | Cased, reading: Reading) -> list[Place]:
        """Start and end of the first places of a term in the text that is compared."""
        if isinstance(term, Cased):
            return reading.cased.places(self._cased[term.text])
        return reading.plain.places(self._number[term.key])

    def _any(self, node: Or) -> Holds:
        enough = self._terms(node.parts)
        others = [self.holds(part) for part in node.parts if not isinstance(part, Term | Prefix)]

        def holds(reading: Reading) -> bool:
            if not enough.isdisjoint(reading.found):
                return True
            for other in others:  # noqa: SIM110 - any() takes twice the time, here where much of it goes
                if other(reading):
                    return True
            return False

        return holds

    def _all(self, node: And) -> Holds:
        needed = self._terms(node.parts)
        excluded, refused, others = set[int](), list[Holds](), list[Holds]()
        for part in node.parts:
            if isinstance(part, Not):
                choices = part.part.parts if isinstance(part.part, Or) else (part.part,)
                excluded |= self._terms(choices)
                refused += [self.holds(choice) for choice in choices if not isinstance(choice, Term | Prefix)]
            elif not isinstance(part, Term | Prefix):
                others.append(self.holds(part))
        none_of = frozenset(excluded)

        def holds(reading: Reading) -> bool:
            found = reading.found
            if not (needed <= found and none_of.isdisjoint(found)):
                return False
            for other in others:
                if not other(reading):
                    return False
            for other in refused:  # noqa: SIM110 - as above
                if other(reading):
                    return False
            return True

        return holds

    def _near(self, node: Near) -> Holds:
        left, right, distance = self._side(node.left), self._side(node.right), node.distance
        lefts, rights = self._first(node.left), self._first(node.right)

        def holds(reading: Reading) -> bool:
            found = reading.found
            if lefts.isdisjoint(found) or rights.isdisjoint(found):
                return False  # places are looked up only where both sides may stand
            ahead, behind = left(reading), right(reading)
            return _follow(ahead, behind, distance) or _follow(behind, ahead, distance)

        return holds

    def _side(self, choices: Sequence[Sayable]) -> _Where:
        terms = self._terms(choices)
        others = [self._where(choice) for choice in choices if not isinstance(choice, Term | Prefix)]

        def where(reading: Reading) -> list[Span]:
            spans = [span for number in terms & reading.found for span in reading.plain.words(number)]
            for other in others:
                spans += other(reading)
            return spans

        return where

    def _where(self, node: Sayable) -> _Where:
        if isinstance(node, Phrase):
            return self._phrase(node)
        number = self._number[node.key]
        if isinstance(node, Cased):
            written = self._cased[node.text]
            return lambda reading: reading.cased.words(written) if number in reading.found else []
        return lambda reading: reading.plain.words(number)

    def _phrase(self, node: Phrase) -> _Where:
        first, *rest = [self._number[part.key] for part in node.parts]

        def where(reading: Reading) -> list[Span]:
            found = reading.plain.words(first)
            for part in rest:
                goes_on = dict(reading.plain.words(part))
                found = [(begin, goes_on[last + 1]) for begin, last in found if last + 1 in goes_on]
            return found

        return where

    def _terms(self, nodes: Sequence[Node]) -> frozenset[int]:
        return frozenset(self._number[node.key] for node in nodes if isinstance(node, Term | Prefix))

    def _first(self, choices: Sequence[Sayable]) -> frozenset[int]:
        firsts = [choice.parts[0] if isinstance(choice, Phrase) else choice for choice in choices]
        return frozenset(self._number[first.key] for first in firsts)


def _follow(ahead: Sequence[Span], behind: Sequence[Span], distance: int) -> bool:
    firsts = sorted(first for first, _ in behind)
    for _, last in ahead:
        after = bisect_right(firsts, last)
        if after < len(firsts) and firsts[after] <= last + distance:
            return True
    return False
