"""A brand's own model learns what its people mean, is compared honestly, and is worth what is promised."""

import argparse
from functools import cache

import numpy as np
import pytest

from collectors.own_model import CLASSES, FOLDS, Floats, Ints, Learned, OwnModel, features, learn, vocabulary
from service.bench.labels import FILE, judge, measure, read
from tests.shared_data import shared

Shares = tuple[float, float, float]

ANGRY, PLAIN, GLAD = "tarmac delay three hours", "gate four please", "crew upgrade lovely"
FILLER = ("today", "flight", "again", "airport", "monday", "boston", "still", "seat")


def said(n: int, telling: bool = True, shares: Shares = (0.4, 0.4, 0.2)) -> tuple[list[str], Floats, Ints]:
    """Texts whose words tell the class if `telling`, P(negative) and P(positive) of an engine that half sees it."""
    chance = np.random.default_rng(7)
    labels = chance.choice(3, n, p=shares)
    texts = []
    for label in labels:
        words = [*chance.choice(FILLER, 4)]
        if telling:
            words.append(chance.choice((ANGRY, PLAIN, GLAD)[label].split()))
        texts.append(" ".join(words))
    strong = chance.normal(0.0, 1.0, (n, 3))
    strong[np.arange(n), labels] += 0.7
    p = np.exp(strong) / np.exp(strong).sum(axis=1, keepdims=True)
    return texts, p[:, [0, 2]], labels


@cache
def learned(telling: bool = True) -> Learned:
    texts, base, labels = said(400, telling)
    return learn(texts, base, labels, labels, 0.4)


def test_words_that_people_call_negative_become_negative() -> None:
    found = learned()
    assert found.wins
    assert found.loss < found.loss_before
    judged = found.model.judge("flight tarmac again", 0.3, 0.3)
    assert judged.label == "negative"
    assert judged.negative is not None
    assert judged.negative > 0.6
    assert found.model.judge("flight lovely crew", 0.3, 0.3).label == "positive"


def test_words_that_tell_nothing_do_not_win() -> None:
    assert not learned(telling=False).wins


def test_labels_given_by_chance_do_not_win() -> None:
    texts, base, labels = said(400)
    shuffled = np.random.default_rng(8).permutation(labels)
    assert not learn(texts, base, shuffled, labels, 0.4).wins


def test_the_mix_of_classes_is_the_brands_and_not_that_of_what_was_labelled() -> None:
    texts, base, labels = said(400, shares=(0.8, 0.15, 0.05))
    rare, common = (learn(texts, base, labels, labels, usual).model for usual in (0.05, 0.8))
    low, high = (model.judge("flight today boston", 0.3, 0.3).negative or 0.0 for model in (rare, common))
    assert low < 0.25 < 0.5 < high


def test_a_class_that_was_hardly_labelled_keeps_the_defaults_odds() -> None:
    texts, base, labels = said(400, shares=(0.5, 0.5, 0.0))
    found = learn(texts, base, labels, labels, 0.5).model
    assert all(weight[2] == 0.0 for weight in found.weights.values())


def test_what_is_held_out_teaches_nothing_of_itself() -> None:
    texts, base, labels = said(300, telling=False)
    held = np.arange(300) % FOLDS == 0
    marked = [f"{text} mark{i}" if held[i] else text for i, text in enumerate(texts)]
    plain, with_marks = (learn(some, base, labels, labels, 0.4).held_out for some in (texts, marked))
    assert np.abs(plain - with_marks)[held].max() < 0.2


def test_the_same_labels_give_the_same_model() -> None:
    texts, base, labels = said(400)
    assert learn(texts, base, labels, labels, 0.4).model == learned().model


@pytest.mark.parametrize(("n", "shares"), [(299, (0.4, 0.4, 0.2)), (300, (0.0, 0.7, 0.3)), (300, (1.0, 0.0, 0.0))])
def test_too_few_labels_train_nothing_and_say_what_is_needed(n: int, shares: Shares) -> None:
    texts, base, labels = said(n, shares=shares)
    with pytest.raises(ValueError, match="300 are needed to train a model, and 10 of either kind"):
        learn(texts, base, labels, labels, 0.4)


def test_a_word_of_a_single_text_gets_no_weight() -> None:
    assert vocabulary([features("late late train"), features("late plane")]) == ["late"]


def test_a_model_without_weights_says_what_the_default_says() -> None:
    model = OwnModel({}, (0.0, 0.0, 0.0), (1.0, 1.0))
    found = model.judge("flight today", 0.31, 0.44)
    assert found.negative == pytest.approx(0.31)
    assert found.positive == pytest.approx(0.44)
    assert found.label == "positive"


@pytest.mark.parametrize("text", ["", " ", "\x00", "😡" * 50, "a" * 100_000, "not " * 5_000])
def test_any_text_is_judged_and_probabilities_are_probabilities(text: str) -> None:
    model = OwnModel({"late": (1.0, 0.0, -1.0)}, (0.1, 0.0, 0.0), (1.0, 1.0))
    for base in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0), (0.3, 0.3)):
        found = model.judge(text, *base)
        assert found.label in CLASSES
        assert found.negative is not None
        assert found.positive is not None
        assert found.negative >= 0.0
        assert found.negative + found.positive <= 1.0 + 1e-9


def test_three_hundred_labels_bring_the_hourly_share_of_anger_at_airlines_within_seven_points_and_a_half() -> None:
    tweets = read(shared(FILE))
    found = []
    for draw in range(2):
        order = np.random.default_rng(draw).permutation(len(tweets.texts))
        found.append(judge(tweets, order[:300], order[300:]))
    assert np.mean([one["mae"] for one in found]) <= 7.0
    assert all(one["wins"] for one in found)
    assert np.mean([one["mae_adjusted"] for one in found]) <= 9.0
    assert np.mean([one["accuracy"] for one in found]) >= 0.70


@pytest.mark.slow
def test_the_bench_tells_shares_and_accuracy_before_and_after() -> None:
    data = shared("sentiment").parent
    found = measure(argparse.Namespace(data=data, short=True, seed=1))
    assert found["mae_raw"] > 12.0
    assert found["mae_300"] < found["mae_100"] < found["mae_raw"]
    assert found["mae_1000"] <= 7.0
    assert found["accuracy_300"] > found["accuracy_before"] + 0.04
