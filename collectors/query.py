"""What a brand is: the query its mentions match, in the Boolean language that PR people know (docs/query.md)."""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from collectors import query_fields
from collectors.fold import fold, fold_cased
from collectors.query_fields import Field, Followers
from collectors.query_tokens import Kind, QueryError, Token, tokens
from collectors.query_tree import (
    OPERATORS,
    And,
    Cased,
    Leaf,
    Near,
    Node,
    Not,
    Or,
    Phrase,
    Prefix,
    Sayable,
    Term,
    asks,
)
from collectors.reading import MAX_TERM_LENGTH

__all__ = ["Query", "QueryError", "parse"]

MAX_LENGTH = 20_000
"""Characters a query may have: room for MAX_TERMS long phrases."""

MAX_TERMS = 500
"""Terms and filters a query may have; longer lists are better split over two brands than read by anyone."""

MAX_DEPTH = 32
"""Parentheses and NOTs within each other; people write three."""

MAX_NESTED = 8
"""Terms of a query that may end alike (air, "acme air", "my acme air"): bounds what is found at one place of a text."""

MAX_DISTANCE = 100
"""Words of NEAR; what is further apart is another thought."""

MIN_PREFIX = 3
"""Letters before a *: with fewer, most texts would match."""

_A_TERM = 'a word, a "phrase", a #hashtag or a @handle'


@dataclass(frozen=True)
class Query:
    """A parsed query; `str(query)` parses to the same query."""

    root: Node

    def __str__(self) -> str:
        return str(self.root)


def parse(text: str) -> Query:
    """Read a query: `(acme OR @acme) refund* NOT "acme of hazzard"`; a space means AND, and AND binds before OR.

    Raises QueryError where the text is not of this language, or over a limit.
    """
    if len(text) > MAX_LENGTH:
        raise QueryError(f"the query has {len(text)} characters", MAX_LENGTH + 1, f"at most {MAX_LENGTH}")
    parser = _Parser(text)
    if parser.at("end"):
        raise QueryError("the query is empty", 1, _A_TERM)
    root = parser.any_of(0)
    if parser.at("close"):
        raise QueryError("a ) without its (", parser.token.column, "parentheses in pairs")
    if not asks(root):
        raise QueryError("the query would match whatever is not excluded", 1, "a word beside NOT, as acme NOT air")
    _bound_nesting(root.leaves())
    return Query(root)


class _Parser:
    """Recursive descent, one token ahead; `depth` counts parentheses and NOTs around."""

    def __init__(self, text: str) -> None:
        self._tokens = tokens(text)
        self.token = next(self._tokens)
        self._before = "the query"
        self._count = 0

    def at(self, *kinds: Kind) -> bool:
        return self.token.kind in kinds

    def _step(self) -> Token:
        taken, self._before = self.token, self.token.text
        self.token = next(self._tokens, self.token)
        return taken

    def any_of(self, depth: int) -> Node:
        parts = [self._all_of(depth)]
        while self.at("or"):
            self._step()
            parts.append(self._all_of(depth))
        flat = [p for part in parts for p in (part.parts if isinstance(part, Or) else (part,))]
        return flat[0] if len(flat) == 1 else Or(tuple(flat))

    def _all_of(self, depth: int) -> Node:
        parts = [self._one(depth)]
        while not self.at("or", "close", "end"):
            if self.at("and"):
                self._step()
            parts.append(self._one(depth))
        flat = [p for part in parts for p in (part.parts if isinstance(part, And) else (part,))]
        return flat[0] if len(flat) == 1 else And(tuple(flat))

    def _one(self, depth: int) -> Node:
        if not self.at("not", "minus"):
            return self._near(depth)
        sign = self._step()
        if sign.kind == "minus" and (self.token.column != sign.end or self.at("end")):
            raise QueryError("a - stands alone", sign.column, '-word, NOT word, or "-" in quotes')
        return Not(self._one(self._deeper(depth, sign)))

    def _near(self, depth: int) -> Node:
        column = self.token.column
        left = self._primary(depth)
        if not self.at("near"):
            return left
        operator = self._step()
        distance = _distance(operator)
        left_side = _choices(left, column)
        column = self.token.column
        right_side = _choices(self._primary(depth), column)
        if self.at("near"):
            raise QueryError(
                "NEAR joins two sides", self.token.column, "pairs joined by AND: (a NEAR/3 b) AND (b NEAR/3 c)"
            )
        return Near(left_side, right_side, distance)

    def _primary(self, depth: int) -> Node:
        token = self.token
        if self.at("open"):
            self._step()
            inner = self.any_of(self._deeper(depth, token))
            if not self.at("close"):
                raise QueryError("the parenthesis is not closed", token.column, "a closing )")
            self._step()
            return inner
        if self.at("end"):
            if self._before in "(（﹙":
                raise QueryError("the parenthesis is not closed", token.column, f"{_A_TERM} and a closing )")
            raise QueryError(f"nothing follows {self._before}", token.column, _A_TERM)
        if not self.at("word", "phrase", "cased", "field"):
            raise QueryError(f"{token.text} stands where a term should", token.column, _A_TERM)
        self._count += 1
        if self._count > MAX_TERMS:
            raise QueryError(f"more than {MAX_TERMS} terms", token.column, f"at most {MAX_TERMS}")
        self._step()
        return _leaf(token)

    def _deeper(self, depth: int, token: Token) -> int:
        if depth == MAX_DEPTH:
            raise QueryError(
                f"more than {MAX_DEPTH} parentheses and NOTs within each other", token.column, f"at most {MAX_DEPTH}"
            )
        return depth + 1


def _leaf(token: Token) -> Node:
    if token.kind == "phrase":
        return _phrase(token)
    if token.kind == "cased":
        return _cased(token)
    if token.kind == "field":
        return _field(token)
    return _word(token)


def _word(token: Token) -> Term | Prefix:
    folded = fold(token.text)
    if folded in OPERATORS:
        raise QueryError(
            f"is {token.text} an operator or a word?", token.column, f'{folded.upper()}, or "{folded}" in quotes'
        )
    if "|" in folded:
        raise QueryError("| is not an operator", token.column + _place(token.text, "|"), "OR")
    if "*" not in folded:
        return Term(_sound(token, folded))
    at = folded.index("*")
    if at < len(folded) - 1 or not at:
        column = token.column + _place(token.text, "*")
        raise QueryError("a * stands only at a word's end", column, "the beginning of the word and then *, as refund*")
    if not _begins_enough(folded[:at]):
        raise QueryError(
            f"{token.text} would match too much", token.column, f"at least {MIN_PREFIX} letters before the *"
        )
    return Prefix(_sound(token, folded[:at]))


def _phrase(token: Token) -> Sayable:
    """Read what stood in quotes: after MIN_PREFIX letters a word's last * is a wildcard, any other means itself."""
    folded = _sound(token, fold(token.text))
    if "*" not in folded:
        return Term(folded)
    parts: list[Term | Prefix] = []
    words: list[str] = []
    for word in folded.split(" "):
        begun = word[:-1]
        if word[-1] == "*" and _begins_enough(begun):
            parts.append(Prefix(" ".join([*words, begun])))
            words = []
        else:
            words.append(word)
    if words:
        parts.append(Term(_sound(token, " ".join(words))))
    return parts[0] if len(parts) == 1 else Phrase(tuple(parts))


def _cased(token: Token) -> Cased:
    written = fold_cased(token.text)
    if any(char in written for char in '{}"“”„'):
        raise QueryError("quotes and braces cannot stand within braces", token.column, "the words alone, as {New York}")
    _sound(token, fold(written))
    return Cased(_sound(token, written))


def _field(token: Token) -> Field | Followers:
    name = fold(token.name)
    if name not in query_fields.NAMES:
        names = ", ".join(f"{known}:" for known in query_fields.NAMES)
        raise QueryError(
            f"there is no filter {token.name[:40]}:", token.column, f'{names}; a text with a colon goes in "quotes"'
        )
    try:
        return query_fields.field(name, token.text)
    except ValueError as error:
        raise QueryError(f"{name}: cannot be {token.text[:40] or 'nothing'}", token.column, str(error)) from None


def _sound(token: Token, folded: str) -> str:
    if not folded.isalnum() and not any(char.isalnum() or unicodedata.category(char) == "So" for char in folded):
        written = f'"{token.text}"' if token.kind == "phrase" else token.text
        raise QueryError(f"{written[:40]} holds no letter, digit or emoji", token.column, _A_TERM)
    if len(folded) > MAX_TERM_LENGTH:
        raise QueryError(f"a term of {len(folded)} characters", token.column, f"at most {MAX_TERM_LENGTH}")
    return folded


def _distance(operator: Token) -> int:
    number = operator.text.removeprefix("NEAR").removeprefix("/")
    if not (number.isascii() and number.isdigit() and len(number) < 4 and 1 <= int(number) <= MAX_DISTANCE):
        raise QueryError(
            f"{operator.text[:40]} does not say how near", operator.column, f"NEAR/5: words from 1 to {MAX_DISTANCE}"
        )
    return int(number)


def _choices(side: Node, column: int) -> tuple[Sayable, ...]:
    """Return what a side of NEAR may be."""
    parts = side.parts if isinstance(side, Or) else (side,)
    found = tuple(part for part in parts if isinstance(part, Sayable))
    if len(found) < len(parts):
        raise QueryError("NEAR joins words, phrases, and ORs of them", column, "as (acme OR @acme) NEAR/5 refund*")
    return found


def _bound_nesting(leaves: Iterator[Leaf]) -> None:
    keys = {leaf.key.strip() for leaf in leaves if isinstance(leaf, Term | Prefix | Cased)}
    for key in keys if len(keys) > MAX_NESTED else ():
        alike = sum(key[at:] in keys for at in range(len(key)))
        if alike > MAX_NESTED:
            raise QueryError(f"{alike} terms end alike, as {key[:40]} does", 1, f"at most {MAX_NESTED}")


def _begins_enough(text: str) -> bool:
    """Whether a wildcard may follow: at least MIN_PREFIX letters of the last word stand before it."""
    word = text.rpartition(" ")[2]
    return word[-1:].isalnum() and sum(char.isalnum() for char in word) >= MIN_PREFIX


def _place(word: str, sign: str) -> int:
    return next((at for at, char in enumerate(word) if unicodedata.normalize("NFKC", char) == sign), 0)
