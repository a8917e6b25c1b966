"""`foreshock replay` into the real service, on either clock."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from collectors.simulate import Recording, recording
from collectors.simulated_text import BRAND, QUERY
from tests.acceptance.running import KEY, Service, running, total
from tests.until import until

START = datetime(2025, 9, 8, 13, 0, tzinfo=UTC)
HOURS = 8


@pytest.fixture(scope="module")
def evening() -> Recording:
    """The first hours of a recording."""
    whole = recording(seed=1, start=START, days=4)
    end = START + timedelta(hours=HOURS)
    return Recording([mention for mention in whole.mentions if mention.published_at < end], whole.truth)


@pytest.fixture
def folder(tmp_path: Path, evening: Recording) -> Path:
    """A folder with the recording and the brand's file."""
    (tmp_path / "foreshock.yaml").write_text(f"brands:\n  - name: {BRAND}\n    query: '{QUERY}'\n")
    with (tmp_path / "recording.jsonl").open("w") as file:
        file.writelines(evening.lines())
    return tmp_path


def _replay(service: Service, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", "replay", str(folder / "recording.jsonl"), "--url", service.url]
    return subprocess.run([*command, "--key", KEY, *more], capture_output=True, text=True, check=False, timeout=90)


@pytest.fixture
def on_the_replays_clock(folder: Path) -> Iterator[Service]:
    """A service whose clock stands where the recording starts."""
    config = ("--config", str(folder / "foreshock.yaml"), "--replay-clock", START.isoformat())
    with running(folder / "data", *config) as service:
        yield service


def _hours(mentions: Recording) -> list[int]:
    counts = [0] * HOURS
    for mention in mentions.mentions:
        counts[int((mention.published_at - START) / timedelta(hours=1))] += 1
    return counts


def test_on_the_replays_clock_every_hour_is_counted_as_recorded_and_the_clock_ends_past_the_last_mention(
    on_the_replays_clock: Service, folder: Path, evening: Recording
) -> None:
    told = _replay(on_the_replays_clock, folder, "--speed", "max")
    assert told.returncode == 0, told.stderr
    sent = len(evening.mentions)
    assert told.stdout.startswith(f"sent {sent}, accepted {sent}, repeated 0, rejected 0, ")
    with on_the_replays_clock.client() as client:
        span = {"start": START.isoformat(), "end": (START + timedelta(hours=HOURS)).isoformat(), "step": "3600"}
        buckets = client.get(f"/v1/brands/{BRAND}/series", params=span).json()["buckets"]
        assert [bucket["mentions"] for bucket in buckets] == _hours(evening)
        now = datetime.fromisoformat(client.get("/v1/clock").json()["now"])
        assert now > evening.mentions[-1].published_at
    again = _replay(on_the_replays_clock, folder, "--speed", "max")
    assert again.returncode == 2
    assert "the service's clock stands at" in again.stderr
    assert "start it with --replay-clock 2025-09-08T13:00:00+00:00" in again.stderr


def _all(client: httpx.Client) -> int:
    now = datetime.now(UTC)
    return total(client, BRAND, start=(now - timedelta(days=1)).isoformat(), end=now.isoformat())


def test_on_the_systems_clock_the_recording_ends_now_and_none_of_it_is_lost(folder: Path, evening: Recording) -> None:
    with running(folder / "data", "--config", str(folder / "foreshock.yaml")) as service, service.client() as client:
        told = _replay(service, folder, "--batch", "100")
        assert told.returncode == 0, told.stderr
        sent = len(evening.mentions)
        assert told.stdout.startswith(f"sent {sent}, accepted {sent}, repeated 0, rejected 0, ")
        until(lambda: _all(client) == sent, what="counting all that was sent")
        refused = _replay(service, folder, "--speed", "600")
        assert refused.returncode == 2
        assert "the service runs on the system's clock, and --speed needs a replay's" in refused.stderr
