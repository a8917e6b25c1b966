import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.negbin import interval, surprise, tail

means = st.floats(0.01, 1e6)
sizes = st.one_of(st.just(float("inf")), st.floats(0.05, 1e6))


def mass(size: float, mean: float, top: int) -> np.ndarray:
    """Probabilities of 0 to top, by the recurrence of the negative binomial."""
    p = mean / (mean + size)
    out = [(1.0 - p) ** size]
    for k in range(1, top + 1):
        out.append(out[-1] * p * (k - 1.0 + size) / k)
    return np.array(out)


@pytest.mark.parametrize(("mean", "size"), [(0.3, 0.5), (3.0, 2.0), (20.0, 7.5)])
def test_the_tail_is_the_sum_of_the_masses(mean: float, size: float) -> None:
    below = np.cumsum(mass(size, mean, 60))
    assert tail(np.arange(1, 61), mean, size) == pytest.approx(1.0 - below[:-1], abs=1e-12)


def test_a_large_size_is_the_poisson() -> None:
    assert tail(8, 3.0, 1e7) == pytest.approx(float(tail(8, 3.0)), rel=1e-5)


@given(means, sizes, st.integers(0, 10**7))
def test_the_tail_is_a_probability_that_falls_with_the_count(mean: float, size: float, count: int) -> None:
    here, further = float(tail(count, mean, size)), float(tail(count + 1, mean, size))
    assert 0.0 <= further <= here <= 1.0


@given(means, sizes, st.floats(1.05, 20.0))
def test_the_surprise_rises_with_the_count_and_never_claims_more_than_the_tail(
    mean: float, size: float, times: float
) -> None:
    from scipy.special import ndtri

    count = np.ceil(mean * times) + 1.0
    assert surprise(count + 1.0, mean, size) > surprise(count, mean, size)
    exact = float(tail(count, mean, size))
    if exact > 1e-200:
        assert surprise(count, mean, size) <= -ndtri(exact) + 0.05


def test_the_surprise_is_close_to_the_normal_quantile_where_counts_are_not_tiny() -> None:
    from scipy.special import ndtri

    counts = np.array([30.0, 60.0, 120.0])
    assert surprise(counts, 20.0, 4.0) == pytest.approx(-ndtri(tail(counts, 20.0, 4.0)), abs=0.25)


def test_an_unknown_count_stays_unknown() -> None:
    assert np.isnan(surprise(np.nan, 3.0))


@given(st.floats(0.0, 1e9), st.one_of(st.just(float("inf")), st.floats(0.1, 1e6)))
def test_the_interval_leaves_at_most_its_share_outside_on_either_side_and_is_the_smallest(
    mean: float, size: float
) -> None:
    low, high = interval(mean, size)
    assert 0 <= low <= high
    assert tail(high + 1, mean, size) <= 0.025
    assert high == 0 or tail(high, mean, size) > 0.025
    assert low == 0 or 1.0 - tail(low, mean, size) <= 0.025 + 1e-12
    assert 1.0 - tail(low + 1, mean, size) > 0.025 - 1e-12
