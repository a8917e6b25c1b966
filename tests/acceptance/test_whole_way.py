"""Black box: real processes, posts over HTTP, and the episode arrives everywhere it should."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.acceptance.listener import listening
from tests.acceptance.receiver import SECRET, receiver
from tests.acceptance.running import Service, running, total
from tests.acceptance.scenes import START, lines, quiet, revolt
from tests.until import until

BRANDS = f"""\
brands:
  - name: acme-air
    query: '"acme air"'
webhooks:
  - name: pager
    url: http://127.0.0.1:PORT/hook
    secret: {SECRET}
"""
ONSET = START + timedelta(hours=36)


def play(client: httpx.Client, mentions: list[dict[str, Any]], until_: datetime, step: timedelta) -> None:
    """Post what happens up to an instant on the replay's clock, a step at a time."""
    now = datetime.fromisoformat(client.get("/v1/clock").json()["now"])
    waiting = sorted(mentions, key=lambda m: m["published_at"])
    while now < until_:
        now += step
        due = [m for m in waiting if datetime.fromisoformat(m["published_at"]) < now]
        waiting = waiting[len(due) :]
        client.post("/v1/clock", json={"now": now.isoformat()}).raise_for_status()
        if due:
            answer = client.post("/v1/mentions", content=lines(due), headers={"content-type": "application/x-ndjson"})
            assert answer.json()["accepted"] == len(due), answer.text
    client.post("/v1/clock", json={"now": now.isoformat()}).raise_for_status()


def configured(folder: Path, port: int) -> str:
    path = folder / "foreshock.yaml"
    path.write_text(BRANDS.replace("PORT", str(port)))
    return str(path)


@pytest.mark.timeout(300)
def test_a_revolt_is_one_episode_over_rest_events_webhook_and_metrics(tmp_path: Path) -> None:
    with receiver() as hook:
        arguments = ("--config", configured(tmp_path, hook.port), "--replay-clock", START.isoformat())
        with (
            running(tmp_path / "data", *arguments, FORESHOCK_ALLOW_HOSTS=hook.allowed) as service,
            service.client() as client,
            listening(client) as heard,
        ):
            calm, storm = quiet(40, 1.0), revolt(ONSET, 90, 15)
            play(client, [m for m in calm if m["published_at"] < ONSET.isoformat()], ONSET, timedelta(hours=1))
            assert client.get("/v1/episodes").json() == {"items": [], "next": None}
            assert 'foreshock_episode_severity{brand="acme-air"} 0.0' in service.metrics()

            hook.failing = 1
            rest = [m for m in calm if m["published_at"] >= ONSET.isoformat()] + storm
            end = ONSET + timedelta(minutes=90)
            play(client, [m for m in rest if m["published_at"] < end.isoformat()], end, timedelta(minutes=5))

            (episode,) = client.get("/v1/episodes").json()["items"]
            assert_proven(episode)
            assert total(client, "acme-air", start=START.isoformat(), end=end.isoformat()) == len(
                [m for m in calm + storm if m["published_at"] < end.isoformat()]
            )
            assert client.get(f"/v1/episodes/{episode['id']}").json() == episode

            until(lambda: "episode.opened" in heard.types(), what="the event")
            opened = next(data for _, kind, data in heard.told if kind == "episode.opened")
            assert opened["episode"]["id"] == episode["id"]

            until(lambda: hook.events("episode.opened"), 60, "the webhook")
            assert not hook.events("unverified")
            assert hook.refused == 1
            (paged,) = hook.events("episode.opened")
            assert paged["id"] == opened["id"]
            assert paged["episode"]["id"] == episode["id"]

            severity = float(service.metrics().split('foreshock_episode_severity{brand="acme-air"} ')[1].split()[0])
            assert severity == episode["severity"] >= 1

            acknowledged = client.post(f"/v1/episodes/{episode['id']}/acknowledge", json={"by": "ann", "note": "on it"})
            assert acknowledged.json()["state"] == "acknowledged"
            until(lambda: "episode.acknowledged" in heard.types(), what="the acknowledgement's event")
            again = heard.told[0][0]
        replayed_events(service, again)


def replayed_events(service: Service, after: str) -> None:
    """What was told is found again after a restart, from where a listener was."""
    service.start()
    try:
        with service.client() as client, listening(client, after="0-0") as heard:
            until(lambda: "episode.acknowledged" in heard.types(), what="the events of before")
            identities = [data["id"] for _, _, data in heard.told]
            assert len(identities) == len(set(identities))
            assert after in [identity for identity, _, _ in heard.told]
    finally:
        assert service.stop() == 0


def assert_proven(episode: dict[str, Any]) -> None:
    """An alert carries its proof."""
    opened = datetime.fromisoformat(episode["opened_at"])
    assert timedelta() <= opened - ONSET <= timedelta(minutes=60)
    assert episode["kind"] == "crisis"
    assert episode["detector"] in {"revolt", "volume"}
    assert episode["observed"] > episode["high"] > episode["expected"] > episode["low"] >= 0
    assert 0 <= episode["p_value"] < 0.001
    assert episode["score"] >= 50
    assert episode["budget"] == 0.5
    assert episode["growth"]["doubling_minutes"] > 0
    assert set(episode["growth"]["ahead"]) == {"1", "3", "6"}
    assert episode["completeness"]["x"]["ratio"] == 1.0
    evidence = episode["evidence"]
    assert any(term["term"] == "guitar" for term in evidence["top_terms"])
    assert "guitar" in evidence["first_mentions"][0]["text"]
    first = datetime.fromisoformat(evidence["first_mentions"][0]["published_at"])
    assert first <= opened
    assert episode["log"][0]["type"] == "episode.opened"
    assert "foreshock backtest" in episode["replay_command"]


@pytest.mark.timeout(300)
def test_what_the_replay_command_fetches_is_what_backtest_reads(tmp_path: Path) -> None:
    import subprocess
    import sys

    with receiver() as hook:
        arguments = ("--config", configured(tmp_path, hook.port), "--replay-clock", START.isoformat())
        with running(tmp_path / "data", *arguments) as service, service.client() as client:
            play(client, quiet(12, 1.0), START + timedelta(hours=12), timedelta(hours=2))
            text = client.get("/v1/brands/acme-air/series.csv").text
    (tmp_path / "acme.csv").write_text(text)
    command = [sys.executable, "-m", "service", "backtest", str(tmp_path / "acme.csv"), "--format", "json"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    summary = json.loads(found[-1])
    assert summary["kind"] == "summary"
    assert summary["rows"] == len(text.splitlines()) - 1 >= 143
