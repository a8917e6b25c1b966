"""The slow forecasters: what they learn, that their past is honest, and that memory follows."""

import logging
import tempfile
from pathlib import Path

import numpy as np
import pytest

from detectors import components, prophet_forecast, robust, smoothing
from detectors.forecaster import FORECASTERS, remembering
from detectors.hourly import Following, Hours, Slow, join
from detectors.prophet_forecast import Calendar, prophet

DAY, HOUR = 86400.0, 3600.0
MONDAY = 4 * DAY  # 5 January 1970
SLOW = {"smoothing": smoothing.fit, "components": components.fit, "prophet": prophet_forecast.fit}
slow = pytest.mark.parametrize("name", SLOW)


def rhythm(days: int, *, level: float = 60.0, weekend: float = 1.0) -> np.ndarray:
    """Mean counts of hours from a Monday: three times as much at noon as at midnight."""
    t = HOUR * (np.arange(days * 24) + 0.5)
    week = np.where((t // DAY) % 7 >= 5, weekend, 1.0)
    return level * week * (1.0 - 0.5 * np.cos(2 * np.pi * t / DAY))


def noisy(mean: np.ndarray, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).poisson(mean).astype(float)


@slow
def test_it_expects_the_rhythm_of_the_day_to_come(name: str) -> None:
    fitted = SLOW[name](MONDAY, HOUR, noisy(rhythm(10)))
    assert fitted is not None
    ahead = fitted[0].mean(MONDAY + 10 * DAY, HOUR, 24)
    assert ahead == pytest.approx(rhythm(1), rel=0.3)
    assert ahead.sum() == pytest.approx(rhythm(1).sum(), rel=0.12)


@pytest.mark.parametrize("name", ["components", "prophet"])
def test_with_two_weeks_it_knows_the_weekend(name: str) -> None:
    fitted = SLOW[name](MONDAY, HOUR, noisy(rhythm(19, weekend=0.4)))
    assert fitted is not None
    friday, saturday = fitted[0].mean(MONDAY + 18 * DAY, DAY, 2)
    assert saturday / friday == pytest.approx(0.4, abs=0.2)


@slow
def test_what_was_expected_of_a_bucket_uses_no_later_count_for_its_level(name: str) -> None:
    counts = noisy(rhythm(8))
    rose = counts.copy()
    rose[150:] *= 3.0
    learned = SLOW[name].learn(Hours(MONDAY, counts))
    assert learned is not None
    before, after = (learned.follow(Hours(MONDAY, c)) for c in (counts, rose))
    assert np.array_equal(after[0][:150], before[0][:150])
    assert after[1].mean() > before[1].mean() + 0.1


@slow
def test_the_level_follows_a_change_that_lasts(name: str) -> None:
    fitted = SLOW[name](MONDAY, HOUR, noisy(np.concatenate((rhythm(10), rhythm(5, level=180.0)))))
    assert fitted is not None
    assert fitted[0].mean(MONDAY + 15 * DAY, DAY, 1)[0] == pytest.approx(rhythm(1, level=180.0).sum(), rel=0.3)


@slow
def test_the_past_adds_up_to_what_was_counted(name: str) -> None:
    counts = noisy(rhythm(14, level=3.0))
    fitted = SLOW[name](MONDAY, HOUR, counts)
    assert fitted is not None
    assert fitted[1].sum() == pytest.approx(counts.sum(), rel=0.05)


@slow
def test_gaps_are_unknown_and_not_zero(name: str) -> None:
    counts = noisy(rhythm(10))
    counts[np.random.default_rng(1).random(len(counts)) < 0.3] = np.nan
    fitted = SLOW[name](MONDAY, HOUR, counts)
    assert fitted is not None
    assert fitted[0].mean(MONDAY + 10 * DAY, DAY, 1)[0] == pytest.approx(rhythm(1).sum(), rel=0.15)


@slow
def test_local_time_moves_the_rhythm_and_not_the_counts(name: str) -> None:
    counts = noisy(rhythm(7))
    utc, east = SLOW[name](MONDAY, HOUR, counts), SLOW[name](MONDAY - 7200.0, HOUR, counts, 7200.0)
    assert utc is not None
    assert east is not None
    assert east[1] == pytest.approx(utc[1], rel=1e-3)
    later = MONDAY + 7 * DAY
    assert east[0].mean(later - 7200.0, 300.0, 12, 7200.0) == pytest.approx(utc[0].mean(later, 300.0, 12), rel=1e-3)


@slow
def test_too_little_or_too_coarse_a_history_gives_nothing(name: str) -> None:
    assert SLOW[name](MONDAY, HOUR, np.full(47, 5.0)) is None
    assert SLOW[name](MONDAY, DAY, np.full(100, 5.0)) is None


def test_a_forecast_adds_up_the_same_at_any_step_and_comes_back_every_week() -> None:
    fitted = smoothing.fit(MONDAY, HOUR, noisy(rhythm(7)))
    assert fitted is not None
    start = MONDAY + 7 * DAY
    whole = fitted[0].mean(start, 4 * HOUR, 1)[0]
    assert fitted[0].mean(start, 300.0, 48).sum() == pytest.approx(whole)
    assert fitted[0].mean(start, 60.0, 240).sum() == pytest.approx(whole, rel=0.01)
    for weeks in (2, 5, -3):
        assert fitted[0].mean(start + weeks * 7 * DAY + 36 * HOUR, HOUR, 24) == pytest.approx(
            fitted[0].mean(start + 36 * HOUR, HOUR, 24)
        )


def test_finer_buckets_are_joined_and_expected_alike() -> None:
    fine = np.repeat(noisy(rhythm(7)) / 12.0, 12)
    fine[::5] = np.nan
    joined = join(MONDAY, 300.0, fine, 0.0)
    assert joined is not None
    assert joined.counts == pytest.approx(noisy(rhythm(7)))
    hours, buckets = smoothing.fit(MONDAY, HOUR, joined.counts), smoothing.fit(MONDAY, 300.0, fine)
    assert hours is not None
    assert buckets is not None
    assert buckets[1].reshape(-1, 12).sum(axis=1)[1:-1] == pytest.approx(hours[1][1:-1], rel=0.15)


def test_prophet_expects_a_holiday_and_a_campaign_as_those_before() -> None:
    counts = rhythm(28)
    for day in (4, 16):
        counts[day * 24 : day * 24 + 24] *= 0.3
    for day in (9, 23):
        counts[day * 24 + 12 : day * 24 + 18] *= 4.0
    nine = MONDAY + 9 * DAY + 12 * HOUR
    campaigns = tuple((nine + d * DAY, nine + d * DAY + 6 * HOUR) for d in (0, 14, 20))
    fitted = prophet(Calendar(frozenset({8, 20, 32}), campaigns))(MONDAY, HOUR, noisy(counts))
    assert fitted is not None
    holiday, campaign = (fitted[0].mean(MONDAY + d * DAY, HOUR, 24) / rhythm(1) for d in (28, 29))
    assert holiday.mean() < 0.6
    assert campaign[13:17].mean() > 2.0
    assert campaign[:10].mean() == pytest.approx(1.0, abs=0.25)


def test_prophet_leaves_no_file_and_no_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    prophet_forecast.fit(MONDAY, HOUR, noisy(rhythm(3)))
    capfd.readouterr()
    kept, tempfile.tempdir = tempfile.tempdir, str(tmp_path)
    try:
        with caplog.at_level(logging.DEBUG):
            assert prophet_forecast.fit(MONDAY, HOUR, noisy(rhythm(4))) is not None
    finally:
        tempfile.tempdir = kept
    assert not caplog.records
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


class Counted:
    """Learns as exponential smoothing does, and counts how often."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self, hours: Hours) -> smoothing.Smoothing | None:
        self.times += 1
        return smoothing.learn(hours)


def test_what_was_learned_is_followed_until_it_is_due() -> None:
    learn, counts = Counted(), noisy(rhythm(8))
    follower = Following(Slow(learn))
    for hour in range(120, 192, 6):
        fitted = follower(MONDAY, HOUR, counts[:hour])
        assert fitted is not None
        assert fitted[0].mean(MONDAY + hour * HOUR, DAY, 1)[0] == pytest.approx(rhythm(1).sum(), rel=0.2)
    assert learn.times == 3


def test_one_memory_tells_the_series_of_a_brand_apart() -> None:
    learn, follower_of = Counted(), Following(Slow(Counted()))
    both, alone = Following(Slow(learn)), {0: follower_of, 1: Following(Slow(Counted()))}
    series = [noisy(rhythm(8), 1), noisy(rhythm(8, level=5.0), 2)]
    for first, last in ((0, 150), (6, 156), (12, 162)):
        for which, counts in enumerate(series):
            found, wanted = (f(MONDAY + first * HOUR, HOUR, counts[first:last]) for f in (both, alone[which]))
            assert found is not None
            assert wanted is not None
            assert np.array_equal(found[1], wanted[1])
    assert learn.times == 2


def fails(hours: Hours) -> None:
    return None


def test_where_nothing_can_be_learned_the_robust_forecaster_answers() -> None:
    nothing = Following(Slow(fails))
    for counts in (noisy(rhythm(8)), noisy(rhythm(1))):
        found, wanted = nothing(MONDAY, HOUR, counts), robust.fit(MONDAY, HOUR, counts)
        assert found is not None
        assert wanted is not None
        assert np.array_equal(found[1], wanted[1])


def test_a_memory_that_may_not_learn_follows_what_it_was_given() -> None:
    learn, counts = Counted(), noisy(rhythm(9))
    hours = Hours(MONDAY, counts[:168])
    follower = Following(Slow(learn), [(hours, smoothing.learn(hours))], anew=False)
    found, wanted = follower(MONDAY, HOUR, counts), robust.fit(MONDAY, HOUR, counts)
    assert found is not None
    assert wanted is not None
    assert not np.array_equal(found[1], wanted[1])
    assert learn.times == 0


def test_only_slow_forecasters_are_given_a_memory() -> None:
    assert remembering(FORECASTERS["robust"]) is FORECASTERS["robust"]
    assert all(isinstance(remembering(FORECASTERS[name]), Following) for name in SLOW)
