"""Real tweets to three airlines, through the whole service on the replay's clock."""

import json
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import KEY, Service, running
from tests.shared_data import shared

HOUR = timedelta(hours=1)
TWEETS = 5146
SECONDS = 240
"""Nine days of minutes are judged one after the other."""
BUDGET = 5
"""False pages a week: in its first week a brand with the default of one in two weeks pages for nothing of this."""


@dataclass(frozen=True)
class Tweet:
    """A line of the file; the texts name nobody (`@user`), so that the airline's column says whom they are about."""

    line: int
    brand: str
    at: datetime
    text: str

    def mention(self) -> str:
        """The tweet as the service takes it."""
        told = {"id": str(self.line), "source": "x", "text": self.text, "brands": [self.brand]}
        return json.dumps({**told, "published_at": self.at.isoformat()})


@pytest.fixture(scope="module")
def tweets() -> list[Tweet]:
    """All tweets as they were written, in the order of time."""
    found = []
    for line, row in enumerate(shared("sentiment/measure/airlines.dev.tsv").read_text().splitlines(), 1):
        _, airline, at, text = row.split("\t")
        time = datetime.strptime(at, "%d-%m-%Y %H.%M").replace(tzinfo=UTC)
        found.append(Tweet(line, airline.lower().replace(" ", "-"), time, text))
    return sorted(found, key=lambda tweet: tweet.at)


@pytest.mark.timeout(300)
def test_the_counts_of_every_hour_and_airline_are_those_of_the_file_and_every_alert_proves_itself(
    tmp_path: Path, tweets: list[Tweet]
) -> None:
    assert len(tweets) == TWEETS
    brands = sorted({tweet.brand for tweet in tweets})
    listed = "".join(f"  - name: {brand}\n    query: '\"{brand}\"'\n    budget: {BUDGET}\n" for brand in brands)
    (tmp_path / "foreshock.yaml").write_text(f"brands:\n{listed}")
    (tmp_path / "tweets.jsonl").write_text("".join(f"{tweet.mention()}\n" for tweet in tweets))
    config = ("--config", str(tmp_path / "foreshock.yaml"), "--replay-clock", tweets[0].at.isoformat())
    with running(tmp_path / "data", *config) as service:
        told = _replay(service, tmp_path / "tweets.jsonl")
        assert told.startswith(f"sent {TWEETS}, accepted {TWEETS}, repeated 0, rejected 0, ")
        with service.client() as client:
            begin, end = tweets[0].at.replace(minute=0), tweets[-1].at.replace(minute=0) + HOUR
            for brand in brands:
                params = {"step": "3600", "start": begin.isoformat(), "end": end.isoformat()}
                buckets = client.get(f"/v1/brands/{brand}/series", params=params).json()["buckets"]
                counted = {datetime.fromisoformat(b["start"]): b["mentions"] for b in buckets if b["mentions"]}
                assert counted == _hours(tweets, brand)
            episodes = client.get("/v1/episodes", params={"limit": 100}).json()
        assert episodes["next"] is None
        assert "Traceback" not in service.output.read_text()
    by_id = {str(tweet.line): tweet for tweet in tweets}
    crises = [episode for episode in episodes["items"] if episode["kind"] == "crisis"]
    for episode in sorted(crises, key=lambda episode: str(episode["opened_at"])):
        print(_told(episode))
        _proves_itself(episode, by_id)
    assert _cover(crises, *_busiest(tweets))


def _replay(service: Service, file: Path) -> str:
    command = [sys.executable, "-m", "service", "replay", str(file), "--speed", "max", "--url", service.url]
    done = subprocess.run([*command, "--key", KEY], capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 0, done.stderr + service.output.read_text()
    print(done.stdout)
    return done.stdout


def _hours(tweets: list[Tweet], brand: str) -> dict[datetime, int]:
    return Counter(tweet.at.replace(minute=0) for tweet in tweets if tweet.brand == brand)


def _busiest(tweets: list[Tweet]) -> tuple[str, datetime]:
    """Airline and hour of the most tweets: a slogan of 23 February that many made fun of."""
    return Counter((tweet.brand, tweet.at.replace(minute=0)) for tweet in tweets).most_common(1)[0][0]


def _cover(crises: list[dict[str, Any]], brand: str, hour: datetime) -> bool:
    """Whether an alert of the brand was open in that hour."""
    spans = [(e["opened_at"], e["closed_at"] or e["updated_at"]) for e in crises if e["brand"] == brand]
    return any(datetime.fromisoformat(a) < hour + HOUR and datetime.fromisoformat(b) > hour for a, b in spans)


def _proves_itself(episode: dict[str, Any], by_id: dict[str, Tweet]) -> None:
    """What was seen is more than normal, and what is shown of it is the brand's own and no later than the alert."""
    assert episode["observed"] > episode["high"] >= episode["expected"], episode
    assert 0 < episode["p_value"] < 0.05
    assert episode["started_at"] <= episode["opened_at"]
    assert episode["reason"]
    assert episode["completeness"]["x"]["ratio"] == 1.0
    first = episode["evidence"]["first_mentions"]
    assert first
    for mention in first:
        tweet = by_id[mention["id"]]
        assert (tweet.brand, tweet.text) == (episode["brand"], mention["text"])
        assert mention["published_at"] <= episode["opened_at"]


def _told(episode: dict[str, Any]) -> str:
    growth, evidence = episode["growth"] or {}, episode["evidence"]
    facts = {name: episode[name] for name in ("brand", "kind", "started_at", "opened_at", "closed_at", "severity")}
    facts |= {name: episode[name] for name in ("detector", "score", "observed", "expected", "high", "reason")}
    facts |= {"doubling_minutes": growth.get("doubling_minutes"), "log": [entry["type"] for entry in episode["log"]]}
    facts |= {"terms": [term["term"] for term in evidence["top_terms"]], "first": evidence["first_mentions"][:1]}
    return json.dumps(facts, ensure_ascii=False)
