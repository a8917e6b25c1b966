import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detectors.yearly import DAY, WEEK, YEAR, fit, tails

counts = st.one_of(st.integers(0, 30).map(float), st.just(float("nan")), st.sampled_from([0.0, 1e9, 0.5]))


def rhythm(n: int, *, step: float = WEEK, level: float = 40.0, trend: float = 0.0, weekend: float = 1.0) -> np.ndarray:
    """Mean counts from 1 January 1970, a Thursday: three times as much in winter as in summer."""
    t = step * (np.arange(n) + 0.5)
    weekday = np.where((np.floor(t / DAY) + 3) % 7 >= 5, weekend, 1.0) if step < WEEK else 1.0
    return np.asarray(level * weekday * np.exp(0.55 * np.cos(2 * np.pi * t / YEAR) + trend * t / YEAR))


def noisy(mean: np.ndarray, seed: int = 0, phi: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rate = rng.gamma(mean / (phi - 1.0), phi - 1.0) if phi > 1.0 else mean
    return rng.poisson(rate).astype(float)


@pytest.mark.parametrize(("n", "step"), [(103, WEEK), (729, DAY), (20_000, 3600.0)])
def test_buckets_under_a_day_and_less_than_two_years_are_too_little(n: int, step: float) -> None:
    assert fit(0.0, step, np.full(n, 5.0)) is None


def test_unknown_weeks_do_not_count_as_history() -> None:
    weeks = noisy(rhythm(110))
    assert fit(0.0, WEEK, weeks) is not None
    weeks[5:20] = np.nan
    assert fit(0.0, WEEK, weeks) is None


@pytest.mark.parametrize("trend", [0.0, 0.2, -0.2])
def test_it_follows_the_year_and_the_trend(trend: float) -> None:
    truth = rhythm(312, trend=trend)
    fitted = fit(0.0, WEEK, noisy(truth[:260]))
    assert fitted is not None
    assert fitted[0].mean(260 * WEEK, WEEK, 52) == pytest.approx(truth[260:], rel=0.15)
    assert fitted[1][104:] == pytest.approx(truth[104:260], rel=0.25)


def test_days_have_a_weekly_rhythm_too() -> None:
    truth = rhythm(1110, step=DAY, weekend=0.4)
    fitted = fit(0.0, DAY, noisy(truth[:1096]))
    assert fitted is not None
    days = fitted[0].mean(1096 * DAY, DAY, 14)
    assert days == pytest.approx(truth[1096:], rel=0.12)
    assert fitted[0].mean(1096 * DAY, WEEK, 2) == pytest.approx(days.reshape(2, 7).sum(axis=1))


def test_the_weekday_is_that_of_the_local_time() -> None:
    days = noisy(rhythm(800, step=DAY, weekend=0.4))
    utc, east = fit(0.0, DAY, days), fit(-7200.0, DAY, days, utc_offset=7200.0)
    assert utc is not None
    assert east is not None
    assert east[0].mean(800 * DAY - 7200.0, DAY, 7, 7200.0) == pytest.approx(utc[0].mean(800 * DAY, DAY, 7))


def test_outbreaks_in_the_past_hardly_raise_what_is_expected() -> None:
    weeks = noisy(rhythm(260))
    calm = fit(0.0, WEEK, weeks)
    weeks[[50, 51, 120, 121, 190, 191]] += 200.0
    struck = fit(0.0, WEEK, weeks)
    assert calm is not None
    assert struck is not None
    assert struck[0].mean(260 * WEEK, WEEK, 52) == pytest.approx(calm[0].mean(260 * WEEK, WEEK, 52), rel=0.05)


def test_a_new_level_is_followed_within_a_year() -> None:
    weeks = noisy(np.concatenate((rhythm(208), 2.0 * rhythm(260)[208:])))
    fitted = fit(0.0, WEEK, weeks)
    assert fitted is not None
    assert fitted[0].mean(260 * WEEK, WEEK, 4) == pytest.approx(2.0 * rhythm(264)[260:], rel=0.25)


def test_what_was_expected_of_a_week_takes_its_level_from_before() -> None:
    weeks = noisy(rhythm(260))
    before = fit(0.0, WEEK, weeks)
    weeks[200:203] = 0.0
    after = fit(0.0, WEEK, weeks)
    assert before is not None
    assert after is not None
    ratio = after[1] / before[1]
    assert ratio[195:201] == pytest.approx(np.ones(6), abs=0.08)
    assert ratio[203] < ratio[200] - 0.05


def test_gaps_are_unknown_and_not_zero() -> None:
    weeks = noisy(rhythm(260))
    whole = fit(0.0, WEEK, weeks)
    weeks[np.random.default_rng(1).random(260) < 0.3] = np.nan
    holes = fit(0.0, WEEK, weeks)
    assert whole is not None
    assert holes is not None
    assert holes[0].mean(260 * WEEK, WEEK, 8) == pytest.approx(whole[0].mean(260 * WEEK, WEEK, 8), rel=0.1)


@settings(max_examples=40, deadline=None)
@given(arrays(np.float64, st.integers(105, 130), elements=counts), st.sampled_from([WEEK, 10 * DAY]))
def test_any_counts_give_finite_expectations_and_are_not_written_to(values: np.ndarray, step: float) -> None:
    kept = values.copy()
    fitted = fit(0.0, step, values)
    assert np.array_equal(values, kept, equal_nan=True)
    if fitted is not None:
        for numbers in (fitted[0].mean(len(values) * step, step, 50), fitted[1]):
            assert np.isfinite(numbers).all()
            assert (numbers >= 0).all()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31))
def test_a_series_is_judged_the_same_alone_and_among_others(seed: int) -> None:
    weeks = np.stack([noisy(rhythm(260, level=level), seed) for level in (0.3, 5.0, 200.0)])
    now = np.array([1.0, 9.0, 150.0])
    together = tails(0.0, WEEK, weeks, now)
    assert np.concatenate([tails(0.0, WEEK, weeks[[i]], now[[i]]) for i in range(3)]) == pytest.approx(together)


@pytest.mark.parametrize(("level", "phi"), [(0.3, 1.0), (3.0, 1.0), (3.0, 4.0), (100.0, 1.5)])
def test_quiet_weeks_are_flagged_about_as_often_as_asked_for(level: float, phi: float) -> None:
    truth = np.tile(rhythm(261, level=level), (1200, 1))
    weeks = noisy(truth, seed=3, phi=phi)
    chance = np.concatenate([tails(0.0, WEEK, part[:, :-1], part[:, -1]) for part in np.array_split(weeks, 30)])
    for alpha in (0.01, 0.05):
        assert 0.4 * alpha < (chance <= alpha).mean() < 1.8 * alpha


def test_a_fit_of_five_years_takes_some_milliseconds() -> None:
    weeks = noisy(rhythm(260))
    fit(0.0, WEEK, weeks)
    began = time.process_time()
    for _ in range(20):
        fit(0.0, WEEK, weeks)
    assert (time.process_time() - began) / 20 < 0.02
