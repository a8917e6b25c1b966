"""A brand's query in words that any network's search knows: an OR of ANDs that finds at least what the query finds.

What a search does not know (wildcards, NEAR, case, NOT, filters) is left out, so that it finds more; the exact query is
matched afterwards.
"""

import re
from collections.abc import Iterable

from collectors.collector import CollectorError
from collectors.query import Query
from collectors.query_fields import Field
from collectors.query_tree import And, Cased, Near, Node, Not, Or, Phrase, Prefix, Term

MAX_ALTERNATIVES = 20
"""Each is a request of its own, at every turn: more would use up what a network allows without a key."""

_Alternatives = frozenset[frozenset[str]]
_SIGNS = re.compile(r"[^\w\s.&+'/-]+")
"""What searches read as operators, or not at all."""
_ALL: _Alternatives = frozenset({frozenset()})
"""True of every post, as far as a search can tell; no alternative at all is true of none."""


def search_words(query: Query, source: str, kinds: frozenset[str], what: str) -> list[list[str]]:
    """Return the alternatives of `query`: folded words and phrases that stand together, without # and @.

    `source` and `kinds` are those of the posts that are searched, `what` names the network in errors.

    Raises:
        CollectorError: it finds none of these posts, or a search would need words that it does not have, or too many.
    """
    found = _Reader(source, kinds).of(query.root)
    if not found:
        raise CollectorError(f"the query matches no post of {what}; leave the source out, or change source: or kind:")
    if frozenset() in found:
        raise CollectorError(f"{what} can be searched for whole words alone; join the query with one by AND")
    if len(found) > MAX_ALTERNATIVES:
        raise CollectorError(
            f"{what} would be asked for {len(found)} alternatives of the query; write it with at most "
            f"{MAX_ALTERNATIVES} terms joined by OR"
        )
    return sorted(sorted(words) for words in found)


class _Reader:
    def __init__(self, source: str, kinds: frozenset[str]) -> None:
        self._source = source
        self._kinds = kinds

    def of(self, node: Node) -> _Alternatives:
        if isinstance(node, And | Phrase):
            return _both(self.of(part) for part in node.parts)
        if isinstance(node, Or):
            return _any(self.of(part) for part in node.parts)
        if isinstance(node, Near):
            return _both(_any(map(self.of, side)) for side in (node.left, node.right))
        if isinstance(node, Prefix):
            return _said(node.text.rpartition(" ")[0])  # the word that goes on is not known, those before it are
        if isinstance(node, Term | Cased):
            return _said(node.text if isinstance(node, Term) else node.key)
        if isinstance(node, Not) and isinstance(node.part, Field) and self._always(node.part):
            return frozenset()
        if isinstance(node, Field) and self._never(node):
            return frozenset()
        return _ALL

    def _always(self, field: Field) -> bool:
        if field.name == "kind":
            return self._kinds == {field.value}
        return field.name == "source" and field.value == self._source

    def _never(self, field: Field) -> bool:
        if field.name == "kind":
            return field.value not in self._kinds
        return field.name == "source" and field.value != self._source


def _said(text: str) -> _Alternatives:
    bare = " ".join(_SIGNS.sub(" ", text).split()).lstrip("-+ ")
    return frozenset({frozenset({bare})}) if any(char.isalnum() for char in bare) else _ALL


def _any(parts: Iterable[_Alternatives]) -> _Alternatives:
    return _least(frozenset(words for part in parts for words in part))


def _both(parts: Iterable[_Alternatives]) -> _Alternatives:
    """Combine each with each; where that grows too long, the part that says most in the fewest words stands for all."""
    each = list(parts)
    if not all(each):
        return frozenset()
    narrow = [part for part in each if frozenset() not in part]
    found = _ALL
    for part in sorted(narrow, key=lambda part: (len(part), sorted(map(sorted, part)))):
        if len(found) * len(part) > MAX_ALTERNATIVES and found is not _ALL:
            break
        found = _least(frozenset(_together(words | more) for words in found for more in part))
    return found


def _together(words: frozenset[str]) -> frozenset[str]:
    """Leave out a word that stands in one of the phrases."""
    return frozenset(word for word in words if not any(word != other and _within(word, other) for other in words))


def _least(found: _Alternatives) -> _Alternatives:
    """Leave out what another alternative finds too: "acme air" is found by acme."""
    said = {words: "|".join(f" {word} " for word in words) for words in found}
    sought = [(words, [f" {word} " for word in words]) for words in found]

    def found_by_another(words: frozenset[str]) -> bool:
        text = said[words]
        return any(other != words and all(part in text for part in parts) for other, parts in sought)

    return frozenset(words for words in found if not found_by_another(words))


def _within(word: str, phrase: str) -> bool:
    return f" {word} " in f" {phrase} "
