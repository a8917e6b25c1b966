"""What a brand is: the query its mentions match. Words, "phrases", #hashtags and @handles, joined by AND and OR.

Folding comes first (one form for all ways to write a word, and what a whole word is), then the tree, then the parser.
"""

import re
import unicodedata
from collections.abc import Container, Iterator
from dataclasses import dataclass
from functools import cache
from typing import NoReturn, Protocol

MAX_LENGTH = 20_000
"""Characters a query may have: room for MAX_TERMS long phrases."""

MAX_TERMS = 500
"""Terms a query may have; longer lists are better split over two brands than read by anyone."""

MAX_TERM_LENGTH = 200
"""Characters of one word or phrase: bounds how many terms can end at one place of a text."""

_ERASED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""Code points that cannot be seen (Unicode's default ignorables), and lone surrogates, which no encoder takes."""

_SAME = (("’", "'"), ("‘", "'"), ("ʼ", "'"), ("‐", "-"), ("–", "-"), ("—", "-"), ("ı", "i"))
"""What people write for the same word, and NFKC keeps apart: apostrophes, dashes, the Turkish i."""

_DOTTED = re.compile("i\u0307+")  # what case folding makes of the Turkish capital

_LONG = 250
"""Characters below which normalising is quick whatever the text: its time grows with the square of a run of marks."""

_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that join words (Thai, Lao, Burmese, Khmer, Kana, Han) or hang endings on them (Hangul)."""


@cache
def _mark_runs() -> re.Pattern[str]:
    marks = "".join(char for char in map(chr, range(0x300, 0x1F000)) if unicodedata.combining(char))
    return re.compile(f"[{marks}]{{31,}}")  # 30 is the most that a real text has: Unicode Annex 15, section 13


def fold(text: str) -> str:
    """Give the form in which texts and terms are compared.

    NFKC and case folding; what cannot be seen is gone; apostrophes, dashes and the Turkish i are one; white space is
    one space. Folding twice gives the same as once.
    """
    if text.isascii():
        lower = text.lower()
        if lower.isprintable() and "  " not in lower and not (lower[:1] == " " or lower[-1:] == " "):
            return lower  # as most texts are: a third less time than to split and join
        return " ".join(lower.split())
    text = _ERASED.sub("", text)
    if len(text) > _LONG and not unicodedata.is_normalized("NFKC", text):
        text = _mark_runs().sub("", text)
    text = _ERASED.sub("", unicodedata.normalize("NFKC", text).casefold())
    for written, same in _SAME:
        text = text.replace(written, same)
    return " ".join(unicodedata.normalize("NFKC", _DOTTED.sub("i", text)).split())


def is_spaceless(char: str) -> bool:
    """Whether words of this character's script stand without spaces between them."""
    return char > "\u0dff" and _SPACELESS.match(char) is not None


def joins(char: str) -> bool:
    """Whether a character goes on with the word beside it: letters, digits, _ and marks of scripts with spaces."""
    if char.isalnum() or char == "_":
        return not is_spaceless(char)
    return char > "\u02ff" and unicodedata.category(char)[0] == "M" and not is_spaceless(char)


def is_whole(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] stands as whole words: no letter goes on at either side. # and @ begin a word."""
    if start > 0 and joins(text[start - 1]) and (text[start] in "#@" or joins(text[start])):
        return False
    return end == len(text) or not (joins(text[end]) and joins(text[end - 1]))


def holds_whole(text: str, term: str) -> bool:
    """Whether `term` occurs in `text` as whole words, both folded."""
    start = text.find(term)
    while start >= 0:
        if is_whole(text, start, start + len(term)):
            return True
        start = text.find(term, start + 1)
    return False


class QueryError(ValueError):
    """A query that cannot be read: what is wrong, at which column (from 1), and what would be right."""

    def __init__(self, message: str, column: int, expected: str) -> None:
        super().__init__(f"column {column}: {message}; expected {expected}")
        self.message = message
        self.column = column
        self.expected = expected


class Node(Protocol):
    """A part of a query's tree; each is frozen and prints as text that parses to the same tree."""

    def terms(self) -> Iterator[str]:
        """Every term below, folded, in the order written."""
        ...

    def holds(self, found: Container[str]) -> bool:
        """Whether it is true where exactly the terms in `found` occur."""
        ...


@dataclass(frozen=True)
class Term:
    """A word, phrase, #hashtag or @handle, folded; true where it occurs as whole words."""

    text: str

    def terms(self) -> Iterator[str]:
        """Give the term."""
        yield self.text

    def holds(self, found: Container[str]) -> bool:
        """Whether the term was found."""
        return self.text in found

    def __str__(self) -> str:
        return self.text if _is_plain(self.text) else f'"{self.text}"'


@dataclass(frozen=True)
class And:
    """True where all parts are."""

    parts: tuple[Node, ...]

    def terms(self) -> Iterator[str]:
        """Every term below."""
        return (term for part in self.parts for term in part.terms())

    def holds(self, found: Container[str]) -> bool:
        """Whether all parts hold."""
        return all(part.holds(found) for part in self.parts)

    def __str__(self) -> str:
        return " AND ".join(map(str, self.parts))


@dataclass(frozen=True)
class Or:
    """True where any part is."""

    parts: tuple[Node, ...]

    def terms(self) -> Iterator[str]:
        """Every term below."""
        return (term for part in self.parts for term in part.terms())

    def holds(self, found: Container[str]) -> bool:
        """Whether any part holds."""
        return any(part.holds(found) for part in self.parts)

    def __str__(self) -> str:
        return " OR ".join(map(str, self.parts))


@dataclass(frozen=True)
class Query:
    """A parsed query; `str(query)` parses to the same query."""

    root: Node

    @property
    def terms(self) -> frozenset[str]:
        """Every term, folded."""
        return frozenset(self.root.terms())

    def matches(self, folded_text: str) -> bool:
        """Whether a text matches that went through `fold`."""
        return self.root.holds({term for term in self.terms if holds_whole(folded_text, term)})

    def __str__(self) -> str:
        return str(self.root)


_OPERATORS = frozenset({"and", "or", "not"})
_QUOTES = '"“”„＂'
_TOKEN = re.compile(
    rf"[{_QUOTES}](?P<phrase>[^{_QUOTES}]*)[{_QUOTES}]|(?P<quote>[{_QUOTES}])|(?P<word>[^{_QUOTES}\s]+)"
)
_RESERVED = {
    "(": ("parentheses are not supported yet", "words joined by AND and OR; AND binds first"),
    ")": ("parentheses are not supported yet", "words joined by AND and OR; AND binds first"),
    "*": ("wildcards are not supported yet", "each form of the word, joined by OR"),
    ":": ("field filters are not supported yet", 'words only; a text with a colon goes in "quotes"'),
    "|": ("| is not an operator", "OR"),
    "$": ("cashtags are not supported yet", 'a word; to look for the text itself put it in "quotes"'),
}
_A_TERM = 'a word, a "phrase", a #hashtag or a @handle'


def parse(text: str) -> Query:
    """Read a query: `acme "acme air" OR #acmeair OR @acme`; a space means AND, and AND binds before OR.

    Raises QueryError where the text is not of this language, or over a limit.
    """
    if len(text) > MAX_LENGTH:
        raise QueryError(f"the query has {len(text)} characters", MAX_LENGTH + 1, f"at most {MAX_LENGTH}")
    branches: list[list[Term]] = [[]]
    count = 0
    operator = "the query"
    for token in _TOKEN.finditer(text):
        word, column = token["word"], token.start() + 1
        if word in ("AND", "OR"):
            if operator:
                raise QueryError(f"{word} stands where a term should", column, _A_TERM)
            operator = word
            if word == "OR":
                branches.append([])
            continue
        count += 1
        if count > MAX_TERMS:
            raise QueryError(f"more than {MAX_TERMS} terms", column, f"at most {MAX_TERMS}")
        branches[-1].append(_term(token, column))
        operator = ""
    if operator == "the query":
        raise QueryError("the query is empty", 1, _A_TERM)
    if operator:
        raise QueryError(f"nothing follows {operator}", len(text.rstrip()) + 1, _A_TERM)
    nodes = tuple(branch[0] if len(branch) == 1 else And(tuple(branch)) for branch in branches)
    return Query(nodes[0] if len(nodes) == 1 else Or(nodes))


def _term(token: re.Match[str], column: int) -> Term:
    if token["quote"] is not None:
        raise QueryError("the quotation mark is not closed", column, 'a closing "')
    written = token["phrase"]
    if written is None:
        written = token["word"]
        _refuse_reserved(written, column)
    folded = fold(written)
    if not any(char.isalnum() or unicodedata.category(char) == "So" for char in folded):
        raise QueryError(f"{token[0][:40]} holds no letter, digit or emoji", column, _A_TERM)
    if len(folded) > MAX_TERM_LENGTH:
        raise QueryError(f"a term of {len(folded)} characters", column, f"at most {MAX_TERM_LENGTH}")
    return Term(folded)


def _refuse_reserved(word: str, column: int) -> None:
    def refuse(message: str, expected: str, offset: int = 0) -> NoReturn:
        raise QueryError(message, column + offset, expected)

    folded = fold(word)
    if word == "NOT" or folded.startswith("-"):
        refuse("NOT is not supported yet", "words joined by AND and OR")
    if word == "NEAR" or word.startswith("NEAR/"):
        refuse("NEAR is not supported yet", 'a "phrase", or AND')
    if folded in _OPERATORS:
        refuse(f"is {word} an operator or a word?", f'{folded.upper()}, or "{folded}" in quotes')
    for offset, char in enumerate(word):
        plain = unicodedata.normalize("NFKC", char)
        if plain in _RESERVED:
            refuse(*_RESERVED[plain], offset)


def _is_plain(term: str) -> bool:
    return not (
        " " in term
        or term.startswith("-")
        or term in _OPERATORS
        or any(unicodedata.normalize("NFKC", char) in _RESERVED for char in term)
    )
