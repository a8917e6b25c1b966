"""Black box: one angry author with wide reach is an alert in one look, though hardly anybody else speaks."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.acceptance.running import running
from tests.acceptance.scenes import START, quiet
from tests.acceptance.test_whole_way import play

BRANDS = """\
brands:
  - name: acme-air
    query: '"acme air"'
"""
SPOKE = START + timedelta(hours=48, minutes=7)
POST = {
    "id": "guitar",
    "source": "x",
    "url": "https://x.example/dave/1",
    "text": "acme air broke my guitar, the worst airline, they lied to me and nobody cares. Never again!",
    "published_at": SPOKE.isoformat(),
    "author": {"id": "d1", "name": "@dave", "followers": 12_000},
}


@pytest.mark.timeout(180)
def test_one_angry_post_by_somebody_with_12000_followers_is_an_alert_in_one_look(tmp_path: Path) -> None:
    (tmp_path / "foreshock.yaml").write_text(BRANDS)
    arguments = ("--config", str(tmp_path / "foreshock.yaml"), "--replay-clock", START.isoformat())
    with running(tmp_path / "data", *arguments) as service, service.client() as client:
        play(client, quiet(48, 0.3), SPOKE - timedelta(minutes=7), timedelta(hours=4))
        assert client.get("/v1/episodes").json()["items"] == []
        assert 'foreshock_anomaly_score{brand="acme-air",detector="voice"} 0.0' in service.metrics()
        play(client, [POST], SPOKE + timedelta(minutes=1), timedelta(minutes=8))
        (episode,) = client.get("/v1/episodes").json()["items"]
        scored = [line for line in service.metrics().splitlines() if 'detector="voice"' in line]
    assert (episode["detector"], episode["observed"], episode["started_at"][:16]) == (
        "voice",
        12_000.0,
        SPOKE.isoformat()[:16],
    )
    assert episode["reason"].startswith("@dave with 12,000 followers is angry")
    assert episode["evidence"]["voice"]["url"] == POST["url"]
    assert POST["id"] in [mention["id"] for mention in episode["evidence"]["top_mentions"]]
    assert float(scored[0].split()[-1]) >= 50.0
