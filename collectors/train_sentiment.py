"""Trains the weights of `collectors.linear`: `python -m collectors.train_sentiment TRAIN TWEETS FILE`.

TRAIN is a folder as `collectors.train_texts` reads it. TWEETS is a file of labelled tweets (label first, text last),
which sets the two bias terms and nothing else. The same files give the same FILE to the byte.
"""

import argparse
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse import csr_matrix

from collectors.linear import SCOPE_ENDS, UNIT, Pair, words
from collectors.train_texts import examples
from collectors.unweighed import UNWEIGHED

Floats = npt.NDArray[np.float64]
Feature = str | Pair

RIDGE = 40.0
"""Half the weight of the squared weights in the loss, per text of mean weight 1."""

LEAST_TEXTS = 3
"""Texts that a word or pair must stand in to get a weight of its own; a rarer word is as its pieces are."""

PIECES = (3, 4, 5)
"""Characters of a word's pieces (Bojanowski et al., TACL 2017): "disappointingly" learns from "disappointed"."""

LEAST_WORDS = 5
"""Words of texts that a piece must stand in."""

PIECE = 0.25
"""Value of a piece beside that of a word: a word has some twenty."""

LONGEST = 22
"""Characters of a word that pieces are cut of."""

LEAST_WEIGHT = 10
"""Units below which a weight is left out: together they change no label in a hundred."""

SCALE = 4.0
"""Value of one word in a text of one; with RIDGE it says how far a weight is held back."""

_WORD = re.compile(r"(?:not_)?[^\W\d_]+(?:['-][^\W\d_]+)*")


class Lexicon:
    """VADER's ratings of words (-4 to 4), emoji by the words that describe them."""

    SUMS = 8
    """Sums of a text: weak and strong negative words, weak and strong positive ones, and all again where negated."""

    STRONG = 2.0
    """Rating beyond which a word is strong: "hate" is -2.7, "delay" -1.3."""

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        analyzer = SentimentIntensityAnalyzer()
        rated: dict[str, float] = dict(analyzer.lexicon)
        for emoji, said in analyzer.emojis.items():
            if value := sum(rated.get(word, 0.0) for word in said.split()):
                rated[emoji] = value
        self._rated = {w: value for w, value in rated.items() if words(w) == [w] and value and w not in UNWEIGHED}

    def words(self) -> Iterable[str]:
        """Every rated word."""
        return self._rated.keys()

    def place(self, word: Feature) -> tuple[int, float] | None:
        """Which sum a word goes into, and with what value; None where it is not rated."""
        if not isinstance(word, str):
            return None
        value = self._rated.get(word.removeprefix("not_"))
        if value is None:
            return None
        return 4 * word.startswith("not_") + 2 * (value > 0) + (abs(value) > self.STRONG), value


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
    often = {w for w, n in capital.items() if 2 * n > seen[w] and w != "i" and not w.startswith("i'")}
    return UNWEIGHED | often


def features_of(text: str) -> list[Feature]:
    """Words and pairs of a text, as `collectors.linear` looks them up."""
    found = words(text)
    return [*found, *pairwise(found)]


def vocabulary(texts: Sequence[Sequence[Feature]], left_out: frozenset[str], lexicon: Lexicon) -> list[Feature]:
    """Every word and pair that gets a weight of its own, sorted."""

    def fit(word: str) -> bool:
        return word in SCOPE_ENDS or _plain_word(word, left_out) or bool(lexicon.place(word))

    counted = Counter(feature for features in texts for feature in set(features))
    often = [feature for feature, n in counted.items() if n >= LEAST_TEXTS]
    kept = [f for f in often if (fit(f) if isinstance(f, str) else fit(f[0]) and fit(f[1]))]
    return sorted(kept, key=written)


def _plain_word(word: str, left_out: frozenset[str]) -> bool:
    return bool(_WORD.fullmatch(word)) and word.removeprefix("not_") not in left_out


def pieces(word: str) -> list[str]:
    """Pieces of a word with its ends marked, those of a negated one apart from others."""
    plain = word.removeprefix("not_")
    marked, negated = f"<{plain}>"[:LONGEST], "not_" if plain != word else ""
    return [f"{negated}{marked[at : at + n]}" for n in PIECES for at in range(len(marked) - n + 1)]


def columns_of_pieces(texts: Sequence[Sequence[Feature]], left_out: frozenset[str], first: int) -> dict[str, list[int]]:
    """Columns, from `first` on, of the pieces of every word of the texts, plain and negated."""
    seen = Counter(f for features in texts for f in set(features) if isinstance(f, str) and _plain_word(f, left_out))
    counted: Counter[str] = Counter()
    for word, n in seen.items():
        for piece in set(pieces(word)):
            counted[piece] += n
    kept = sorted(piece for piece, n in counted.items() if n >= LEAST_WORDS)
    number = {piece: first + at for at, piece in enumerate(kept)}
    words_seen = sorted({word.removeprefix("not_") for word in seen})
    return {
        word: [number[piece] for piece in pieces(word) if piece in number]
        for plain in words_seen
        for word in (plain, f"not_{plain}")
    }


def written(feature: Feature) -> str:
    """How the file writes a feature."""
    return feature if isinstance(feature, str) else " ".join(feature)


def matrix(
    texts: Sequence[Sequence[Feature]], known: Sequence[Feature], lexicon: Lexicon, parts: Mapping[str, Sequence[int]]
) -> Any:
    """Counts of the features, the lexicon's sums and the pieces, over the root of the words; a column is the bias."""
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
            if isinstance(feature, str):
                of = parts.get(feature, ())
                columns.extend(of)
                values.extend([size * PIECE] * len(of))
        columns.append(n + Lexicon.SUMS)
        values.append(SCALE)
        starts.append(len(columns))
    return csr_matrix((values, columns, starts), (len(texts), _end(known, parts)))


def _end(known: Sequence[Feature], parts: Mapping[str, Sequence[int]]) -> int:
    return 1 + max((number for of in parts.values() for number in of), default=len(known) + Lexicon.SUMS)


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


def units(
    w: Floats, known: Sequence[Feature], lexicon: Lexicon, parts: Mapping[str, Sequence[int]]
) -> dict[Feature, tuple[int, int]]:
    """Weights against neutral in units, those of the lexicon and of pieces within their words; small ones left out."""
    against = SCALE * np.delete(w - w[:, 1:2], 1, axis=1)
    sums = against[len(known) : len(known) + Lexicon.SUMS]
    total: dict[Feature, Floats] = dict(zip(known, against, strict=False))
    for feature in {*known, *parts, *(word for rated in lexicon.words() for word in (rated, f"not_{rated}"))}:
        if placed := lexicon.place(feature):
            total[feature] = total.get(feature, np.zeros(2)) + sums[placed[0]] * placed[1]
    for word, of in parts.items():
        if of:
            total[word] = total.get(word, np.zeros(2)) + PIECE * against[of].sum(axis=0)
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
    left_out = names([example.text for example in read])
    known = vocabulary(texts, left_out, lexicon)
    parts = columns_of_pieces(texts, left_out, len(known) + Lexicon.SUMS + 1)
    target = np.array([example.target for example in read])
    w = fitted(matrix(texts, known, lexicon, parts), target, np.array([example.weight for example in read]))
    weights = units(w, known, lexicon, parts)
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
