"""Sentiment by any sequence classifier in ONNX form, from a local directory; nothing is downloaded."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from collectors.sentiment import UNSCORED, EngineError, Label, Sentiment

MAX_CHARACTERS = 2_000
"""Characters given to the tokenizer: longer than any post."""

MAX_TOKENS = 128
"""Tokens judged: a post has some 30; the time of a transformer grows with them."""

MEANS: Mapping[str, Label] = {
    "negative": "negative", "neg": "negative", "1 star": "negative", "2 stars": "negative",
    "neutral": "neutral", "neu": "neutral", "3 stars": "neutral",
    "positive": "positive", "pos": "positive", "4 stars": "positive", "5 stars": "positive",
}  # fmt: skip
"""What a classifier may call its classes, in lower case."""

_FILES = ("model.onnx", "tokenizer.json", "config.json")


class Onnx:
    """A sequence classifier: `model.onnx`, `tokenizer.json`, and `config.json` with `id2label`.

    Its softmax is taken as it is: it holds for the mix of classes that the model was trained on. A model of two classes
    finds nothing neutral. One thread; a worker is a process of its own. Needs `pip install foreshock[onnx]`.
    """

    def __init__(self, folder: Path, languages: frozenset[str]) -> None:
        self.name = f"onnx:{','.join(sorted(languages))}:{folder}"
        self.languages = languages
        self._classes = _classes(folder)
        try:
            runtime, tokenizers = import_module("onnxruntime"), import_module("tokenizers")
        except ImportError as error:
            raise EngineError(f"the engine onnx needs {error.name}: pip install 'foreshock[onnx]'") from None
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            self._tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session = runtime.InferenceSession(
                str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # noqa: BLE001 - both raise types of their own, tokenizers a bare Exception
            raise EngineError(f"{folder}: it cannot be loaded: {str(error).splitlines()[0]}") from None
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._inputs = [given.name for given in self._session.get_inputs()]
        if unknown := set(self._inputs) - {"input_ids", "attention_mask", "token_type_ids"}:
            raise EngineError(f"{folder / 'model.onnx'}: it asks for {', '.join(sorted(unknown))}: no text classifier")

    def judge(self, text: str) -> Sentiment:
        """Judge the first 128 tokens of a text; UNSCORED where it has none."""
        import numpy as np

        found = self._tokenizer.encode(text[:MAX_CHARACTERS].encode("utf-8", "replace").decode())
        if not found.ids:
            return UNSCORED
        given = {"input_ids": found.ids, "attention_mask": found.attention_mask, "token_type_ids": found.type_ids}
        asked = {name: np.array([given[name]], np.int64) for name in self._inputs}
        logits = self._session.run(None, asked)[0][0]
        if len(logits) != len(self._classes):
            raise EngineError(f"{self.name}: {len(logits)} classes come out, config.json names {len(self._classes)}")
        return _judged(self._classes, [float(logit) for logit in logits])


def _judged(classes: Sequence[Label], logits: Sequence[float]) -> Sentiment:
    most = max(logits)
    shares: dict[Label, float] = {"negative": 0.0, "neutral": 0.0, "positive": 0.0}
    for label, logit in zip(classes, logits, strict=True):
        shares[label] += math.exp(logit - most)
    total = sum(shares.values())
    likeliest: Label = max(shares, key=shares.__getitem__)
    return Sentiment(likeliest, shares["negative"] / total, shares["positive"] / total)


def _classes(folder: Path) -> list[Label]:
    """Read what each class means, in the order of the model's output."""
    if missing := [name for name in _FILES if not (folder / name).is_file()]:
        raise EngineError(f"{folder}: {missing[0]} is missing; a classifier has {', '.join(_FILES)}")
    where = folder / "config.json"
    try:
        config: Any = json.loads(where.read_text(encoding="utf-8"))
        named = {int(number): str(label).lower().strip() for number, label in config["id2label"].items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise EngineError(f"{where}: expected JSON with id2label, such as {{'0': 'negative', ...}}") from None
    unknown = sorted(set(named.values()) - MEANS.keys())
    if unknown or sorted(named) != list(range(len(named))):
        said = unknown[0] if unknown else f"ids {sorted(named)}"
        raise EngineError(f"{where}: id2label has {said!r}; expected 0, 1, ... and of the labels {', '.join(MEANS)}")
    classes = [MEANS[named[number]] for number in range(len(named))]
    if not {"negative", "positive"} <= set(classes):
        raise EngineError(f"{where}: id2label needs a negative and a positive class")
    return classes
