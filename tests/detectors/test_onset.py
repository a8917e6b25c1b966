"""The onset of a rise is found where a revolt began, not where it was noticed."""

import numpy as np
import pytest

from detectors.onset import onset


def test_the_onset_of_a_growing_rise_is_near_its_true_start() -> None:
    late = []
    for seed in range(50):
        random = np.random.default_rng(seed)
        expected = np.full(600, 1.0)
        growth = np.concatenate([np.zeros(540), 0.5 * 2.0 ** (np.arange(60) / 12)])
        late.append(onset(random.poisson(expected + growth).astype(float), expected) - 540)
    assert -10 <= np.median(late) <= 20
    assert np.quantile(np.abs(late), 0.9) < 30


def test_nothing_that_rose_begins_with_the_last_row() -> None:
    assert onset(np.full(10, 1.0), np.full(10, 2.0)) == 9


def test_what_has_always_been_high_begins_with_the_first_row() -> None:
    assert onset(np.full(10, 9.0), np.full(10, 2.0)) == 0


def test_the_input_is_not_changed() -> None:
    observed, expected = np.array([1.0, 5.0]), np.array([1.0, 1.0])
    onset(observed, expected)
    assert observed.tolist() == [1.0, 5.0]
    assert expected.tolist() == [1.0, 1.0]


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="no rows"):
        onset(np.empty(0), np.empty(0))
