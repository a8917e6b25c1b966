import numpy as np
import pytest

from detectors.negbin import tail
from detectors.silence import chance


@pytest.mark.parametrize("size", [0.3, 4.0, np.inf])
def test_the_chance_of_silence_is_that_of_no_count(size: float) -> None:
    expected = np.array([0.1, 2.0, 9.0])
    assert chance(expected, size) == pytest.approx(1.0 - tail(1, expected, size))


def test_a_longer_silence_is_less_likely_chance() -> None:
    assert (np.diff(chance(np.linspace(0.0, 50.0, 20), 2.0)) < 0).all()
