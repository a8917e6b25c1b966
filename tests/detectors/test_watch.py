import numpy as np
import pytest

from detectors.forecaster import FORECASTERS
from detectors.series import Series
from detectors.watch import fit, lookback, rehearse

STEP, DAY = 300.0, 288


def quiet(days: int, *, level: float = 8.0, seed: int = 0, start: float = 0.0) -> Series:
    rng = np.random.default_rng(seed)
    mentions = rng.poisson(level, days * DAY).astype(float)
    scored = rng.binomial(mentions.astype(int), 0.8).astype(float)
    negative = rng.binomial(scored.astype(int), 0.12).astype(float)
    authors = rng.binomial(mentions.astype(int), 0.97).astype(float)
    return Series(start, STEP, mentions, negative, scored, authors)


def after(history: Series, rows: int, **last: float) -> Series:
    """`rows` quiet buckets that follow `history`, of which the last three hold `last` of a column each."""
    recent = quiet(1, seed=9, start=history.start + len(history) * STEP).rows(0, rows)
    columns = {name: getattr(recent, name).copy() for name in ("mentions", "negative", "scored", "authors")}
    for name, value in last.items():
        columns[name][-3:] = value
    return Series(recent.start, STEP, **columns)


HISTORY = quiet(10)
WATCH = rehearse(HISTORY)


def test_less_than_six_hours_say_nothing() -> None:
    watch = fit(HISTORY.rows(0, 71))
    assert watch.look(HISTORY.rows(71, 90)).verdicts() == ()
    assert np.isnan(watch.look(HISTORY.rows(71, 90)).score).all()


def test_quiet_talk_scores_low() -> None:
    looks = WATCH.look(after(HISTORY, 60), rows=np.arange(60))
    assert looks.score.max() < 45.0


def test_a_flash_revolt_is_led_by_revolt_and_explains_itself() -> None:
    verdict = WATCH.look(after(HISTORY, 60, mentions=30, negative=20, scored=28, authors=29)).verdicts()[0]
    assert verdict.detector == "revolt"
    assert verdict.score >= 50.0
    assert verdict.low <= verdict.expected <= verdict.high < verdict.observed
    assert verdict.p_value < 1e-4
    assert verdict.window <= 1800.0
    assert "negative mentions in" in verdict.reason


def test_the_same_talk_from_few_authors_counts_for_less() -> None:
    many = WATCH.look(after(HISTORY, 60, mentions=40, negative=20, scored=38, authors=38))
    few = WATCH.look(after(HISTORY, 60, mentions=40, negative=20, scored=38, authors=2))
    assert few.score[0] + 10.0 < many.score[0]


def test_much_talk_as_friendly_as_ever_is_volume_and_no_revolt() -> None:
    verdicts = WATCH.look(after(HISTORY, 60, mentions=90, negative=8, scored=72, authors=88)).verdicts()
    by_name = {verdict.detector: verdict.score for verdict in verdicts}
    assert by_name["volume"] > 50.0 > by_name["revolt"]


def test_a_campaign_disarms_volume_but_not_negativity() -> None:
    campaign = np.zeros(60, dtype=bool)
    campaign[-12:] = True
    loud = after(HISTORY, 60, mentions=90, negative=8, scored=72, authors=88)
    angry = after(HISTORY, 60, mentions=90, negative=60, scored=72, authors=88)
    assert np.nan_to_num(WATCH.look(loud, campaign=campaign).score[0]) < 45.0
    assert WATCH.look(angry, campaign=campaign).verdicts()[0].detector == "revolt"
    assert WATCH.look(angry, campaign=campaign).score[0] > 50.0


def test_a_running_bucket_is_judged_by_the_part_of_it_that_has_passed() -> None:
    recent = after(HISTORY, 60)
    recent.mentions[-1] = 7.0
    early, late = (WATCH.look(recent, exposure=e).findings["volume"].seen for e in (0.2, 1.0))
    assert early.expected[0, 0] == pytest.approx(0.2 * late.expected[0, 0])
    assert early.surprise[0, 0] > late.surprise[0, 0]


def test_minutes_are_judged_by_what_five_minutes_taught() -> None:
    minutes = np.full(120, 8.0 / 5.0).round()
    minutes[-10:] = 30.0
    looks = WATCH.look(Series(WATCH.until, 60.0, minutes), rows=np.arange(120))
    assert looks.score[:110].max() < 50.0
    assert looks.score[-1] > 50.0


def test_an_unknown_last_bucket_has_no_verdict() -> None:
    recent = after(HISTORY, 60)
    recent.mentions[-1] = np.nan
    assert WATCH.look(recent).verdicts() == ()


def test_a_gap_takes_its_part_out_of_both_sides() -> None:
    recent = after(HISTORY, 60)
    whole = WATCH.look(recent).findings["volume"].seen
    recent.mentions[-7:-1] = np.nan
    holes = WATCH.look(recent).findings["volume"].seen
    hour = WATCH.look(recent).findings["volume"].lengths.index(3600.0)
    assert holes.expected[hour, 0] == pytest.approx(whole.expected[hour, 0] / 2, rel=0.1)
    assert holes.observed[hour, 0] < whole.observed[hour, 0]


def test_a_brand_is_the_sum_of_the_sources_that_are_known() -> None:
    sources = {"x": quiet(8, level=8.0), "feed": quiet(8, level=2.0, seed=1)}
    watch = fit(sources)
    recent = {"x": after(HISTORY, 60), "feed": after(HISTORY, 60)}
    both = watch.look(recent).findings["volume"].seen.expected[0, 0]
    recent["x"].mentions[:] = np.nan
    one = watch.look(recent).findings["volume"].seen.expected[0, 0]
    assert both == pytest.approx(10.0, rel=0.15)
    assert one == pytest.approx(2.0, rel=0.25)


def test_a_source_that_is_new_does_not_look_like_more_talk() -> None:
    watch = fit({"x": HISTORY})
    recent = {"x": after(HISTORY, 60), "feed": after(HISTORY, 60, mentions=500, negative=400, scored=450, authors=400)}
    assert watch.look(recent).score[0] < 50.0


def test_sources_share_their_buckets() -> None:
    with pytest.raises(ValueError, match="'feed' has other buckets than 'x'"):
        fit({"x": HISTORY, "feed": HISTORY.rows(1, 2000)})


@pytest.mark.parametrize("budget", [0.0, -1.0, float("nan"), float("inf")])
def test_a_budget_is_a_positive_number(budget: float) -> None:
    with pytest.raises(ValueError, match="alert budget"):
        fit(HISTORY, budget=budget)


def test_strange_buckets_do_not_teach_the_baseline() -> None:
    loud = Series(0.0, STEP, HISTORY.mentions.copy())
    loud.mentions[-288:] += 200.0
    mask = np.zeros(len(loud), dtype=bool)
    mask[-288:] = True
    masked, plain = fit(loud, mask=mask), fit(loud)
    ahead = (WATCH.until, 3600.0, 1)
    assert masked.normals[""].mentions.mean(*ahead)[0] == pytest.approx(96.0, rel=0.1)
    assert plain.normals[""].mentions.mean(*ahead)[0] > 110.0


def test_an_episode_teaches_the_tail_once_however_long_it_lasts() -> None:
    later = Series(0.0, STEP, quiet(12).mentions)
    later.mentions[-2 * DAY : -DAY] += 300.0
    mask = np.zeros(len(later), dtype=bool)
    mask[-2 * DAY : -DAY] = True
    before = fit(later.rows(0, 10 * DAY), previous=rehearse(later.rows(0, 9 * DAY)))
    taught = fit(later, previous=before, mask=mask)
    old, new = (w.calibration.blocks[:, 0] for w in (before, taught))
    assert int((new > old.max()).sum()) == 1


def test_a_rehearsed_watch_has_seen_its_whole_history() -> None:
    assert WATCH.until == len(HISTORY) * STEP
    assert len(WATCH.calibration.blocks) == 39


def test_the_windows_reach_back_a_day_or_a_week_of_days() -> None:
    assert lookback(STEP) == 86400.0
    assert lookback(86400.0) == 7 * 86400.0


def test_a_forecaster_of_years_is_given_years_of_days() -> None:
    days = np.arange(3 * 365)
    usual = 50.0 * np.exp(0.8 * np.cos(2.0 * np.pi * days / 365.25))
    history = Series(0.0, 86400.0, np.random.default_rng(8).poisson(usual).astype(float))
    summer = usual[len(days) - 365 + 182]
    ahead = [fit(history, forecaster=FORECASTERS[name]).normals[""].mentions for name in ("robust", "yearly")]
    at = 86400.0 * (len(days) + 182)
    robust, yearly = (forecast.mean(at, 86400.0, 1)[0] for forecast in ahead)
    assert yearly == pytest.approx(summer, rel=0.25)
    assert robust > 2.0 * summer


def test_what_pages_lies_outside_of_what_is_shown_as_normal() -> None:
    chance = np.random.default_rng(9)
    mentions = chance.negative_binomial(1.0, 0.2, 14 * DAY).astype(float)
    negative = np.minimum(mentions, chance.negative_binomial(0.5, 0.4, 14 * DAY))
    series = Series(0.0, STEP, mentions, negative.astype(float), mentions)
    looks = fit(series.rows(0, 7 * DAY), budget=50.0).look(series, rows=np.arange(7 * DAY, 14 * DAY))
    paging = [v for row in range(7 * DAY) for v in looks.verdicts(row) if v.score >= 50.0]
    assert len(paging) > 5
    assert all(v.observed > v.high for v in paging)
