import socket
from argparse import Namespace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from collectors.simulate import recording
from service import demo
from service.demo import Verdict, judge
from service.demo_alert import WIDTH, alert_text, event_line

TRUTH = recording(1, datetime(2025, 9, 8, 13, tzinfo=UTC), days=4).truth
ONSET = TRUTH.revolt.start


def _episode(opened: datetime, *escalated: datetime, kind: str = "crisis") -> dict[str, Any]:
    log = [{"at": opened.isoformat(), "type": "episode.opened", "by": "foreshock"}]
    log += [{"at": at.isoformat(), "type": "episode.escalated", "by": "foreshock"} for at in escalated]
    return {"kind": kind, "opened_at": opened.isoformat(), "log": log}


def _after(minutes: float) -> datetime:
    return ONSET + timedelta(minutes=minutes)


def test_the_delay_runs_from_the_first_post_to_the_first_alert_after_it() -> None:
    assert judge(TRUTH, [_episode(_after(40)), _episode(_after(9.5))]) == Verdict(9.5, 0)


def test_alerts_before_the_revolt_are_false_and_their_escalations_too_but_not_those_within_it() -> None:
    early = _episode(_after(-600), _after(-590), _after(-580), _after(30))
    assert judge(TRUTH, [early, _episode(_after(12), _after(20))]) == Verdict(12, 3)


def test_an_episode_that_was_open_before_the_revolt_is_no_alert_of_it() -> None:
    assert judge(TRUTH, [_episode(_after(-5), _after(15))]) == Verdict(None, 1)


def test_only_crises_count_as_alerts() -> None:
    assert judge(TRUTH, [_episode(_after(-600), kind="blind"), _episode(_after(5), kind="opportunity")]) == Verdict(
        None, 0
    )


def _event() -> dict[str, Any]:
    mention = {
        "id": "1",
        "source": "x",
        "url": "https://example.com/1",
        "text": "This is\nawful " + "very " * 60,
        "published_at": "2025-09-18T10:00:00Z",
        "author": {"id": "a", "name": "sim-passenger", "followers": 310},
        "negative": 0.9,
    }
    episode = {
        "id": "ep_1", "kind": "crisis", "brand": "northvane-air", "severity": 2, "detector": "revolt", "score": 71.4,
        "opened_at": "2025-09-18T10:09:00Z", "started_at": "2025-09-18T10:00:00Z", "observed": 14.0, "expected": 2.5,
        "low": 0.0, "high": 7.0, "p_value": 3.2e-7, "window_seconds": 600, "method": "robust, negative binomial",
        "reason": "14 negative mentions in 10 minutes, 2.5 expected",
        "growth": {"doubling_minutes": 21.3, "low": 15.0, "high": 33.0, "ahead": {"1": 300.0, "3": None}},
        "evidence": {
            "first_mentions": [mention] * 5,
            "top_terms": [{"term": "tarmac", "count": 12, "expected": 0.1}],
            "top_authors": [{"id": "a", "name": "sim-passenger", "followers": 310, "mentions": 1}],
            "sources": {"x": 10, "reddit": 4},
        },
        "completeness": {"x": {"ratio": 1.0}, "feed": {"ratio": 0.42}},
        "replay_command": "foreshock backtest episode.csv",
    }  # fmt: skip
    return {"id": "evt_1", "type": "episode.opened", "at": "2025-09-18T10:09:00Z", "episode": episode}


def test_an_alerts_text_carries_its_proof_in_at_most_fifteen_lines_of_a_terminals_width() -> None:
    lines = alert_text(_event()).splitlines()
    assert len(lines) <= 15
    assert max(map(len, lines)) <= WIDTH
    text = "\n".join(lines)
    for proof in (
        "CRISIS OPENED · northvane-air · severity 2 · score 71",
        "Thu 18 Sep 10:00, opened Thu 18 Sep 10:09",
        "14 in 10 minutes; expected 2.5, normal is 0 to 7, p = 3e-07",
        "revolt: robust, negative binomial",
        "doubles in 21 minutes (15 to 33); 300 an hour in 1 h",
        "Thu 18 Sep 10:00 x: This is awful very",
        "tarmac 12",
        "sim-passenger (310 followers)",
        "x 10, reddit 4",
        "x 100 %, feed 42 %",
        "foreshock backtest episode.csv",
    ):
        assert proof in text


def test_an_alert_without_growth_evidence_or_p_value_leaves_those_lines_out() -> None:
    event = _event()
    event["episode"] |= {"growth": None, "evidence": {}, "completeness": {}, "p_value": None}
    text = alert_text(event)
    assert "doubles" not in text
    assert "p =" not in text
    assert len(text.splitlines()) == 6


def test_an_escalation_is_one_line() -> None:
    event = _event() | {"type": "episode.escalated"}
    assert event_line(event) == (
        "CRISIS ESCALATED · Thu 18 Sep 10:09 · northvane-air · severity 2 · 14 counted, 2.5 expected"
    )


def test_a_port_in_use_ends_the_demo_with_a_sentence_and_2(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert demo.run(Namespace(port=port, seed=1, stay=False)) == 2
    said = capsys.readouterr()
    assert said.err == f"foreshock demo: port {port} can't be used (Address already in use); choose another by --port\n"
    assert "simulated" in said.out.splitlines()[0]
