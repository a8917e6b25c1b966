"""Shares are corrected by labels as they should be, whoever chose what to label, and not where that can't be."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.correct import Bools, Correction, Rates, Spell, rates, same, why_not
from detectors.series import Floats

TOLD = Rates(0.6, 0.2, 0.04, 0.02, 70, 70)
START = 1_760_000_400.0


def drawn(chance: np.random.Generator, n: int, share: float) -> tuple[Floats, Bools]:
    """P(negative) of `n` mentions by an engine that is far from sure, and which are negative (n,)."""
    negative = chance.random(n) < share
    return np.where(negative, chance.beta(4.0, 3.0, n), chance.beta(2.0, 6.0, n)), negative


def minutes(n: int) -> Floats:
    """When so many minutes begin."""
    return np.asarray(START + 60.0 * np.arange(n), dtype=np.float64)


def one(spell: Rates = TOLD, usual: float = 0.3) -> Correction:
    return Correction((Spell(0.0, "", spell),), usual, 140)


def window(total: float, scored: float) -> tuple[Floats, Floats, Floats]:
    return np.array([START]), np.array([total]), np.array([scored])


@pytest.mark.parametrize("labelled", [0.1, 0.5, 0.9])
def test_the_share_is_found_whatever_part_of_the_labels_is_negative(labelled: float) -> None:
    chance = np.random.default_rng(1)
    p, negative = drawn(chance, 200_000, 0.15)
    some = rates(*drawn(chance, 20_000, labelled))
    assert abs(p.mean() - 0.15) > 0.1
    assert some.share(p.sum(), len(p)) == pytest.approx(negative.mean(), abs=0.02)


def test_the_interval_holds_the_true_share_of_a_window_as_often_as_it_says() -> None:
    chance, held, draws = np.random.default_rng(2), 0, 400
    for _ in range(draws):
        told = rates(*drawn(chance, 150, 0.5))
        usual = float(chance.beta(6.0, 14.0))
        p, negative = drawn(chance, 200, usual)
        found = one(told, told.share(p.sum(), len(p))).estimate(*window(p.sum(), len(p)))
        assert found is not None
        held += found.low <= negative.mean() <= found.high
    assert 0.9 <= held / draws <= 0.99


def test_a_window_of_few_mentions_stays_near_the_usual_and_one_of_many_says_what_it_holds() -> None:
    few, many = (one().estimate(*window(0.6 * n, float(n))) for n in (2, 2000))
    assert few is not None
    assert many is not None
    assert 0.3 < few.share < 0.8
    assert many.share > 0.95
    assert few.high - few.low > many.high - many.low
    assert one().estimate(*window(0.0, 0.0)) is None


def test_more_labels_give_a_narrower_interval() -> None:
    widths = []
    for n in (50, 5000):
        found = one(Rates(0.6, 0.2, 0.04, 0.02, n, n)).estimate(*window(100.0, 300.0))
        assert found is not None
        widths.append(found.high - found.low)
    assert widths[1] < widths[0] / 1.5


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (Rates(0.6, 0.2, 0.04, 0.02, 50, 49), "99 labels of scored mentions; from 100 on"),
        (Rates(0.6, 0.2, 0.04, 0.02, 9, 200), "9 labels say negative; 10 are needed"),
        (Rates(0.6, 0.2, 0.04, 0.02, 200, 9), "9 labels say not negative; 10 are needed"),
        (Rates(0.35, 0.3, 0.001, 0.001, 500, 500), "does not tell them apart"),
        (Rates(0.45, 0.3, 0.1, 0.1, 50, 50), "does not tell them apart"),
        (Rates(0.2, 0.6, 0.01, 0.01, 500, 500), "does not tell them apart"),
    ],
)
def test_what_labels_cannot_correct_is_left_as_it_is_and_it_is_said_why(found: Rates, why: str) -> None:
    assert why in (why_not(found) or "")


def test_a_hundred_labels_of_an_engine_that_tells_something_are_enough() -> None:
    assert why_not(Rates(0.6, 0.2, 0.04, 0.02, 50, 50)) is None


def test_labels_of_one_class_alone_or_none_are_counted_and_correct_nothing() -> None:
    for n in (0, 1, 300):
        assert why_not(rates(np.full(n, 0.5), np.ones(n, dtype=np.bool_))) is not None


counts = st.lists(st.tuples(st.floats(0.0, 1.0), st.integers(0, 40)), min_size=1, max_size=60)


@settings(max_examples=60)
@given(counts, st.integers(1, 12))
def test_sums_of_any_window_are_those_of_the_linear_map_but_for_what_is_carried(
    some: list[tuple[float, int]], width: int
) -> None:
    scored = np.array([float(n) for _, n in some])
    total = np.array([p * n for p, n in some])
    times, correction = minutes(len(some)), one(Rates(0.9, 0.1, 0.01, 0.01, 50, 50))
    found = correction.carried(times, total, scored)
    assert (found >= 0).all()
    assert (found <= scored).all()
    assert (correction.carried(times[:width], total[:width], scored[:width]) == found[:width]).all()
    inside = (total >= 0.1 * scored) & (total <= 0.9 * scored)
    if inside.all():
        assert np.allclose(found, correction.counts(times, total, scored))


def test_minutes_cut_one_by_one_would_add_up_to_too_much_and_carried_ones_do_not() -> None:
    chance = np.random.default_rng(3)
    p, negative = drawn(chance, 10_080, 0.1)
    correction, times = one(rates(*drawn(chance, 5_000, 0.5))), minutes(len(p))
    ones = np.ones(len(p))
    carried = correction.carried(times, p, ones).sum()
    cut = np.clip(correction.counts(times, p, ones), 0.0, 1.0).sum()
    assert carried == pytest.approx(negative.sum(), rel=0.15)
    assert cut > 1.5 * negative.sum()


def test_minutes_and_five_minutes_of_the_same_mentions_count_the_same() -> None:
    chance = np.random.default_rng(4)
    p = drawn(chance, 6_000, 0.2)[0].reshape(-1, 2)
    total, scored, times = p.sum(axis=1), np.full(3_000, 2.0), minutes(3_000)
    wide = one().carried(times[::5], total.reshape(-1, 5).sum(axis=1), scored.reshape(-1, 5).sum(axis=1))
    assert one().carried(times, total, scored).sum() == pytest.approx(wide.sum(), rel=0.03)


def test_a_long_calm_leaves_no_debt_that_hides_a_revolt() -> None:
    scored = np.full(1_000, 5.0)
    total = np.concatenate([np.full(990, 0.0), np.full(10, 5 * TOLD.negative)])
    found = one().carried(minutes(1_000), total, scored)
    assert found[:990].sum() == 0
    assert found[990:].sum() >= 50 - 3


def test_what_another_model_judged_is_mapped_by_that_models_rates() -> None:
    own = Rates(0.9, 0.1, 0.01, 0.01, 150, 150)
    both = Correction((Spell(0.0, "", TOLD), Spell(START, "own", own)), 0.3, 300)
    times = np.array([START - 60.0, START, START + 60.0])
    scored, share = np.full(3, 1000.0), 0.25
    judged = [scored[0] * (r.other + share * r.apart) for r in (TOLD, own, own)]
    assert both.counts(times, np.array(judged), scored) == pytest.approx(250.0)
    found = both.estimate(times, np.array(judged), scored)
    assert found is not None
    assert found.share == pytest.approx(0.25, abs=0.01)
    assert both.overall(times, np.array(judged), scored) == pytest.approx(0.25)


def test_spells_differ_by_model_and_time_and_not_by_rates() -> None:
    other = Rates(0.7, 0.2, 0.04, 0.02, 90, 90)
    assert same((Spell(0.0, "", TOLD),), (Spell(0.0, "", other),))
    assert not same((Spell(0.0, "", TOLD),), (Spell(0.0, "", TOLD), Spell(START, "own", TOLD)))
