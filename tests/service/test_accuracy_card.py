"""The card says what the figures say, names the command of each, and says what was not measured."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from service.bench.accuracy import main
from service.bench.card import render

TWEETS = {"labels": 28.0, "brands": 7.0, "weeks": 52.4} | {
    "hits_0.5": 21.0, "hits_0.5_low": 18.2, "hits_0.5_high": 23.9, "false_a_week_0.5": 0.25,
    "peer_gaussian_published_hits": 19.0, "peer_gaussian_published_false_a_week": 3.13,
    "peer_gaussian_hits_0.5": 12.0, "peer_gaussian_false_a_week_0.5": 0.4,
}  # fmt: skip
REPLAYS = {
    "revolts": 3.0, "brands": 3.0, "caught_0.5": 2.0, "caught_0.5_low": 1.0, "caught_0.5_high": 3.0,
    "false_a_week_0.5": 0.5, "cold_6_revolts": 3.0, "cold_6_caught": 1.0, "cold_6_false_a_week": 0.75,
    "cold_336_revolts": 2.0, "cold_336_caught": 2.0,
} | {
    f"{start}{figure}": value
    for start in ("", "peer_gaussian_published_", "cold_6_", "cold_336_")
    for strength, minutes in (("0.5", 360.0), ("2", 45.0), ("8", 10.0))
    for figure, value in {
        f"caught{'_0.5' * (not start)}_x{strength}": float(minutes < 360),
        f"median_minutes{'_0.5' * (not start)}_x{strength}": minutes,
        f"p90_minutes{'_0.5' * (not start)}_x{strength}": minutes,
        f"revolts_x{strength}": 1.0,
    }.items()
} | {"peer_gaussian_published_caught": 2.0, "peer_gaussian_published_false_a_week": 3.6}  # fmt: skip
CALIBRATION = {
    "realised_over_budget_0.5": 0.97,
    "realised_over_budget_0.5_low": 0.9,
    "realised_over_budget_0.5_high": 1.1,
}


def row(part: str, figures: dict[str, float], missing: str = "") -> dict[str, Any]:
    machine = {"cores": 2, "foreshock": "1.0", "python": "3.12.1", "system": "Linux x86_64"}
    run = {"options": [], "seconds": 12.3, "at": "2026-01-02T03:04:05+00:00"}
    return {"part": part, "figures": figures, "missing": missing, **run, **machine}


def test_figures_stand_beside_the_others_with_their_intervals_and_command() -> None:
    page = render([row("tweets", TWEETS), row("replays", REPLAYS), row("calibration", CALIBRATION)])
    assert "| labelled points hit, of 28 | 21 [18 to 24] | 12 |" in page
    assert "| 0.5 | 21 [18 to 24] | 0.25 | 0.50 |" in page
    assert "standard deviations of the past 7 days | 19 (3.13) | 12 (0.40) |" in page
    assert "told that budget beforehand | | 21 (0.25) |" in page
    assert "| of strength 2: caught of 1; median minutes to the page | 1; 45 |" in page
    assert "| 0 / 1 / 1 | missed / 45 / 10 |" in page
    assert "| all brands, grown | – | 0.97 [0.90 to 1.10] | – |" in page
    for part in ("tweets", "replays", "calibration"):
        assert f"    foreshock bench {part}\n" in page
    assert "Foreshock 1.0, Python 3.12.1, Linux x86_64, 2 cores." in page


def test_a_brands_first_days_are_told() -> None:
    page = render([row("replays", REPLAYS)])
    assert "| 6 hours | 1 of 3 | 0 / 1 / 1 | missed / 45 / 10 | 0.75 |" in page
    assert "| 2 weeks | 2 of 2 |" in page


def test_what_was_not_measured_is_said_to_be() -> None:
    page = render([row("tweets", {}, "no truth.json in data"), row("scoring", {"brands": 10000, "tick_seconds": 0.31})])
    assert "Not measured: `foreshock bench tweets` (no truth.json in data)." in page
    assert "| seconds to judge 10,000 brands | 0.31 | |" in page
    assert "Labelled points of real brands" not in page


def test_revolts_stand_beside_the_oracle_by_kind() -> None:
    names = ("of", "caught", "oracle_caught", "delay_minutes_p50", "oracle_delay_minutes_p50", "delay_over_oracle")
    values = dict(zip((f"{name}_doubling_30" for name in names), (12.0, 9.0, 11.0, 45.0, 36.0, 1.25), strict=True))
    page = render([row("injected", values) | {"options": ["--data", "DIR"]}])
    assert "| doubling in 30 minutes | 12 | 9 | 11 | 45 | 36 | 1.25 |" in page
    assert "    foreshock bench injected --data DIR\n" in page


def test_a_table_has_as_many_cells_in_each_line() -> None:
    lines = render([row("tweets", TWEETS), row("replays", REPLAYS), row("calibration", CALIBRATION)]).splitlines()
    for above, below in pairwise(lines):
        if above.startswith("|") and below.startswith("|"):
            assert above.count("|") == below.count("|"), below


def test_the_card_is_rendered_again_from_its_figures(tmp_path: Path) -> None:
    figures, document = tmp_path / "figures.jsonl", tmp_path / "ACCURACY.md"
    figures.write_text("".join(json.dumps(one) + "\n" for one in (row("replays", REPLAYS), row("tweets", TWEETS))))
    assert main(["--render", "--figures", str(figures), "--document", str(document)]) == 0
    page = document.read_text()
    assert page.index("foreshock bench tweets") < page.index("foreshock bench replays")


def test_a_part_that_cannot_run_is_left_out_with_a_sentence(tmp_path: Path) -> None:
    figures, document = tmp_path / "figures.jsonl", tmp_path / "ACCURACY.md"
    where = ["--data", str(tmp_path), "--figures", str(figures), "--document", str(document)]
    assert main(["tweets", *where]) == 1
    assert "Not measured: `foreshock bench tweets --data DIR` (no truth.json in DIR; name" in document.read_text()


def test_an_unknown_part_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["tea leaves"])
    assert left.value.code == 2
    assert "there is no part 'tea leaves'" in capsys.readouterr().err
