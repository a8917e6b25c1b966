import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.calibrate import BLOCKS_KEPT, RAREST, Calibration, Tail, young

STEP, BLOCK = 300.0, 21600.0


def taught(maxima: np.ndarray) -> Tail:
    return young(STEP).learn(maxima, np.arange(len(maxima)) * BLOCK)


@given(st.integers(0, 10_000))
def test_the_rate_falls_with_the_statistic(seed: int) -> None:
    tail = taught(np.random.default_rng(seed).gumbel(2.0, 1.0, 100))
    rates = tail.rate(np.linspace(-5.0, 60.0, 200))
    assert (np.diff(rates) <= 1e-12).all()
    assert rates[0] == pytest.approx(28.0)
    assert rates[-1] > 0


def test_a_rate_once_a_fortnight_is_found_to_within_a_half() -> None:
    rng = np.random.default_rng(1)
    rates = [float(taught(rng.gumbel(2.0, 0.7, 200)).rate(np.array(2.0 - 0.7 * np.log(1 / 56)))) for _ in range(50)]
    assert 0.25 < float(np.median(rates)) < 0.75


def test_a_heavier_past_asks_for_more_before_it_pages() -> None:
    rng = np.random.default_rng(2)
    light, heavy = taught(rng.gumbel(2.0, 0.5, 100)), taught(rng.gumbel(2.0, 2.5, 100))
    assert heavy.reached(0.5) > light.reached(0.5) + 2.0


def test_one_crisis_hardly_hides_the_next() -> None:
    maxima = np.random.default_rng(3).gumbel(2.0, 0.7, 140)
    before = taught(maxima).reached(0.5)
    maxima[100] = 500.0
    assert taught(maxima).reached(0.5) < before + 2.5


def test_the_statistic_reached_at_a_rate_has_that_rate() -> None:
    tail = taught(np.random.default_rng(4).gumbel(2.0, 1.0, 100))
    for rate in (RAREST, 0.5, 2.0):
        assert float(tail.rate(np.array(tail.reached(rate)))) == pytest.approx(rate)


def test_what_is_learned_in_pieces_is_what_is_learned_at_once() -> None:
    statistic = np.random.default_rng(5).gumbel(2.0, 1.0, 720).clip(max=5.0)
    times = 600.0 + STEP * np.arange(720)
    whole = young(STEP).learn(statistic, times)
    pieces = young(STEP)
    for first in range(0, 720, 36):
        pieces = pieces.learn(statistic[first : first + 36], times[first : first + 36])
    assert pieces.blocks == pytest.approx(whole.blocks, rel=0.3)
    assert len(pieces.blocks) == len(whole.blocks) == 11


def test_unknown_statistics_teach_nothing_and_stay_unknown() -> None:
    tail = taught(np.linspace(1.0, 3.0, 50))
    assert tail.learn(np.full(5, np.nan), np.arange(5) * STEP) is tail
    assert np.isnan(tail.rate(np.array([np.nan]))).all()


def test_a_tail_keeps_eight_weeks() -> None:
    assert len(taught(np.ones(300)).blocks) == BLOCKS_KEPT


def test_a_constant_past_has_a_tail_all_the_same() -> None:
    rates = taught(np.full(200, 1.0)).rate(np.array([0.5, 1.0, 1.5, 30.0]))
    assert np.isfinite(rates).all()
    assert rates[-1] < 0.1


def test_a_tenfold_smaller_budget_costs_ten_points() -> None:
    seen = {("volume", False): np.array([8.0]), ("volume", True): np.array([3.0])}
    wide, narrow = Calibration(STEP).score(seen, 1.0), Calibration(STEP).score(seen, 0.1)
    for key, score in wide.items():
        assert score - narrow[key] == pytest.approx(10.0)


def test_volume_has_the_whole_budget_only_where_sentiment_is_not_told() -> None:
    volume = {("volume", False): np.array([8.0]), ("volume", True): np.array([3.0])}
    revolt = {("revolt", False): np.array([0.0]), ("revolt", True): np.array([0.0])}
    alone, beside = Calibration(STEP).score(volume, 0.5), Calibration(STEP).score(volume | revolt, 0.5)
    assert alone["volume", False] > beside["volume", False]
