"""A brand's query in the words of X's search, as far as X can say it."""

import re
from dataclasses import dataclass

from collectors.collector import CollectorError
from collectors.query import Query
from collectors.query_fields import Field, Followers
from collectors.query_tree import And, Cased, Near, Node, Not, Or, Phrase, Prefix, Term

_WORD = re.compile(r"[#@$]?\w+")
_ACCOUNT = re.compile(r"[a-z0-9_]{1,20}")
_X_CODES = {"id": "in", "he": "iw"}
"""Languages for which X keeps the old code."""


@dataclass(frozen=True)
class Rule:
    """What X is asked for. Unless `exact` it finds more than the query, and posts must be matched again."""

    text: str
    exact: bool


@dataclass(frozen=True)
class _Part:
    """A part as X says it; None is what X cannot say, or what is true (or, if `never`, false) of every post of X."""

    text: str | None
    exact: bool = True
    never: bool = False
    group: type[And | Or] | None = None


def rule(query: Query) -> Rule:
    """Say a query to X.

    Raises:
        CollectorError: nothing remains that X could search for.
    """
    part = _said(query.root)
    if part.never:
        raise CollectorError("the query matches no post of X; leave the source out, or change source: or kind:")
    if part.text is None or not _stands_alone(query.root):
        raise CollectorError("X can search for no wildcard alone; write the forms of the word, joined by OR")
    return Rule(part.text, part.exact)


def _said(node: Node) -> _Part:
    if isinstance(node, And):
        return _all([_said(part) for part in node.parts])
    if isinstance(node, Or):
        return _any([_said(part) for part in node.parts])
    if isinstance(node, Not):
        return _not(node.part)
    if isinstance(node, Near):
        sides = [_any([_said(choice) for choice in side]) for side in (node.left, node.right)]
        return _join([side for side in sides if side.text], exact=False)
    if isinstance(node, Phrase):
        return _join([_said(part) for part in node.parts if isinstance(part, Term)], exact=False)
    if isinstance(node, Field):
        return _field(node)
    if isinstance(node, Term | Cased):
        text = node.text if isinstance(node, Term) else node.key
        return _Part(text if _WORD.fullmatch(text) else f'"{text}"', exact=isinstance(node, Term))
    assert isinstance(node, Prefix | Followers)
    return _Part(None, exact=False)


def _all(parts: list[_Part]) -> _Part:
    if any(part.never for part in parts):
        return _Part(None, never=True)
    return _join([part for part in parts if part.text], exact=all(part.exact for part in parts))


def _join(parts: list[_Part], exact: bool) -> _Part:
    if len(parts) < 2:
        return _Part(parts[0].text if parts else None, exact, group=parts[0].group if parts else None)
    return _Part(" ".join(f"({p.text})" if p.group is Or else f"{p.text}" for p in parts), exact, group=And)


def _any(parts: list[_Part]) -> _Part:
    parts = [part for part in parts if not part.never]
    if not parts:
        return _Part(None, never=True)
    if any(part.text is None for part in parts):
        return _Part(None, exact=any(part.text is None and part.exact for part in parts))
    if len(parts) == 1:
        return parts[0]
    return _Part(" OR ".join(part.text or "" for part in parts), all(part.exact for part in parts), group=Or)


def _not(node: Node) -> _Part:
    """Say that a part is missing; X takes a minus before single terms only, not before parentheses."""
    if isinstance(node, Not):
        return _said(node.part)
    if isinstance(node, Or):
        return _all([_not(part) for part in node.parts])
    part = _said(node)
    if part.never:
        return _Part(None)
    if part.text is None:
        return _Part(None, part.exact, never=part.exact)
    if part.group or not part.exact:
        return _Part(None, exact=False)  # X would leave out more than the query does
    return _Part(f"-{part.text}")


def _field(field: Field) -> _Part:
    if field.name in ("source", "kind"):
        return _Part(None, never=field.value != {"source": "x", "kind": "post"}[field.name])
    if field.name == "lang":
        return _Part(f"lang:{_X_CODES.get(field.value, field.value)}")
    if field.name == "author" and _ACCOUNT.fullmatch(field.value):
        return _Part(f"from:{field.value}")
    return _Part(None, exact=False)  # X's url: is of the links in a post, ours is of the post


def _stands_alone(node: Node) -> bool:
    """Whether X would search for it: lang: and what is excluded only narrow what else is searched for."""
    if isinstance(node, And):
        return any(_stands_alone(part) for part in node.parts)
    if isinstance(node, Or):
        return all(_stands_alone(part) or _said(part).never for part in node.parts)
    if isinstance(node, Near | Phrase):
        return _said(node).text is not None
    return isinstance(node, Term | Cased) or (isinstance(node, Field) and node.name == "author")
