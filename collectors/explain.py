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
from collectors.reading import Place

MOST_SPANS = 100
"""Places shown of one term."""

_JOINING = frozenset({"Mn", "Mc", "Me", "Cf", "Lm", "Sk"})
"""Categories of what may melt into the character before."""


@dataclass(frozen=True)
class Found:
    """A term, filter or NEAR that holds; `excludes` where it stands under NOT.

    `spans` are start and end in the text as written, in code points; none for filters and NEARs, and where the text
    is too unlike what is compared.
    """

    term: str
    excludes: bool
    spans: list[Place]


@dataclass(frozen=True)
class Explanation:
    """Whether a text matches, and what of the query was found in it."""

    matches: bool
    found: list[Found]


class Explainer:
    """Explains one query on many texts."""

    def __init__(self, query: Query) -> None:
        self._matcher = Matcher({"": query})
        shown = {(str(node), excludes): node for node, excludes in _shown(query.root, excludes=False)}
        self._shown = [(*key, node, self._matcher.asking.holds(node)) for key, node in shown.items()]

    def explain(self, text: str, said: Said | None = None) -> Explanation:
        """Tell what of the query is in a text; `said` is what else is known of the mention."""
        reading = self._matcher.reading(text, said)
        places = _Places(text)
        found = []
        for term, excludes, node, holds in self._shown:
            if holds(reading):
                standing = self._matcher.asking.places(node, reading) if isinstance(node, Term | Prefix | Cased) else []
                found.append(Found(term, excludes, places.of(standing, isinstance(node, Cased))))
        return Explanation(bool(self._matcher.match(text, said)), found)


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

    def __init__(self, text: str) -> None:
        self._text = text
        self._origins: dict[bool, list[Place]] = {}

    def of(self, standing: list[Place], cased: bool) -> list[Place]:
        """Return where the first of them are."""
        if standing and cased not in self._origins:
            self._origins[cased] = _origins(self._text, cased)
        origins = self._origins.get(cased)
        return [(origins[start][0], origins[end - 1][1]) for start, end in standing[:MOST_SPANS]] if origins else []


def _origins(text: str, cased: bool) -> list[Place]:
    """Start and end in `text` of what each character of its folded form comes from; [] where that cannot be told."""
    form = fold_cased if cased else fold
    cuts = [at for at, char in enumerate(text) if not at or not _melts(char)] + [len(text)]
    folded: list[str] = []
    origins: list[Place] = []
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
