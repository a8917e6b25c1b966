"""A brand is the sum of its sources: a gap of one takes its part out of what was seen and of what was expected."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

from detectors import robust
from detectors.forecaster import Forecast, Forecaster
from detectors.robust import Baseline
from detectors.series import Bools, Floats, Series


@dataclass(frozen=True)
class Normal:
    """One source's forecasts: of mentions, and of negative ones where sentiment is told."""

    mentions: Forecast
    negative: Forecast | None


@dataclass(frozen=True)
class Sums:
    """A brand's buckets, every array (n,) and zero where nothing is known.

    `expected` is of the sources that are known in that bucket, `signed` the mentions whose authors are known.
    """

    start: float
    step: float
    known: Bools
    mentions: Floats
    expected: Floats
    negative: Floats
    expected_negative: Floats
    scored: Floats
    signed: Floats
    authors: Floats


class Buckets(Protocol):
    """Something of equal buckets, a `Series` or another."""

    @property
    def start(self) -> float:
        """POSIX time of the first bucket's begin."""
        ...

    @property
    def step(self) -> float:
        """Seconds of a bucket."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...


B = TypeVar("B", bound=Buckets)


def check(sources: Mapping[str, B]) -> B:
    """One of the sources, after all were found to have the same buckets.

    Raises:
        ValueError: there is no source, or two differ in start, step or length.
    """
    if not sources:
        raise ValueError("no source was given; at least one is needed")
    first = next(iter(sources.values()))
    for name, series in sources.items():
        if (series.start, series.step, len(series)) != (first.start, first.step, len(first)):
            raise ValueError(f"source {name!r} has other buckets than {next(iter(sources))!r}; all must share them")
    return first


def cut(sources: Mapping[str, Series], first: int, last: int) -> dict[str, Series]:
    """Buckets `first` to `last` (not included) of every source, as views."""
    return {name: series.rows(first, last) for name, series in sources.items()}


def fit(
    sources: Mapping[str, Series], forecaster: Forecaster, unknown: Bools, utc_offset: float
) -> tuple[dict[str, Normal], Sums]:
    """Forecast every source that is known long enough, and sum what was expected; `unknown` (n,) is left out."""
    normals: dict[str, Normal] = {}
    past: dict[str, tuple[Floats, Floats | None]] = {}
    for name, series in sources.items():
        fitted = forecaster(series.start, series.step, np.where(unknown, np.nan, series.mentions), utc_offset)
        if fitted is None:
            continue
        negative = None
        if series.negative is not None:
            told = np.where(unknown, np.nan, series.negative)
            negative = forecaster(series.start, series.step, told, utc_offset)
            if negative is not None:
                negative = _lent(fitted[0], *negative, told, series, utc_offset)
        normals[name] = Normal(fitted[0], None if negative is None else negative[0])
        past[name] = (fitted[1], None if negative is None else negative[1])
    return normals, _sum(sources, past, unknown)


def expect(
    sources: Mapping[str, Series],
    normals: Mapping[str, Normal],
    unknown: Bools,
    utc_offset: float,
    exposure: float = 1.0,
) -> Sums:
    """Sum what was counted and what was forecast; `unknown` (n,) is left out of both.

    `exposure` is how much of the last bucket has passed (0-1].
    """
    ahead: dict[str, tuple[Floats, Floats | None]] = {}
    for name, normal in normals.items():
        if name in sources:
            series = sources[name]
            buckets = (series.start, series.step, len(series), utc_offset)
            negative = None if normal.negative is None else normal.negative.mean(*buckets)
            ahead[name] = (normal.mentions.mean(*buckets), negative)
    sums = _sum(sources, ahead, unknown)
    if exposure < 1.0:
        sums.expected[-1] *= exposure
        sums.expected_negative[-1] *= exposure
    return sums


def totals(forecast: Forecast, start: float, step: float, edges: tuple[int, ...], utc_offset: float) -> Floats:
    """Expected counts between `edges`, which are buckets of `step` seconds from POSIX `start`, shape (edges - 1,)."""
    if isinstance(forecast, Baseline):
        return forecast.totals(start, step, edges, utc_offset)
    mean = forecast.mean(start, step, edges[-1], utc_offset)
    return np.asarray(np.add.reduceat(mean, edges[:-1]))


def _lent(
    mentions: Forecast, own: Forecast, expected: Floats, told: Floats, series: Series, utc_offset: float
) -> tuple[Forecast, Floats]:
    """The forecast of negative mentions, with the rhythm of all where too few were `told` (n,) for their own."""
    if not (isinstance(mentions, Baseline) and isinstance(own, Baseline)):
        return own, expected
    return robust.lend(mentions, own, expected, float(np.nansum(told)), series.start, series.step, utc_offset)


def _add(total: Floats, values: Floats, known: Bools, whole: bool) -> None:
    """Add what is known; most often that is the whole, and adding it costs a third."""
    total += values if whole else np.where(known, values, 0.0)


def _sum(sources: Mapping[str, Series], expected: Mapping[str, tuple[Floats, Floats | None]], unknown: Bools) -> Sums:
    first = check(sources)
    n = len(first)
    total = {name: np.zeros(n) for name in ("mentions", "expected", "negative", "less", "scored", "signed", "authors")}
    known = np.zeros(n, dtype=np.bool_)
    for name, (usual, usual_negative) in expected.items():
        series = sources[name]
        here = np.isfinite(series.mentions) & ~unknown
        known |= here
        whole = bool(here.all())
        _add(total["mentions"], series.mentions, here, whole)
        _add(total["expected"], usual, here, whole)
        if series.negative is not None and usual_negative is not None:
            told = here & np.isfinite(series.negative)
            whole = bool(told.all())
            _add(total["negative"], series.negative, told, whole)
            _add(total["less"], usual_negative, told, whole)
            if series.scored is not None:
                told &= np.isfinite(series.scored)
                _add(total["scored"], series.scored, told, bool(told.all()))
        if series.authors is not None:
            named = here & np.isfinite(series.authors)
            whole = bool(named.all())
            _add(total["signed"], series.mentions, named, whole)
            _add(total["authors"], series.authors, named, whole)
    return Sums(
        first.start, first.step, known, total["mentions"], total["expected"], total["negative"], total["less"],
        total["scored"], total["signed"], total["authors"],
    )  # fmt: skip
