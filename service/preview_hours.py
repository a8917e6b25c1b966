"""What was said in every hour, and what was normal for it by what was known the day before."""

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np
from pydantic import AwareDatetime, BaseModel, Field

from detectors import sources
from detectors.negbin import interval
from detectors.scan import Spread
from detectors.series import Bools, Floats, Series
from detectors.watch import Watch, fit

HOUR, DAY = 3600.0, 86_400.0

Row = list[float | None]


class Band(BaseModel):
    """Every list has one value an hour; null is unknown, never zero."""

    observed: Row
    expected: Row
    low: Row = Field(description="95 of 100 normal hours lie from here")
    high: Row = Field(description="to here")


class Hours(BaseModel):
    """What was said in every whole hour from `start` on."""

    start: AwareDatetime
    mentions: Band
    negative: Band


def hours(by_source: Mapping[str, Series], unusual: Bools, utc_offset: float, start: float) -> Hours:
    """From buckets (n,) by source; `unusual` (n,) teach nothing. Only whole hours from POSIX `start` on are told.

    A day is compared with what the buckets before it taught: a fit a day, some 10 ms each. A source of which too little
    was known then is left out of that day, as live leaves it out.
    """
    series = next(iter(by_source.values()))
    n, step = len(series), series.step
    each, a_day = round(HOUR / step), round(DAY / step)
    first = round((max(np.ceil(start / HOUR) * HOUR, np.ceil(series.start / HOUR) * HOUR) - series.start) / step)
    last = first + (n - first) // each * each
    told = {name: _hourly(_sum(by_source, name, first, last), each) for name in ("mentions", "negative")}
    normal = {name: np.full((3, len(told[name])), np.nan) for name in told}
    for begin in range(first, last, a_day):
        end = min(begin + a_day, last)
        watch = fit(sources.cut(by_source, 0, begin), mask=unusual[:begin], utc_offset=utc_offset) if begin else None
        if watch is None or watch.spreads is None:
            continue
        day = sources.expect(
            sources.cut(by_source, begin, end), watch.normals, np.zeros(end - begin, np.bool_), utc_offset
        )
        place = slice((begin - first) // each, (end - first) // each)
        told["mentions"][place] = _hourly(np.where(day.known, day.mentions, np.nan), each)
        normal["mentions"][:, place] = _band(watch, watch.spreads.mentions, _hourly(day.expected, each))
        if watch.spreads.negative is not None:
            told["negative"][place] = _hourly(np.where(day.known, day.negative, np.nan), each)
            usual = _hourly(day.expected_negative, each)
            normal["negative"][:, place] = _band(watch, watch.spreads.negative, usual)
    bands = {name: _told(told[name], normal[name]) for name in told}
    return Hours(start=datetime.fromtimestamp(series.start + first * step, UTC), **bands)


def _sum(by_source: Mapping[str, Series], name: str, first: int, last: int) -> Floats:
    """One column summed over the sources that told, NaN where none did."""
    unknown = np.full(last - first, np.nan)
    given = [getattr(series.rows(first, last), name) for series in by_source.values()]
    columns = np.array([unknown if column is None else column for column in given])
    told = np.isfinite(columns)
    return np.where(told.any(axis=0), np.where(told, columns, 0.0).sum(axis=0), np.nan)


def _hourly(buckets: Floats, each: int) -> Floats:
    """Sums of `each` buckets, NaN where one is unknown."""
    return np.asarray(buckets.reshape(-1, each).sum(axis=1))


def _band(watch: Watch, spread: Spread, expected: Floats) -> Floats:
    """Expected, and the interval of 95 in 100, shape (3, hours)."""
    assert watch.spreads is not None
    lengths = watch.spreads.lengths
    sizes = spread.size(np.broadcast_to(expected, (len(lengths), len(expected))))[lengths.index(HOUR)]
    ends = [interval(mean, size) for mean, size in zip(expected.tolist(), sizes.tolist(), strict=True)]
    return np.array([expected, *np.array(ends).T])


def _told(observed: Floats, normal: Floats) -> Band:
    unknown = np.isnan(observed)
    rows = [np.where(unknown, np.nan, row) for row in (observed, *normal)]
    plain = [[None if value != value else round(value, 1) for value in row.tolist()] for row in rows]
    return Band(observed=plain[0], expected=plain[1], low=plain[2], high=plain[3])
