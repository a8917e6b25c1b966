"""All brands of a source at once, and what must not be taken for that."""

import numpy as np
import pytest

from detectors.together import LEAST_BRANDS, together

SIZE = 10.0


def draw(
    rng: np.random.Generator, expected: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return rng.negative_binomial(SIZE, SIZE / (SIZE + expected)).astype(float)


@pytest.mark.parametrize("brands", [5, 10, 40, 1000])
def test_calm_brands_never_move_together(brands: int) -> None:
    rng = np.random.default_rng(brands)
    expected = rng.lognormal(3.0, 1.5, brands)
    assert {together(draw(rng, expected), expected, SIZE) for _ in range(500)} == {None}


@pytest.mark.parametrize("brands", [8, 100])
def test_a_source_that_tells_twice_or_nothing_is_found_every_time(brands: int) -> None:
    rng = np.random.default_rng(1)
    expected = rng.lognormal(5.0, 0.5, brands)
    assert {together(4 * draw(rng, expected), expected, SIZE) for _ in range(100)} == {"rise"}
    assert {together(0 * draw(rng, expected), expected, SIZE) for _ in range(100)} == {"fall"}


def test_a_crisis_of_one_brand_or_of_a_few_is_theirs() -> None:
    expected = np.full(20, 100.0)
    for some in (1, 3, 9):
        observed = expected.copy()
        observed[:some] *= 20
        assert together(observed, expected, SIZE) is None


def test_what_all_forecasts_missed_by_a_little_is_no_move_however_sure() -> None:
    expected = np.full(200, 1e6)
    assert together(1.5 * expected, expected, 1000.0) is None
    assert together(0.6 * expected, expected, 1000.0) is None


def test_brands_that_are_hardly_spoken_of_say_nothing_by_their_silence() -> None:
    assert together(np.zeros(500), np.full(500, 0.5), SIZE) is None
    mixed = np.concatenate([np.full(500, 0.5), np.full(LEAST_BRANDS, 200.0)])
    assert together(np.zeros(len(mixed)), mixed, SIZE) == "fall", "those that could tell all fell silent"


def test_too_few_brands_and_unseen_ones_say_nothing() -> None:
    assert together(np.full(LEAST_BRANDS - 1, 900.0), np.full(LEAST_BRANDS - 1, 9.0), SIZE) is None
    assert together(np.full(9, np.nan), np.full(9, 100.0), SIZE) is None
    assert together(np.empty(0), np.empty(0), SIZE) is None
    observed = np.array([900.0] * LEAST_BRANDS + [np.nan] * 50)
    assert together(observed, np.full(len(observed), 9.0), SIZE) == "rise"


def test_its_input_is_not_changed() -> None:
    observed, expected = np.full(8, 90.0), np.full(8, 9.0)
    together(observed, expected, SIZE)
    assert (observed == 90.0).all()
    assert (expected == 9.0).all()
