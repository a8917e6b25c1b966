"""The choice among forecasters: causal, paired, and for the robust one unless another is clearly better."""

from collections.abc import Callable

import numpy as np
import pytest

from detectors import robust
from detectors.choose import ORIGINS, choose
from detectors.forecaster import Forecaster
from detectors.series import Floats

DAY, HOUR = 86400.0, 3600.0
MONDAY = 4 * DAY  # 5 January 1970


class Told:
    """A forecaster that was told the truth, times a factor, of hours from MONDAY on."""

    def __init__(self, truth: Floats, factor: float = 1.0) -> None:
        self.truth, self.factor = truth, factor
        self.ends: list[float] = []

    def mean(self, start: float, step: float, n: int, utc_offset: float = 0.0) -> Floats:
        first = round((start + utc_offset - MONDAY) / step)
        return self.factor * self.truth[first : first + n]

    def __call__(
        self, start: float, step: float, counts: Floats, utc_offset: float = 0.0
    ) -> tuple["Told", Floats] | None:
        self.ends.append(start + step * len(counts))
        return self, self.mean(start, step, len(counts), utc_offset)


def patterned(days: int) -> Floats:
    """Hourly means with busy and still hours that change places from one day to the next."""
    hours = np.arange(days * 24)
    return np.where((hours + 7 * (hours // 24)) % 6 < 3, 20.0, 200.0)


def noisy(mean: Floats, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).poisson(mean).astype(float)


def fails(start: float, step: float, counts: Floats, utc_offset: float = 0.0) -> None:
    return None


def test_who_knows_the_truth_is_chosen_over_the_robust_one() -> None:
    truth = patterned(21)
    choice = choose(MONDAY, HOUR, noisy(truth), forecasters={"robust": robust.fit, "told": Told(truth)})
    assert choice is not None
    assert choice.chosen == "told"
    assert choice.days == ORIGINS
    assert choice.scores["told"].saved > 0.5
    assert choice.scores["told"].confidence > 0.99
    assert choice.scores["told"].log_score < choice.scores["robust"].log_score


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (robust.fit, "equal"),
        (Told(patterned(21), 3.0), "worse"),
        (fails, "it cannot be fitted"),
    ],
)
def test_the_robust_one_stays_where_another_is_not_better(other: Forecaster, why: str) -> None:
    counts = noisy(np.full(504, 50.0)) if why != "worse" else noisy(patterned(21))
    choice = choose(MONDAY, HOUR, counts, forecasters={"robust": robust.fit, "other": other})
    assert choice is not None
    assert choice.chosen == "robust"
    assert choice.scores["robust"].saved == choice.scores["robust"].confidence == 0.0
    assert ("other" in choice.scores) is (other is not fails)


def test_one_lucky_day_does_not_convince() -> None:
    truth = np.full(21 * 24, 50.0)
    truth[-24:] = 400.0
    told = truth + np.where(np.arange(len(truth)) < 20 * 24, np.resize([8.0, -8.0], len(truth)), 0.0)
    choice = choose(MONDAY, HOUR, noisy(truth), forecasters={"robust": robust.fit, "told": Told(told)})
    assert choice is not None
    assert choice.scores["told"].saved > 0.3
    assert choice.chosen == "robust"


def test_every_day_is_forecast_from_what_came_before_it() -> None:
    told = Told(patterned(21))
    choose(MONDAY, HOUR, noisy(patterned(21)), forecasters={"robust": robust.fit, "told": told})
    assert told.ends == [MONDAY + day * DAY for day in range(14, 21)]


def test_a_day_that_is_unknown_is_not_scored() -> None:
    counts = noisy(patterned(21))
    counts[-48:-24] = np.nan
    choice = choose(MONDAY, HOUR, counts, forecasters={"robust": robust.fit, "told": Told(patterned(21))})
    assert choice is not None
    assert choice.days == ORIGINS - 1


def test_finer_buckets_are_scored_by_the_hour() -> None:
    counts = noisy(patterned(15))
    hours, buckets = (
        choose(MONDAY, step, c, forecasters={"robust": robust.fit})
        for step, c in ((HOUR, counts), (HOUR / 4, np.repeat(counts / 4.0, 4)))
    )
    assert hours is not None
    assert buckets is not None
    assert buckets.scores["robust"].crps == pytest.approx(hours.scores["robust"].crps, rel=0.05)


@pytest.mark.parametrize(
    "history",
    [
        lambda: (HOUR, np.full(13 * 24, 5.0)),
        lambda: (DAY, np.full(100, 5.0)),
        lambda: (HOUR, np.concatenate((np.full(14 * 24, 5.0), np.full(150, np.nan)))),
    ],
)
def test_less_than_two_weeks_or_two_days_to_score_give_no_choice(
    history: Callable[[], tuple[float, Floats]],
) -> None:
    step, counts = history()
    assert choose(MONDAY, step, counts, forecasters={"robust": robust.fit}) is None
