import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.tail import Tail, fitted, young

A_WEEK = 28.0


def taught(heights: np.ndarray) -> Tail:
    return fitted(heights, A_WEEK)


@given(st.integers(0, 10_000))
def test_the_rate_falls_with_the_height(seed: int) -> None:
    tail = taught(np.random.default_rng(seed).gumbel(0.5, 0.8, 100))
    rates = tail.rate(np.linspace(-5.0, 60.0, 200))
    assert (np.diff(rates) <= 0).all()
    assert (rates > 0).all()


def test_the_rate_is_the_same_on_both_sides_of_the_threshold() -> None:
    tail = taught(np.random.default_rng(1).gumbel(0.5, 0.8, 100))
    below, above = tail.rate(tail.threshold + np.array([-1e-9, 1e-9]))
    assert below == pytest.approx(above) == pytest.approx(tail.often)


def test_a_rate_once_a_fortnight_is_found_to_within_a_half() -> None:
    rng = np.random.default_rng(1)
    rates = [float(taught(rng.gumbel(0.5, 0.7, 200)).rate(np.array(0.5 - 0.7 * np.log(1 / 56)))) for _ in range(50)]
    assert 0.25 < float(np.median(rates)) < 0.75


def test_a_heavier_past_asks_for_more_before_it_pages() -> None:
    rng = np.random.default_rng(2)
    light, heavy = taught(rng.gumbel(0.5, 0.5, 100)), taught(rng.gumbel(0.5, 2.5, 100))
    assert heavy.reached(0.5) > light.reached(0.5) + 2.0


def test_the_height_reached_at_a_rate_has_that_rate() -> None:
    tail = taught(np.random.default_rng(4).gumbel(0.5, 1.0, 100))
    for rate in (0.04, 0.5, 2.0):
        assert float(tail.rate(np.array(tail.reached(rate)))) == pytest.approx(rate)


def test_the_unknown_stays_unknown() -> None:
    assert np.isnan(young(A_WEEK).rate(np.array([np.nan]))).all()


def test_a_constant_past_has_a_tail_all_the_same() -> None:
    rates = taught(np.full(200, 1.0)).rate(np.array([0.5, 1.0, 1.5, 30.0]))
    assert np.isfinite(rates).all()
    assert rates[-1] < 0.1
