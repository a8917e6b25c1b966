"""The short mode of `python -m tests.chaos kills`: whatever process is killed, what was accepted is counted once."""

from pathlib import Path

import pytest

from tests.chaos import kills
from tests.chaos.parts import PARTS

(PART,) = [part for part in PARTS if part.name == "kills"]


@pytest.mark.timeout(400)
@pytest.mark.parametrize("plan", PART.short, ids=str)
def test_workers_apis_and_stores_killed_under_load_lose_nothing_and_count_nothing_twice(
    plan: kills.Plan, tmp_path: Path
) -> None:
    result = kills.run(plan, tmp_path, print)
    assert result.comparison.differences == []
    assert (result.comparison.lost, result.comparison.twice) == (0, 0)
    assert result.sent >= 30_000
    assert result.kills == {"worker": 4, "api": 4, "store": 4, "service": 1}
    assert result.comparison.mentions > result.sent / 2
