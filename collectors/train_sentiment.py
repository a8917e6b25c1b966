"""Trains the weights of `collectors.linear`: `python -m collectors.train_sentiment TRAIN TWEETS FILE`.

TRAIN is a folder with GoEmotions (Demszky et al., ACL 2020) as `goemotions.{train,dev}.tsv` (text, emotion ids, id) and
the ground truth of VADER (Hutto and Gilbert, ICWSM 2014) as `icwsm.*.tsv` (id, mean rating from -4 to 4, text). TWEETS
is a file of labelled tweets (label first, text last), which sets the two bias terms and nothing else. The same files
give the same FILE to the byte.
"""

import argparse
import html
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from collectors.linear import SCOPE_ENDS, UNIT, Pair, words

Floats = npt.NDArray[np.float64]
Feature = str | Pair

NEGATIVE = frozenset({2, 3, 9, 10, 11, 12, 14, 16, 19, 24, 25})
"""GoEmotions' ids of anger, annoyance, disappointment, disapproval, disgust, embarrassment, fear, grief, nervousness,
remorse, sadness; its own grouping."""

AMBIGUOUS = frozenset({6, 7, 22, 26})
"""Confusion, curiosity, realization, surprise: they say neither good nor bad, and are left out."""

NEUTRAL = 27

SOURCES = {"goemotions": 0.25, "icwsm.amazon": 4.0, "icwsm.movie": 1.0, "icwsm.nyt": 1.0, "icwsm.tweets": 4.0}
"""Weight of a text by where it comes from: one rater tells less than twenty, and what is judged is posts."""

CUT, BLUR = 1.0, 0.6
"""A mean rating beyond CUT is negative or positive for sure enough; BLUR (standard deviation) is how raters differ."""

RIDGE = 15.0
"""Half the weight of the squared weights in the loss, per text of mean weight 1."""

LEAST_TEXTS = 8
"""Texts that a word or pair must stand in to get a weight of its own."""

LEAST_WEIGHT = 30
"""Units below which a weight is left out: together they change no label in a hundred."""

SCALE = 4.0
"""Value of one word in a text of one; with RIDGE it says how far a weight is held back."""

_WORD = re.compile(r"(?:not_)?[^\W\d_]+(?:['-][^\W\d_]+)*")
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


class Lexicon:
    """VADER's ratings of words (-4 to 4), emoji by the words that describe them."""

    SUMS = 4
    """Sums of a text: negative and positive words, and both again where negated."""

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        analyzer = SentimentIntensityAnalyzer()
        rated: dict[str, float] = dict(analyzer.lexicon)
        for emoji, said in analyzer.emojis.items():
            if value := sum(rated.get(word, 0.0) for word in said.split()):
                rated[emoji] = value
        self._rated = {word: value for word, value in rated.items() if words(word) == [word] and value}

    def words(self) -> Iterable[str]:
        """Every rated word."""
        return self._rated.keys()

    def place(self, word: Feature) -> tuple[int, float] | None:
        """Which sum a word goes into, and with what value; None where it is not rated."""
        if not isinstance(word, str):
            return None
        value = self._rated.get(word.removeprefix("not_"))
        return None if value is None else (2 * word.startswith("not_") + (value > 0), value)


def names(texts: Sequence[str]) -> frozenset[str]:
    """Words that stand capitalised more often than not within a sentence: a name moves no sentiment."""
    seen: Counter[str] = Counter()
    capital: Counter[str] = Counter()
    for text in texts:
        for before, word in pairwise(text.split()):
            if before[-1] not in ".!?" and word[0].isalpha() and not text.isupper():
                low = word.lower().rstrip(".,!?")
                seen[low] += 1
                capital[low] += word[0].isupper()
    return frozenset(w for w, n in capital.items() if 2 * n > seen[w] and w != "i" and not w.startswith("i'"))


def features_of(text: str) -> list[Feature]:
    """Words and pairs of a text, as `collectors.linear` looks them up."""
    found = words(text)
    return [*found, *pairwise(found)]


def vocabulary(texts: Sequence[Sequence[Feature]], left_out: frozenset[str], lexicon: Lexicon) -> list[Feature]:
    """Every feature that gets a weight, sorted."""

    def fit(word: str) -> bool:
        plain = word.removeprefix("not_")
        return word in SCOPE_ENDS or bool(_WORD.fullmatch(word) and plain not in left_out) or bool(lexicon.place(word))

    counted = Counter(feature for features in texts for feature in set(features))
    often = [feature for feature, n in counted.items() if n >= LEAST_TEXTS]
    kept = [f for f in often if (fit(f) if isinstance(f, str) else fit(f[0]) and fit(f[1]))]
    return sorted(kept, key=written)


def written(feature: Feature) -> str:
    """How the file writes a feature."""
    return feature if isinstance(feature, str) else " ".join(feature)


def matrix(texts: Sequence[Sequence[Feature]], known: Sequence[Feature], lexicon: Lexicon) -> Any:
    """Counts of the features, then the lexicon's sums, over the root of the words; the bias is the last column."""
    column = {feature: number for number, feature in enumerate(known)}
    n = len(known)
    starts, columns, values = [0], [], []
    for features in texts:
        size = SCALE / math.sqrt(max(1, (len(features) + 1) // 2))
        for feature in features:
            if feature in column:
                columns.append(column[feature])
                values.append(size)
            if placed := lexicon.place(feature):
                columns.append(n + placed[0])
                values.append(size * placed[1])
        columns.append(n + Lexicon.SUMS)
        values.append(SCALE)
        starts.append(len(columns))
    return csr_matrix((values, columns, starts), (len(texts), n + Lexicon.SUMS + 1))


def fitted(x: Any, target: Floats, weight: Floats) -> Floats:
    """Weights (features x 3) of least cross-entropy plus ridge: convex, so that there is one answer."""
    weight = weight / weight.mean()
    turned = x.T.tocsr()
    steep = np.sqrt(RIDGE + x.multiply(x).T @ weight * 2.0 / 9.0)[
        :, None
    ]  # of the loss at the start: a seventh of the steps

    def loss(flat: Floats) -> tuple[float, Floats]:
        w = flat.reshape(-1, 3) / steep
        logits = x @ w
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        gradient = turned @ (weight[:, None] * (np.exp(log_p) - target)) + RIDGE * w
        value = -float((weight * (target * log_p).sum(axis=1)).sum()) + 0.5 * RIDGE * float((w * w).sum())
        return value, (gradient / steep).ravel()

    options = {"maxiter": 2000, "ftol": 0.0, "gtol": 1e-6}
    found = minimize(loss, np.zeros(3 * x.shape[1]), jac=True, method="L-BFGS-B", options=options)
    if found.status:
        raise ArithmeticError(f"no convergence: {found.message}")
    w: Floats = found.x.reshape(-1, 3) / steep
    return w


def units(w: Floats, known: Sequence[Feature], lexicon: Lexicon) -> dict[Feature, tuple[int, int]]:
    """Weights against neutral in units, the lexicon's part within its words; small ones are left out."""
    against = SCALE * np.delete(w - w[:, 1:2], 1, axis=1)
    sums = against[len(known) : len(known) + Lexicon.SUMS]
    total: dict[Feature, Floats] = dict(zip(known, against, strict=False))
    for feature in {*known, *lexicon.words()}:
        if placed := lexicon.place(feature):
            total[feature] = total.get(feature, np.zeros(2)) + sums[placed[0]] * placed[1]
    rounded = {f: (round(float(v[0]) / UNIT), round(float(v[1]) / UNIT)) for f, v in total.items()}
    return {f: v for f, v in rounded.items() if max(map(abs, v)) >= LEAST_WEIGHT}


def bias(weights: dict[Feature, tuple[int, int]], tweets: Path) -> tuple[int, int]:
    """Fit the two bias terms by maximum likelihood to labelled tweets, every class weighing the same."""
    rows = [line.split("\t") for line in tweets.read_text(encoding="utf-8").splitlines()]
    label = np.array([("negative", "neutral", "positive").index(row[0]) for row in rows])
    logits = np.zeros((len(rows), 3))
    for number, row in enumerate(rows):
        found = features_of(row[-1])
        sums = np.sum([weights.get(feature, (0, 0)) for feature in found] or [(0, 0)], axis=0)
        logits[number, [0, 2]] = sums * UNIT / math.sqrt(max(1, (len(found) + 1) // 2))
    target = np.eye(3)[label]
    weight = 1.0 / np.bincount(label)[label]

    def loss(two: Floats) -> float:
        shifted = logits + np.array([two[0], 0.0, two[1]])
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        return -float((weight[:, None] * target * log_p).sum())

    found = minimize(loss, np.zeros(2), method="BFGS").x
    return round(float(found[0]) / UNIT), round(float(found[1]) / UNIT)


HEADER = """\
# Weights of collectors.linear: word or pair, negative, positive, both against neutral, in hundredths of a logit.
# The line without a word is the bias, set on 2,000 tweets of SemEval-2017 task 4; nothing else was learned from them.
# Learned from GoEmotions (Apache-2.0, Google Research) and the ground truth and lexicon of VADER (MIT, C.J. Hutto).
# Made by: python -m collectors.train_sentiment TRAIN TWEETS collectors/data/sentiment.tsv
"""


def train(folder: Path, tweets: Path) -> str:
    """Learn the weights and give the file's text."""
    read = list(examples(folder))
    lexicon = Lexicon()
    texts = [features_of(example.text) for example in read]
    known = vocabulary(texts, names([example.text for example in read]), lexicon)
    target = np.array([example.target for example in read])
    w = fitted(matrix(texts, known, lexicon), target, np.array([example.weight for example in read]))
    weights = units(w, known, lexicon)
    lines = {written(feature): value for feature, value in weights.items()} | {"": bias(weights, tweets)}
    return HEADER + "".join(f"{name}\t{lines[name][0]}\t{lines[name][1]}\n" for name in sorted(lines))


def main() -> None:
    """Read the arguments, train, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", type=Path, metavar="TRAIN")
    parser.add_argument("tweets", type=Path, metavar="TWEETS")
    parser.add_argument("file", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    arguments.file.write_text(train(arguments.train, arguments.tweets), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
