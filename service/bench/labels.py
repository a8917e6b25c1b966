"""`foreshock bench labels`: what a brand's labels do for its hourly negative share, on real tweets.

The tweets to three airlines are one brand. Labels are drawn at random; shares and accuracy are of all other tweets, in
hours of at least 20. Figures are means over draws, with the interval of 95 in 100 of single draws beside them.
"""

import argparse
import os
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from collectors.annotate import annotate_all
from collectors.correct import Correction, Spell, rates, why_not
from collectors.own_model import CLASSES, LEAST_LABELS, learn
from service.bench import BenchError, Figures

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

DRAWS, SHORT_DRAWS = 20, 3
LABELS = (100, 300, 1000)
LEAST_IN_HOUR = 20
FOLDER = "../shared/data"
"""Where the data are looked for, beside the project, when nothing names another folder."""
FILE = "sentiment/measure/airlines.dev.tsv"


@dataclass(frozen=True)
class Tweets:
    """Labelled tweets: texts, hours (n,), labels (n,) as places in CLASSES, and what the default engine says of each.

    `base` (n, 2) is P(negative) and P(positive), `said` (n,) its label.
    """

    texts: list[str]
    hours: Ints
    labels: Ints
    base: Floats
    said: Ints


def measure(arguments: argparse.Namespace) -> Figures:
    """Return error of the hourly share in points (`mae_`) and accuracy, raw and after so many labels.

    Raises:
        BenchError: there are no tweets.
    """
    tweets = read(Path(arguments.data or os.environ.get("FORESHOCK_DATA") or FOLDER) / FILE)
    draws = SHORT_DRAWS if arguments.short else DRAWS
    found = defaultdict(list)
    for draw in range(draws):
        order = np.random.default_rng(arguments.seed + draw).permutation(len(tweets.texts))
        for n in LABELS:
            for name, value in judge(tweets, order[:n], order[n:]).items():
                found[f"{name}_{n}"].append(value)
    figures: Figures = {"tweets": len(tweets.texts), "draws": draws}
    figures["mae_raw"] = error(tweets, np.arange(len(tweets.texts)), tweets.base[:, 0], None)
    figures["accuracy_before"] = float((tweets.said == tweets.labels).mean())
    for name, values in found.items():
        low, high = np.quantile(values, (0.025, 0.975))
        figures |= {name: float(np.mean(values)), f"{name}_low": float(low), f"{name}_high": float(high)}
    return figures


def read(path: Path) -> Tweets:
    """Read lines of label, airline, time (day-month-year hour.minute) and text.

    Raises:
        BenchError: there is no such file.
    """
    if not path.is_file():
        raise BenchError(f"{path} is not there; name the folder that holds {FILE} by --data DIR or FORESHOCK_DATA")
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    notes = annotate_all([(text, "en") for *_, text in rows])
    hours = [row[2].partition(".")[0] for row in rows]
    return Tweets(
        texts=[row[3] for row in rows],
        hours=np.unique(hours, return_inverse=True)[1],
        labels=np.array([CLASSES.index(label) for label, *_ in rows]),
        base=np.array([(note.negative or 0.0, note.positive or 0.0) for note in notes]),
        said=np.array([CLASSES.index(note.sentiment or "neutral") for note in notes]),
    )


def judge(tweets: Tweets, labelled: Ints, rest: Ints) -> Figures:
    """Return what the service makes of the `rest` when these are labelled, and of shares without a model of its own."""
    p, negative = tweets.base[:, 0], tweets.labels[labelled] == 0
    found = rates(p[labelled], negative)
    if why_not(found):
        return {"mae": error(tweets, rest, p, None)}
    usual = found.share(float(p[rest].sum()), len(rest))
    correction = Correction((Spell(0.0, "", found),), usual, len(labelled))
    figures = {"mae_adjusted": error(tweets, rest, p, correction)}
    if len(labelled) < LEAST_LABELS:
        return {"mae": figures["mae_adjusted"]}
    texts = [tweets.texts[i] for i in labelled]
    learned = learn(texts, tweets.base[labelled], tweets.labels[labelled], tweets.said[labelled], usual)
    figures |= {"gain": learned.gain, "gain_error": learned.error, "wins": float(learned.wins)}
    if not learned.wins:
        right = tweets.said[rest] == tweets.labels[rest]
        return figures | {"mae": figures["mae_adjusted"], "accuracy": float(right.mean())}
    judged = [learned.model.judge(tweets.texts[i], *tweets.base[i]) for i in rest]
    own = p.copy()
    own[rest] = [found.negative or 0.0 for found in judged]
    found = rates(learned.held_out, negative)
    usual = found.share(float(own[rest].sum()), len(rest))
    correction = Correction((Spell(0.0, "own", found),), usual, len(labelled))
    right = np.array([found.label == CLASSES[tweets.labels[i]] for found, i in zip(judged, rest, strict=True)])
    return figures | {"mae": error(tweets, rest, own, correction), "accuracy": float(right.mean())}


def error(tweets: Tweets, rest: Ints, p: Floats, correction: Correction | None) -> float:
    """Mean absolute error of the hourly share of negative tweets among `rest`, in points."""
    errors = []
    for hour in np.unique(tweets.hours[rest]):
        mine = rest[tweets.hours[rest] == hour]
        if len(mine) < LEAST_IN_HOUR:
            continue
        share = float(p[mine].mean())
        if correction is not None:
            told = correction.estimate(np.zeros(1), np.array([p[mine].sum()]), np.array([float(len(mine))]))
            assert told is not None
            share = told.share
        errors.append(abs(share - float((tweets.labels[mine] == 0).mean())))
    return 100.0 * float(np.mean(errors))
