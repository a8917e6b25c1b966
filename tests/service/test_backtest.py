import json
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.series import Series
from service.backtest import Closed, Opened, backtest, run
from tests.shared_data import shared

START = datetime(2024, 3, 4, 0, 2, 53, tzinfo=UTC)
DAY = 288
HEADER = "timestamp,mentions,negative,scored,authors"


def columns(days: int, seed: int = 0) -> np.ndarray:
    """Mentions, negative, scored and authors of quiet days with a rhythm, shape (rows, 4)."""
    rng = np.random.default_rng(seed)
    t = np.arange(days * DAY)
    mentions = rng.negative_binomial(6.0, 6.0 / (6.0 + 9.0 * (1.2 - np.cos(2 * np.pi * t / DAY))))
    scored = rng.binomial(mentions, 0.8)
    return np.column_stack((mentions, rng.binomial(scored, 0.12), scored, rng.binomial(mentions, 0.97)))


def with_revolt(days: int, onset: int, doubling: float = 4.0) -> np.ndarray:
    """The same with a revolt from row `onset`: it doubles every `doubling` rows from one post, for two hours."""
    out = columns(days)
    t = np.arange(len(out)) - onset
    rise = np.where(t < 0, 0.0, np.minimum(2.0 ** (t / doubling), 64.0 * 2.0 ** (-(t - 24) / 24.0))).astype(int)
    return out + np.column_stack((rise, (0.7 * rise).astype(int), (0.9 * rise).astype(int), (0.95 * rise).astype(int)))


def write(path: Path, rows: np.ndarray, step: float = 300.0, header: str = HEADER) -> Path:
    lines = [header]
    for i, row in enumerate(rows.tolist()):
        at = START + timedelta(seconds=step * i)
        lines.append(",".join([at.isoformat(), *("" if v != v else f"{v:g}" for v in row)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def called(path: Path, **given: Any) -> Namespace:
    return Namespace(
        **{"file": path, "budget": 0.5, "campaigns": None, "forecaster": "robust", "format": "json"} | given
    )


def printed(capsys: pytest.CaptureFixture[str], path: Path, **given: Any) -> list[dict[str, Any]]:
    assert run(called(path, **given)) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_revolt_is_one_episode_within_the_hour_and_closes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    *found, summary = printed(capsys, write(tmp_path / "a.csv", with_revolt(12, 10 * DAY)))
    episodes = [record for record in found if record["kind"] == "episode"]
    assert len(episodes) == 1
    episode = episodes[0]
    opened = datetime.fromisoformat(episode["opened_at"])
    onset = START + timedelta(days=10)
    assert onset <= opened <= onset + timedelta(minutes=90)
    assert datetime.fromisoformat(episode["closed_at"]) > opened
    assert episode["detector"] == "revolt"
    assert episode["low"] <= episode["expected"] <= episode["high"] < episode["observed"]
    assert set(episode) == {
        "kind", "detector", "opened_at", "closed_at", "score", "observed", "expected", "low", "high",
    }  # fmt: skip
    assert summary["kind"] == "summary"
    assert (summary["rows"], summary["gaps"], summary["episodes"]) == (12 * DAY, 0, 1)
    assert summary["weeks"] == pytest.approx(12 / 7, abs=0.01)


def test_an_escalation_names_its_episode_and_rises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = printed(capsys, write(tmp_path / "a.csv", with_revolt(12, 10 * DAY)))
    episode = next(record for record in found if record["kind"] == "episode")
    worse = [record for record in found if record["kind"] == "escalation"]
    assert worse
    assert all(record["opened_at"] == episode["opened_at"] < record["at"] for record in worse)
    assert [record["score"] for record in worse] == sorted(record["score"] for record in worse)


def test_quiet_weeks_open_about_as_many_as_the_budget_allows() -> None:
    pages = sum(
        isinstance(happening, Opened)
        for seed in range(4)
        for happening in backtest(Series(0.0, 300.0, *columns(21, seed).T.astype(float)), budget=0.5)
    )
    assert pages <= 12


def test_volume_alone_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = with_revolt(12, 10 * DAY)[:, :1]
    found = printed(capsys, write(tmp_path / "a.csv", rows, header="timestamp,mentions"))
    assert [record["detector"] for record in found if record["kind"] == "episode"] == ["volume"]


@settings(max_examples=15, deadline=None)
@given(st.integers(7 * DAY, 8 * DAY), st.integers(0, 2**31))
def test_what_is_found_in_a_row_depends_on_no_later_row(cut: int, seed: int) -> None:
    rows = with_revolt(8, 7 * DAY).astype(float)
    other = rows.copy()
    other[cut:] = np.random.default_rng(seed).integers(0, 500, other[cut:].shape)
    first, second = ([h for h in backtest(Series(0.0, 300.0, *r.T.copy())) if h.row < cut] for r in (rows, other))
    assert first == second


def test_the_input_is_not_changed() -> None:
    rows = with_revolt(4, 3 * DAY).astype(float)
    kept = rows.copy()
    list(backtest(Series(0.0, 300.0, *rows.T)))
    assert np.array_equal(rows, kept)


def test_a_gap_neither_opens_nor_closes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = with_revolt(12, 10 * DAY).astype(float)
    rows[10 * DAY + 30 : 10 * DAY + 200] = np.nan
    rows[100:150] = np.nan
    found = printed(capsys, write(tmp_path / "a.csv", rows))
    episodes = [record for record in found if record["kind"] == "episode"]
    assert len(episodes) == 1
    assert datetime.fromisoformat(episodes[0]["closed_at"]) >= START + timedelta(minutes=5 * (10 * DAY + 200))
    assert found[-1]["gaps"] == 220


def test_a_missing_row_is_the_same_as_an_empty_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.csv", with_revolt(12, 10 * DAY))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:500] + lines[520:]) + "\n")
    summary = printed(capsys, path)[-1]
    assert (summary["rows"], summary["gaps"]) == (12 * DAY - 20, 20)


def test_a_new_level_is_accepted_after_it_has_lasted() -> None:
    mentions = columns(30)[:, 0].astype(float)
    mentions[14 * DAY :] = 4.0 * mentions[14 * DAY :] + 10.0
    happenings = list(backtest(Series(0.0, 300.0, mentions)))
    opened = [h.row for h in happenings if isinstance(h, Opened) and h.row >= 14 * DAY]
    assert opened[0] < 14 * DAY + 12
    assert isinstance(happenings[-1], Closed)
    assert 16 * DAY <= happenings[-1].row <= 26 * DAY
    assert len(opened) <= 4


def test_a_planned_event_opens_nothing_and_anger_in_it_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = columns(12)
    event = slice(10 * DAY, 10 * DAY + 36)
    rng = np.random.default_rng(6)
    mentions = rng.poisson(100.0, 36)
    scored = rng.binomial(mentions, 0.8)
    rows[event] = np.column_stack((mentions, rng.binomial(scored, 0.12), scored, rng.binomial(mentions, 0.97)))
    calendar = tmp_path / "plan.ics"
    calendar.write_text(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//t//t//EN\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20240101T000000Z\r\n"
        "SUMMARY:Launch\r\nDTSTART:20240314T000000Z\r\nDTEND:20240314T060000Z\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    plain = printed(capsys, write(tmp_path / "a.csv", rows))
    planned = printed(capsys, tmp_path / "a.csv", campaigns=calendar)
    rows[event.start + 12 : event.stop, 1] = rows[event.start + 12 : event.stop, 2]
    angry = printed(capsys, write(tmp_path / "b.csv", rows), campaigns=calendar)
    assert [found[-1]["episodes"] for found in (plain, planned, angry)] == [1, 0, 1]
    assert angry[0]["detector"] == "revolt"


@pytest.mark.parametrize("step", [60.0, 900.0, 3600.0, 21600.0, 86400.0])
def test_every_step_from_a_minute_to_a_day_is_judged(
    step: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = np.random.default_rng(1).poisson(30.0, (900, 1))
    rows[800:803] = 900
    found = printed(capsys, write(tmp_path / "a.csv", rows, step, "timestamp,mentions"))
    at = START + timedelta(seconds=800 * step)
    assert any(r["kind"] == "episode" and r["opened_at"] == at.isoformat() for r in found)


@pytest.mark.parametrize("rows", [[], [[5.0]], [[0.0]] * 400, [[7.0]] * 400, [[1e9]] * 400, [[np.nan]] * 400])
def test_degenerate_series_open_nothing(
    rows: list[list[float]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = printed(capsys, write(tmp_path / "a.csv", np.array(rows), header="timestamp,mentions"))
    assert [record["kind"] for record in found] == ["summary"]
    assert found[0]["rows"] == len(rows)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "row 1"),
        ("time,mentions\n", "row 1"),
        ("timestamp,mentions,likes\n", "row 1, column 3: 'likes'"),
        ("timestamp,mentions,negative,negative\n", "row 1, column 4: 'negative'"),
        ("timestamp,mentions\nyesterday,3\n", "row 2, timestamp: 'yesterday'"),
        ("timestamp,mentions\n2024-01-01T00:00:00Z,3\n2024-01-01T00:00:00Z,3\n", "row 3, timestamp"),
        ("timestamp,mentions\n2024-01-01T00:00:00Z,3,4\n", "row 2: 3 cells; the header has 2"),
        ("timestamp,mentions\n2024-01-01T00:00:00Z,inf\n", "row 2, mentions: 'inf'"),
        ("timestamp,mentions\n2024-01-01T00:00:00Z,nan\n", "row 2, mentions: 'nan'"),
        ("timestamp,mentions\n2024-01-01T00:00:00Z,-1\n", "row 2, mentions: '-1'"),
        ("timestamp,mentions,negative\n2024-01-01T00:00:00Z,3,few\n", "row 2, negative: 'few'"),
        ("timestamp,mentions\n2024-01-01T00:00:00Z,3\n2024-01-01T00:00:30Z,3\n", "30 seconds apart"),
        ("timestamp,mentions\n2024-01-01T00:00:00Z,3\n2024-01-09T00:00:00Z,3\n", "691200 seconds apart"),
        (
            "timestamp,mentions\n" + "".join(f"2024-01-01T00:{m}:00Z,3\n" for m in ("00", "05", "10", "17", "20")),
            "row 5, timestamp: off the grid of 300 s",
        ),
    ],
)
def test_a_wrong_file_is_one_line_that_names_file_row_and_column(
    text: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    assert run(called(path)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert str(path) in err
    assert said in err


@pytest.mark.parametrize("given", [{"budget": 0.0}, {"budget": float("nan")}, {"forecaster": "crystal ball"}])
def test_a_wrong_option_is_one_line(given: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(called(write(tmp_path / "a.csv", columns(1)), **given)) == 2
    assert capsys.readouterr().err.startswith(f"foreshock backtest: --{next(iter(given))}")


def test_no_file_and_no_calendar_are_one_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nonsense = tmp_path / "plan.ics"
    nonsense.write_text("no calendar")
    assert run(called(tmp_path / "none.csv")) == 2
    assert run(called(write(tmp_path / "a.csv", columns(1)), campaigns=nonsense)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert "none.csv" in lines[0]
    assert "plan.ics" in lines[1]


def test_the_table_shows_people_when_how_long_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(called(write(tmp_path / "a.csv", with_revolt(12, 10 * DAY)), format="table")) == 0
    out = capsys.readouterr().out
    assert "revolt" in out
    assert "1 episode in 1.7 weeks" in out


@pytest.mark.parametrize("strength", ["2", "8"])
def test_measured_revolts_on_measured_brands_are_caught_within_six_hours(strength: str) -> None:
    truths = json.loads(shared("series/truth.json").read_text())["replays"]
    from service import recording

    caught = []
    for name in sorted(n for n in truths if n.endswith(f"-x{strength}"))[::4]:
        series, _, _ = recording.read(shared(f"series/replays/{name}.csv"))
        onset = (datetime.fromisoformat(truths[name]["onset"]).timestamp() - series.start) / series.step
        caught.append(any(isinstance(h, Opened) and onset <= h.row <= onset + 72 for h in backtest(series)))
    assert sum(caught) >= len(caught) - 1
