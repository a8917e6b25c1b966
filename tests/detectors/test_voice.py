from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.calibrate import WEEK
from detectors.scan import DAY, HOUR
from detectors.series import Floats
from detectors.voice import LOUD, PART, SOMEBODY, WINDOW, Voices, fit, widest

WEEKS = 5.0
BUDGET = 0.5
YES = np.array([True])


def law(reach: Floats, weeks: float = WEEKS, seed: int = 1) -> Voices:
    """What is learned from voices of `reach` at random times of so many weeks."""
    n = round(weeks * WEEK / HOUR)
    at = np.random.default_rng(seed).uniform(0.0, n * HOUR, len(reach))
    return fit(at, reach, 0.0, HOUR, np.ones(n, dtype=np.bool_), np.zeros(n, dtype=np.bool_))


def score(voices: Voices, reach: float, budget: float = BUDGET) -> float:
    return float(voices.listen(np.array([reach]), YES, budget).flash[0])


@pytest.mark.parametrize("weeks", [1.0, 2.0, WEEKS])
def test_a_brand_that_never_met_an_angry_voice_is_paged_by_12000_followers(weeks: float) -> None:
    assert score(law(np.empty(0), weeks), 12_000.0) > 50.0


def test_a_brand_that_meets_them_daily_is_paged_only_by_what_is_wide_for_it() -> None:
    daily = law(np.random.default_rng(2).pareto(1.0, 35) * LOUD + LOUD)
    assert score(daily, 12_000.0) < 45.0
    assert score(daily, 3_000_000.0) > 50.0


def test_below_what_is_loud_no_voice_pages_however_rare() -> None:
    never = law(np.empty(0), 100.0)
    assert score(never, LOUD - 1.0, budget=50.0) == 0.0
    assert score(never, LOUD, budget=50.0) > 50.0


def test_a_larger_budget_pages_more_and_ten_points_are_a_tenth_as_often() -> None:
    voices = law(np.empty(0))
    assert score(voices, 12_000.0, 0.5) == pytest.approx(score(voices, 12_000.0, 0.05) + 10.0)
    assert score(voices, 12_000.0) == pytest.approx(
        50.0 + 10.0 * np.log10(PART * BUDGET / float(voices.rate(np.array(12_000.0))))
    )


def test_who_spoke_and_nobody_are_told_apart_from_unknown() -> None:
    reach, known = np.array([0.0, 0.0, 12_000.0, 0.0]), np.array([True, False, False, True])
    found = law(np.empty(0)).listen(reach, known, BUDGET).flash
    assert found[0] == found[3] == 0.0
    assert np.isnan(found[1])
    assert found[2] > 50.0, "a voice was heard, whatever else is unknown"


def test_a_crisis_teaches_its_widest_voice_alone() -> None:
    at, reach = np.array([10.0, 50.2, 50.4, 50.6, 80.5]) * HOUR, np.array([6e3, 7e3, 9e3, 8e3, 6e3])
    known, strange = np.ones(100, dtype=np.bool_), np.zeros(100, dtype=np.bool_)
    every = fit(at, reach, 0.0, HOUR, known, strange)
    strange[49:53] = True
    one = fit(at, reach, 0.0, HOUR, known, strange)
    assert every.heard - one.heard == pytest.approx(2.0)
    alone = fit(at[[0, 2, 4]], reach[[0, 2, 4]], 0.0, HOUR, known, strange)
    assert one == alone


def test_only_the_time_that_was_listened_to_and_its_voices_teach() -> None:
    known, nothing = np.ones(100, dtype=np.bool_), np.zeros(100, dtype=np.bool_)
    at, reach = np.array([-1.0, 5.0, 99.9, 100.0]) * HOUR, np.full(4, 8e3)
    whole = fit(at, reach, 0.0, HOUR, known, nothing)
    known[50:] = False
    half = fit(at, reach, 0.0, HOUR, known, nothing)
    assert whole.heard == pytest.approx(2.02)
    assert whole.weeks - half.weeks == pytest.approx(50 * HOUR / WEEK)


def test_a_brand_of_which_many_are_angry_is_believed_to_meet_wide_voices_until_it_is_known_that_it_does_not() -> None:
    nobody, known, nothing = np.empty(0), np.ones(10, dtype=np.bool_), np.zeros(10, dtype=np.bool_)
    young = [fit(nobody, nobody, 0.0, HOUR, known, nothing, angry) for angry in (0.0, 1.0, 100.0)]
    grown = fit(nobody, nobody, 0.0, 24 * HOUR, known, nothing, 100.0 * 24)
    twelve = [float(voices.rate(np.array([12e3]))[0]) for voices in (*young, grown)]
    assert twelve[0] < 0.05 < twelve[2]
    assert twelve[0] == twelve[1]
    assert twelve[3] < 0.05


def test_a_voice_is_heard_from_its_instant_for_a_window_and_the_widest_counts() -> None:
    at, reach = np.array([1000.0, 1000.5, 1200.0]), np.array([3e3, 9e3, 4e3])
    ends = np.array([1000.0, 1001.0, 1000.5 + WINDOW, 1000.6 + WINDOW, 1200.0 + WINDOW + 1.0])
    assert widest(at, reach, ends).tolist() == [0.0, 9e3, 9e3, 4e3, 0.0]
    backwards = widest(at[::-1], reach[::-1], ends)
    assert backwards.tolist() == [0.0, 9e3, 9e3, 4e3, 0.0]
    assert widest(np.empty(0), np.empty(0), ends).tolist() == [0.0] * 5


@given(st.lists(st.floats(LOUD, 1e9), max_size=50), st.floats(0.1, 50.0), st.floats(1.0, 1e9), st.floats(1.0, 1e3))
def test_a_wider_voice_is_never_more_usual(reach: list[float], weeks: float, some: float, more: float) -> None:
    voices = law(np.array(reach), weeks)
    rates = voices.rate(np.array([some, some * more]))
    assert 0.0 < rates[1] <= rates[0] < np.inf


@given(st.lists(st.floats(LOUD, 1e9), max_size=50), st.floats(1e-6, 0.999))
def test_what_is_reached_with_a_chance_is_the_inverse_of_the_rate(reach: list[float], chance: float) -> None:
    voices = law(np.array(reach))
    followers = voices.reached(chance)
    if LOUD < followers < 1e10:
        per_window = voices.rate(np.array(followers)) * WINDOW / WEEK
        assert -np.expm1(-per_window) == pytest.approx(chance, rel=1e-6)


def test_a_verdict_says_how_rare_the_voice_is() -> None:
    (found,) = [law(np.empty(0)).listen(np.array([12_000.0]), YES, BUDGET).verdict(0)]
    assert (found.detector, found.observed, found.window) == ("voice", 12_000.0, WINDOW)
    assert found.low == found.expected == found.high == 0.0, "most windows hold no angry voice"
    assert 0.0 < found.p_value < 1e-4
    assert found.reason.startswith(f"{SOMEBODY} with 12,000 followers is angry; so wide an angry voice comes once in ")


def test_words_go_from_times_a_week_to_years() -> None:
    often, seldom = law(np.full(200, 9e3)), law(np.empty(0))
    assert "times a week here" in often.listen(np.array([9e3]), YES, BUDGET).verdict(0).reason
    assert "years here" in seldom.listen(np.array([1e6]), YES, BUDGET).verdict(0).reason


PARETO: dict[str, Callable[[np.random.Generator, int], Floats]] = {
    "as wide as usual": lambda chance, n: LOUD * (1.0 + chance.pareto(1.0, n)),
    "narrow": lambda chance, n: LOUD * (1.0 + chance.pareto(1.5, n)),
    "lognormal": lambda chance, n: LOUD + np.exp(chance.normal(8.0, 1.3, n)),
}


@pytest.mark.parametrize("name", PARETO)
@pytest.mark.parametrize("a_day", [0.02, 0.5, 10.0])
def test_voices_spend_their_part_of_the_budget_whatever_is_usual(name: str, a_day: float) -> None:
    chance, pages, weeks = np.random.default_rng(3), 0, 0.0
    for _ in range(40):
        n = chance.poisson(a_day * 42)
        at, reach = np.sort(chance.uniform(0.0, 42 * DAY, n)), PARETO[name](chance, n)
        learned = at < 35 * DAY
        hours = np.arange(35 * 24)
        usual = fit(at[learned], reach[learned], 0.0, HOUR, hours >= 0, hours < 0)
        found = usual.listen(reach[~learned], np.ones(n - learned.sum(), dtype=np.bool_), 10.0 * BUDGET)
        pages, weeks = pages + int((found.flash >= 50.0).sum()), weeks + 1.0
    assert pages / weeks < 10.0 * BUDGET * PART * 2.0
