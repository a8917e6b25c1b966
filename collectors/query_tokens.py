"""The pieces of a written query, each with its column."""

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal, NamedTuple

QUOTES = '"“”„＂'
_TOKEN = re.compile(
    rf"[{QUOTES}](?P<phrase>[^{QUOTES}]*)[{QUOTES}]"
    r"|[{｛﹛](?P<cased>[^{}｛｝﹛﹜]*)[}｝﹜]"
    rf"|(?P<quote>[{QUOTES}])|(?P<brace>[{{}}｛｝﹛﹜])|(?P<open>[(（﹙])|(?P<close>[)）﹚])|(?P<minus>[-‐‑–—﹘﹣－])"
    rf"|(?P<word>[^\s{QUOTES}(){{}}（）｛｝﹙﹚﹛﹜]+)"
)

Kind = Literal["phrase", "cased", "open", "close", "minus", "word", "field", "and", "or", "not", "near", "end"]


class QueryError(ValueError):
    """A query that cannot be read: what is wrong, at which column (from 1), and what would be right."""

    def __init__(self, message: str, column: int, expected: str) -> None:
        super().__init__(f"column {column}: {message}; expected {expected}")
        self.message = message
        self.column = column
        self.expected = expected


class Token(NamedTuple):
    """One piece: `text` is what is written (within the quotes; a field's value), `end` the column after.

    `name` is the field's.
    """

    kind: Kind
    text: str
    column: int
    end: int
    name: str = ""


_WORDS: dict[str, Kind] = {"AND": "and", "OR": "or", "NOT": "not"}


def tokens(text: str) -> Iterator[Token]:
    """Cut a query into its pieces; the last is always the end.

    Raises QueryError where a quotation mark or a brace is not closed.
    """
    field: Token | None = None
    for found in _TOKEN.finditer(text):
        token = _token(found)
        if field is not None:
            if token.kind == "phrase" and token.column == field.end:
                yield Token("field", token.text, field.column, token.end, field.name)
                field = None
                continue
            yield field
            field = None
        if token.kind == "field" and not token.text:
            field = token
        else:
            yield token
    if field is not None:
        yield field
    yield Token("end", "", len(text.rstrip()) + 1, len(text) + 1)


def _token(found: re.Match[str]) -> Token:
    kind = found.lastgroup
    column, end = found.start() + 1, found.end() + 1
    if kind == "word":
        return _word(found["word"], column, end)
    if kind == "quote":
        raise QueryError("the quotation mark is not closed", column, 'a closing "')
    if kind == "brace":
        closing = found["brace"] in "}｝﹜"
        message = "a } without its {" if closing else "the brace is not closed"
        raise QueryError(message, column, "braces in pairs, as {Apple}")
    assert kind in ("phrase", "cased", "open", "close", "minus")
    return Token(kind, found[kind], column, end)  # type: ignore[arg-type]  # the groups are named after the kinds


def _word(word: str, column: int, end: int) -> Token:
    if word in _WORDS:
        return Token(_WORDS[word], word, column, end)
    if word == "NEAR" or word.startswith("NEAR/"):
        return Token("near", word, column, end)
    for at, char in enumerate(word if ":" in word or not word.isascii() else ""):
        if char == ":" or (char > "\x7f" and unicodedata.normalize("NFKC", char) == ":"):
            return Token("field", word[at + 1 :], column, end, word[:at])
    return Token("word", word, column, end)
