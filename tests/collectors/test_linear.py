import subprocess
import sys
import time
from collections import defaultdict
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.annotate import annotate
from collectors.linear import MAX_CHARACTERS, Linear, words
from collectors.sentiment import engine
from collectors.train_sentiment import pieces, train
from collectors.train_texts import examples
from tests.shared_data import shared

LINEAR = Linear()
WEIGHTS = files("collectors").joinpath("data/sentiment.tsv").read_text(encoding="utf-8")


def negative(text: str) -> float:
    return LINEAR.judge(text).negative or 0.0


def test_it_is_the_engine_of_who_names_none() -> None:
    assert engine().name == "linear"


def test_the_weights_are_not_read_before_they_are_needed() -> None:
    said = "import sys, collectors.annotate; sys.exit('collectors.linear' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", said], check=False, timeout=60).returncode == 0


def test_what_follows_a_negation_is_marked_until_the_scope_ends() -> None:
    assert words("I don't like it, great") == ["i", "don't", "not_like", "not_it", ",", "great"]
    assert words("no fun but fast") == ["no", "not_fun", "but", "fast"]
    assert words("never AGAIN! ok") == ["never", "not_again", "!", "ok"]


def test_quotes_and_hashes_are_not_part_of_a_word_and_an_emoji_stands_alone() -> None:
    assert words('"bad" #fail:( late😠now') == ["bad", "fail:(", "late", "😠", "now"]


@pytest.mark.parametrize("praise", ["good", "helpful", "happy", "worth it", "recommended", "friendly", "the best"])
def test_negation_makes_praise_angrier_and_anger_no_praise(praise: str) -> None:
    assert negative(f"they were not {praise}") > negative(f"they were {praise}")


def test_the_stronger_word_weighs_more() -> None:
    assert negative("the service was horrible") > negative("the service was bad") > negative("the service was good")


@pytest.mark.parametrize("name", ["Northvane", "@northvane", "@lovely_hate", "Zhang", "https://northvane"])
def test_a_name_handle_or_link_has_no_weight(name: str) -> None:
    assert LINEAR.judge(f"{name} was late") == LINEAR.judge("Qwrtz was late")
    assert LINEAR.judge(name) == LINEAR.judge("")


NAMES = (
    "Alice", "Mohammed", "Zhang", "Priya", "Wojciech", "Lakisha", "Emily", "Delta", "United", "Amazon", "Samsung",
    "Sony", "Google", "Tesla", "Ryanair", "Virgin", "Northvane", "women", "men", "muslims", "jews", "gay", "black",
)  # fmt: skip


@pytest.mark.parametrize(
    "said", ["{} was late", "I hate {}", "thank you {}!", "is {} open on Monday?", "not {}, never"]
)
def test_who_is_meant_changes_nothing(said: str) -> None:
    assert {LINEAR.judge(said.format(name)) for name in NAMES} == {LINEAR.judge(said.format("Qwrtz"))}


@pytest.mark.parametrize(
    ("plain", "negated"),
    [
        ("I love it", "I don't love it"),
        ("I am happy with this", "I am not happy with this"),
        ("the staff was helpful", "the staff was not helpful"),
        ("it works great", "it never works"),
        ("I would recommend them", "I would not recommend them"),
        ("they care about customers", "they don't care about customers"),
        ("that was funny", "that wasn't funny"),
        ("good service", "no good service"),
        ("a nice crew", "not a nice crew"),
    ],
)
def test_negation_takes_the_praise_out_and_puts_anger_in(plain: str, negated: str) -> None:
    before, after = LINEAR.judge(plain), LINEAR.judge(negated)
    assert (before.negative or 0) < (after.negative or 0)
    assert (before.positive or 0) > (after.positive or 0)


@pytest.mark.parametrize("anger", ["bad", "terrible", "angry", "a scam", "worried", "disappointed", "the worst"])
def test_negation_takes_the_anger_out(anger: str) -> None:
    assert negative(f"it was not {anger}") < negative(f"it was {anger}")


@pytest.mark.parametrize("word", ["disappointingly", "horribly", "annoyingly", "infuriating"])
def test_a_form_of_a_word_says_what_the_word_says(word: str) -> None:
    assert negative(f"{word} slow") > negative("slow") + 0.05


def test_english_alone_is_scored() -> None:
    assert LINEAR.languages == {"en"}
    assert not annotate("diese Fluglinie ist furchtbar, nie wieder").scored
    assert not annotate("I hate this airline so much", "fr").scored


@given(st.text(alphabet=st.characters()))
def test_words_have_no_white_space_and_none_is_empty(text: str) -> None:
    assert all(word and word.split() == [word] for word in words(text))


def test_what_comes_after_the_first_characters_changes_nothing() -> None:
    text = "fine " * (MAX_CHARACTERS // 5)
    assert LINEAR.judge(text + "terrible " * 100) == LINEAR.judge(text)


@pytest.mark.parametrize(
    "piece", ["no ", "x", "love ", "not good ", "😡", "!", "bad😡 ", "日本", "a\u0301", "n't", "#"]
)
def test_no_text_takes_longer_than_some_milliseconds(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    LINEAR.judge(text)
    took = []
    for _ in range(5):
        start = time.process_time()
        LINEAR.judge(text)
        took.append(time.process_time() - start)
    assert min(took) < 0.01  # 0.03-1 ms measured


def test_the_file_says_where_its_weights_come_from_and_is_sorted() -> None:
    lines = WEIGHTS.splitlines()
    header = [line for line in lines if line.startswith("#")]
    said = " ".join(header)
    for part in ("GoEmotions", "Apache-2.0", "VADER", "MIT", "python -m collectors.train_sentiment"):
        assert part in said
    features = [line.split("\t")[0] for line in lines[len(header) :]]
    assert features == sorted(set(features))
    assert len(WEIGHTS.encode()) < 2_000_000


def test_every_weight_can_be_reached_by_a_text() -> None:
    for line in WEIGHTS.splitlines():
        feature = line.split("\t")[0]
        if line.startswith("#") or not feature:
            continue
        plain = [part.removeprefix("not_") for part in feature.split(" ")]
        if "not_" not in feature and not any(part in ("no", "not") for part in plain):
            found = words(feature)
            assert feature in found or feature in map(" ".join, pairwise(found)), feature


def airlines() -> list[list[str]]:
    text = shared("sentiment/measure/airlines.dev.tsv").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()]


def correlation(name: str, rows: list[list[str]]) -> float:
    """Of the hourly share of negative tweets with the true one, in hours of at least 20."""
    judge = engine(name).judge
    hours = defaultdict(list)
    for label, _, at, text in rows:
        hours[at.split(".")[0]].append((label == "negative", judge(text).negative or 0.0))
    shares = [np.mean(of, axis=0) for of in hours.values() if len(of) >= 20]
    return float(np.corrcoef(np.array(shares).T)[0, 1])


def test_the_hourly_share_of_anger_at_airlines_is_followed_better_than_by_vader() -> None:
    rows = airlines()
    linear, vader = correlation("linear", rows), correlation("vader", rows)
    assert linear > 0.77  # measured 0.781
    assert linear > vader + 0.08  # measured 0.678


def test_on_tweets_to_airlines_the_recall_of_all_classes_is_as_measured() -> None:
    rows = [(label, LINEAR.judge(text).label) for label, _, _, text in airlines()]
    recalls = [
        sum(said == label for true, said in rows if true == label) / sum(true == label for true, _ in rows)
        for label in ("negative", "neutral", "positive")
    ]
    assert sum(recalls) / 3 > 0.68  # measured 0.689; VADER 0.615


def test_raters_who_differ_give_a_text_shares_of_classes(tmp_path: Path) -> None:
    lines = ["[NAME] is here\t27\t1", "both\t2,17\t2", "what?\t6,3\t3"]
    (tmp_path / "goemotions.train.tsv").write_text("\n".join(lines))
    (tmp_path / "icwsm.tweets.tsv").write_text("1\t1.0\tso &amp; so\n2\t-3.9\tawful")
    neutral, both, asked, good, bad = examples(tmp_path)
    assert (neutral.text, neutral.target) == ("@name is here", (0.0, 1.0, 0.0))
    assert both.target == (0.5, 0.0, 0.5)
    assert (asked.target, asked.weight) == ((1.0, 0.0, 0.0), neutral.weight / 2)
    assert good.text == "so & so"
    assert good.target[2] == pytest.approx(0.5, abs=1e-3)
    assert bad.target[0] > 0.999


def test_a_word_is_cut_into_pieces_with_its_ends_and_its_negation_marked() -> None:
    assert pieces("bad") == ["<ba", "bad", "ad>", "<bad", "bad>", "<bad>"]
    assert pieces("not_bad")[0] == "not_<ba"


def test_training_refuses_a_folder_without_texts(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no training files"):
        train(tmp_path, tmp_path / "tweets.tsv")


def test_training_on_few_texts_learns_from_them_and_gives_the_same_file_twice(tmp_path: Path) -> None:
    said = [("the grobnik was lovely", 3.0), ("what a zlorp today", -3.0), ("the train goes at nine", 0.0)]
    lines = [f"{n}\t{rating}\t{text}" for n, (text, rating) in enumerate(said * 30)]
    (tmp_path / "icwsm.tweets.tsv").write_text("\n".join(lines))
    told = [("positive", "a grobnik"), ("negative", "a zlorp"), ("neutral", "a train")]
    tweets = tmp_path / "tweets.tsv"
    tweets.write_text("\n".join(f"{label}\t{text}" for label, text in told * 10))
    file = train(tmp_path, tweets)
    assert file == train(tmp_path, tweets)
    weights = {
        row[0]: (int(row[1]), int(row[2])) for row in (line.split("\t") for line in file.splitlines()) if row[1:]
    }
    assert weights["zlorp"][0] > 30 > weights["zlorp"][1]
    assert weights["grobnik"][1] > 30 > weights["grobnik"][0]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_training_again_gives_the_shipped_weights_to_the_byte() -> None:
    folder = shared("sentiment/train")
    assert train(folder, shared("sentiment/measure/tweets.dev.tsv")) == WEIGHTS
