"""What people say of a past moves the threshold the right way, and one word moves it little."""

import numpy as np
import pytest

from detectors.calibrate import RAREST, SPENT, VOUCHED, Calibration
from detectors.feedback import Feedback, unsaid
from detectors.series import Bools, Series
from detectors.watch import Watch, fit, rehearse

STEP, DAY = 300.0, 288
BEGIN, LENGTH = 14 * DAY + 120, 9
DAYS = 18


def past(times: float = 3.0, days: int = DAYS) -> tuple[Series, Bools]:
    """A quiet brand with one crisis of 45 minutes, four days before the end, and where it was."""
    rng, n = np.random.default_rng(4), days * DAY
    begin = BEGIN - (DAYS - days) * DAY
    crisis = np.zeros(n, dtype=np.bool_)
    crisis[begin : begin + LENGTH] = True
    mentions = rng.poisson(np.where(crisis, 6.0 * times, 6.0)).astype(float)
    negative = rng.binomial(mentions.astype(int), np.where(crisis, 0.6, 0.15)).astype(float)
    return Series(0.0, STEP, mentions, negative, mentions, mentions), crisis


def learned(said: str | None, times: float = 3.0, days: int = DAYS) -> Watch:
    """What a brand learns where its crisis was called so, every six hours, as the service does."""
    series, crisis = past(times, days)
    feedback = {"real": Feedback(crisis, ~crisis & False), "false alarm": Feedback(~crisis & False, crisis)}
    mask = crisis & (said != "false alarm")
    return rehearse(series, mask=mask, feedback=feedback.get(said or ""))


def score_of(watch: Watch, times: float = 3.0) -> float:
    """The score of the same crisis when it comes again."""
    series, crisis = past(times)
    begin = int(np.flatnonzero(crisis)[0])
    again = series.rows(begin - DAY, begin + LENGTH)
    later = Series(watch.until, STEP, again.mentions, again.negative, again.scored, again.authors)
    return float(watch.look(later, rows=np.arange(DAY, DAY + LENGTH)).score.max())


def threshold_of(watch: Watch) -> float:
    """The height, in the brand's own spreads, that spends a budget of half a page a week."""
    assert watch.calibration.tail is not None
    return watch.calibration.tail.reached(SPENT * 0.5)


def test_a_real_crisis_lowers_the_threshold_and_a_false_alarm_raises_it() -> None:
    real, nothing, false = (score_of(learned(said)) for said in ("real", None, "false alarm"))
    assert real > nothing > false > 50.0
    left, once, full = (threshold_of(learned(said)) for said in ("real", None, "false alarm"))
    assert 0.7 * once < left < once < full < 1.3 * once


@pytest.mark.parametrize("days", [6, DAYS])
def test_one_word_on_a_wild_false_alarm_does_not_hide_what_is_as_wild(days: int) -> None:
    assert score_of(learned("false alarm", 20.0, days), 20.0) > 55.0


def test_a_second_word_on_the_same_kind_of_false_alarm_moves_it_further() -> None:
    def threshold(words: int) -> float:
        strange = np.random.default_rng(8).gumbel(2.0, 0.7, 80)
        false = np.zeros(80, dtype=np.bool_)
        for n in range(words):
            strange[60 + 3 * n], false[60 + 3 * n] = 9.0, True
        found = Calibration(STEP).learn({("revolt", STEP): strange}, 21_600.0 * np.arange(80.0), false)
        assert found.tail is not None
        return found.tail.reached(SPENT * 0.5)

    none, one, two = map(threshold, (0, 1, 2))
    assert none < one < two < none + 4.0


def test_a_false_alarm_teaches_more_than_once_a_year_and_no_more_than_once_in_ten() -> None:
    calm = np.random.default_rng(9).gumbel(2.0, 0.7, 120)
    nothing = np.zeros(120, dtype=np.bool_)
    called = nothing.copy()
    called[70] = True
    base = Calibration(STEP).learn({("revolt", STEP): calm}, 21_600.0 * np.arange(120.0)).tail
    assert base is not None

    def threshold(height: float, false: Bools) -> float:
        strange = calm.copy()
        strange[70] = height
        found = Calibration(STEP).learn({("revolt", STEP): strange}, 21_600.0 * np.arange(120.0), false)
        assert found.tail is not None
        return found.tail.reached(SPENT * 0.5)

    assert threshold(50.0, called) > threshold(50.0, nothing)
    assert threshold(500.0, called) == pytest.approx(threshold(50.0, called), rel=0.02)
    assert base.reached(VOUCHED) > base.reached(RAREST)


def test_what_is_said_is_kept_with_the_blocks_and_learned_in_pieces_as_at_once() -> None:
    rng = np.random.default_rng(5)
    seen, times = rng.gumbel(2.0, 1.0, 720), 600.0 + STEP * np.arange(720.0)
    false = np.zeros(720, dtype=np.bool_)
    false[150:165] = True
    whole, pieces = Calibration(STEP).learn({("revolt", STEP): seen}, times, false), Calibration(STEP)
    for first in range(0, 720, 50):
        some = slice(first, first + 50)
        pieces = pieces.learn({("revolt", STEP): seen[some]}, times[some], false[some])
    assert pieces.false.tolist() == whole.false.tolist()
    assert whole.false.sum() == 1
    assert pieces.tail == whole.tail


def test_who_says_nothing_changes_nothing() -> None:
    series, crisis = past()
    one, other = fit(series, mask=crisis), fit(series, mask=crisis, feedback=unsaid(len(series)))
    assert one.calibration.tail == other.calibration.tail
    assert rehearse(series, mask=crisis).calibration.tail == learned(None).calibration.tail
