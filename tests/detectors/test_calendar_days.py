"""A holiday has the rhythm of a Sunday, every other day its own."""

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.calendar_days import SUNDAY, as_weekdays

EPOCH = date(1970, 1, 1)


@given(st.lists(st.integers(-40_000, 80_000), max_size=50))
def test_a_day_without_holidays_is_the_calendars_weekday(days: list[int]) -> None:
    expected = [(EPOCH + timedelta(days=day)).weekday() for day in days]
    assert as_weekdays(np.array(days, dtype=np.int64)).tolist() == expected


@given(st.lists(st.integers(0, 60), max_size=80), st.frozensets(st.integers(0, 60)))
def test_only_holidays_change_and_they_are_sundays(days: list[int], holidays: frozenset[int]) -> None:
    plain = as_weekdays(np.array(days, dtype=np.int64))
    found = as_weekdays(np.array(days, dtype=np.int64), holidays)
    assert found.tolist() == [SUNDAY if day in holidays else own for day, own in zip(days, plain.tolist(), strict=True)]


@pytest.mark.parametrize("like", range(7))
def test_a_holiday_may_be_like_another_day(like: int) -> None:
    assert as_weekdays(np.arange(7, 14), {9}, like)[2] == like


def test_the_days_are_not_changed_and_keep_their_shape() -> None:
    days = np.arange(12).reshape(3, 4)
    assert as_weekdays(days, {1, 2}).shape == (3, 4)
    assert days.tolist() == np.arange(12).reshape(3, 4).tolist()
