import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from collectors.annotate import annotate
from collectors.sentiment import EngineError, engine

VOCABULARY = {"[UNK]": 0, "awful": 1, "late": 2, "lovely": 3, "toll": 4}
LOGITS = [[0.0, 1.0, 0.0], [4.0, 0.0, -4.0], [1.0, 1.0, 0.0], [-4.0, 0.0, 4.0], [-3.0, 0.0, 3.0]]
"""Of each word: negative, neutral, positive; a text's are their sum."""
NAMES = {"0": "Negative", "1": "Neutral", "2": "Positive"}


def build(folder: Path, names: dict[str, str], inputs: tuple[str, ...] = ("input_ids", "attention_mask")) -> Path:
    """A real classifier of five words: looks each up, and adds."""
    onnx = pytest.importorskip("onnx", reason="the package onnx builds the model; it is not installed")
    tokenizers = pytest.importorskip("tokenizers", reason="the extra onnx is not installed")
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    of, tensor = onnx.helper, onnx.TensorProto
    width = len(names)
    table = [value for row in LOGITS for value in row[:width]]
    graph = of.make_graph(
        [
            of.make_node("Gather", ["table", inputs[0]], ["each"]),
            of.make_node("ReduceSum", ["each", "axes"], ["logits"], keepdims=0),
        ],
        "words",
        [of.make_tensor_value_info(name, tensor.INT64, [1, "tokens"]) for name in inputs],
        [of.make_tensor_value_info("logits", tensor.FLOAT, [1, width])],
        [
            of.make_tensor("table", tensor.FLOAT, [len(LOGITS), width], table),
            of.make_tensor("axes", tensor.INT64, [1], [1]),
        ],
    )
    model = of.make_model(graph, opset_imports=[of.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "model.onnx"))
    words: Any = tokenizers.Tokenizer(tokenizers.models.WordLevel(VOCABULARY, unk_token="[UNK]"))
    words.normalizer = tokenizers.normalizers.Lowercase()
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    words.save(str(folder / "tokenizer.json"))
    (folder / "config.json").write_text(json.dumps({"id2label": names}))
    return folder


def test_a_classifier_of_a_directory_judges_the_languages_it_was_given(tmp_path: Path) -> None:
    judge = engine(f"onnx:en,de:{build(tmp_path, NAMES)}")
    assert judge.languages == {"en", "de"}
    judged = judge.judge("AWFUL")
    assert judged.label == "negative"
    assert judged.negative == pytest.approx(0.98169, abs=1e-4)  # e^4 / (e^4 + 1 + e^-4)
    assert judged.positive == pytest.approx(0.00033, abs=1e-4)
    assert annotate("wirklich toll", "de", judge).sentiment == "positive"
    assert not annotate("vraiment awful", "fr", judge).scored


def test_the_classes_are_known_by_name_in_whatever_order(tmp_path: Path) -> None:
    turned = engine(f"onnx:en:{build(tmp_path, {'0': 'positive', '1': 'neutral', '2': 'NEG'})}")
    assert turned.judge("awful").label == "positive"
    assert turned.judge("lovely").label == "negative"


def test_a_classifier_of_two_classes_finds_nothing_neutral(tmp_path: Path) -> None:
    judged = engine(f"onnx:en:{build(tmp_path, {'0': 'NEGATIVE', '1': 'POSITIVE'})}").judge("awful")
    assert (judged.negative or 0) + (judged.positive or 0) == pytest.approx(1.0)


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u202e"])
def test_a_text_without_a_token_is_not_scored_or_says_little(tmp_path: Path, text: str) -> None:
    judged = engine(f"onnx:en:{build(tmp_path, NAMES)}").judge(text)
    assert judged.label in (None, "neutral")


@pytest.mark.parametrize("text", ["\ud800 awful", "awful " * 200_000, "\0awful", "最低" * 10_000])
def test_any_text_is_taken(tmp_path: Path, text: str) -> None:
    assert engine(f"onnx:en:{build(tmp_path, NAMES)}").judge(text).scored


def test_a_model_that_asks_for_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="it asks for pixel_values"):
        engine(f"onnx:en:{build(tmp_path, NAMES, ('pixel_values',))}")


def test_a_file_that_is_no_model_is_refused_by_one_line(tmp_path: Path) -> None:
    (build(tmp_path, NAMES) / "model.onnx").write_bytes(b"no model")
    with pytest.raises(EngineError, match="it cannot be loaded") as refused:
        engine(f"onnx:en:{tmp_path}")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["onnx:", "onnx:/models/tweets", "onnx:English:/models", "onnx:en,:/models"])
def test_a_name_without_languages_or_directory_says_what_is_expected(name: str) -> None:
    with pytest.raises(EngineError, match="expected onnx:LANGUAGES:DIR"):
        engine(name)


def test_a_directory_without_a_model_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"model\.onnx is missing"):
        engine(f"onnx:en:{tmp_path}")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{}", "expected JSON with id2label"),
        ("no JSON", "expected JSON with id2label"),
        ('{"id2label": {"0": "LABEL_0", "1": "LABEL_1"}}', "'label_0'; expected"),
        ('{"id2label": {"0": "negative", "2": "positive"}}', r"ids \[0, 2\]"),
        ('{"id2label": {"0": "neutral", "1": "positive"}}', "needs a negative and a positive class"),
    ],
)
def test_classes_that_cannot_be_told_are_refused_with_what_is_expected(tmp_path: Path, config: str, said: str) -> None:
    for name in ("model.onnx", "tokenizer.json"):
        (tmp_path / name).touch()
    (tmp_path / "config.json").write_text(config)
    with pytest.raises(EngineError, match=said):
        engine(f"onnx:en:{tmp_path}")


def annotated(*options: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "service", "annotate", *options]
    return subprocess.run(command, input=b"lovely\n", capture_output=True, check=False, timeout=60)


def test_the_command_judges_by_the_engine_that_it_is_told(tmp_path: Path) -> None:
    done = annotated("--sentiment", f"onnx:en:{build(tmp_path, NAMES)}")
    assert json.loads(done.stdout)["negative"] == 0.0003


def test_the_command_refuses_an_engine_that_there_is_not() -> None:
    done = annotated("--sentiment", "oracle")
    assert done.returncode == 2
    assert done.stderr.decode().strip().count("\n") == 0
    assert b"'oracle'" in done.stderr
