import asyncio
from dataclasses import replace

import numpy as np
import pytest

from detectors.series import Series
from detectors.watch import fit
from service.bench import BenchError
from service.bench.tick import tick_with_reads

DAY = 86_400.0


def test_a_tick_judges_every_brand_and_says_where_one_was_not() -> None:
    chance = np.random.default_rng(1)
    watch = fit(Series(0.0, 300.0, chance.poisson(5.0, 576).astype(float)))
    day = Series(2 * DAY, 60.0, chance.poisson(1.0, 1440).astype(float))
    figures = asyncio.run(tick_with_reads([watch], [day, replace(day, mentions=day.mentions * 3)], 5))
    assert all(seconds > 0.0 for seconds in figures.values())
    ignorant = fit(Series(0.0, 300.0, np.ones(3)))
    ignorant = replace(ignorant, normals=watch.normals)
    with pytest.raises(BenchError, match="5 of 5 brands were not judged"):
        asyncio.run(tick_with_reads([ignorant], [day], 5))
