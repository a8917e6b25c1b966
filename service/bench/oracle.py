"""The least delay that a budget allows: a CUSUM that knows what is normal and how it spreads, but not what comes.

Page (1954), Biometrika 41: the cumulative sum of log likelihood ratios above its own minimum; it is the quickest test
of a known change at a given false rate (Moustakides 1986). The change is not known here, so that several run side by
side. A detector that has to learn what is normal is slower.
"""

from dataclasses import dataclass

import numpy as np

from detectors.scan import HOUR
from detectors.series import Floats, Series

EXCESSES = (0.25, 1.0, 4.0)
"""Changes that are looked for: times what is normal, above it."""
BLOCK = 6 * HOUR
"""Seconds of which only the highest sum counts: what lies within them is one page."""
PEAKS = 0.15
"""Part of the blocks whose highest sums are the tail, from which the threshold follows."""
LEAST_MEAN = 1e-6
"""Counts a bucket that are expected at the least."""
MOST_SIZE, LEAST_CORRELATION, LEAST_SHARE = 1e8, 1e-5, 1e-4
"""Taken for the Poisson, for the binomial, and for a share of nothing."""


@dataclass(frozen=True)
class Known:
    """What is normal: the true `mean` (n,) of the count that is watched and the negative binomial `size` of a bucket.

    Where sentiment is told, also the true negative `share` (n,) of what is scored and the `correlation` of two
    mentions' sentiment within a bucket.
    """

    mean: Floats
    size: float
    share: Floats | None = None
    correlation: float = 0.0

    def rows(self, first: int, last: int) -> "Known":
        """The same of the buckets `first` to `last` (not included)."""
        share = None if self.share is None else self.share[first:last]
        return Known(self.mean[first:last], self.size, share, self.correlation)


def known(series: Series, mean: Floats, share: Floats | None) -> Known:
    """What an oracle knows of quiet `series` (n,), with spreads by moments around the true `mean` and `share` (n,)."""
    counts = watched(series)
    m = np.maximum(mean, LEAST_MEAN)
    over = float(np.nansum((counts - m) ** 2 - m))
    size = float((m * m)[np.isfinite(counts)].sum()) / over if over > 0 else MOST_SIZE
    if share is None or series.negative is None or series.scored is None:
        return Known(mean, size)
    k, s, plain = series.negative, series.scored, share * (1.0 - share)
    beyond, pairs = float(np.nansum((k - s * share) ** 2 - s * plain)), float(np.nansum(s * (s - 1.0) * plain))
    return Known(mean, size, share, min(max(beyond / max(pairs, 1e-9), LEAST_CORRELATION), 0.5))


def watched(series: Series) -> Floats:
    """The count that tells of a revolt: negative mentions, or all where sentiment is not told."""
    return series.mentions if series.negative is None else series.negative


def statistics(series: Series, known: Known) -> Floats:
    """The highest CUSUM after each bucket of `series` (n,), shape (1, n) of counts or (2, n) of counts and of shares.

    A gap (NaN) changes nothing.

    >>> series = Series(0.0, 300.0, np.array([10.0, 9.0, 11.0, 30.0, 30.0, 30.0]))
    >>> sums = statistics(series, Known(np.full(6, 10.0), MOST_SIZE))[0]
    >>> bool(sums[2] < 1.0 < sums[3] < sums[5])
    True
    """
    counts, mean = watched(series), np.maximum(known.mean, LEAST_MEAN)
    found = [[_above(_count_ratio(counts, mean, mean * (1.0 + excess), known.size)) for excess in EXCESSES]]
    if known.share is not None and series.negative is not None and series.scored is not None:
        p = np.clip(known.share, LEAST_SHARE, 1.0 - LEAST_SHARE)
        odds = [1.0 + excess for excess in EXCESSES]
        more = [p * o / (1.0 - p + p * o) for o in odds]
        found.append([_above(_share_ratio(series.negative, series.scored, p, q, known.correlation)) for q in more])
    return np.asarray(np.max(found, axis=1))


def thresholds(series: Series, known: Known, budget: float) -> Floats:
    """What each statistic reaches in its equal part of `budget` on quiet `series`, shape as `statistics` without n."""
    sums = statistics(series, known)
    return np.array([threshold(one, series.step, budget / len(sums)) for one in sums])


def threshold(statistic: Floats, step: float, budget: float) -> float:
    """What `statistic` (n,) of quiet buckets of `step` seconds reaches in `budget` blocks a week.

    Its tail is exponential (Siegmund 1985, section 2.6), so that it is drawn on beyond what was seen.
    """
    each = round(BLOCK / step)
    blocks = len(statistic) // each
    highest = np.sort(statistic[: blocks * each].reshape(blocks, each).max(axis=1))
    begin = float(highest[int((1.0 - PEAKS) * (blocks - 1))])
    excess = highest[highest > begin] - begin
    if not len(excess):
        return begin
    a_week = len(excess) / blocks * 7 * 86_400.0 / BLOCK
    return begin + float(excess.mean()) * max(float(np.log(a_week / budget)), 0.0)


def _share_ratio(negative: Floats, scored: Floats, share: Floats, more: Floats, correlation: float) -> Floats:
    """The same of beta-binomial counts with the share `more` over those with `share`."""
    from scipy.special import betaln  # costs half a second to load

    weight = 1.0 / correlation - 1.0

    def likelihood(p: Floats) -> Floats:
        a, b = p * weight, (1.0 - p) * weight
        return np.asarray(betaln(negative + a, scored - negative + b) - betaln(a, b))

    return np.asarray(np.nan_to_num(likelihood(more) - likelihood(share)))


def _count_ratio(counts: Floats, mean: Floats, more: Floats, size: float) -> Floats:
    """Log likelihood of negative binomial counts with mean `more` over that with `mean`, shape (n,), 0 where NaN."""
    weight = np.log(more / mean) - np.log1p((more - mean) / (mean + size))
    ratio = counts * weight - size * np.log1p((more - mean) / (mean + size))
    return np.asarray(np.nan_to_num(ratio))


def _above(ratios: Floats) -> Floats:
    """The sum of `ratios` (n,) above its own minimum, which is at most 0 (Page 1954)."""
    total = np.cumsum(ratios)
    return np.asarray(total - np.minimum(np.minimum.accumulate(total), 0.0))
