import numpy as np
import pytest

from detectors.calibrate import BLOCKS_KEPT, LATE, OWN_BLOCKS, POORER, Calibration, Channel

STEP, BLOCK = 300.0, 21600.0
FLASH, DAY = ("volume", 300.0), ("volume", 86400.0)
REVOLT = ("revolt", 300.0)


def taught(maxima: np.ndarray, channel: Channel = FLASH) -> Calibration:
    return Calibration(STEP).learn({channel: maxima}, np.arange(len(maxima)) * BLOCK)


def threshold(calibration: Calibration, budget: float = 0.5) -> float:
    """The surprise in the flash window that opens an episode."""
    seen = np.linspace(0.0, 60.0, 6001)
    score = calibration.score(calibration.height({FLASH: seen}), budget)[0]
    return float(seen[np.argmax(score >= 50.0)])


def test_a_brand_whose_usual_bursts_are_higher_pages_at_higher_ones() -> None:
    rng = np.random.default_rng(2)
    calm, wild = taught(rng.gumbel(2.0, 0.5, 150)), taught(rng.gumbel(4.0, 2.5, 150))
    assert threshold(wild) > threshold(calm) + 4.0


def test_one_crisis_hardly_hides_the_next() -> None:
    maxima = np.random.default_rng(3).gumbel(2.0, 0.7, 140)
    before = threshold(taught(maxima))
    maxima[100] = 500.0
    assert threshold(taught(maxima)) < before + 2.0


def test_what_is_learned_in_pieces_is_what_is_learned_at_once() -> None:
    surprise = np.random.default_rng(5).gumbel(2.0, 1.0, (2, 720))
    seen, times = {FLASH: surprise[0], REVOLT: surprise[1]}, 600.0 + STEP * np.arange(720)
    whole, pieces = Calibration(STEP).learn(seen, times), Calibration(STEP)
    for first in range(0, 720, 36):
        some = slice(first, first + 36)
        pieces = pieces.learn({channel: values[some] for channel, values in seen.items()}, times[some])
    assert np.array_equal(pieces.blocks, whole.blocks)
    assert pieces.tail == whole.tail
    assert whole.blocks.shape == (11, 2)


def test_the_unknown_teaches_nothing_and_stays_unknown() -> None:
    calibration = taught(np.linspace(1.0, 3.0, 50))
    assert calibration.learn({FLASH: np.full(5, np.nan)}, np.arange(5) * STEP) is calibration
    assert np.isnan(calibration.score(calibration.height({FLASH: np.array([np.nan])}), 0.5)).all()


def test_eight_weeks_are_remembered() -> None:
    assert len(taught(np.ones(300)).blocks) == BLOCKS_KEPT


def test_a_channel_that_comes_later_starts_with_what_is_believed_of_it() -> None:
    calibration = taught(np.random.default_rng(6).gumbel(2.0, 0.7, 40))
    both = calibration.learn({FLASH: np.full(3, 2.0), REVOLT: np.full(3, 1.0)}, BLOCK * (40 + np.arange(3)))
    assert both.blocks.shape == (43, 2)
    assert np.isnan(both.blocks[:40, 1]).all()
    usual = Calibration(STEP).height({REVOLT: np.array([3.0])})
    assert calibration.height({FLASH: np.array([3.0]), REVOLT: np.array([3.0])})[1] == pytest.approx(usual[0])


def test_own_blocks_outweigh_the_belief_in_time() -> None:
    few, many = taught(np.full(10, 5.0)), taught(np.full(round(OWN_BLOCKS), 5.0))
    believed = float(-Calibration(STEP).height({FLASH: np.zeros(1)})[0, 0] * 1.7)
    assert few.middle[0] < many.middle[0] == pytest.approx((5.0 + believed) / 2.0)


def test_a_tenfold_smaller_budget_costs_ten_points() -> None:
    calibration, height = Calibration(STEP), np.array([3.0, 8.0])
    assert calibration.score(height, 1.0) - calibration.score(height, 0.1) == pytest.approx(10.0)


def test_volume_is_set_back_only_where_sentiment_is_told_and_slow_windows_always() -> None:
    seen = np.array([4.0])
    alone, beside = Calibration(STEP).height({FLASH: seen}), Calibration(STEP).height({FLASH: seen, REVOLT: seen})
    assert alone[0, 0] - beside[0, 0] == pytest.approx(POORER)
    assert beside[1, 0] > alone[0, 0]
    day = Calibration(STEP).height({DAY: np.zeros(1)})
    assert day[0, 0] == pytest.approx(-LATE[86400.0])
