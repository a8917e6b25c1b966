"""How angry a text is: engines that give probabilities, and say where they cannot tell."""

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, Protocol

Label = Literal["negative", "neutral", "positive"]


@dataclass(frozen=True)
class Sentiment:
    """What an engine says of a text: the likeliest label, P(negative) and P(positive), all None where it abstains."""

    label: Label | None
    negative: float | None
    positive: float | None

    @property
    def scored(self) -> bool:
        """Whether the text counts for shares; an abstention is never neutral."""
        return self.label is not None


UNSCORED = Sentiment(None, None, None)


MIX = (0.30, 0.37, 0.33)
"""Usual shares of negative, neutral and positive: midway between 2,000 tweets about anything (SemEval-2017: 16 %
negative) and 5,146 tweets to three airlines (45 %)."""


def mixed(negative: float, neutral: float, positive: float) -> Sentiment:
    """Judge by how likely each class is where all are as frequent (in any scale).

    The label is the likeliest class at that even mix; the probabilities are what it becomes at the usual one (Saerens
    et al. 2002, Neural Computation 14), so that their sum counts angry texts where most are not.
    """
    label: Label = "negative" if negative > positive else "positive"
    if neutral >= max(negative, positive):
        label = "neutral"
    negative, neutral, positive = negative * MIX[0], neutral * MIX[1], positive * MIX[2]
    total = negative + neutral + positive
    return Sentiment(label, negative / total, positive / total)


class EngineError(ValueError):
    """An engine does not exist or cannot be loaded; the message is one sentence."""


class Engine(Protocol):
    """Judges texts of the languages it knows (ISO 639-1); others are never given to it."""

    @property
    def name(self) -> str:
        """Name in the configuration."""
        ...

    @property
    def languages(self) -> frozenset[str]:
        """Languages that it can judge."""
        ...

    def judge(self, text: str) -> Sentiment:
        """Judge one text, however long; UNSCORED where it cannot tell."""
        ...


class Vader:
    """VADER (Hutto and Gilbert, ICWSM 2014): a lexicon with rules for English, its compound score made probabilities.

    The compound c in [-1, 1] goes through a proportional odds model (McCullagh 1980):
    P(negative) = s(-0.69 - 2.92 c), P(positive) = s(-1.22 + 2.92 c), s(x) = 1 / (1 + exp(-x)); the rest is neutral.
    Fitted by maximum likelihood to 2,000 tweets labelled for SemEval-2017, every class weighing the same.
    Works on short informal English; fails on sarcasm, on complaints without a word of anger ("sat on the tarmac for
    3 hours"), and in every other language.
    """

    name = "vader"
    languages = frozenset({"en"})

    SLOPE = 2.92
    NEGATIVE = -0.69
    POSITIVE = -1.22

    MAX_CHARACTERS = 2_000
    """Characters judged: longer than any post; bounds what a text of one endless word costs."""

    MAX_WORDS = 100
    """Words judged, emoji described in words: VADER's time grows with their square, and is 4 ms at worst for 100."""

    def __init__(self) -> None:
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        self._analyzer = SentimentIntensityAnalyzer()
        self._emoji = str.maketrans({e: f" {said} " for e, said in self._analyzer.emojis.items() if len(e) == 1})

    def judge(self, text: str) -> Sentiment:
        """Judge the first 100 words of an English text."""
        text = text[: self.MAX_CHARACTERS]
        if not text.isascii():
            text = text.replace("’", "'").translate(self._emoji)
        compound = self._analyzer.polarity_scores(" ".join(text.split()[: self.MAX_WORDS]))["compound"]
        negative = _logistic(self.NEGATIVE - self.SLOPE * compound)
        positive = _logistic(self.POSITIVE + self.SLOPE * compound)
        return mixed(negative, 1.0 - negative - positive, positive)


def _logistic(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def _linear() -> Engine:
    from collectors.linear import Linear

    return Linear()


ENGINES: Mapping[str, Callable[[], Engine]] = {"linear": _linear, "vader": Vader}
"""Every engine that needs nothing but its name; its data are loaded when it is made."""

DEFAULT_ENGINE = "linear"

_CODE = re.compile(r"[a-z]{2,3}")


def engine(name: str = DEFAULT_ENGINE) -> Engine:
    """Give the engine of this name, loaded once a process: `linear`, `vader`, or `onnx:LANGUAGES:DIR`.

    `onnx:en,de:/srv/models/tweets` is the classifier in that directory, which is given English and German texts.
    Raises EngineError where there is none, or it cannot be loaded.
    """
    if not name.startswith("onnx:") and name not in ENGINES:
        known = ", ".join((*sorted(ENGINES), "onnx:LANGUAGES:DIR"))
        raise EngineError(f"no sentiment engine is called {name!r}; there are: {known}")
    return _loaded(name)


@cache
def _loaded(name: str) -> Engine:
    return ENGINES[name]() if name in ENGINES else _onnx(name)


def _onnx(name: str) -> Engine:
    from collectors.onnx_engine import Onnx

    _, _, said = name.partition(":")
    languages, _, folder = said.partition(":")
    codes = frozenset(languages.split(","))
    if not folder or not all(map(_CODE.fullmatch, codes)):
        raise EngineError(f"{name!r}: expected onnx:LANGUAGES:DIR, such as onnx:en,de:/srv/models/tweets")
    return Onnx(Path(folder), codes)
