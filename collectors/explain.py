"""Why a query matches a text or does not: which of its terms stand, and where in the text as it was written."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from collectors.fold import fold, fold_cased
from collectors.match import Matcher
from collectors.query import Query
from collectors.query_fields import Field, Followers, Said
from collectors.query_tree import And, Cased, Node, Not, Or, Prefix, Term
from collectors.reading import Reading, Standing

MOST_SPANS = 100
"""Places shown of one term."""

_JOINING = frozenset({"Mn", "Mc", "Me", "Cf", "Lm", "Sk"})
"""Categories of what may melt into the character before."""

_Place = tuple[int, int]


@dataclass(frozen=True)
class Found:
    """A term, filter or NEAR that holds; `excludes` where it stands under NOT.

    `spans` are start and end in the text as written, in code points; none for filters and NEARs, and where the text
    is too unlike what is compared.
    """

    term: str
    excludes: bool
    spans: list[_Place]


@dataclass(frozen=True)
class Explanation:
    """Whether a text matches, and what of the query was found in it."""

    matches: bool
    found: list[Found]


class Explainer:
    """Explains one query on many texts."""

    def __init__(self, query: Query) -> None:
        self._query = query
        self._matcher = Matcher({"": query})

    def explain(self, text: str, said: Said | None = None) -> Explanation:
        """Tell what of the query is in a text; `said` is what else is known of the mention."""
        reading = self._matcher.reading(text, said)
        places = _Places(text, reading)
        found: dict[tuple[str, bool], Found] = {}
        for node, excludes in _shown(self._query.root, excludes=False):
            if (str(node), excludes) not in found and node.holds(reading):
                spans = places.of(node) if isinstance(node, Term | Prefix | Cased) else []
                found[str(node), excludes] = Found(str(node), excludes, spans)
        return Explanation(bool(self._matcher.match(text, said)), list(found.values()))


def _shown(node: Node, excludes: bool) -> Iterator[tuple[Node, bool]]:
    if isinstance(node, And | Or):
        for part in node.parts:
            yield from _shown(part, excludes)
    elif isinstance(node, Not):
        yield from _shown(node.part, not excludes)
    else:
        yield node, excludes
        if not isinstance(node, Field | Followers | Term | Prefix | Cased):
            for leaf in node.leaves():
                yield leaf, excludes


class _Places:
    """From places in a folded text to those in the text as written."""

    def __init__(self, text: str, reading: Reading) -> None:
        self._text, self._reading = text, reading
        self._origins: dict[bool, list[_Place]] = {}

    def of(self, term: Term | Prefix | Cased) -> list[_Place]:
        cased = isinstance(term, Cased)
        if cased not in self._origins:
            self._origins[cased] = _origins(self._text, cased)
        origins = self._origins[cased]
        standing: Standing = self._reading.cased if cased else self._reading.plain
        places = standing.places(term.text if cased else term.key)[:MOST_SPANS]
        return [(origins[start][0], origins[end - 1][1]) for start, end in places] if origins else []


def _origins(text: str, cased: bool) -> list[_Place]:
    """Start and end in `text` of what each character of its folded form comes from; [] where that cannot be told."""
    form = fold_cased if cased else fold
    cuts = [at for at, char in enumerate(text) if not at or not _melts(char)] + [len(text)]
    folded: list[str] = []
    origins: list[_Place] = []
    for start, end in pairwise(cuts):
        piece = text[start:end]
        if piece.isspace() and (not folded or folded[-1] == " "):
            continue
        came = " " if piece.isspace() else form(piece)
        folded += came
        origins += [(start, end)] * len(came)
    if folded and folded[-1] == " ":
        folded.pop()
        origins.pop()
    return origins if "".join(folded) == form(text) else []


def _melts(char: str) -> bool:
    return char > "\x7f" and (unicodedata.category(char) in _JOINING or "\u1160" <= char <= "\u11ff")


def told(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON has it; `excludes` and `spans` only where there is something to say."""
    found = []
    for one in explanation.found:
        entry: dict[str, Any] = {"term": one.term}
        if one.spans:
            entry["spans"] = [list(span) for span in one.spans]
        if one.excludes:
            entry["excludes"] = True
        found.append(entry)
    return {"matches": explanation.matches, "found": found}
