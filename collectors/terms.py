"""What is said now and was not said before."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from collectors.query import fold, is_spaceless

PRIOR_TERMS = 1_000.0
"""Terms that the prior weighs as: some 70 posts. Fewer let words seen once lead, more hide what ten people say."""

LEAST_COUNT = 2
"""Texts a term must stand in: what one text says is that text, not a subject."""

LEAST_Z = 1.96
"""Standard errors above zero from which a rise is told: the two-sided 95 % interval leaves zero out."""

LEAST_LIFT = 3.0
"""Times its expected count that a term must have: keeps out common words whose share moved a little, but surely."""

_LINK = re.compile(r"(?:https?://|www\.)\S+")


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
    query, are left out. Nothing is told where either side is empty.
    """
    own = {_bare(term) for term in terms(exclude)}
    y_now, y_before = _count(now), _count(before)
    n_now, n_before = sum(y_now.values()), sum(y_before.values())
    if not n_now or not n_before or len(y_now | y_before) == 1:
        return []  # nothing to compare with, or a word with odds against no other
    risen = []
    for term, count in y_now.items():
        if count < LEAST_COUNT or _bare(term) in own:
            continue
        alpha = PRIOR_TERMS * (count + y_before[term]) / (n_now + n_before)
        a, b = count + alpha, y_before[term] + alpha
        delta = math.log(a / (n_now + PRIOR_TERMS - a)) - math.log(b / (n_before + PRIOR_TERMS - b))
        z = delta / math.sqrt(1.0 / a + 1.0 / b)
        expected = n_now * b / (n_before + PRIOR_TERMS)
        if z > LEAST_Z and count >= LEAST_LIFT * expected:
            risen.append(RisenTerm(term, count, expected, z))
    return sorted(risen, key=lambda r: (-r.z, r.term))


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
    """Words, #hashtags and @handles; pairs of neighbours in scripts that do not part words."""
    for word in _word().findall(_LINK.sub(" ", fold(text))):
        if word.isascii():
            if len(word) > 1:
                yield word
            continue
        for spaceless, run in groupby(word, is_spaceless):
            piece = "".join(run)
            if spaceless and len(piece) > 1:
                yield from (piece[i : i + 2] for i in range(len(piece) - 1))
            elif spaceless or len(piece) > 1:
                yield piece


def _bare(term: str) -> str:
    return term.lstrip("#@")
