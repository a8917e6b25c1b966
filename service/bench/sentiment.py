"""`foreshock bench sentiment`: how well an engine reads labelled texts, and how seldom it judges what it can't read.

The folder named by `--data` holds `tweets.dev.tsv` (label first, text last; SemEval-2017 task 4, 2,000 tweets about
anything) and `airlines.dev.tsv` (label, airline, day-month-year hour.minute, text; tweets to three airlines). Labels
are negative, neutral, positive. Brackets (`_low`, `_high`) hold 95 % of bootstrap samples of texts, or of hours.
"""

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import numpy.typing as npt

from collectors.annotate import Annotation, annotate_all
from collectors.sentiment import Engine, EngineError
from service.annotate import chosen
from service.bench import BenchError, Figures
from service.bench.languages import SENTENCES

FOLDER = Path("../shared/data/sentiment/measure")
"""Where the texts are looked for, beside the project, when nothing names another folder."""

CLASSES = ("negative", "neutral", "positive")
USUAL = np.array([0.32, 0.48, 0.20])
"""Shares of the classes in the larger test part of SemEval-2017: precision depends on them, and is told for both."""

LEAST_AN_HOUR = 20
"""Texts of an hour whose share of negative ones is compared with the true one."""

SAMPLES, SHORT_SAMPLES = 1000, 100

Rows = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]
Figure = Callable[[Rows], float]


@dataclass(frozen=True)
class Judged:
    """Labelled texts: the true class, the one that was said (-1 where none), P(negative) (NaN where none), the hour.

    `told` is the share that was found to be English for sure.
    """

    true: npt.NDArray[np.int64]
    said: npt.NDArray[np.int64]
    negative: Shares
    hours: Sequence[str]
    told: float


def measure(arguments: argparse.Namespace) -> Figures:
    """Return the figures of one engine.

    Raises:
        BenchError: there are no texts, or the engine cannot be loaded.
    """
    folder: Path = arguments.data or FOLDER
    try:
        engine = chosen(arguments)
        tweets, airlines = (_judged(folder / f"{name}.dev.tsv", engine) for name in ("tweets", "airlines"))
    except (EngineError, OSError, ValueError) as error:
        raise BenchError(f"{error}; --data DIR names the folder of tweets.dev.tsv and airlines.dev.tsv") from None
    samples, chance = SHORT_SAMPLES if arguments.short else SAMPLES, np.random.default_rng(arguments.seed)
    figures: Figures = {"tweets": float(len(tweets.true)), "airlines": float(len(airlines.true))}
    for name, judged in (("tweets", tweets), ("airlines", airlines)):
        for what, figure in _OF_TEXTS.items():
            found = _sure(partial(figure, judged), len(judged.true), samples, chance)
            figures |= _named(f"{name}_{what}", found)
    true, seen = _hourly(airlines)
    figures |= _named("airlines_hourly_r", _sure(partial(_correlation, true, seen), len(true), samples, chance))
    figures |= {"airlines_hours": float(len(true)), "airlines_hourly_error": float(np.abs(true - seen).mean())}
    return figures | _by_language(engine, airlines) | _speed(engine, folder / "airlines.dev.tsv")


def _texts(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]


def _judged(path: Path, engine: Engine) -> Judged:
    rows = _texts(path)
    notes = annotate_all([(row[-1], None) for row in rows], engine)
    return Judged(
        np.array([CLASSES.index(row[0]) for row in rows]),
        np.array([CLASSES.index(note.sentiment) if note.sentiment else -1 for note in notes]),
        np.array([np.nan if note.negative is None else note.negative for note in notes]),
        [row[2].split(".")[0] if len(row) > 3 else "" for row in rows],
        sum(note.language == "en" for note in notes) / len(notes),
    )


def _recalls(judged: Judged, rows: Rows) -> npt.NDArray[np.float64]:
    true, said = judged.true[rows], judged.said[rows]
    return np.array([np.mean(said[true == label] == label) for label in range(3)])


def _macro(judged: Judged, rows: Rows) -> float:
    return float(_recalls(judged, rows).mean())


def _negative_recall(judged: Judged, rows: Rows) -> float:
    return float(_recalls(judged, rows)[0])


def _precision(judged: Judged, rows: Rows) -> float:
    return float(np.mean(judged.true[rows][judged.said[rows] == 0] == 0))


def _usual_precision(judged: Judged, rows: Rows) -> float:
    """What the precision is where the classes are as frequent as in the larger test part."""
    true, said = judged.true[rows], judged.said[rows]
    flagged = USUAL * [np.mean(said[true == label] == 0) for label in range(3)]
    return float(flagged[0] / flagged.sum())


def _scored(judged: Judged, rows: Rows) -> float:
    return float(np.mean(judged.said[rows] >= 0))


_OF_TEXTS: dict[str, Callable[[Judged, Rows], float]] = {
    "macro_recall": _macro,
    "negative_recall": _negative_recall,
    "negative_precision": _precision,
    "negative_precision_at_32": _usual_precision,
    "scored": _scored,
}


def _hourly(judged: Judged) -> tuple[Shares, Shares]:
    """True share of negative texts, and mean P(negative), of each hour that has enough."""
    hours: dict[str, list[tuple[bool, float]]] = defaultdict(list)
    for hour, true, negative in zip(judged.hours, judged.true, judged.negative, strict=True):
        if not np.isnan(negative):
            hours[hour].append((true == 0, negative))
    shares = np.array([np.mean(of, axis=0) for of in hours.values() if len(of) >= LEAST_AN_HOUR])
    return shares[:, 0], shares[:, 1]


def _correlation(true: Shares, seen: Shares, rows: Rows) -> float:
    return float(np.corrcoef(true[rows], seen[rows])[0, 1])


def _sure(figure: Figure, n: int, samples: int, chance: np.random.Generator) -> tuple[float, float, float]:
    """A figure and the ends of its bootstrap interval (Efron 1979, percentiles)."""
    low, high = np.percentile([figure(chance.integers(0, n, n)) for _ in range(samples)], [2.5, 97.5])
    return figure(np.arange(n)), float(low), float(high)


def _named(name: str, found: tuple[float, float, float]) -> Figures:
    return dict(zip((name, f"{name}_low", f"{name}_high"), found, strict=True))


def _by_language(engine: Engine, english: Judged) -> Figures:
    """By language the share of sentences that were told to be in it, and the share that was scored."""
    found = {"told_en": english.told, "scored_en": float(np.mean(english.said >= 0))}
    for language, sentences in SENTENCES.items():
        notes: list[Annotation] = annotate_all([(text, None) for text in sentences], engine)
        found[f"told_{language}"] = sum(note.language == language for note in notes) / len(notes)
        found[f"scored_{language}"] = sum(note.scored for note in notes) / len(notes)
    return found


def _speed(engine: Engine, path: Path) -> Figures:
    texts = [row[-1] for row in _texts(path)][:2000]
    took = []
    for _ in range(3):
        began = time.process_time()
        for text in texts:
            engine.judge(text)
        took.append(time.process_time() - began)
    return {"texts_per_second": len(texts) / min(took), "data_mb": _data(engine) / 1e6}


def _data(engine: Engine) -> int:
    """Bytes of the files that an engine judges by."""
    if engine.name.startswith("onnx:"):
        folder = Path(engine.name.split(":", 2)[2])
        return sum((folder / name).stat().st_size for name in ("model.onnx", "tokenizer.json"))
    package, names = _FILES.get(engine.name, ("collectors", ()))
    return sum(len(files(package).joinpath(name).read_bytes()) for name in names)


_FILES = {
    "linear": ("collectors", ("data/sentiment.tsv",)),
    "vader": ("vaderSentiment", ("vader_lexicon.txt", "emoji_utf8_lexicon.txt")),
}
