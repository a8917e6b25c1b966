"""A brand's query in the words of GDELT's search: groups of words, of each of which one must stand in an article."""

import re
from dataclasses import dataclass

from collectors.collector import CollectorError
from collectors.query import Query
from collectors.query_tree import And, Cased, Near, Node, Or, Phrase, Term

SHORTEST = 3
"""Letters of a word that GDELT searches for; in quotes, where it wants five characters, it is a phrase."""
SHORTEST_PHRASE = 5
MOST_WORDS = 25
"""Alternatives of one search; GDELT calls much longer ones too long."""

_NO_WORD = re.compile(r"[^\w]+")


@dataclass(frozen=True)
class Asked:
    """What GDELT is asked for. Unless `exact` it finds more than the query, and articles must be matched again."""

    text: str
    exact: bool


def ask(query: Query) -> Asked:
    """Say a query to GDELT.

    Raises:
        CollectorError: nothing remains that GDELT could search for, or too much.
    """
    groups, exact = _groups(query.root)
    if not groups:
        raise CollectorError("GDELT can search for no wildcard, filter or short word alone; add a word to the query")
    if sum(map(len, groups)) > MOST_WORDS:
        raise CollectorError(f"GDELT searches for at most {MOST_WORDS} words and phrases; leave the source out")
    return Asked(" ".join(group[0] if len(group) == 1 else f"({' OR '.join(group)})" for group in groups), exact)


def _groups(node: Node) -> tuple[list[list[str]], bool]:
    """Return groups that must all be met, each by one of its words, and whether that says all of the node."""
    if isinstance(node, Term | Cased):
        word = _said(node.text)
        return ([[word]] if word else []), isinstance(node, Term) and word in (node.text, f'"{node.text}"')
    if isinstance(node, Phrase):
        whole = all(isinstance(part, Term) for part in node.parts)
        parts = [_said(part.text) for part in node.parts if isinstance(part, Term)]
        return [[part] for part in parts if part], whole and len(parts) == 1
    if isinstance(node, And):
        found = [_groups(part) for part in node.parts]
        return [group for groups, _ in found for group in groups], all(exact for _, exact in found)
    if isinstance(node, Or):
        return _any(list(node.parts))
    if isinstance(node, Near):
        return [*_any(list(node.left))[0], *_any(list(node.right))[0]], False
    return [], False  # a wildcard, a filter, or what must be missing: matched here


def _any(parts: list[Node]) -> tuple[list[list[str]], bool]:
    """Join alternatives: of each the group with the fewest words stands for it, since GDELT nests no parentheses."""
    found = [_groups(part) for part in parts]
    if not all(groups for groups, _ in found):
        return [], False
    words = [word for groups, _ in found for word in min(groups, key=len)]
    return [list(dict.fromkeys(words))], all(exact and len(groups) == 1 for groups, exact in found)


def _said(text: str) -> str | None:
    """Return a word or a quoted phrase as GDELT takes it: without # or @; None where it is too short."""
    words = _NO_WORD.sub(" ", text).split()
    if len(words) > 1:
        phrase = " ".join(words)
        return f'"{phrase}"' if len(phrase) >= SHORTEST_PHRASE else None
    return words[0] if words and len(words[0]) >= SHORTEST else None
