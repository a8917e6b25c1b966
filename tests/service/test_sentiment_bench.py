import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

from collectors.language import guess
from service.bench import BenchError, annotate, sentiment
from service.bench.languages import SENTENCES
from service.bench.sentiment_card import main, render
from service.bench.texts import brand_names

TWEETS = [("negative", "this is awful"), ("neutral", "the train leaves at nine"), ("positive", "what a lovely day")]


@pytest.fixture(name="texts")
def _texts(tmp_path: Path) -> Path:
    (tmp_path / "tweets.dev.tsv").write_text("".join(f"{label}\t{text}\n" for label, text in TWEETS * 10))
    hours = [(hour, label, text) for hour in range(5) for label, text in [*TWEETS * 6, *TWEETS[:1] * hour * 2]]
    rows = [f"{label}\tNorthvane\t24-02-2015 {hour:02}.35\t{text}\n" for hour, label, text in hours * 2]
    (tmp_path / "airlines.dev.tsv").write_text("".join(rows))
    return tmp_path


def measured(data: Path, engine: str = "linear") -> dict[str, float]:
    return sentiment.measure(argparse.Namespace(data=data, sentiment=engine, short=True, seed=1))


def test_texts_that_are_told_apart_give_the_best_figures(texts: Path) -> None:
    found = measured(texts)
    for name in ("tweets_macro_recall", "airlines_negative_recall", "tweets_negative_precision", "tweets_scored"):
        assert (found[name], found[f"{name}_low"], found[f"{name}_high"]) == (1.0, 1.0, 1.0)
    assert found["airlines_hourly_r"] > 0.99
    assert found["airlines_hours"] == 5
    assert 0 < found["airlines_hourly_error"] < 0.3


def test_wrong_labels_show_in_recall_and_in_precision_at_both_mixes(texts: Path) -> None:
    file = texts / "tweets.dev.tsv"
    file.write_text(file.read_text() + "negative\ta lovely day\nneutral\tthis is awful\n" * 10)
    found = measured(texts)
    assert found["tweets_negative_recall"] == 0.5
    assert found["tweets_macro_recall"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert found["tweets_negative_precision"] == 0.5
    assert found["tweets_negative_precision_at_32"] == pytest.approx(0.32 * 0.5 / (0.32 * 0.5 + 0.48 * 0.5))


def test_a_folder_without_texts_is_told_of_by_one_line(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="--data DIR names the folder"):
        measured(tmp_path)


def test_an_engine_that_there_is_not_is_told_of(texts: Path) -> None:
    with pytest.raises(BenchError, match="'oracle'"):
        measured(texts, "oracle")


def test_no_language_but_english_is_scored(texts: Path) -> None:
    found = measured(texts)
    assert {found[f"scored_{code}"] for code in SENTENCES} == {0.0}
    assert found["scored_en"] == 1.0


@pytest.mark.parametrize("language", sorted(SENTENCES))
def test_the_sentences_of_a_language_are_likeliest_in_it(language: str) -> None:
    assert {guess(text).language for text in SENTENCES[language]} == {language}


def test_the_page_holds_each_engine_beside_its_command(texts: Path) -> None:
    found = measured(texts)
    page = render({"linear": found, "vader": measured(texts, "vader")}, "it was not asked")
    assert "| linear | 30 about anything | 1.000 [1.000, 1.000] |" in page
    assert "| vader | 5 |" in page
    assert "foreshock bench sentiment --data DIR" in page
    assert "All stages together were not measured" in page
    assert str(texts) not in page


def test_without_the_texts_the_page_says_so_and_is_written(tmp_path: Path) -> None:
    page = render({"linear": "no tweets.dev.tsv"}, "no time")
    assert "`linear` was not measured this time" in page
    assert "What it does not understand" in page


def test_the_texts_name_a_brand_each_and_are_as_long_as_tweets() -> None:
    names = brand_names(50)
    texts = annotate.tweets(names, 500, seed=1)
    assert all(any(name in text.lower() for name in names) for text in texts)
    assert 90 < statistics.fmean(map(len, texts)) < 130
    assert len(set(texts)) > 490
    assert texts == annotate.tweets(names, 500, seed=1)


def test_every_stage_is_measured_on_texts_that_all_match() -> None:
    command = [sys.executable, "-m", "service", "bench", "annotate", "--short", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=100)
    figures = json.loads(done.stdout)["figures"]
    assert figures["queries"] == 10_000
    assert figures["matched_share"] == 1.0
    measured = ("match_us", "match_mixed_us", "language_us", "sentiment_us", "annotate_us")
    assert all(figures[stage] > 0 for stage in measured)
    assert figures["spam_us"] >= 0  # what the others leave of annotate_us: none where the machine was busy meanwhile
    assert figures["texts_per_second"] == pytest.approx(1e6 / (figures["match_us"] + figures["annotate_us"]), rel=0.01)


@pytest.mark.slow
def test_the_command_writes_the_page_and_fails_where_something_is_missing(tmp_path: Path) -> None:
    document = tmp_path / "SENTIMENT.md"
    assert main(["--data", str(tmp_path), "--document", str(document), "--short"]) == 1
    assert not document.exists()
