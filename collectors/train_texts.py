"""The texts that `collectors.train_sentiment` learns from, with what their raters say of them.

GoEmotions (Demszky et al., ACL 2020) as `goemotions.{train,dev}.tsv` (text, emotion ids, id) and the ground truth of
VADER (Hutto and Gilbert, ICWSM 2014) as `icwsm.*.tsv` (id, mean rating from -4 to 4, text).
"""

import html
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

NEGATIVE = frozenset({2, 3, 9, 10, 11, 12, 14, 16, 19, 24, 25})
"""GoEmotions' ids of anger, annoyance, disappointment, disapproval, disgust, embarrassment, fear, grief, nervousness,
remorse, sadness; its own grouping."""

AMBIGUOUS = frozenset({6, 7, 22, 26})
"""Confusion, curiosity, realization, surprise: they say neither good nor bad, and are left out."""

NEUTRAL = 27

SOURCES = {"goemotions": 0.35, "icwsm.amazon": 2.0, "icwsm.movie": 1.0, "icwsm.nyt": 1.0, "icwsm.tweets": 8.0}
"""Weight of a text by where it comes from: one rater tells less than twenty, and what is judged is posts."""

CUT, BLUR = 1.0, 0.6
"""A mean rating beyond CUT is negative or positive for sure enough; BLUR (standard deviation) is how raters differ."""

_NAMED = re.compile(r"\[[A-Z]+\]")


@dataclass(frozen=True)
class Example:
    """A text, P(negative, neutral, positive) as its raters say, and its weight."""

    text: str
    target: tuple[float, float, float]
    weight: float


def examples(folder: Path) -> Iterator[Example]:
    """Read the training files, in the order of their names.

    Raises ValueError where there are none.
    """
    paths = [(path, weight) for source, weight in SOURCES.items() for path in sorted(folder.glob(f"{source}*.tsv"))]
    if not paths:
        raise ValueError(f"{folder}: no training files; expected goemotions.*.tsv and icwsm.*.tsv")
    for path, weight in paths:
        for line in path.read_text(encoding="utf-8").split("\n"):
            if not line.strip():
                continue
            if path.name.startswith("goemotions"):
                text, ids, _ = line.split("\t")
                yield _emotions(text, [int(number) for number in ids.split(",")], weight)
            else:
                _, rating, text = line.split("\t", 2)
                yield Example(_plain(text), _rated(float(rating)), weight)


def _plain(text: str) -> str:
    return _NAMED.sub("@name", html.unescape(text).replace("''", '"'))


def _emotions(text: str, ids: Sequence[int], weight: float) -> Example:
    told = [number for number in ids if number not in AMBIGUOUS]
    n = max(1, len(told))
    negative, neutral = (sum(number in group for number in told) / n for group in (NEGATIVE, {NEUTRAL}))
    return Example(_plain(text), (negative, neutral, 1.0 - negative - neutral), weight * len(told) / len(ids))


def _rated(rating: float) -> tuple[float, float, float]:
    negative, positive = (0.5 * math.erfc((CUT - side) / BLUR / math.sqrt(2.0)) for side in (-rating, rating))
    return negative, 1.0 - negative - positive, positive
