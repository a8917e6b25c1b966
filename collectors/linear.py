"""The default engine of sentiment: a linear model over words and pairs, as fast as looking them up."""

import math
import re
import sys
from importlib.resources import files
from itertools import pairwise, repeat

from collectors.sentiment import Sentiment, mixed

MAX_CHARACTERS = 2_000
"""Characters judged: longer than any post; bounds what a text costs to a millisecond."""

UNIT = 0.01
"""What 1 in the file is worth; whole numbers sum to the same in whatever order."""

MOST_LOGIT = 10.0
"""No text is more certain than this (odds of 22,000 to 1), however often it repeats itself."""

_CONTRACTED = ("do", "does", "did", "is", "was", "are", "were", "has", "have", "had", "wo", "would", "could", "should")
NEGATIONS = frozenset(
    {"not", "no", "never", "none", "nobody", "nothing", "neither", "nor", "nowhere", "cannot", "without", "hardly"}
    | {"barely", "lack", "lacking"}
    | {f"{verb}{end}" for verb in (*_CONTRACTED, "ca", "ai", "must", "need") for end in ("n't", "nt")}
)
"""Words that turn what follows, until a scope ends."""

SCOPE_ENDS = frozenset({".", ",", "!", "?", ";", "but"})

Pair = tuple[str, str]

_SYMBOL = re.compile(r"([^\x00-\u2000\w\s])")  # emoji, which stand against words


def words(text: str) -> list[str]:
    """Words, emoticons, emoji and marks of a text in lower case; what a negation reaches begins with `not_`.

    Negation marking: Das and Chen (2001); Pang, Lee and Vaithyanathan (EMNLP 2002).
    """
    text = text[:MAX_CHARACTERS].lower()
    if not text.isascii():
        text = " ".join(_SYMBOL.split(text.replace("’", "'")))
    for mark in ".,!?":
        text = text.replace(mark, f" {mark} ")
    found = text.replace('"', " ").replace("#", "").split()
    return found if NEGATIONS.isdisjoint(found) else _negated(found)


def _negated(found: list[str]) -> list[str]:
    marked, reached = [], False
    for word in found:
        if word in NEGATIONS:
            marked.append(word)
            reached = True
        elif word in SCOPE_ENDS:
            marked.append(word)
            reached = False
        else:
            marked.append(f"not_{word}" if reached else word)
    return marked


class Linear:
    """Multinomial logistic regression over words and pairs of words, negation-marked.

    The logits of negative and positive against neutral are bias + (sum of weights) / sqrt(number of words); a lexicon's
    sums, and what the pieces of a word say, are linear in the words, and so are part of their weights. The bias is that
    of an even mix of classes, at which the likeliest class is the label; the probabilities are mixed as
    `collectors.sentiment.mixed` says.
    `collectors.train_sentiment` makes the weights, whose file names what they were learned from.
    Works on posts, comments and reviews in English; fails on sarcasm, on complaints without a telling word ("sat on the
    tarmac for 3 hours"), and in every other language.
    """

    name = "linear"
    languages = frozenset({"en"})

    def __init__(self) -> None:
        self._words, self._pairs, self._bias = _weights()

    def judge(self, text: str) -> Sentiment:
        """Judge the first 2,000 characters of an English text."""
        found = words(text)
        logits = self._bias
        if found:
            total = sum(map(self._words.get, found, _NOTHING))
            total = sum(map(self._pairs.get, pairwise(found), _NOTHING), total)
            logits += total * (UNIT / math.sqrt(len(found)))
        return mixed(_odds(logits.real), 1.0, _odds(logits.imag))


_NOTHING = repeat(0j)


def _odds(logit: float) -> float:
    if -MOST_LOGIT < logit < MOST_LOGIT:
        return math.exp(logit)
    return math.exp(math.copysign(MOST_LOGIT, logit))


def _weights() -> tuple[dict[str, complex], dict[Pair, complex], complex]:
    """Weights of words and of pairs in units, and the bias: real parts speak for negative, imaginary for positive."""
    single: dict[str, complex] = {}
    pairs: dict[Pair, complex] = {}
    for line in files("collectors").joinpath("data/sentiment.tsv").read_text(encoding="utf-8").split("\n"):
        if not line or line.startswith("#"):
            continue
        feature, negative, positive = line.split("\t")
        weight = complex(int(negative), int(positive))
        first, _, second = map(sys.intern, feature.partition(" "))  # one copy of a word, for the processor's cache
        if second:
            pairs[first, second] = weight
        else:
            single[first] = weight
    return single, pairs, single.pop("") * UNIT
