import argparse
from dataclasses import replace

import numpy as np
import pytest

from detectors import negbin
from service.bench import farrington, outbreaks
from service.bench.outbreaks import FIRST, JUDGED, SCENARIOS, WEEKS, Simulated, rates, simulate

PUBLISHED = {0.005: 0.013, 0.01: 0.019, 0.05: 0.061}
"""Real false positive rates at nominal ones: the rule with the 2/3 power threshold, no outbreaks, at most one wave."""


@pytest.fixture(scope="module")
def simulated() -> Simulated:
    return simulate(10, seed=1)


def without_outbreaks(replicates: int, seed: int) -> np.ndarray:
    """Counts of the 28 scenarios with at most one wave a year, shape (series, WEEKS)."""
    rng = np.random.default_rng(seed)
    chosen = [scenario for scenario in SCENARIOS if scenario.harmonics < 2]
    mean = np.repeat([scenario.mean() for scenario in chosen], replicates, axis=0)
    excess = np.repeat([scenario.phi - 1.0 for scenario in chosen], replicates)[:, None] + 1e-9
    return rng.poisson(rng.gamma(mean / excess, excess)).astype(float)


def test_there_are_42_scenarios_and_each_is_another() -> None:
    assert len(set(SCENARIOS)) == 42
    assert sum(scenario.trend == 0.0 for scenario in SCENARIOS) == 21


def test_counts_have_the_mean_and_the_variance_they_were_drawn_with() -> None:
    drawn = simulate(10, seed=2)
    early = slice(0, FIRST)  # where no outbreak is
    standard = (drawn.counts - drawn.mean)[:, early] / np.sqrt(drawn.phi * drawn.mean)[:, early]
    by_scenario = standard.reshape(len(SCENARIOS), -1)
    assert by_scenario.mean(axis=1) == pytest.approx(np.zeros(42), abs=0.08)
    assert by_scenario.var(axis=1) == pytest.approx(np.ones(42), rel=0.4)


def test_every_series_has_past_outbreaks_and_one_in_the_judged_year(simulated: Simulated) -> None:
    past = simulated.outbreak & ~simulated.current
    assert not simulated.outbreak[:, :FIRST].any()
    assert not simulated.current[:, :JUDGED].any()
    assert past[:, FIRST:].any(axis=1).all()
    assert simulated.current.any(axis=1).mean() > 0.99
    begins = np.diff(simulated.current.astype(int), axis=1, prepend=0) == 1
    assert begins.sum(axis=1).max() <= 3


def test_the_same_seed_draws_the_same_series(simulated: Simulated) -> None:
    again, other = simulate(10, seed=1), simulate(10, seed=2)
    assert np.array_equal(again.counts, simulated.counts)
    assert not np.array_equal(other.counts, simulated.counts)


def test_farringtons_rule_is_as_often_wrong_as_was_published() -> None:
    parts = np.array_split(without_outbreaks(8, seed=4), 8)
    weeks = range(340, WEEKS, 16)
    chance = np.concatenate([farrington.tails(part, week) for part in parts for week in weeks], axis=1)
    for alpha, published in PUBLISHED.items():
        negative_binomial, power = (chance <= alpha).mean(axis=1)
        assert power == pytest.approx(published, rel=0.3)
        assert 0.9 * alpha < negative_binomial < power + 0.003


def test_a_trend_that_shows_is_followed_by_farringtons_rule() -> None:
    week = np.arange(farrington.NEEDED + 1)
    rising = np.round(20.0 * np.exp(0.005 * week))[None]
    expected = rising[0, -1]
    for count, strange in ((expected, False), (expected + 4.0 * np.sqrt(expected), True)):
        rising[0, -1] = count
        assert (farrington.tails(rising, farrington.NEEDED)[0] <= 0.005) == strange


def test_the_26_latest_weeks_teach_farringtons_rule_nothing() -> None:
    counts = np.random.default_rng(1).poisson(9.0, (3, 300)).astype(float)
    before = farrington.tails(counts, 299)
    counts[:, 299 - farrington.EXCLUDED : 299] = 1000.0
    assert np.array_equal(farrington.tails(counts, 299), before)


def test_too_short_a_past_is_refused_with_the_weeks_it_takes() -> None:
    with pytest.raises(ValueError, match="week 200 can't be judged; 263 weeks before it are needed"):
        farrington.tails(np.ones((1, 300)), 200)


def test_rates_count_quiet_weeks_and_outbreaks_by_scenario(simulated: Simulated) -> None:
    nothing = np.zeros((len(simulated.counts), WEEKS - JUDGED), dtype=np.bool_)
    exact = simulated.current[:, JUDGED:]
    assert set(rates("x", simulated, nothing).values()) == {0.0}
    found = rates("x", simulated, exact)
    assert (found["fpr_x"], found["pod_x"], found["pod_x_least"]) == (0.0, 1.0, 1.0)
    assert rates("x", simulated, ~nothing)["fpr_x_least"] == 1.0
    assert rates("x", simulated, nothing, 0.05)["fpr_x_off"] == 1.0
    one = nothing.copy()
    one[:10] = ~exact[:10]  # the first scenario's
    found = rates("x", simulated, one)
    assert (found["fpr_x_most"], found["pod_x_most"]) == (1.0, 0.0)
    assert found["fpr_x"] == pytest.approx(1 / 42)


def test_the_oracle_is_never_more_often_wrong_than_nominal() -> None:
    drawn = simulate(40, seed=5)
    mean, phi = drawn.mean[:, JUDGED:], drawn.phi[:, JUDGED:]
    chance = negbin.tail(drawn.counts[:, JUDGED:], mean, mean / np.maximum(phi - 1.0, 1e-12))
    for alpha in outbreaks.NOMINAL:
        assert rates("", drawn, chance <= alpha)["fpr_"] < 1.1 * alpha


def test_a_short_run_gives_the_figures_of_every_detector() -> None:
    figures = outbreaks.measure(argparse.Namespace(short=True, seed=1))
    for detector in ("farrington", "farrington_power", "yearly", "oracle"):
        wrong = [figures[f"fpr_{detector}_{alpha}"] for alpha in outbreaks.NOMINAL]
        caught = [figures[f"pod_{detector}_{alpha}"] for alpha in outbreaks.NOMINAL]
        assert wrong == sorted(wrong)
        assert caught == sorted(caught)
        for alpha, rate in zip(outbreaks.NOMINAL, wrong, strict=True):
            assert 0.5 * alpha < rate < 2.2 * alpha
    assert figures["pod_yearly_at_real_0.05"] > figures["pod_farrington_at_real_0.05"] - 0.05


def test_the_products_pages_are_those_of_the_judged_year() -> None:
    drawn = simulate(1, seed=1)
    row = SCENARIOS.index(next(s for s in SCENARIOS if s.level == 5.0 and s.harmonics == 0))
    counts = drawn.counts[[row]]
    counts[0, [400, WEEKS - 20]] += 2000.0
    one = replace(drawn, counts=counts, outbreak=drawn.outbreak[[row]], current=drawn.current[[row]])
    found = outbreaks.pages(one, budget=0.1)
    assert found.shape == (1, WEEKS - JUDGED)
    assert found[0, -20]
    assert found.sum() < 10
