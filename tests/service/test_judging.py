"""What is a hit, a catch and a false page; that totals and intervals add up; that a folder of series is measured."""

import json
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from detectors.series import Series
from service.backtest import Closed, Escalated, Opened, backtest
from service.bench import BenchError, replays, tweets
from service.bench.judging import (
    DAY,
    HOUR,
    MINUTE,
    WEEK,
    Labelled,
    Page,
    Replayed,
    interval,
    judge_labels,
    judge_replay,
    label_figures,
    pages,
    replay_figures,
)
from service.bench.recorded import Recorded, folder, load
from tests.service.test_backtest import HEADER, columns, with_revolt, write

ROWS, STEP = 4032, 300.0
LABEL, ONSET = 10 * DAY, 9 * DAY


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def recorded(**truth: object) -> Recorded:
    series = Series(0.0, STEP, np.ones(ROWS))
    return Recorded("storm-on-Northvane-x2", "Northvane", series, series.times(), dict(truth))


LABELLED = recorded(labels=[iso(LABEL)], judged_from=iso(2 * DAY))
REVOLT = recorded(onset=iso(ONSET), strength=2.0)


@pytest.mark.parametrize(
    ("at", "until", "hits", "false"),
    [
        (-60 * MINUTE, 0.0, 1, 0),
        (-60 * MINUTE, -15 * MINUTE, 1, 0),
        (-60 * MINUTE, -16 * MINUTE, 0, 0),
        (-60 * MINUTE, None, 1, 0),
        (15 * MINUTE, 15 * MINUTE, 1, 0),
        (16 * MINUTE, None, 0, 0),
        (60 * MINUTE, None, 0, 0),
        (61 * MINUTE, None, 0, 1),
        (-61 * MINUTE, None, 0, 1),
    ],
)
def test_a_label_is_hit_by_what_opens_shortly_before_and_lasts(
    at: float, until: float | None, hits: int, false: int
) -> None:
    found = judge_labels(LABELLED, [Page(LABEL + at, None if until is None else LABEL + until)])
    assert (found.hits, found.labels, found.false) == (hits, 1, false)


def test_what_opens_in_the_warm_up_is_not_judged() -> None:
    early = judge_labels(LABELLED, [Page(2 * DAY - STEP, None), Page(2 * DAY, 2 * DAY)])
    assert early.false == 1
    assert early.weeks == pytest.approx((ROWS * STEP - STEP - 2 * DAY) / WEEK)


@pytest.mark.parametrize(
    ("at", "delay", "false"),
    [
        (0.0, 5.0, 0),
        (25 * MINUTE, 30.0, 0),
        (6 * HOUR, 365.0, 0),
        (6 * HOUR + STEP, None, 0),
        (-STEP, None, 1),
        (3 * DAY - ONSET, None, 1),
        (3 * DAY - ONSET - STEP, None, 0),
    ],
)
def test_a_revolt_is_caught_within_six_hours_and_its_delay_counts_to_the_end_of_the_bucket(
    at: float, delay: float | None, false: int
) -> None:
    found = judge_replay(REVOLT, [Page(ONSET + at, None)])
    assert (found.delay, found.false) == (delay, false)
    assert found.weeks == pytest.approx(6 / 7)


def test_escalations_are_pages_of_their_own_and_an_open_episode_has_no_end() -> None:
    series = Series(0.0, STEP, *with_revolt(12, 10 * 288).T.astype(float))
    one = Recorded("a", "a", series, series.times() + 0.5, {})
    happenings = list(backtest(series))
    assert any(isinstance(happening, Escalated) for happening in happenings)
    opened = [happening for happening in happenings if isinstance(happening, Opened)]
    found = pages([happening for happening in happenings if happening.row <= opened[-1].row + 20], one)
    escalated = [h for h in happenings if isinstance(h, Escalated) and h.row <= opened[-1].row + 20]
    assert len(found) == len(opened) + len(escalated)
    assert [page.at for page in found] == sorted(page.at for page in found)
    assert Page(series.times()[opened[-1].row] + 0.5, None) in found
    closed = [happening for happening in happenings if isinstance(happening, Closed)]
    assert Page(series.times()[opened[-1].row] + 0.5, series.times()[closed[-1].row] + 0.5) in pages(happenings, one)


def test_totals_are_sums_over_series_and_intervals_hold_them() -> None:
    judged = [Labelled("a", 1, 4, 3, 2.0), Labelled("b", 3, 4, 1, 2.0), Labelled("c", 2, 4, 0, 4.0)]
    found = label_figures(judged, "_0.5")
    assert found["hits_0.5"] == 6
    assert found["false_a_week_0.5"] == 0.5
    assert 3 <= found["hits_0.5_low"] < 6 < found["hits_0.5_high"] <= 9
    assert found["false_a_week_0.5_low"] < 0.5 < found["false_a_week_0.5_high"]


def test_delays_are_told_by_strength_and_a_missed_revolt_counts_as_six_hours() -> None:
    judged = [Replayed("a", 0.5, None, 1, 1.0), *(Replayed("b", 8.0, float(d), 0, 1.0) for d in (5, 10, 40))]
    found = replay_figures(judged, "_1")
    assert (found["caught_1"], found["caught_1_x0.5"], found["caught_1_x8"]) == (3, 0, 3)
    assert (found["median_minutes_1_x0.5"], found["median_minutes_1_x8"], found["p90_minutes_1_x8"]) == (360, 10, 10)
    assert found["false_a_week_1"] == 0.25


def test_series_of_one_brand_are_drawn_together() -> None:
    apart = interval([str(n) for n in range(40)], [0, 1] * 20, [1] * 40)
    together = interval(["a"] * 20 + ["b"] * 20, [0] * 20 + [1] * 20, [1] * 40)
    assert together == (0.0, 1.0)
    assert 0.3 < apart[0] < 0.5 < apart[1] < 0.7


@pytest.fixture
def series(tmp_path: Path) -> Path:
    """A folder of one brand with a burst at a label, and one with a revolt, day 10 each."""
    for kind in ("tweets", "replays"):
        (tmp_path / kind).mkdir()
    revolt = with_revolt(11, 10 * 288)
    write(tmp_path / "tweets" / "Northvane.csv", revolt[:, :1], header="timestamp,mentions")
    write(tmp_path / "tweets" / "Quiet.csv", columns(11, 3)[:, :1], header="timestamp,mentions")
    write(tmp_path / "replays" / "storm-on-Northvane-x8.csv", revolt, header=HEADER)
    onset = "2024-03-14T00:02:53Z"
    truth = {"labels": ["2024-03-14T01:32:53Z"], "judged_from": "2024-03-07T00:00:00Z"}
    truths = {
        "tweets": {"Northvane": truth, "Quiet": truth | {"labels": []}},
        "replays": {"storm-on-Northvane-x8": {"onset": onset, "strength": 8.0}},
    }
    (tmp_path / "truth.json").write_text(json.dumps(truths))
    return tmp_path


def test_a_folder_of_series_is_measured(series: Path) -> None:
    arguments = Namespace(data=series, short=True)
    labels = tweets.measure(arguments)
    assert (labels["labels"], labels["brands"], labels["hits_0.5"]) == (1, 2, 1)
    revolts = replays.measure(arguments)
    assert (revolts["revolts"], revolts["caught_0.5"], revolts["caught_0.5_x8"]) == (1, 1, 1)
    assert 0 < revolts["median_minutes_0.5_x8"] <= 90


def test_a_series_keeps_the_times_that_were_written(series: Path) -> None:
    one = load(series, "replays")[0]
    assert one.brand == "Northvane"
    assert iso(one.times[1]) == "2024-03-04T00:07:53+00:00"
    assert one.rows(1, 3).times.tolist() == one.times[1:3].tolist()
    assert one.volume().series.negative is None


def test_no_series_and_a_broken_one_are_one_sentence_each(series: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no truth\.json in .*; name the folder"):
        folder(Namespace(data=tmp_path / "none"))
    (series / "tweets" / "Quiet.csv").write_text("timestamp,mentions\nnow,3\n")
    with pytest.raises(BenchError, match="row 2, timestamp"):
        load(series, "tweets")
