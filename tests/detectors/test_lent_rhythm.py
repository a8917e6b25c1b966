import numpy as np
import pytest

from detectors.forecaster import FORECASTERS
from detectors.robust import RHYTHM_COUNTS, Baseline, lend
from detectors.series import Floats, Series
from detectors.sources import fit

DAY, STEP, DAYS = 86400.0, 300.0, 14
MONDAY = 4 * DAY  # 5 January 1970


def talk(share: Floats, level: float, seed: int = 0) -> Series:
    """Two weeks that are three times as loud at noon as at midnight, of which `share` (n,) is negative."""
    draw = np.random.default_rng(seed)
    times = STEP * (np.arange(DAYS * 288) + 0.5)
    mentions = draw.poisson(level * (1.0 - 0.5 * np.cos(2 * np.pi * times / DAY)))
    return Series(MONDAY, STEP, mentions.astype(float), draw.binomial(mentions, share).astype(float))


def noon_over_midnight(series: Series, forecaster: str = "robust") -> tuple[float, float]:
    """By how much noon is expected to exceed midnight: of all mentions, and of the negative ones."""
    unknown = np.zeros(len(series), dtype=np.bool_)
    normal = fit({"": series}, FORECASTERS[forecaster], unknown, 0.0)[0][""]
    assert normal.negative is not None
    days = [one.mean(MONDAY + DAYS * DAY, 3600.0, 24) for one in (normal.mentions, normal.negative)]
    return float(days[0][12] / days[0][0]), float(days[1][12] / days[1][0])


def test_too_few_negative_mentions_have_the_rhythm_of_all() -> None:
    rare = talk(np.full(DAYS * 288, 0.005), 3.0)
    assert rare.negative is not None
    assert rare.negative.sum() < RHYTHM_COUNTS / 4
    told = fit({"": rare}, FORECASTERS["robust"], np.zeros(len(rare), dtype=np.bool_), 0.0)[0][""].negative
    alone = FORECASTERS["robust"](rare.start, STEP, rare.negative, 0.0)
    assert told is not None
    assert alone is not None
    truth = 1.0 - 0.5 * np.cos(2 * np.pi * (np.arange(24) + 0.5) / 24)
    off = [
        float(np.abs(day / day.mean() - truth).mean())
        for day in (one.mean(MONDAY + DAYS * DAY, 3600.0, 24) for one in (told, alone[0]))
    ]
    assert off[0] < 0.7 * off[1]


def test_many_negative_mentions_have_their_own_rhythm() -> None:
    times = STEP * (np.arange(DAYS * 288) + 0.5)
    angry_at_night = talk(0.3 + 0.2 * np.cos(2 * np.pi * times / DAY), 40.0)
    mentions, negative = noon_over_midnight(angry_at_night)
    assert mentions > 2.0
    assert negative < 1.2


def test_what_was_expected_of_the_past_has_the_same_rhythm() -> None:
    rhythm, own = Baseline(2.0, np.repeat([0.5, 1.5], 1008)), Baseline(0.1, np.ones(2016))
    drawn, past = lend(rhythm, own, np.full(2016, 30.0), RHYTHM_COUNTS / 3, MONDAY, STEP)
    assert past == pytest.approx(30.0 * drawn.week)
    assert drawn.week[[0, -1]] == pytest.approx([0.625, 1.375])
    assert drawn.rate == own.rate


def test_a_forecaster_of_another_kind_keeps_what_it_said_of_negative_mentions() -> None:
    series = talk(np.full(DAYS * 288, 0.2), 5.0)
    assert series.negative is not None
    normal = fit({"": series}, FORECASTERS["smoothing"], np.zeros(len(series), dtype=np.bool_), 0.0)[0][""]
    alone = FORECASTERS["smoothing"](series.start, STEP, series.negative, 0.0)
    assert normal.negative is not None
    assert alone is not None
    days = [one.mean(MONDAY + DAYS * DAY, 3600.0, 24) for one in (normal.negative, alone[0])]
    assert days[0] == pytest.approx(days[1])
