"""Whatever process is killed, what was accepted is counted once."""

import json
import random
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.running import Service, counted, running, total
from tests.until import until

BRANDS = "brands:\n" + "".join(f"  - {{name: brand-{n}, query: brand{n}}}\n" for n in range(5))
MENTIONS, BATCH = 100_000, 1000


def batches(now: datetime) -> list[list[dict[str, Any]]]:
    """Mentions of five brands over six hours, every tenth delivered twice, shuffled."""
    chance = random.Random(7)
    rows = [
        {
            "id": str(n),
            "source": "x",
            "text": f"brand{n % 5} is {chance.choice(['fine', 'awful', 'here'])} {chance.random()}",
            "published_at": (now - timedelta(seconds=chance.randrange(6 * 3600))).isoformat(),
            "author": {"id": f"p{chance.randrange(40_000)}"},
        }
        for n in range(MENTIONS)
    ]
    rows += rows[::10]
    chance.shuffle(rows)
    return [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]


def post(service: Service, parts: list[list[dict[str, Any]]]) -> None:
    with service.client() as client:
        for part in parts:
            body = "\n".join(json.dumps(m) for m in part)
            answer = client.post("/v1/mentions", content=body, headers={"content-type": "application/x-ndjson"})
            assert answer.status_code == 202, answer.text
            assert answer.json()["rejected"] == 0, answer.text


@pytest.mark.timeout(600)
def test_a_worker_killed_in_the_middle_of_100_000_mentions_counts_them_exactly(tmp_path: Path) -> None:
    (tmp_path / "foreshock.yaml").write_text(BRANDS)
    now = datetime.now(UTC).replace(microsecond=0)
    parts = batches(now)
    with (
        running(tmp_path / "data", "--config", str(tmp_path / "foreshock.yaml")) as service,
        service.client() as client,
    ):
        posting = threading.Thread(target=post, args=(service, parts))
        posting.start()
        kills = 0
        while posting.is_alive() or kills < 3:
            before = sum(total(client, f"brand-{n}") for n in range(5))
            until(lambda since=before: moved(service, since) or not posting.is_alive(), 60, "some counting")
            service.kill("worker")
            kills += 1
            until(lambda: service.pids("worker"), 30, "the worker's restart")
            if kills >= 8:
                break
        posting.join()
        until(lambda: sum(total(client, f"brand-{n}") for n in range(5)) >= MENTIONS, 300, "all to be counted")
        for n in range(5):
            assert_exact(
                client, f"brand-{n}", [m for part in parts for m in part if m["text"].startswith(f"brand{n} ")]
            )
        assert kills >= 3


def moved(service: Service, since: int) -> bool:
    with service.client() as client:
        return sum(total(client, f"brand-{n}") for n in range(5)) > since


def assert_exact(client: Any, brand: str, mentions: list[dict[str, Any]]) -> None:
    """Every minute holds what an independent count of the file says."""
    once = {m["id"]: m["published_at"] for m in mentions}
    expected = Counter(datetime.fromisoformat(at).strftime("%Y-%m-%dT%H:%M:00Z") for at in once.values())
    found = {b["start"]: b["mentions"] for b in counted(client, brand) if b["mentions"]}
    assert found == dict(expected)


@pytest.mark.timeout(300)
def test_what_was_accepted_is_found_again_after_everything_was_killed(tmp_path: Path) -> None:
    (tmp_path / "foreshock.yaml").write_text(BRANDS)
    now = datetime.now(UTC).replace(microsecond=0)
    rows = [m for part in batches(now)[:5] for m in part]
    service = Service(tmp_path / "data", ("--config", str(tmp_path / "foreshock.yaml"))).start()
    post(service, [rows])
    assert service.process is not None
    service.process.kill()
    service.process.wait()
    service.start()
    try:
        with service.client() as client:
            distinct = len({m["id"] for m in rows})
            until(lambda: sum(total(client, f"brand-{n}") for n in range(5)) == distinct, 60, "all to be counted")
    finally:
        assert service.stop() == 0
