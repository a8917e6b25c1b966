import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.robust import fit

DAY, STEP = 86400.0, 300.0
MONDAY = 4 * DAY  # 5 January 1970


def rhythm(days: int, *, level: float = 20.0, weekend: float = 1.0) -> np.ndarray:
    """Mean counts of 5-minute buckets from a Monday: twice as much at noon as at midnight."""
    t = STEP * (np.arange(days * 288) + 0.5)
    week = np.where((t // DAY) % 7 >= 5, weekend, 1.0)
    return level * week * (1.0 - 0.33 * np.cos(2 * np.pi * t / DAY))


def noisy(mean: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean).astype(float)


def test_less_than_six_known_hours_are_too_little() -> None:
    counts = np.full(100, 5.0)
    counts[71:] = np.nan
    assert fit(0.0, STEP, counts) is None
    assert fit(0.0, STEP, np.full(72, 5.0)) is not None


def test_after_six_hours_it_expects_the_level() -> None:
    fitted = fit(0.0, STEP, np.full(72, 5.0))
    assert fitted is not None
    assert fitted[0].mean(72 * STEP, STEP, 12) == pytest.approx(np.full(12, 5.0), rel=0.05)


def test_after_some_days_it_follows_the_day() -> None:
    fitted = fit(MONDAY, STEP, noisy(rhythm(7)))
    assert fitted is not None
    ahead = fitted[0].mean(MONDAY + 7 * DAY, STEP, 288)
    assert ahead == pytest.approx(rhythm(1), rel=0.2)


def test_with_two_weeks_it_knows_the_weekend() -> None:
    fitted = fit(MONDAY, STEP, noisy(rhythm(19, weekend=0.4)))
    assert fitted is not None
    friday, saturday = fitted[0].mean(MONDAY + 18 * DAY, DAY, 2)
    assert saturday / friday == pytest.approx(0.4, abs=0.12)


def test_a_burst_in_the_past_does_not_raise_what_is_expected() -> None:
    counts = noisy(rhythm(14))
    calm = fit(MONDAY, STEP, counts)
    counts[3500:3524] += 3000.0
    burst = fit(MONDAY, STEP, counts)
    assert calm is not None
    assert burst is not None
    ahead = MONDAY + 14 * DAY, STEP, 288
    assert burst[0].mean(*ahead).sum() == pytest.approx(calm[0].mean(*ahead).sum(), rel=0.05)


def test_a_new_level_is_followed_within_a_week() -> None:
    counts = noisy(np.concatenate((rhythm(14), rhythm(7, level=60.0))))
    fitted = fit(MONDAY, STEP, counts)
    assert fitted is not None
    assert fitted[0].mean(MONDAY + 21 * DAY, DAY, 1)[0] == pytest.approx(rhythm(1, level=60.0).sum(), rel=0.25)


def test_gaps_are_unknown_and_not_zero() -> None:
    counts = noisy(rhythm(14))
    whole = fit(MONDAY, STEP, counts)
    counts[np.random.default_rng(1).random(len(counts)) < 0.4] = np.nan
    holes = fit(MONDAY, STEP, counts)
    assert whole is not None
    assert holes is not None
    ahead = MONDAY + 14 * DAY, DAY, 1
    assert holes[0].mean(*ahead) == pytest.approx(whole[0].mean(*ahead), rel=0.05)


def test_a_brand_nobody_talked_about_may_still_be_mentioned() -> None:
    fitted = fit(0.0, STEP, np.zeros(2016))
    assert fitted is not None
    assert 0.0 < fitted[0].mean(2016 * STEP, DAY, 1)[0] < 0.5


def test_the_rhythm_follows_local_time() -> None:
    counts = noisy(rhythm(7))
    utc, east = fit(MONDAY, STEP, counts), fit(MONDAY - 7200.0, STEP, counts, utc_offset=7200.0)
    assert utc is not None
    assert east is not None
    assert east[0].week == pytest.approx(utc[0].week)
    assert east[0].mean(MONDAY + 7 * DAY - 7200.0, STEP, 12, 7200.0) == pytest.approx(
        utc[0].mean(MONDAY + 7 * DAY, STEP, 12)
    )


@given(st.sampled_from([60.0, 300.0, 900.0, 3600.0]))
def test_a_forecast_adds_up_the_same_at_any_step(step: float) -> None:
    fitted = fit(MONDAY, STEP, noisy(rhythm(7)))
    assert fitted is not None
    parts = fitted[0].mean(MONDAY, step, round(7200 / step)).sum()
    assert parts == pytest.approx(fitted[0].mean(MONDAY, 7200.0, 1)[0])


@given(st.integers(100, 400))
def test_what_was_expected_of_a_bucket_does_not_use_its_hour(row: int) -> None:
    counts = noisy(rhythm(2))
    before = fit(MONDAY, STEP, counts)
    counts[row] = np.nan
    after = fit(MONDAY, STEP, counts)
    assert before is not None
    assert after is not None
    assert after[1][row] == pytest.approx(before[1][row], rel=0.05)


@pytest.mark.parametrize("step", [60.0, 300.0, 3600.0, 86400.0])
def test_it_works_at_every_step_from_a_minute_to_a_day(step: float) -> None:
    n = 200
    fitted = fit(MONDAY, step, np.full(n, 7.0))
    if n * step < 6 * 3600:
        assert fitted is None
    else:
        assert fitted is not None
        assert fitted[0].mean(MONDAY + n * step, step, 3) == pytest.approx(np.full(3, 7.0), rel=0.02)
