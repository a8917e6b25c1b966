"""The bench of injected revolts: they are as large as they say, and the oracle keeps the budget that it was set to."""

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from detectors.series import Series
from detectors.watch import rehearse
from service.bench import BenchError, oracle
from service.bench.bases import BUDGET, HORIZON, Base, Recorded, hindsight, recorded, simulated
from service.bench.injected import Race, Revolt, figures, injected, measure, race
from service.bench.oracle import MOST_SIZE, Known, known, statistics, threshold, thresholds

STEP, DAY, WEEK = 300.0, 288, 2016


def quiet(weeks: float, seed: int, mean: float = 20.0, size: float = 5.0, share: float = 0.1) -> Series:
    """Negative binomial counts with a share that is beta-binomial."""
    chance = np.random.default_rng(seed)
    n = round(weeks * WEEK)
    mentions = chance.poisson(mean * chance.gamma(size, 1.0 / size, n))
    negative = chance.binomial(mentions, chance.beta(share * 50.0, (1.0 - share) * 50.0, n))
    return Series(0.0, STEP, mentions.astype(float), negative.astype(float), mentions.astype(float))


def based(seed: int = 1, mean: float = 20.0) -> Base:
    """A told brand, ten days and the horizon, with an oracle that learned from other weeks."""
    past, series = quiet(12, seed, mean), quiet(1.5 + HORIZON / STEP / WEEK, seed + 100, mean)
    learned = known(past, np.full(len(past), 0.1 * mean), np.full(len(past), 0.1))
    n = len(series)
    mine = Known(np.full(n, 0.1 * mean), learned.size, np.full(n, 0.1), learned.correlation)
    return Base(series, np.full(n, mean), mine, thresholds(past, learned, BUDGET))


def test_a_revolt_doubles_in_its_doubling_time_from_its_strength() -> None:
    excess = Revolt(0.1, 30).excess(STEP, 60)
    assert excess[0] == pytest.approx(0.1 * 2 ** (2.5 / 30), rel=0.01)
    assert excess[6:12] / excess[:6] == pytest.approx(np.full(6, 2.0))
    assert excess[-1] == 20.0


def test_what_is_injected_comes_after_the_onset_and_most_of_it_is_negative() -> None:
    base = based()
    found = injected(base, Revolt(1.0, 60), np.random.default_rng(1))
    before, more = found.mentions[: base.onset], (found.mentions - base.series.mentions)[base.onset :]
    assert np.array_equal(before, base.series.mentions[: base.onset])
    assert more[:12].sum() == pytest.approx(Revolt(1.0, 60).excess(STEP, 12).sum() * 20.0, rel=0.2)
    assert found.negative is not None
    assert base.series.negative is not None
    assert (found.negative - base.series.negative)[base.onset :].sum() == pytest.approx(0.8 * more.sum(), rel=0.05)


def test_an_oracle_learns_the_spreads_that_the_counts_were_drawn_with() -> None:
    series = quiet(12, 3)
    volume = Series(0.0, STEP, series.mentions)
    assert known(volume, np.full(len(series), 20.0), None).size == pytest.approx(5.0, rel=0.1)
    told = known(series, np.full(len(series), 2.0), np.full(len(series), 0.1))
    assert told.correlation == pytest.approx(1 / 51, rel=0.25)
    steady = Series(0.0, STEP, np.full(500, 20.0))
    assert known(steady, np.full(500, 20.0), None).size == MOST_SIZE


@pytest.mark.parametrize("budget", [0.5, 2.0])
@pytest.mark.parametrize("told", [False, True])
def test_an_oracle_raises_on_other_quiet_weeks_about_what_it_was_set_to(budget: float, told: bool) -> None:
    raised = weeks = 0.0
    for seed in range(4):
        past, fresh = quiet(12, seed), quiet(20, seed + 50)
        if not told:
            past, fresh = Series(0.0, STEP, past.mentions), Series(0.0, STEP, fresh.mentions)
        share = np.full(len(fresh), 0.1) if told else None
        mean = np.full(len(fresh), 2.0 if told else 20.0)
        learned = known(past, mean[: len(past)], None if share is None else share[: len(past)])
        sums = statistics(fresh, Known(mean, learned.size, share, learned.correlation))
        above = (sums >= thresholds(past, learned, budget)[:, None]).any(axis=0)
        raised += above.reshape(-1, 72).any(axis=1).sum()
        weeks += 20
    assert raised / weeks == pytest.approx(budget, rel=0.4)


def test_a_threshold_for_a_larger_budget_is_lower_and_may_lie_beyond_what_was_seen() -> None:
    sums = np.random.default_rng(1).exponential(1.0, 8 * WEEK)
    levels = [threshold(sums, STEP, budget) for budget in (2.0, 0.5, 0.001)]
    assert levels == sorted(levels)
    assert levels[-1] > sums.max()


def test_a_gap_leaves_the_sum_where_it_was() -> None:
    counts = np.array([10.0, 40.0, np.nan, np.nan, 40.0])
    sums = statistics(Series(0.0, STEP, counts), Known(np.full(5, 10.0), MOST_SIZE))[0]
    assert sums[1] == sums[2] == sums[3] < sums[4]


def test_a_share_is_seen_to_rise_where_the_count_does_not() -> None:
    calm = Series(0.0, STEP, np.full(20, 50.0), np.full(20, 5.0), np.full(20, 50.0))
    angry = Series(0.0, STEP, np.full(20, 15.0), np.full(20, 7.0), np.full(20, 15.0))
    facts = Known(np.full(20, 5.0), 2.0, np.full(20, 0.1), 0.02)
    assert statistics(calm, facts)[1, -1] < 1.0
    assert statistics(angry, facts)[1, -1] > 20.0 > statistics(angry, facts)[0, -1]


def test_more_and_faster_revolts_are_found_sooner_by_both() -> None:
    base, chance = based(), np.random.default_rng(7)
    watch = rehearse(base.series.rows(0, base.onset), budget=BUDGET)

    def delays(strength: float, doubling: float) -> tuple[float, float]:
        races = [race(base, watch, Revolt(strength, doubling), chance) for _ in range(9)]
        return float(np.median([r.delay for r in races])), float(np.median([r.oracle for r in races]))

    weak, strong, fast = delays(0.05, 120), delays(2.0, 120), delays(0.05, 10)
    for who in (0, 1):
        assert 5.0 <= strong[who] < weak[who]
        assert 5.0 <= fast[who] < weak[who]
    assert strong[1] <= 30


def test_figures_are_medians_and_what_was_missed_counts_as_the_horizon() -> None:
    slow, fast = Revolt(0.1, 120), Revolt(2.0, 10)
    found = figures([Race(slow, True, 720.0, 60.0), Race(slow, False, 90.0, 60.0), Race(fast, True, 30.0, 20.0)])
    assert found["delay_minutes_p50"] == 90.0
    assert found["oracle_delay_minutes_p50"] == 60.0
    assert found["delay_over_oracle"] == 1.5
    assert [found["caught"], found["oracle_caught"], found["of"]] == [2, 3, 3]
    assert found["delay_over_oracle_doubling_10"] == 1.5
    assert "of_doubling_30" not in found


def test_hindsight_knows_the_rhythm_and_the_level() -> None:
    at = np.arange(14 * DAY)
    mean = 50.0 * (1.0 + 0.6 * np.sin(2 * np.pi * at / DAY)) * np.where(at < 7 * DAY, 1.0, 2.0)
    counts = np.random.default_rng(1).poisson(mean).astype(float)
    counts[100:110] = np.nan
    found = hindsight(counts, STEP)
    inside = np.r_[DAY : 6 * DAY, 8 * DAY : 13 * DAY]
    assert np.median(np.abs(found[inside] / mean[inside] - 1.0)) < 0.08


def test_recorded_series_are_used_up_to_where_something_happens(tmp_path: Path) -> None:
    series = quiet(1.5, 9)
    assert series.negative is not None
    lines = ["timestamp,mentions,negative,scored"]
    for i, (m, k) in enumerate(zip(series.mentions, series.negative, strict=True)):
        lines.append(f"{datetime.fromtimestamp(i * STEP, UTC).isoformat()},{m:g},{k:g},{m:g}")
    path = tmp_path / "one.csv"
    path.write_text("\n".join(lines))
    base = recorded(Recorded(path, 7 * 86400.0), np.random.default_rng(1))
    assert base is not None
    assert 6 * DAY <= len(base.series) <= 7 * DAY
    assert recorded(Recorded(path, 3 * 86400.0), np.random.default_rng(1)) is None


def test_a_folder_without_series_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"truth\.json"):
        measure(Namespace(short=True, seed=1, data=tmp_path))


def test_simulated_brands_race_and_their_oracle_knows_them() -> None:
    base = simulated(np.random.default_rng((1, 1)))
    assert len(base.usual) == len(base.series) == len(base.known.mean)
    assert len(base.thresholds) == (2 if base.series.negative is not None else 1)
    counts = oracle.watched(base.series)
    assert np.nansum(counts) == pytest.approx(base.known.mean[np.isfinite(counts)].sum(), rel=0.3)


@pytest.mark.slow
def test_the_short_mode_gives_plausible_figures() -> None:
    found = measure(Namespace(short=True, seed=1, data=None))
    assert found["of"] == 32
    assert found["caught"] >= 20
    assert 0.3 < found["delay_over_oracle"] < 4.0
