"""What every forecaster and the whole watch keep, whatever the counts are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from detectors.forecaster import FORECASTERS
from detectors.hourly import Slow
from detectors.series import Series
from detectors.watch import fit, rehearse

STEP = 300.0
counts = st.one_of(st.integers(0, 30).map(float), st.just(float("nan")), st.sampled_from([0.0, 1e9, 0.5]))
columns = arrays(np.float64, st.integers(1, 300), elements=counts)
long_columns = arrays(np.float64, st.integers(72, 400), elements=counts)


@pytest.mark.parametrize("name", FORECASTERS)
def test_a_forecast_is_finite_and_not_negative_and_nothing_is_written_to(name: str) -> None:
    slow = isinstance(FORECASTERS[name], Slow)  # a fit of some costs a second, and buckets below hours are too few

    @settings(max_examples=5 if slow else 60, deadline=None)
    @given(long_columns if slow else columns, st.sampled_from([3600.0] if slow else [60.0, 300.0, 3600.0, 86400.0]))
    def holds(values: np.ndarray, step: float) -> None:
        kept = values.copy()
        fitted = FORECASTERS[name](0.0, step, values)
        assert np.array_equal(values, kept, equal_nan=True)
        if fitted is not None:
            for numbers in (fitted[0].mean(len(values) * step, step, 50), fitted[1]):
                assert np.isfinite(numbers).all()
                assert (numbers >= 0).all()

    holds()


@settings(max_examples=60, deadline=None)
@given(columns, st.sampled_from([60.0, 300.0, 3600.0, 86400.0]), st.integers(0, 2**31))
def test_any_counts_are_judged_between_nothing_and_a_hundred(values: np.ndarray, step: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = Series(0.0, step, values, np.floor(values * rng.random()), np.ceil(values * 0.8), values)
    kept = [column.copy() for column in (series.mentions, series.negative, series.scored) if column is not None]
    watch = fit(series.rows(0, len(series) // 2 + 1))
    looks = watch.look(series, rows=np.arange(len(series)))
    known = np.isfinite(looks.score)
    assert ((looks.score[known] >= 0) & (looks.score[known] <= 100)).all()
    assert not known[np.isnan(values)].any()
    for verdict in looks.verdicts():
        assert 0 <= verdict.low <= verdict.high
        assert 0 <= verdict.p_value <= 1
        assert verdict.reason
    for column, before in zip((series.mentions, series.negative, series.scored), kept, strict=True):
        assert np.array_equal(column, before, equal_nan=True)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 199), st.integers(0, 2**31))
def test_what_comes_later_changes_no_score(row: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.negative_binomial(2.0, 0.2, 400).astype(float)
    watch = fit(Series(0.0, STEP, values[:200]))
    changed = values.copy()
    changed[200 + row :] = rng.integers(0, 10**9, 200 - row)
    rows = np.arange(200, 200 + row)
    before, after = (watch.look(Series(0.0, STEP, v), rows=rows).score for v in (values, changed))
    assert after == pytest.approx(before, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 7.0, 1e9])
def test_a_constant_series_is_never_strange(value: float) -> None:
    series = Series(0.0, STEP, np.full(2016, value))
    looks = rehearse(series).look(series, rows=np.arange(1500, 2016))
    assert looks.score.max() < 40.0


def test_the_same_data_give_the_same_watch() -> None:
    series = Series(0.0, STEP, np.random.default_rng(1).poisson(5.0, 900).astype(float))
    first, second = (rehearse(series).look(series).verdicts() for _ in range(2))
    assert first == second
