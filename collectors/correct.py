"""A brand's share of negative mentions, corrected by labels that its people gave: probabilistic adjusted counting.

Bella, Ferri, Hernandez-Orallo and Ramirez-Quintana (2010), "Quantification via probability estimators", ICDM:
share = (mean P - mean P of others) / (mean P of negative ones - mean P of others). People label what is bad rather than
a sample: the means within each class, unlike the share of labels that are negative, do not depend on how many of each
class were chosen. They do depend on *which*: who labels what looks angry to the engine makes both means too high, and
the share too low.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_LABELS = 100
"""Labels from which shares are corrected: with fewer the correction errs more than the engine did."""
LEAST_OF_A_CLASS = 10
"""Labels of negative mentions, and of others, without which the mean of P within the class is a guess."""
LEAST_APART = 0.1
"""How far apart the two means of P must be; below it what they are divided by is mostly noise."""
SURELY = 3.0
"""Standard errors that the two means must be apart."""
ALIKE = 0.05
"""Correlation of the sentiments of two mentions of one window; 0.04 in hours of tweets to three airlines."""
MOST_CARRIED = 3.0
"""Mentions that a bucket may leave to the next ones; as few as anyone is woken for."""
NORMAL_95 = 1.96
"""Standard deviations of a normal distribution that hold 95 in 100."""


@dataclass(frozen=True)
class Rates:
    """P(negative) as an engine gives it to labelled mentions: mean, variance and number, of negative ones and others.

    >>> told = rates(np.array([0.8, 0.6, 0.2, 0.4]), np.array([True, True, False, False]))
    >>> round(float(told.share(10 * 0.5, 10.0)), 3)
    0.5
    """

    negative: float
    other: float
    negative_variance: float
    other_variance: float
    negatives: int
    others: int

    @property
    def apart(self) -> float:
        """How far the engine tells negative mentions from others: 1 where it is always right."""
        return self.negative - self.other

    def count(self, total: Floats | float, scored: Floats | float) -> Floats:
        """Negative mentions of buckets (n,) by their sum of P and how many were scored: linear, so below 0 too."""
        return np.asarray((total - self.other * np.asarray(scored)) / self.apart)

    def share(self, total: float, scored: float) -> float:
        """The share of a window of many mentions, in [0, 1]."""
        return float(np.clip(self.count(total, scored) / scored, 0.0, 1.0))

    def noise(self, usual: float) -> float:
        """Variance that one mention brings into the count, where the share is `usual`."""
        return (usual * self.negative_variance + (1.0 - usual) * self.other_variance) / self.apart**2

    def doubt(self, share: float) -> float:
        """Standard error of a share that comes from the labels being few (delta method)."""
        of_negative = share**2 * self.negative_variance / self.negatives
        return float(np.sqrt(of_negative + (1.0 - share) ** 2 * self.other_variance / self.others) / self.apart)


def rates(p: Floats, negative: Bools) -> Rates:
    """Return the rates of labelled mentions: `p` (n,) the engine's P(negative), `negative` (n,) what people said."""
    of, others = p[negative], p[~negative]

    def told(some: Floats) -> tuple[float, float]:
        return (float(some.mean()), float(some.var(ddof=1))) if len(some) > 1 else (float(some.sum()), 0.0)

    (mean, variance), (other_mean, other_variance) = told(of), told(others)
    return Rates(mean, other_mean, variance, other_variance, len(of), len(others))


def why_not(found: Rates) -> str | None:
    """Say why shares can't be corrected by these rates; None where they can."""
    labels = found.negatives + found.others
    if labels < LEAST_LABELS:
        return f"{labels} labels of scored mentions; from {LEAST_LABELS} on shares are corrected"
    for name, n in (("negative", found.negatives), ("not negative", found.others)):
        if n < LEAST_OF_A_CLASS:
            return f"{n} labels say {name}; {LEAST_OF_A_CLASS} are needed"
    error = np.sqrt(found.negative_variance / found.negatives + found.other_variance / found.others)
    if found.apart < max(LEAST_APART, SURELY * error):
        return (
            f"the engine gives labelled negative mentions {found.negative:.2f} and others {found.other:.2f}: "
            "it does not tell them apart"
        )
    return None


@dataclass(frozen=True)
class Spell:
    """From when on (POSIX seconds, publication) mentions are judged by `model` ("" is the default), and its rates."""

    since: float
    model: str
    rates: Rates


@dataclass(frozen=True)
class Estimate:
    """A share of negative mentions with its interval of 95 in 100."""

    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Correction:
    """How a brand's shares are corrected: its spells by time, its usual share, and by how many labels it is so."""

    spells: tuple[Spell, ...]
    usual: float
    labels: int

    def places(self, times: Floats) -> NDArray[np.int64]:
        """Return which spell each of `times` (n,) (POSIX seconds) is in."""
        found = np.searchsorted([spell.since for spell in self.spells], times, side="right") - 1
        return np.asarray(np.maximum(found, 0), dtype=np.int64)

    def counts(self, times: Floats, total: Floats, scored: Floats) -> Floats:
        """Negative mentions of buckets (n,) that begin at `times`: a linear map of their sum of P and of `scored`."""
        found, places = np.zeros(len(times)), self.places(times)
        for place in np.unique(places):
            mine = places == place
            found[mine] = self.spells[place].rates.count(total[mine], scored[mine])
        return found

    def carried(self, times: Floats, total: Floats, scored: Floats) -> Floats:
        """The same, each within [0, scored]: what does not fit into a bucket is left to the next ones.

        Buckets cut one by one would add up to too much, the more the shorter they are. Sums of any window are right to
        twice MOST_CARRIED; no bucket depends on a later one.
        """
        found = self.counts(times, total, scored)
        carry = 0.0
        for row in np.flatnonzero(scored > 0):
            want = found[row] + carry
            found[row] = min(max(want, 0.0), scored[row])
            carry = min(max(want - found[row], -MOST_CARRIED), MOST_CARRIED)
        return found

    def estimate(self, times: Floats, total: Floats, scored: Floats) -> Estimate | None:
        """The share of a window's mentions, None where none was scored.

        The adjusted count is exact on average and rough in a window of few mentions, so that it is weighed with the
        usual share by their variances (best linear prediction; Robinson 1991, Statistical Science 6). The
        interval holds the labels' sampling error and the window's; cut to [0, 1] at the window, not at its buckets.
        """
        n, places = float(scored.sum()), self.places(times)
        if n <= 0:
            return None
        count = float(self.counts(times, total, scored).sum())
        parts = [(spell.rates, float(scored[places == i].sum()) / n) for i, spell in enumerate(self.spells)]
        usual = min(max(self.usual, 0.02), 0.98)
        noise = sum(part * found.noise(usual) for found, part in parts) / n
        moves = usual * (1.0 - usual) * (ALIKE + (1.0 - ALIKE) / n)
        weight = moves / (moves + noise) if noise else 1.0
        share = min(max(usual + weight * (count / n - usual), 0.0), 1.0)
        doubt = sum(part * found.doubt(share) for found, part in parts)
        half = NORMAL_95 * float(np.sqrt(weight * noise + doubt**2))
        return Estimate(share, max(share - half, 0.0), min(share + half, 1.0))

    def overall(self, times: Floats, total: Floats, scored: Floats) -> float:
        """The share of so many mentions that the window's own error is nothing, in [0, 1]; `usual` without any."""
        n = float(scored.sum())
        return float(np.clip(self.counts(times, total, scored).sum() / n, 0.0, 1.0)) if n else self.usual


def same(a: Sequence[Spell], b: Sequence[Spell]) -> bool:
    """Whether mentions are judged by the same models at the same times."""
    return [(s.since, s.model) for s in a] == [(s.since, s.model) for s in b]
