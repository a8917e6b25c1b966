from datetime import UTC, date, datetime

import numpy as np

from detectors import robust
from service.holidays_of import EPOCH, around

CHRISTMAS = date(2026, 12, 25)


def test_holidays_are_told_from_the_begin_of_the_history_to_some_days_ahead() -> None:
    first, now = (datetime(2026, month, day, tzinfo=UTC).timestamp() for month, day in ((11, 1), (12, 20)))
    days = around("DE", None, first, now)
    assert (CHRISTMAS - EPOCH).days in days
    assert not around("DE", None, first, first)
    assert not around(None, None, first, now)


def test_a_brand_that_is_quiet_on_sundays_is_expected_quiet_on_a_holiday() -> None:
    hours = np.arange(28 * 24)
    start = datetime(2026, 11, 23, tzinfo=UTC).timestamp()  # a Monday
    counts = np.where(hours // 24 % 7 == 6, 20.0, 100.0)
    days = frozenset({(CHRISTMAS - EPOCH).days})
    at = datetime(2026, 12, 25, tzinfo=UTC).timestamp()
    plain, told = robust.fit(start, 3600.0, counts), robust.fit(start, 3600.0, counts, holidays=days)
    assert plain is not None
    assert told is not None
    friday, holiday = (fitted[0].mean(at, 3600.0, 24).sum() for fitted in (plain, told))
    assert holiday < 0.6 * friday
    assert told[0].mean(at - 86_400.0, 3600.0, 24).sum() > 0.9 * friday
