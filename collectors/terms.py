"""What is said now and was not said before: words, and pairs of words that stand together."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from collectors.fold import fold, is_spaceless

PRIOR_TERMS = 1_000.0
"""Terms that the prior weighs as: some 70 posts. Fewer let words seen once lead, more hide what ten people say."""

LEAST_COUNT = 2
"""Texts a term must stand in: what one text says is that text, not a subject."""

LEAST_Z = 1.96
"""Standard errors above zero from which a rise is told: the two-sided 95 % interval leaves zero out."""

LEAST_LIFT = 3.0
"""Times its expected count that a term must have: keeps out common words whose share moved a little, but surely."""

COMMON_SHARE = 0.05
"""Part of the texts before from which a word is common: a pair that it is in tells no more than its other word."""

COVERED = 0.75
"""Part of a word's texts from which the pair that it stands in there is told in its place."""

_NO_WORD = re.compile(r"(?:https?://|www\.)\S+|\brt(?= @\w)")


@dataclass(frozen=True)
class RisenTerm:
    """A term, how many of the texts now hold it, how many were expected to from those before, and its z-score."""

    term: str
    count: int
    expected: float
    z: float


def distinctive(now: Iterable[str], before: Iterable[str], exclude: str = "") -> list[RisenTerm]:
    """Terms that `now` holds more often than `before` would make one expect, the surest first.

    Log-odds ratio with an informative Dirichlet prior, Monroe, Colaresi and Quinn, "Fightin' Words" (Political
    Analysis 16, 2008). The prior is the mix of both sides, so that words that are common in any language fall out
    without a list of them. A text counts a term once, however often it repeats it. The words of `exclude`, the brand's
    query, are left out. A pair of words is told where it tells more than its words: where these did not rise by
    themselves, or one mostly stands beside the other, and then in place of the shorter one. Nothing is told where
    either side is empty.
    """
    own = {_bare(term) for term in terms(exclude)}
    now, before = list(now), list(before)
    y_now, y_before = _count(now), _count(before)
    words = {r.term: r for r in _risen(*_only(y_now, y_before, pairs=False)) if _bare(r.term) not in own}
    common = {term for term, count in y_before.items() if count > COMMON_SHARE * len(before)} - words.keys()
    pairs: list[RisenTerm] = []
    hidden, paired = set[str](), set[str]()
    for pair in sorted(_risen(*_only(y_now, y_before, pairs=True)), key=_surest_first):
        parts = pair.term.split(" ")
        if any(part in common or part in paired or _bare(part) in own for part in parts):
            continue
        risen = [part for part in parts if part in words]
        covered = [part for part in risen if pair.count >= COVERED * words[part].count]
        if covered or not risen:
            pairs.append(pair)
            paired.update(parts)
            hidden.update(part for part in covered if part != max(parts, key=len))
    told = [*pairs, *(risen for word, risen in words.items() if word not in hidden)]
    return sorted(told, key=_surest_first)


def _surest_first(risen: RisenTerm) -> tuple[float, str]:
    return -risen.z, risen.term


def _only(now: Counter[str], before: Counter[str], pairs: bool) -> tuple[Counter[str], Counter[str]]:
    """Take the one vocabulary or the other: a pair has odds against pairs."""
    chosen = [Counter({term: n for term, n in counts.items() if (" " in term) == pairs}) for counts in (now, before)]
    return chosen[0], chosen[1]


def _risen(y_now: Counter[str], y_before: Counter[str]) -> Iterator[RisenTerm]:
    """Give what rose in one vocabulary, from the number of texts with each term on both sides."""
    n_now, n_before = sum(y_now.values()), sum(y_before.values())
    if not n_now or not n_before or len(y_now | y_before) == 1:
        return  # nothing to compare with, or a word with odds against no other
    for term, count in y_now.items():
        if count < LEAST_COUNT:
            continue
        alpha = PRIOR_TERMS * (count + y_before[term]) / (n_now + n_before)
        a, b = count + alpha, y_before[term] + alpha
        # Equation 16, its variance (20), and the z-score (22).
        delta = math.log(a / (n_now + PRIOR_TERMS - a)) - math.log(b / (n_before + PRIOR_TERMS - b))
        z = delta / math.sqrt(1.0 / a + 1.0 / b)
        expected = n_now * b / (n_before + PRIOR_TERMS)
        if z > LEAST_Z and count >= LEAST_LIFT * expected:
            yield RisenTerm(term, count, expected, z)


def _count(texts: Iterable[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(set(terms(text)))
    return counts


@cache
def _word() -> re.Pattern[str]:
    marks = "".join(char for char in map(chr, range(0x300, 0x1F000)) if unicodedata.category(char)[0] == "M")
    return re.compile(f"[#@]?[\\w{marks}]+(?:'[\\w{marks}]+)*")  # \w alone would cut Hindi words at their vowel signs


def terms(text: str) -> Iterator[str]:
    """Words, #hashtags, @handles, two of these with a space between; pairs of characters in scripts without spaces."""
    folded = _NO_WORD.sub(" ", fold(text))
    ended, last = -2, ""
    for found in _word().finditer(folded):
        word = found.group()
        whole = word.isascii() or not any(map(is_spaceless, word))
        if whole and len(word) > 1:
            yield word
            if last and found.start() == ended + 1 and folded[ended] == " ":
                yield f"{last} {word}"
        elif not whole:
            yield from _pieces(word)
        ended, last = found.end(), word if whole and len(word) > 1 else ""


def _pieces(word: str) -> Iterator[str]:
    for spaceless, run in groupby(word, is_spaceless):
        piece = "".join(run)
        if spaceless and len(piece) > 1:
            yield from (piece[i : i + 2] for i in range(len(piece) - 1))
        elif spaceless or len(piece) > 1:
            yield piece


def _bare(term: str) -> str:
    return term.lstrip("#@")
