"""One form for all ways to write a word, and what a whole word is: texts and terms are compared after this."""

import re
import string
import unicodedata
from functools import cache

_ERASED = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\U000e0000-\U000e0fff]"
)
"""Code points that cannot be seen (Unicode's default ignorables), and lone surrogates, which no encoder takes."""

_SAME = (("’", "'"), ("‘", "'"), ("ʼ", "'"), ("‐", "-"), ("–", "-"), ("—", "-"))
"""What people write for the same word, and NFKC keeps apart: apostrophes and dashes."""

_DOTTED = re.compile("i\u0307+")  # what case folding makes of the Turkish capital

_LONG = 250
"""Characters below which normalising is quick whatever the text: its time grows with the square of a run of marks."""

_SPACELESS = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3130-\u318f"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Scripts that join words (Thai, Lao, Burmese, Khmer, Kana, Han) or hang endings on them (Hangul)."""

_ASCII_WORD = re.compile(r"\w+")

_ASCII_JOINS = frozenset(string.ascii_letters + string.digits + "_")
"""What of ASCII goes on with the word beside it: tells most places without a call."""
_ASCII_BEGUN = _ASCII_JOINS | {"#", "@"}
EDGES = frozenset(map(chr, range(128))) - _ASCII_JOINS


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
        if lower.isprintable() and "  " not in lower and lower[:1] != " " and lower[-1:] != " ":
            return lower  # as most texts are: a third less time than to split and join
        return " ".join(lower.split())
    text = _ERASED.sub("", _normal(text).casefold())
    text = _DOTTED.sub("i", _unified(text).replace("ı", "i"))
    return " ".join(unicodedata.normalize("NFKC", text).split())


def fold_cased(text: str) -> str:
    """Give the form in which case-sensitive terms are compared: as `fold`, but upper and lower case stay apart."""
    if text.isascii():
        return text if text.lower() == fold(text) else " ".join(text.split())
    return " ".join(unicodedata.normalize("NFKC", _unified(_ERASED.sub("", _normal(text)))).split())


def _normal(text: str) -> str:
    text = _ERASED.sub("", text)
    if len(text) > _LONG and not unicodedata.is_normalized("NFKC", text):
        text = _mark_runs().sub("", text)
    return unicodedata.normalize("NFKC", text)


def _unified(text: str) -> str:
    for written, same in _SAME:
        text = text.replace(written, same)
    return text


def is_spaceless(char: str) -> bool:
    """Whether words of this character's script stand without spaces between them."""
    return char > "\u0dff" and _SPACELESS.match(char) is not None


def joins(char: str) -> bool:
    """Whether a character goes on with the word beside it: letters, digits, _ and marks of scripts with spaces."""
    if char.isalnum() or char == "_":
        return not is_spaceless(char)
    return char > "\u02ff" and unicodedata.category(char)[0] == "M" and not is_spaceless(char)


def begins(text: str, start: int) -> bool:
    """Whether a word may begin at `start`: no letter goes on from before it. # and @ begin a word."""
    if not start or (before := text[start - 1]) in EDGES:
        return True
    first = text[start]
    return not ((before in _ASCII_JOINS or joins(before)) and (first in _ASCII_BEGUN or joins(first)))


def is_whole(text: str, start: int, end: int) -> bool:
    """Whether text[start:end] stands as whole words: no letter goes on at either side. # and @ begin a word."""
    if not begins(text, start):
        return False
    if end == len(text) or (after := text[end]) in EDGES:
        return True
    last = text[end - 1]
    return not ((after in _ASCII_JOINS or joins(after)) and (last in _ASCII_JOINS or joins(last)))


def holds_whole(text: str, term: str) -> bool:
    """Whether `term` occurs in `text` as whole words, both folded."""
    start = text.find(term)
    while start >= 0:
        if is_whole(text, start, start + len(term)):
            return True
        start = text.find(term, start + 1)
    return False


def word_starts(text: str) -> list[int]:
    """Where the words of a folded text begin, rising; a character of a script without spaces, or an emoji, is one."""
    if text.isascii():
        return [word.start() for word in _ASCII_WORD.finditer(text)]
    starts: list[int] = []
    within = False
    for at, char in enumerate(text):
        goes_on = joins(char)
        alone = not goes_on and char > "\x7f" and (char.isalnum() or unicodedata.category(char) == "So")
        if alone or (goes_on and not within):
            starts.append(at)
        within = goes_on
    return starts
