"""The tree of a query: what must stand in a text, and how it is combined.

Each node is frozen and prints as text that parses to the same node.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from collectors.fold import fold
from collectors.query_fields import Field, Followers
from collectors.reading import GOES_ON

_UNPLAIN = re.compile(r'[\s*:|(){}"“”„]')
OPERATORS = frozenset({"and", "or", "not"})


class Node(Protocol):
    """A part of a query's tree."""

    def leaves(self) -> "Iterator[Leaf]":
        """Every leaf below, in the order written."""
        ...


@dataclass(frozen=True, slots=True)
class Term:
    """A word, phrase, #hashtag, @handle, $CASHTAG or emoji, folded; true where it occurs as whole words."""

    text: str

    @property
    def key(self) -> str:
        """What it is looked for by."""
        return self.text

    def leaves(self) -> "Iterator[Leaf]":
        """Give the term."""
        yield self

    def __str__(self) -> str:
        plain = not (_UNPLAIN.search(self.text) or self.text.startswith("-") or self.text in OPERATORS)
        return self.text if plain else f'"{self.text}"'


@dataclass(frozen=True)
class Prefix:
    """The beginning of a word (`complain*`), or of a phrase's last word; folded."""

    text: str

    @cached_property
    def key(self) -> str:
        """What it is looked for by."""
        return self.text + GOES_ON

    def leaves(self) -> "Iterator[Leaf]":
        """Give the prefix."""
        yield self

    def __str__(self) -> str:
        return f'"{self.text}*"' if " " in self.text or str(Term(self.text))[0] == '"' else f"{self.text}*"


@dataclass(frozen=True)
class Cased:
    """A word or phrase whose upper and lower case count: `{Apple}`."""

    text: str

    @cached_property
    def key(self) -> str:
        """What it is looked for by, before case is compared."""
        return fold(self.text)

    def leaves(self) -> "Iterator[Leaf]":
        """Give the term."""
        yield self

    def __str__(self) -> str:
        return f"{{{self.text}}}"


@dataclass(frozen=True)
class Phrase:
    """Words in order, some of which only begin as given: `"complain* about acme"`."""

    parts: tuple[Term | Prefix, ...]

    def leaves(self) -> "Iterator[Leaf]":
        """Every part."""
        yield from self.parts

    def __str__(self) -> str:
        return f'"{" ".join(part.text + "*" * isinstance(part, Prefix) for part in self.parts)}"'


Sayable = Term | Prefix | Cased | Phrase
"""What stands at a place of a text."""

Leaf = Term | Prefix | Cased | Field | Followers


@dataclass(frozen=True, slots=True)
class And:
    """True where all parts are."""

    parts: tuple[Node, ...]

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf below."""
        return (leaf for part in self.parts for leaf in part.leaves())

    def __str__(self) -> str:
        return " AND ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Or:
    """True where any part is."""

    parts: tuple[Node, ...]

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf below."""
        return (leaf for part in self.parts for leaf in part.leaves())

    def __str__(self) -> str:
        return " OR ".join(map(str, self.parts))


@dataclass(frozen=True, slots=True)
class Not:
    """True where its part is not."""

    part: Node

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf below."""
        return self.part.leaves()

    def __str__(self) -> str:
        return f"NOT ({self.part})" if isinstance(self.part, And | Or) else f"NOT {self.part}"


@dataclass(frozen=True, slots=True)
class Near:
    """True where something of `left` and something of `right` stand at most `distance` words apart; 1 is side by side.

    The order is free; the same words are never both. Each side is the choices that were joined by OR.
    """

    left: tuple[Sayable, ...]
    right: tuple[Sayable, ...]
    distance: int

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf below."""
        return (leaf for choice in self.left + self.right for leaf in choice.leaves())

    def __str__(self) -> str:
        return f"{_side(self.left)} NEAR/{self.distance} {_side(self.right)}"


def _side(choices: tuple[Sayable, ...]) -> str:
    return str(choices[0]) if len(choices) == 1 else f"({' OR '.join(map(str, choices))})"


def asks(node: Node) -> bool:
    """Whether it holds only where something stands, not merely where something is missing."""
    if isinstance(node, And):
        return any(map(asks, node.parts))
    if isinstance(node, Or):
        return all(map(asks, node.parts))
    return not isinstance(node, Not)
