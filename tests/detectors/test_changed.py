import numpy as np
import pytest

from detectors.changed import since


@pytest.mark.parametrize("factor", [0.0, 0.4, 2.5, 10.0])
@pytest.mark.parametrize("at", [0, 7, 55])
def test_the_begin_of_a_jump_is_found_among_chance(factor: float, at: int) -> None:
    expected = np.full(60, 30.0)
    mean = expected.copy()
    mean[at:] *= factor
    observed = np.random.default_rng(5).poisson(mean).astype(float)
    assert abs(since(observed, expected, "rise" if factor > 1 else "fall") - at) <= 1


def test_a_rise_is_no_fall_and_what_is_as_expected_is_neither() -> None:
    expected = np.full(20, 10.0)
    double = 2.0 * expected
    assert since(double, expected, "fall") == since(expected, expected, "rise") == 20


def test_what_is_not_known_says_nothing() -> None:
    expected = np.full(30, 10.0)
    expected[10:20] = 0.0
    observed = expected.copy()
    observed[20:] = 0.0
    assert 10 <= since(observed, expected, "fall") <= 20


def test_reversed_arrays_give_the_end() -> None:
    expected = np.full(40, 10.0)
    observed = expected.copy()
    observed[:25] = 1.0
    assert 40 - since(observed[::-1], expected[::-1], "fall") == 25
