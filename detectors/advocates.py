"""`advocates`: a positive surge, found as a revolt is, by its count and its share, with a rate of its own.

The positive mentions stand where the negative ones do in `detectors.watch`: the same forecast, windows, spreads and
tail. It pages for an opportunity and not for a crisis, so that it spends nothing of the alert budget, and it is judged
by hours: a good word is worth an answer today, and no one is woken for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from detectors import watch as watches
from detectors.looks import Finding
from detectors.scan import DAY, HOUR
from detectors.series import Bools, Floats, Series
from detectors.statistic import Rows
from detectors.verdict import Verdict
from detectors.watch import Watch

NAME = "advocates"
RATE = 0.5
"""Opportunities a week at the most, by chance: one every second week is read, one a day is switched off."""
STEP = HOUR
"""Seconds of a bucket."""
REFIT_SECONDS = DAY
"""How often it is fitted anew; `first_fit` rehearses at this pace."""


@dataclass(frozen=True)
class Surge:
    """What was found at some rows: scores 0-100 (rows,), NaN where unknown, 50 is where the rate is spent."""

    finding: Finding | None
    score: Floats
    flash: Floats

    def verdict(self, row: int) -> Verdict:
        """All that is to be said of one row.

        Raises:
            ValueError: nothing is known of it.
        """
        if self.finding is None or not np.isfinite(self.score[row]):
            raise ValueError(f"row {row} is unknown; a verdict is of a row with a score")
        return self.finding.verdict(row)


def glad(series: Series, positive: Floats) -> Series:
    """The series (n,) with the `positive` mentions (n,) in place of the negative ones.

    >>> glad(Series(0.0, 60.0, np.array([9.0])), np.array([4.0])).negative
    array([4.])
    """
    return replace(series, negative=positive)


def first_fit(
    history: Mapping[str, Series], mask: Bools, campaign: Bools, utc_offset: float, rate: float = RATE
) -> Watch:
    """Learn what praise is usual from `history` (n,) by source, made by `glad`; `mask` (n,) teaches nothing.

    Raises:
        ValueError: sources differ in their buckets.
    """
    return watches.rehearse(
        history, budget=rate, every=REFIT_SECONDS, mask=mask, campaign=campaign, utc_offset=utc_offset
    )


def fit(
    history: Mapping[str, Series],
    previous: Watch,
    mask: Bools,
    campaign: Bools,
    utc_offset: float,
    rate: float = RATE,
) -> Watch:
    """Learn anew, going on from the watch until now, as `first_fit`."""
    return watches.fit(history, budget=rate, previous=previous, mask=mask, campaign=campaign, utc_offset=utc_offset)


def look(watch: Watch, recent: Mapping[str, Series], rows: Rows, utc_offset: float) -> Surge:
    """Judge the buckets `rows` of `recent` (n,), by source, made by `glad`.

    Raises:
        ValueError: sources differ in their buckets.

    >>> rng = np.random.default_rng(1)
    >>> talk = rng.poisson(20.0, 504).astype(float)
    >>> praise = np.append(rng.binomial(talk[:-1].astype(int), 0.2), 18.0)
    >>> nothing = np.zeros(504, dtype=bool)
    >>> one = {"x": glad(Series(0.0, 3600.0, talk, scored=talk), praise.astype(float))}
    >>> learned = first_fit({"x": one["x"].rows(0, 480)}, nothing[:480], nothing[:480], 0.0)
    >>> look(learned, one, np.array([490, 503]), 0.0).score.round().tolist()[1] > 50.0
    True
    """
    found = watch.look(recent, rows=rows, utc_offset=utc_offset).findings.get("revolt")
    if found is None:
        nothing = np.full(len(rows), np.nan)
        return Surge(None, nothing, nothing)
    mine = replace(found, detector=NAME)
    return Surge(mine, mine.score, mine.flash)
