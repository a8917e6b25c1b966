"""Detection does not get worse: a sample of the accuracy card, on the recorded series, against floors.

The floors are what was measured, less what a change that is no loss may cost; `make accuracy` measures all.
"""

from argparse import Namespace

import pytest

from service.bench import Figures, replays, tweets
from tests.shared_data import shared

LEAST = {
    "tweets": {"hits_0.5": 14},
    "replays": {"caught_0.5": 13, "caught_0.5_x2": 6, "caught_0.5_x8": 5},
}
MOST = {
    "tweets": {"false_a_week_0.5": 0.6},
    "replays": {"false_a_week_0.5": 0.6, "median_minutes_0.5_x2": 40, "median_minutes_0.5_x8": 15},
}


@pytest.fixture(scope="module", params=[tweets, replays], ids=["tweets", "replays"])
def measured(request: pytest.FixtureRequest) -> tuple[str, Figures]:
    name = request.param.__name__.rpartition(".")[2]
    return name, request.param.measure(Namespace(data=shared("series/truth.json").parent, short=True))


def test_no_figure_of_the_sample_has_fallen(measured: tuple[str, Figures]) -> None:
    name, figures = measured
    fallen = {
        figure: f"{figures[figure]:.3g}, not {word} {bound}"
        for word, bounds, sign in (("at least", LEAST, 1), ("at most", MOST, -1))
        for figure, bound in bounds[name].items()
        if sign * figures[figure] < sign * bound
    }
    assert not fallen
