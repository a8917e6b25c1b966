"""`foreshock bench outbreaks`: the 42 outbreak scenarios of Noufaily et al. (2013), Statist. Med. 32, section 3.

Every week of the last year is judged from the weeks before it. The false positive rate is the share of weeks without an
outbreak that are flagged, the probability of detection that of outbreaks with a flagged week (Bedubourg & Le Strat
2017, PLoS ONE 12(7): e0181227); both are means over the scenarios, `_least` and `_most` are the extreme ones.
"""

import argparse
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from detectors import negbin, yearly
from detectors.series import Bools, Floats, Series
from service import backtest
from service.bench import Figures, farrington

WEEK = 7 * 86400.0
WEEKS, FIRST, JUDGED = 624, 312, 575
"""Weeks of a series; where the baseline begins and ends, counted from 0. What is before it nobody is shown."""

PAST_OUTBREAKS, PAST_SIZES = 4, (2, 3, 5, 10)
"""Outbreaks in the baseline, and the sizes, in standard deviations of their first week, each is drawn from."""

SIZES = 10
"""The judged year's outbreak is 1, 2, ... 10 standard deviations, each as often."""

LEAST_CASES = 2
"""Sizes are drawn until there are two cases, as in the authors' own program: one case is no outbreak."""

SPREAD = 0.5
"""Standard deviation of the logarithm of a case's delay in weeks."""

NOMINAL = (0.005, 0.01, 0.05)
"""False alarms a week as detectors are told them, and real ones at which they are compared."""

BUDGETS = (0.1, 0.5)
"""Pages a week of the product as users get it."""

REPLICATES, SHORT_REPLICATES = 100, 2
PRODUCT_REPLICATES = 1
"""Series a scenario. The product, which refits every week of every series, is shown fewer, and none in a short run."""

AT_ONCE = 42
"""Series judged together: more do not fit the processor's cache, and threads would only wait for each other."""

PARAMETERS = (
    (0.1, 0.0025, 0.6, 0.6, 1.5),
    (-2.0, 0.005, 0.1, 0.3, 2.0),
    (1.5, 0.003, 0.2, -0.4, 1.0),
    (0.5, 0.002, 0.5, 0.5, 5.0),
    (2.5, 0.001, 1.0, 0.1, 3.0),
    (3.75, 0.001, 0.1, -0.1, 1.1),
    (5.0, 0.0001, 0.05, 0.01, 1.2),
)


@dataclass(frozen=True)
class Scenario:
    """Log mean `level` + `trend` a week + `harmonics` of the year with `cosine` and `sine`; variance `phi` means."""

    level: float
    trend: float
    cosine: float
    sine: float
    phi: float
    harmonics: int

    def mean(self) -> Floats:
        """Expected count of every week, shape (WEEKS,).

        >>> [round(float(m), 2) for m in Scenario(0.1, 0.0025, 0.6, 0.6, 1.5, 1).mean()[:2]]
        [2.16, 2.3]
        """
        week = np.arange(1.0, WEEKS + 1.0)
        phase = 2.0 * np.pi * np.arange(1, self.harmonics + 1)[:, None] * week / 52.0
        season = (self.cosine * np.cos(phase) + self.sine * np.sin(phase)).sum(axis=0)
        return np.asarray(np.exp(self.level + self.trend * week + season))


SCENARIOS = tuple(
    Scenario(level, trend * kept, cosine, sine, phi, harmonics)
    for (level, trend, cosine, sine, phi), harmonics, kept in product(PARAMETERS, (0, 1, 2), (1, 0))
)


@dataclass(frozen=True)
class Simulated:
    """Series of all scenarios, a scenario's replicates together: arrays have shape (scenarios * replicates, WEEKS).

    `mean` and `phi` are the truth; `outbreak` says where cases of any outbreak are, `current` those of the last year's.
    """

    counts: Floats
    mean: Floats
    phi: Floats
    outbreak: Bools
    current: Bools

    def quiet(self) -> Bools:
        """Judged weeks without outbreak, shape (series, judged weeks)."""
        return ~self.outbreak[:, JUDGED:]


def simulate(replicates: int, seed: int) -> Simulated:
    """Draw `replicates` series of each of the 42 scenarios."""
    rng = np.random.default_rng(seed)
    mean = np.repeat([scenario.mean() for scenario in SCENARIOS], replicates, axis=0)
    phi = np.repeat([scenario.phi for scenario in SCENARIOS], replicates)[:, None] * np.ones(WEEKS)
    rate = np.where(phi > 1.0, rng.gamma(mean / np.maximum(phi - 1.0, 1e-9), np.maximum(phi - 1.0, 1e-9)), mean)
    counts = rng.poisson(rate).astype(np.float64)
    starts = rng.permuted(np.tile(np.arange(FIRST, JUDGED), (len(mean), 1)), axis=1)[:, :PAST_OUTBREAKS]
    cases = np.zeros_like(counts)
    for start in starts.T:
        cases += _outbreak(mean, phi, start, rng.choice(PAST_SIZES, len(mean)), rng)
    size = 1 + np.arange(len(mean)) % SIZES
    now = _outbreak(mean, phi, rng.integers(JUDGED, WEEKS, len(mean)), size, rng)
    return Simulated(counts + cases + now, mean, phi, cases + now > 0, now > 0)


def _outbreak(
    mean: Floats, phi: Floats, start: NDArray[np.int64], size: NDArray[np.int64], rng: np.random.Generator
) -> Floats:
    """Cases of one outbreak a series, shape (series, WEEKS); what falls after the last week is not seen."""
    row = np.arange(len(mean))
    expected = size * np.sqrt(phi * mean)[row, start]
    cases = rng.poisson(expected)
    while (few := cases < LEAST_CASES).any():
        cases[few] = rng.poisson(expected[few])
    delay = np.floor(rng.lognormal(0.0, SPREAD, cases.sum())).astype(np.int64)
    found = np.zeros((len(mean), WEEKS + 60))
    np.add.at(found, (np.repeat(row, cases), np.minimum(np.repeat(start, cases) + delay, WEEKS + 59)), 1.0)
    return found[:, :WEEKS]


def tails(simulated: Simulated) -> dict[str, Floats]:
    """Detector -> chance of each judged week's count, shape (series, judged weeks); the oracle knows the truth."""
    weeks = range(JUDGED, WEEKS)
    parts = np.array_split(simulated.counts, max(1, len(simulated.counts) // AT_ONCE))
    peers = np.concatenate([np.array([farrington.tails(part, week) for week in weeks]) for part in parts], axis=2)
    ours = np.concatenate([np.array([_yearly(part, week) for week in weeks]) for part in parts], axis=1)
    mean, phi = simulated.mean[:, JUDGED:], simulated.phi[:, JUDGED:]
    return {
        "farrington": peers[:, 0].T,
        "farrington_power": peers[:, 1].T,
        "yearly": ours.T,
        "oracle": negbin.tail(simulated.counts[:, JUDGED:], mean, mean / np.maximum(phi - 1.0, 1e-12)),
    }


def _yearly(counts: Floats, week: int) -> Floats:
    """From as many weeks before `week` as Farrington's rule is shown."""
    return yearly.tails(0.0, WEEK, counts[:, week - farrington.NEEDED : week], counts[:, week])


def pages(simulated: Simulated, budget: float) -> Bools:
    """Weeks in which the product, as users get it, opens or escalates an episode, shape (series, judged weeks)."""
    found = np.zeros(simulated.quiet().shape, dtype=np.bool_)
    for row, counts in enumerate(simulated.counts):
        for happening in backtest.backtest(Series(0.0, WEEK, counts[FIRST:]), budget=budget):
            if not isinstance(happening, backtest.Closed) and happening.row >= JUDGED - FIRST:
                found[row, happening.row - (JUDGED - FIRST)] = True
    return found


def measure(arguments: argparse.Namespace) -> Figures:
    """Farrington Flexible, the yearly forecaster and the oracle on all series; the product on others, fewer."""
    replicates = SHORT_REPLICATES if arguments.short else REPLICATES
    simulated = simulate(replicates, arguments.seed)
    figures: Figures = {"scenarios": len(SCENARIOS), "replicates": replicates}
    for detector, chance in tails(simulated).items():
        for alpha in NOMINAL:
            figures |= rates(f"{detector}_{alpha}", simulated, chance <= alpha, alpha)
        for alpha in NOMINAL:
            level = np.quantile(chance[simulated.quiet()], alpha)
            figures[f"pod_{detector}_at_real_{alpha}"] = rates("", simulated, chance <= level)["pod_"]
    if not arguments.short:
        some = simulate(PRODUCT_REPLICATES, arguments.seed)
        for budget in BUDGETS:
            figures |= rates(f"product_{budget}", some, pages(some, budget))
    return figures


def rates(name: str, simulated: Simulated, flagged: Bools, nominal: float | None = None) -> Figures:
    """`fpr_` and `pod_` of `name` by `flagged` (series, judged weeks): mean, least and most of the scenarios.

    With a `nominal` rate also `_off`: how far from it a scenario's false positive rate is on average, as a share of it.
    """
    quiet, current = simulated.quiet(), simulated.current[:, JUDGED:]
    seen, caught = np.atleast_1d(current.any(axis=1)), np.atleast_1d((current & flagged).any(axis=1))

    def shares(hits: Bools, of: Bools) -> Floats:
        by_scenario = [part.reshape(len(SCENARIOS), -1).sum(axis=1) for part in (hits & of, of)]
        return np.asarray(by_scenario[0] / np.maximum(by_scenario[1], 1))

    wrong = shares(flagged, quiet)
    found: Figures = {} if nominal is None else {f"fpr_{name}_off": float(np.abs(wrong / nominal - 1.0).mean())}
    for kind, share in (("fpr", wrong), ("pod", shares(caught, seen))):
        found |= {
            f"{kind}_{name}": float(share.mean()),
            f"{kind}_{name}_least": float(share.min()),
            f"{kind}_{name}_most": float(share.max()),
        }
    return found
