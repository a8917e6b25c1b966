"""A brand's own model of sentiment: the default model's odds, and a small correction over words of its labels.

Multinomial logistic regression with the default's log-odds as offset and quadratic regularisation (Hastie, Tibshirani
and Friedman, The Elements of Statistical Learning, 2nd ed., section 18.3.2). Every class weighs the same in
training, so that it does not matter how many of each people chose to label; the brand's mix of classes is put in
afterwards (Saerens et al. 2002, Neural Computation 14).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from collectors.linear import words
from collectors.sentiment import Label, Sentiment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLASSES: tuple[Label, ...] = ("negative", "neutral", "positive")
LEAST_LABELS = 300
"""Labels from which a model is trained; with fewer it rarely wins."""
MOST_LABELS = 5_000
"""Labels learned from, the newest; training takes seconds."""
LEAST_TEXTS = 2
"""Labelled texts that a word or pair must stand in to get a weight."""
LEAST_OF_A_CLASS = 10
"""Labels of a class without which nothing is learned of it."""
SCALE = 4.0
"""Value of one word in a text of one; with RIDGE it says how far a weight is held back."""
RIDGE = 10.0
"""Half the weight of the squared weights in the loss of all labels."""
LOOSE = 0.1
"""The same of the three biases."""
FOLDS = 5
STEPS, CLOSE = 100, 1e-6
"""Steps of L-BFGS at the most, and the relative gain at which it ends: after some 30."""
LEAST_WEIGHT = 0.005
"""Weights below this are left out."""
FLOOR = 1e-4
"""Least probability of a class: keeps odds finite."""


@dataclass(frozen=True)
class OwnModel:
    """Weights of words and pairs ("first second") for negative, neutral and positive, the biases, and two slopes.

    The slopes multiply the default's log-odds of negative and of positive against neutral.
    """

    weights: Mapping[str, tuple[float, float, float]]
    bias: tuple[float, float, float]
    slopes: tuple[float, float]

    def judge(self, text: str, negative: float, positive: float) -> Sentiment:
        """Judge a text to which the default gives P(negative) and P(positive)."""
        found, size = features(text)
        told = [weight for feature in found if (weight := self.weights.get(feature))]
        against, neutral, glad = map(sum, zip(*told, strict=True)) if told else (0.0, 0.0, 0.0)
        rest = math.log(max(1.0 - negative - positive, FLOOR))
        logits = (
            self.bias[0] + size * against + self.slopes[0] * (math.log(max(negative, FLOOR)) - rest),
            self.bias[1] + size * neutral,
            self.bias[2] + size * glad + self.slopes[1] * (math.log(max(positive, FLOOR)) - rest),
        )
        highest = max(logits)
        odds = [math.exp(logit - highest) for logit in logits]
        return Sentiment(CLASSES[logits.index(highest)], odds[0] / sum(odds), odds[2] / sum(odds))


@dataclass(frozen=True)
class Learned:
    """What training found: the model, the P(negative) it gives held-out labels (n,), and how it compares on them.

    Log losses are per label, every class weighing the same; `before` is the default with its odds fitted to the same
    labels, so that words alone decide. `gain` is what it saves, `error` its standard error. Accuracies are shares.
    """

    model: OwnModel
    held_out: Floats
    loss_before: float
    loss: float
    gain: float
    error: float
    accuracy_before: float
    accuracy: float

    @property
    def wins(self) -> bool:
        """Whether it is better on held-out labels by more than its standard error."""
        return self.gain > self.error


def features(text: str) -> tuple[set[str], float]:
    """Return the words and pairs of a text, and the value of each."""
    found = words(text)
    return {*found, *(" ".join(pair) for pair in pairwise(found))}, SCALE / math.sqrt(max(1, len(found)))


def learn(texts: Sequence[str], base: Floats, labels: Ints, said: Ints, usual: float) -> Learned:
    """Train on labelled texts and compare on held-out ones (five folds, in the order given).

    `base` (n, 2) is the default's P(negative) and P(positive), `labels` (n,) are places in CLASSES, `said` (n,) the
    default's own labels, `usual` is the brand's share of negative mentions. The same input gives the same model.

    Raises:
        ValueError: there are too few labels, or too few that are negative, or not negative.
    """
    negatives = int((labels == 0).sum())
    if len(labels) < LEAST_LABELS or min(negatives, len(labels) - negatives) < LEAST_OF_A_CLASS:
        raise ValueError(
            f"{len(labels)} labels, {negatives} of them negative; {LEAST_LABELS} are needed to train a model, and "
            f"{LEAST_OF_A_CLASS} of either kind"
        )
    bags, odds = [features(text) for text in texts], _odds(base)
    n, mix = len(labels), _mix(labels, usual)
    after, before = np.zeros((n, 3)), np.zeros((n, 3))
    for fold in range(FOLDS):
        out = np.arange(n) % FOLDS == fold
        kept = [bag for bag, left in zip(bags, out, strict=True) if not left]
        tested = [bag for bag, left in zip(bags, out, strict=True) if left]
        for found, known in ((after, vocabulary(kept)), (before, [])):
            fitted = _fitted(_matrix(kept, known), odds[~out], labels[~out])
            found[out] = _logits(_matrix(tested, known), odds[out], fitted)
    known = vocabulary(bags)
    theta = _fitted(_matrix(bags, known), odds, labels)
    weight, place = _weight(labels), (np.arange(n), labels)
    losses = [-np.log(np.maximum(_softmax(logits)[place], FLOOR)) for logits in (before, after)]
    gains = losses[0] - losses[1]
    gain = float(np.average(gains, weights=weight))
    mixed = _softmax(after + np.log(mix))
    return Learned(
        model=_model(theta, known, mix),
        held_out=mixed[:, 0],
        loss_before=float(np.average(losses[0], weights=weight)),
        loss=float(np.average(losses[1], weights=weight)),
        gain=gain,
        error=float(np.sqrt(((weight * (gains - gain)) ** 2).sum()) / weight.sum()),
        accuracy_before=float((said == labels).mean()),
        accuracy=float((mixed.argmax(axis=1) == labels).mean()),
    )


def vocabulary(bags: Sequence[tuple[set[str], float]]) -> list[str]:
    """Every feature that gets a weight, sorted."""
    counted = Counter(feature for found, _ in bags for feature in found)
    return sorted(feature for feature, n in counted.items() if n >= LEAST_TEXTS)


def _mix(labels: Ints, usual: float) -> Floats:
    """The brand's classes: its share of negative ones, and the rest as the labels have it."""
    counts = np.bincount(labels, minlength=3) + 1.0
    share = min(max(usual, 0.02), 0.98)
    rest = counts[1:] / counts[1:].sum() * (1.0 - share)
    return np.array([share, *rest])


def _odds(base: Floats) -> Floats:
    """Log-odds against neutral (n, 3) of P(negative) and P(positive) (n, 2)."""
    p = np.maximum(np.column_stack([base[:, 0], 1.0 - base.sum(axis=1), base[:, 1]]), FLOOR)
    return np.asarray(np.log(p / p[:, 1:2]))


def _matrix(bags: Sequence[tuple[set[str], float]], known: Sequence[str]) -> Any:
    from scipy.sparse import csr_matrix

    column = {feature: number for number, feature in enumerate(known)}
    starts, columns, values = [0], [], []
    for found, size in bags:
        mine = sorted(column[feature] for feature in found if feature in column)
        columns += mine
        values += [size] * len(mine)
        starts.append(len(columns))
    return csr_matrix((values, columns, starts), (len(bags), len(known)))


def _weight(labels: Ints) -> Floats:
    """Weights of labels (n,): every class that was labelled weighs the same, and the mean is 1."""
    counts = np.bincount(labels, minlength=3)
    return np.asarray(len(labels) / (counts > 0).sum() / counts[labels])


def _logits(x: Any, odds: Floats, theta: Floats) -> Floats:
    d = x.shape[1]
    slopes = np.array([theta[-2], 0.0, theta[-1]])
    return np.asarray(x @ theta[: 3 * d].reshape(d, 3) + theta[3 * d : 3 * d + 3] + odds * slopes)


def _fitted(x: Any, odds: Floats, labels: Ints) -> Floats:
    """Weights (3 d), biases (3) and slopes (2) of least cross-entropy plus ridge: convex, so that there is one answer.

    Of a class with too few labels nothing is learned: it keeps the default's odds.
    """
    from scipy.optimize import minimize

    d, target, weight = x.shape[1], np.eye(3)[labels], _weight(labels)
    told = np.bincount(labels, minlength=3) >= LEAST_OF_A_CLASS
    turned = x.T.tocsr()
    ridge = np.array([RIDGE] * (3 * d) + [LOOSE] * 3 + [RIDGE] * 2)
    start = np.array([0.0] * (3 * d + 3) + [1.0, 1.0])

    def loss(theta: Floats) -> tuple[float, Floats]:
        logits = _logits(x, odds, theta)
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        pull = weight[:, None] * (np.exp(log_p) - target)
        slopes = (pull * odds)[:, [0, 2]].sum(axis=0)
        away = theta - start
        gradient = np.concatenate([((turned @ pull) * told).ravel(), pull.sum(axis=0) * told, slopes]) + ridge * away
        return float(-(weight[:, None] * target * log_p).sum() + 0.5 * (ridge * away * away).sum()), gradient

    return np.asarray(minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS, "ftol": CLOSE}).x)


def _model(theta: Floats, known: Sequence[str], mix: Floats) -> OwnModel:
    d = len(known)
    weights = theta[: 3 * d].reshape(d, 3).round(4)
    told = {f: (float(w[0]), float(w[1]), float(w[2])) for f, w in zip(known, weights, strict=True)}
    bias = [float(b) for b in theta[3 * d : 3 * d + 3] + np.log(mix)]
    kept = {f: w for f, w in told.items() if max(map(abs, w)) >= LEAST_WEIGHT}
    return OwnModel(kept, (bias[0], bias[1], bias[2]), (float(theta[-2]), float(theta[-1])))


def _softmax(logits: Floats) -> Floats:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))
