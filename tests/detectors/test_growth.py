import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.growth import fit

MINUTE = 60.0


def revolt(doubling: float, minutes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Counts a minute of a revolt that doubles every `doubling` minutes and ends at 8 a minute, on 2 a minute."""
    usual = np.full(minutes, 2.0)
    rise = 8.0 * 2.0 ** ((np.arange(minutes) - minutes) / doubling)
    return np.random.default_rng(seed).poisson(usual + rise).astype(float), usual


@pytest.mark.parametrize("doubling", [10.0, 20.0, 60.0])
def test_the_doubling_time_lies_in_its_interval_nineteen_times_of_twenty(doubling: float) -> None:
    inside = 0
    for seed in range(100):
        growth = fit(*revolt(doubling, round(3 * doubling), seed), MINUTE)
        assert growth is not None
        inside += growth.low <= doubling * MINUTE <= growth.high
    assert inside >= 88


def test_what_comes_is_more_the_further_ahead_and_the_less_certain() -> None:
    growth = fit(*revolt(15.0, 60), MINUTE)
    assert growth is not None
    assert growth.ahead[1] < growth.ahead[3] < growth.ahead[6]
    width = {h: growth.ahead_high[h] / growth.ahead_low[h] for h in (1, 3, 6)}
    assert 1.0 < width[1] < width[3] < width[6]


def test_what_shrinks_has_a_negative_doubling_time() -> None:
    observed, usual = revolt(15.0, 60)
    growth = fit(observed[::-1], usual, MINUTE)
    assert growth is not None
    assert growth.doubling < 0
    assert growth.ahead[3] < growth.ahead[1]


def test_too_little_above_normal_has_no_growth() -> None:
    usual = np.full(30, 2.0)
    assert fit(usual, usual, MINUTE) is None
    assert fit(usual[:2] + 50.0, usual[:2], MINUTE) is None


@given(st.integers(0, 57), st.integers(1, 3))
def test_a_gap_is_left_out_and_nothing_is_written_to(row: int, length: int) -> None:
    observed, usual = revolt(15.0, 60)
    observed[row : row + length] = np.nan
    kept = observed.copy()
    growth = fit(observed, usual, MINUTE)
    assert growth is not None
    assert 8 * MINUTE < growth.doubling < 30 * MINUTE
    assert np.array_equal(observed, kept, equal_nan=True)
