"""Proper scores of counts against their definitions, summed out by scipy's laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.crps import crps, difference, log_score


def law(mean: float, size: float) -> stats.rv_discrete:
    return stats.poisson(mean) if np.isinf(size) else stats.nbinom(size, size / (size + mean))


@pytest.mark.parametrize("mean", [0.001, 0.3, 3.0, 50.0, 3000.0])
@pytest.mark.parametrize("size", [0.1, 2.0, 30.0, 1e5, np.inf])
@pytest.mark.parametrize("times", [0.0, 1.0, 3.0])
def test_the_crps_is_the_sum_over_all_counts_of_the_squared_error_of_the_distribution(
    mean: float, size: float, times: float
) -> None:
    count = np.ceil(times * mean)
    k = np.arange(0, int(law(mean, size).ppf(1 - 1e-15) + count + 200))
    exact = ((law(mean, size).cdf(k) - (k >= count)) ** 2).sum()
    assert crps(count, mean, size) == pytest.approx(exact, rel=1e-7)


@pytest.mark.parametrize("size", [0.1, 2.0, 30.0, np.inf])
def test_the_log_score_is_minus_the_log_probability(size: float) -> None:
    counts = np.arange(30.0)
    assert log_score(counts, 7.0, size) == pytest.approx(-law(7.0, size).logpmf(counts))


@pytest.mark.parametrize("score", [crps, log_score])
@pytest.mark.parametrize("wrong", [(10.0, 4.0), (30.0, 4.0), (20.0, 1.0), (20.0, np.inf)])
def test_no_other_law_scores_better_than_the_true_one(score: type[crps], wrong: tuple[float, float]) -> None:
    k = np.arange(0.0, 800.0)
    often = law(20.0, 4.0).pmf(k)
    assert (often * score(k, *wrong)).sum() > (often * score(k, 20.0, 4.0)).sum() + 0.01


@given(st.floats(0.0, 1e5), st.floats(1e-3, 1e5), st.floats(0.01, 1e9))
def test_the_crps_lies_between_nothing_and_the_distance_of_the_mean(count: float, mean: float, size: float) -> None:
    found = float(crps(count, mean, size))
    assert -1e-6 * (mean + count) <= found <= abs(count - mean) + float(difference(mean, size)) / 2.0 + 1e-6 * mean


def test_large_sizes_go_over_into_the_poisson() -> None:
    assert crps(12.0, 9.0, 1e7) == pytest.approx(float(crps(12.0, 9.0)), rel=1e-5)
    assert log_score(12.0, 9.0, 1e7) == pytest.approx(float(log_score(12.0, 9.0)), rel=1e-5)


def test_scores_have_the_shape_that_their_arguments_broadcast_to() -> None:
    counts, means = np.zeros((3, 1)), np.ones(4)
    assert crps(counts, means).shape == log_score(counts, means, 2.0).shape == (3, 4)
    assert crps(counts, means)[0, 0] == pytest.approx(float(crps(0.0, 1.0)))


def test_a_count_with_a_fraction_scores_between_its_neighbours() -> None:
    low, middle, high = (float(crps(count, 3.0, 5.0)) for count in (6.0, 6.5, 7.0))
    assert low < middle < high
