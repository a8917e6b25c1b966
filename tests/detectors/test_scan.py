import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import share
from detectors.scan import spread, trailing, windows

LENGTHS = (300.0, 900.0, 3600.0, 86400.0)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60))
def test_a_trailing_sum_is_the_sum_of_the_buckets_in_the_window(counts: list[int]) -> None:
    values = np.array(counts, dtype=float)
    rows = np.arange(len(values))
    sums = trailing(values, (60.0, 300.0), 60.0, rows)
    assert sums[0] == pytest.approx(values)
    assert sums[1] == pytest.approx([values[max(0, i - 4) : i + 1].sum() for i in rows])


@pytest.mark.parametrize("step", [60.0, 300.0, 1800.0, 3600.0, 21600.0, 86400.0])
def test_every_step_has_windows_of_both_speeds(step: float) -> None:
    flash, slow = windows(step)
    assert flash
    assert slow
    assert step <= min(flash) <= max(flash) < min(slow)


@pytest.mark.parametrize("inverse", [0.05, 0.5, 2.0])
def test_the_spread_of_independent_buckets_is_found(inverse: float) -> None:
    mean = np.full(8064, 10.0)
    counts = np.random.default_rng(2).negative_binomial(1 / inverse, 1 / (1 + 10 * inverse), 8064).astype(float)
    found = spread(counts, mean, 300.0, LENGTHS)
    assert found.inverse[0] == pytest.approx(inverse, rel=0.35)
    assert found.inverse[2] == pytest.approx(inverse / 12, rel=0.8)


def test_buckets_that_go_together_make_long_windows_spread_more() -> None:
    rng = np.random.default_rng(3)
    mood = np.repeat(rng.gamma(4.0, 0.25, 700), 12)
    mean = np.full(8400, 10.0)
    together = spread(rng.poisson(mean * mood).astype(float), mean, 300.0, LENGTHS)
    apart = spread(rng.poisson(mean * rng.permutation(mood)).astype(float), mean, 300.0, LENGTHS)
    assert together.inverse[2] > 4 * apart.inverse[2]


def test_a_crisis_in_the_past_hardly_widens_the_spread() -> None:
    mean = np.full(8064, 10.0)
    counts = np.random.default_rng(4).poisson(mean).astype(float)
    calm = spread(counts, mean, 300.0, LENGTHS)
    counts[4000:4012] += 2000.0
    assert spread(counts, mean, 300.0, LENGTHS).inverse[0] < calm.inverse[0] + 0.05


def test_three_of_four_is_less_strange_than_sixty_of_two_hundred() -> None:
    usual = share.Share((3600.0,), 0.1, np.array([0.01]))
    few, many = usual.surprise(np.array([[3.0, 60.0]]), np.array([[4.0, 200.0]]))[0]
    assert few < 3.0 < many


def test_the_usual_share_is_found_behind_an_hour_of_revolt() -> None:
    rng = np.random.default_rng(5)
    scored = rng.poisson(8.0, 4032).astype(float)
    negative = rng.binomial(scored.astype(int), 0.12).astype(float)
    negative[3000:3012] = scored[3000:3012]
    assert share.fit(negative, scored, 300.0, LENGTHS).p == pytest.approx(0.12, abs=0.01)


def test_without_a_scored_mention_the_share_is_that_of_brands_at_large() -> None:
    nothing = np.zeros(500)
    found = share.fit(nothing, nothing, 300.0, LENGTHS)
    assert found.p == share.PRIOR_SHARE
    assert np.isfinite(found.correlation).all()
