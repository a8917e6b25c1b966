"""The short mode of `python -m tests.chaos deliveries`: whatever is killed, each event arrives, begin before end."""

from pathlib import Path

import pytest

from tests.chaos import deliveries
from tests.chaos.parts import PARTS

(PART,) = [part for part in PARTS if part.name == "deliveries"]


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("plan", PART.short, ids=str)
def test_who_tells_and_the_store_are_killed_and_nothing_is_missing_or_out_of_order(
    plan: deliveries.Plan, tmp_path: Path
) -> None:
    result = deliveries.run(plan, tmp_path, print)
    assert (result.missing, result.unknown, result.misordered) == (0, 0, 0)
    assert result.events >= 2 * plan.episodes
    assert result.kills == dict.fromkeys(deliveries.ROLES, plan.kills)
    assert result.outcomes.get("lost", 0) == 0
