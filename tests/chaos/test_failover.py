"""The short mode of `python -m tests.chaos sentinel cluster`: lost primaries, and roles that go on by themselves."""

from pathlib import Path

import pytest

from tests.chaos import failover
from tests.chaos.parts import PARTS

PLANS = [plan for part in PARTS if part.name in ("sentinel", "cluster") for plan in part.short]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: plan.topology)
def test_what_a_replica_had_before_the_answer_is_there_after_its_primary_was_lost(
    plan: failover.Plan, tmp_path: Path
) -> None:
    result = failover.run(plan, tmp_path, print)
    assert sum(result.losses.values()) == plan.losses
    assert result.comparison is not None
    assert result.comparison.differences == []
    assert (result.comparison.lost, result.comparison.twice) == (0, 0)
    assert result.comparison.mentions > result.sent / 2
