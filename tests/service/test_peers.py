"""The published rules say what they are said to say, on any series, and are judged at thresholds of their own."""

from datetime import UTC, datetime
from itertools import starmap

import numpy as np
import pytest

from detectors.series import Series
from service.bench import prophet_peer
from service.bench.judging import DAY, HOUR, Labelled, Page, judge_labels
from service.bench.peers import RULES, flagged, judge_peer, on_labels, same_hour
from service.bench.recorded import Recorded

STEP, IN_DAY = 300.0, 288


def burst(days: int = 10, at: int = 9 * IN_DAY, height: float = 100.0) -> Series:
    mentions = np.random.default_rng(2).poisson(5.0, days * IN_DAY).astype(float)
    mentions[at : at + 12] = height
    return Series(0.0, STEP, mentions)


def labelled(series: Series, at: int = 9 * IN_DAY) -> Recorded:
    label = datetime.fromtimestamp(at * STEP, UTC).isoformat()
    truth = {"labels": [label], "judged_from": datetime.fromtimestamp(2 * DAY, UTC).isoformat()}
    return Recorded("a", "a", series, series.times(), truth)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_rises_with_a_burst_and_never_looks_ahead(name: str) -> None:
    series, at = burst(), 9 * IN_DAY
    score = RULES[name].score(series)
    assert score.shape == (len(series),)
    assert np.nanmax(score[at : at + 12]) > np.nanmax(score[2 * IN_DAY : at])
    cut = RULES[name].score(series.rows(0, at + 3))
    assert np.array_equal(cut, score[: at + 3], equal_nan=True)


@pytest.mark.parametrize("name", RULES)
def test_gaps_and_silence_flag_nothing(name: str) -> None:
    silent, gap = np.zeros(4 * IN_DAY), np.full(4 * IN_DAY, np.nan)
    gap[: 2 * IN_DAY] = 5.0
    for mentions in (silent, gap):
        score = RULES[name].score(Series(0.0, STEP, mentions))
        assert not (score[3 * IN_DAY :] >= RULES[name].threshold).any()


def test_the_ratio_compares_the_last_hour_with_what_went_before() -> None:
    mentions = np.full(2 * IN_DAY, 4.5)
    mentions[IN_DAY : IN_DAY + 12] = 9.5
    score = RULES["hour_12h"].score(Series(0.0, STEP, mentions))
    assert score[IN_DAY + 11] == pytest.approx(2.0)
    assert score[IN_DAY + 5] == pytest.approx(1.5)


def test_the_same_hour_is_compared_with_itself() -> None:
    hour = np.arange(8 * IN_DAY) * STEP // HOUR % 24
    mentions = np.where(hour == 12, 100.0, 4.0)
    assert same_hour(Series(0.0, STEP, mentions)).max() == pytest.approx(0.0)
    mentions[7 * IN_DAY] = 100.0
    assert same_hour(Series(0.0, STEP, mentions)).argmax() == 7 * IN_DAY


def test_flags_less_than_an_hour_apart_are_one_page() -> None:
    flags = np.zeros(100, dtype=np.bool_)
    flags[[10, 12, 24, 50]] = True
    assert flagged(flags, Series(0.0, STEP, np.ones(100)).times()) == [Page(3000.0, 7200.0), Page(15000.0, 15000.0)]
    assert flagged(np.zeros(3, dtype=np.bool_), np.zeros(3)) == []


def test_at_equal_false_rate_a_rule_keeps_within_the_budget() -> None:
    some = [labelled(burst(days, height=height)) for days, height in ((10, 300.0), (12, 40.0))]
    found = on_labels(some, lambda function, jobs: starmap(function, jobs), list(RULES))
    assert found["peer_gaussian_published_hits"] == 2
    for name in RULES:
        for budget in ("0.1", "0.5", "1", "2"):
            if f"peer_{name}_hits_{budget}" in found:
                assert found[f"peer_{name}_false_a_week_{budget}"] <= float(budget)
    assert found["peer_gaussian_hits_0.1"] == 2


def test_a_higher_threshold_never_flags_more() -> None:
    judged: list[Labelled]
    published, judged = judge_peer("minutes_6h", labelled(burst()), judge_labels)["minutes_6h"]
    assert published.labels == 1
    assert judged[0].false >= judged[-1].false == 0


def test_hours_are_whole_and_gaps_take_their_part_out() -> None:
    mentions = np.full(40, 2.0)
    mentions[20:22] = np.nan
    hours, counts, ends = prophet_peer.hourly(Series(1800.0, STEP, mentions))
    assert hours.tolist() == [0.0, 3600.0, 7200.0]
    assert counts.tolist() == [24.0, 24.0, 24.0]
    assert ends.tolist() == [5, 17, 29]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_prophets_bands_lie_in_order_and_flag_a_burst() -> None:
    score = prophet_peer.scores(burst(10, 9 * IN_DAY))
    burst_hour = 9 * IN_DAY + 11
    assert score["prophet_80"][burst_hour] > score["prophet_95"][burst_hour] > score["prophet_99"][burst_hour] > 1.0
    assert np.isneginf(score["prophet_80"][: 2 * IN_DAY]).all()
    assert np.isfinite(score["prophet_99"]).sum() == 8 * 24
