"""The bench of calibration: its quiet brands are what they claim, and its figures are what the brands raised."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from detectors.scan import DAY, MINUTE
from detectors.series import Series
from service.bench import calibration
from service.bench.calibration import BUDGETS, Outcome, Size, beyond, figures, outcome
from service.bench.live import live
from service.bench.quiet import KINDS, LEAST_RATE, MONDAY, MOST_RATE, Brand, Quiet, draw, joined, play

PLAIN = Brand(
    kind="poisson", rate=6.0, jitter=0.0, swell=0.0, swell_hours=1.0, shape="flat", amplitude=0.5, peak_hour=15.0,
    weekend=1.0, trend=0.0, gaps=0.0, scored=0.8, share=0.2, mood=0.01,
)  # fmt: skip


def played(brand: Brand, weeks: float = 4.0, seed: int = 1) -> Quiet:
    return play(brand, weeks, np.random.default_rng(seed)).joined(5)


def relative_spread(quiet: Quiet) -> float:
    """Squared relative spread of what is more than Poisson."""
    m, usual = quiet.series.mentions, quiet.usual
    return float(((m - usual) ** 2 - usual).mean() / (usual**2).mean())


def kept(quiet: Quiet, blocks: int) -> float:
    """Correlation of a bucket's excess with that of `blocks` later."""
    excess = quiet.series.mentions / quiet.usual
    return float(np.corrcoef(excess[:-blocks], excess[blocks:])[0, 1])


def test_drawn_brands_are_of_all_kinds_and_sizes_and_two_thirds_tell_their_sentiment() -> None:
    chance = np.random.default_rng(3)
    brands = [draw(chance) for _ in range(600)]
    rates = np.log10([brand.rate for brand in brands])
    assert rates.min() >= np.log10(LEAST_RATE)
    assert rates.max() <= np.log10(MOST_RATE)
    assert np.median(rates) == pytest.approx(0.5, abs=0.3)
    assert np.mean([brand.told for brand in brands]) == pytest.approx(2 / 3, abs=0.06)
    assert {brand.kind for brand in brands} == set(KINDS)


def test_a_plain_brand_says_its_rate_and_its_share_and_is_poisson() -> None:
    quiet = played(PLAIN)
    series = quiet.series
    assert series.negative is not None
    assert series.scored is not None
    assert series.mentions.mean() / 5 == pytest.approx(6.0, rel=0.02)
    assert series.scored.sum() / series.mentions.sum() == pytest.approx(0.8, rel=0.02)
    assert series.negative.sum() / series.scored.sum() == pytest.approx(0.2, rel=0.04)
    assert relative_spread(quiet) == pytest.approx(0.0, abs=0.005)


@pytest.mark.parametrize(("shape", "swing"), [("wave", 3.0), ("office", 2.9), ("two_peaks", 2.0)])
def test_a_day_has_its_top_at_its_hour_and_swings_as_far_as_it_says(shape: str, swing: float) -> None:
    quiet = played(replace(PLAIN, shape=shape), 8.0)
    series = quiet.series
    hours = (series.times() % DAY // 3600).astype(int)
    by_hour = np.bincount(hours, series.mentions) / np.bincount(hours)
    assert by_hour[14:16].mean() == pytest.approx(by_hour.max(), rel=0.05)
    assert by_hour.max() / by_hour.min() >= swing * 0.85
    assert (np.bincount(hours, quiet.usual) / np.bincount(hours)) == pytest.approx(by_hour, rel=0.05)


def test_weekends_and_trends_are_as_large_as_they_say() -> None:
    series = played(replace(PLAIN, weekend=0.5, trend=0.1), 6.0).series
    weekend = (series.times() - MONDAY) % (7 * DAY) >= 5 * DAY
    assert series.mentions[weekend].mean() / series.mentions[~weekend].mean() == pytest.approx(0.5, rel=0.05)
    first, last = series.mentions[:2016].mean(), series.mentions[-2016:].mean()
    assert last / first == pytest.approx(np.exp(0.1 * 5), rel=0.05)


def test_jitter_is_forgotten_at_once_and_a_swell_in_its_hours() -> None:
    jittery, swelling = (
        played(replace(PLAIN, jitter=0.5), 12.0),
        played(replace(PLAIN, swell=0.5, swell_hours=1.0), 12.0),
    )
    assert relative_spread(jittery) == pytest.approx(0.5, rel=0.2)
    assert relative_spread(swelling) == pytest.approx(0.5, rel=0.3)
    assert abs(kept(jittery, 1)) < 0.05
    assert kept(swelling, 1) > 0.7
    assert kept(swelling, 12) == pytest.approx(0.35, abs=0.15)
    assert abs(kept(swelling, 288)) < 0.15


def test_a_gap_hides_all_columns_and_makes_a_longer_bucket_unknown() -> None:
    minutes = play(replace(PLAIN, gaps=3.0), 8.0, np.random.default_rng(2)).series
    assert minutes.negative is not None
    assert 0.005 < np.isnan(minutes.mentions).mean() < 0.15
    assert (np.isnan(minutes.mentions) == np.isnan(minutes.negative)).all()
    hours = joined(Series(0.0, MINUTE, np.r_[np.ones(60), np.nan, np.ones(59)]), 60)
    assert hours.mentions.tolist() == pytest.approx([60.0, np.nan], nan_ok=True)


def test_the_same_seed_plays_the_same_brand() -> None:
    one, same, other = played(PLAIN, 1.0), played(PLAIN, 1.0), played(PLAIN, 1.0, seed=2)
    assert np.array_equal(one.series.mentions, same.series.mentions)
    assert not np.array_equal(one.series.mentions, other.series.mentions)


def test_floors_bind_a_large_steady_brand_and_not_a_small_bursting_one() -> None:
    steady = replace(PLAIN, rate=500.0, scored=0.0, share=0.0, mood=0.0)
    assert beyond(played(steady), 1.0) == 0.0
    assert beyond(played(replace(steady, rate=1.0, swell=0.5)), 1.0) > 5.0


def test_figures_are_pages_a_brand_week_over_the_budget_with_an_interval_around_them() -> None:
    def raised(pages: float, ran: float | None, floor: float) -> Outcome:
        one = np.full(len(BUDGETS), pages)
        return Outcome(PLAIN, one, one / 2.0, None if ran is None else np.full(len(BUDGETS), ran), one / 4.0, floor)

    size = Size(brands=3, weeks=6, young=2, live=1, live_weeks=2)
    found = figures([raised(1.0, 4.0, 0.0), raised(3.0, None, 9.0), raised(2.0, None, 9.0)], size, 1)
    assert [found[f"{which}brand_weeks"] for which in ("", "young_", "live_")] == [12, 6, 2]
    assert found["realised_over_budget_0.5"] == pytest.approx(6 / 12 / 0.5)
    assert found["realised_over_budget_0.5_low"] < 1.0 < found["realised_over_budget_0.5_high"]
    assert found["young_realised_over_budget_0.5"] == pytest.approx(3 / 6 / 0.5)
    assert found["live_realised_over_budget_2"] == pytest.approx(4 / 2 / 2)
    assert found["live_brands_backtest_over_budget_2"] == pytest.approx(0.25 / 2 / 2)
    assert found["free_brands_2"] == 2
    assert found["realised_over_budget_2_free"] == pytest.approx(5 / 8 / 2)
    assert found["brands_poisson"] == 3
    assert "brands_heavy" not in found


@pytest.mark.slow
def test_what_bursts_without_end_pages_live_more_often_at_a_larger_budget() -> None:
    heavy = replace(PLAIN, kind="heavy", rate=3.0, swell=1.0, swell_hours=0.5, jitter=0.5)
    chance = np.random.default_rng(4)
    minutes = play(heavy, 1.0, chance)
    little, much = live(minutes.series, 4 * 1440, (0.01, 5.0), chance)
    assert little < much


def test_a_crisis_that_everyone_sees_is_one_page_or_few_live() -> None:
    minutes = play(replace(PLAIN, scored=0.0, share=0.0, mood=0.0), 1.2, np.random.default_rng(5)).series
    crisis = minutes.mentions.copy()
    crisis[8000:8060] += 60.0
    (calm,) = live(minutes, 7200, (0.05,), np.random.default_rng(6))
    (paged,) = live(Series(minutes.start, MINUTE, crisis), 7200, (0.05,), np.random.default_rng(6))
    assert calm == 0
    assert 1 <= paged <= 5


def test_a_brand_raises_no_more_at_a_tenth_of_the_budget() -> None:
    found = outcome((1, 5, Size(brands=6, weeks=2, young=1, live=0, live_weeks=1)))
    pages = found.pages + found.young
    assert found.live is None
    assert pages[0] <= pages[-1]


@pytest.mark.slow
def test_the_short_mode_gives_plausible_figures() -> None:
    command = [sys.executable, "-m", "service", "bench", "calibration", "--short", "--format", "json"]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)["figures"]
    assert found["brand_weeks"] == calibration.SHORT.brands * (calibration.SHORT.weeks - calibration.SHORT.young)
    for budget in BUDGETS:
        assert 0.0 <= found[f"realised_over_budget_{budget:g}"] < 3.0
        assert 0.0 <= found[f"live_realised_over_budget_{budget:g}"] < 6.0
