"""The shape of simulated talk: its rhythm, its restlessness and how anger grows.

The figures were measured on five-minute counts of seven companies on Twitter, spring 2015 (Numenta Anomaly Benchmark,
realTweets; Lavin & Ahmad 2015), and on the growth curves of real events (CrisisLexT26; Olteanu et al. 2015) laid over
them. Each is the median over the companies or events, of counts clipped at their 99th percentile.
"""

import math
from datetime import datetime
from random import Random

#: Rate by hour of the local day at the US east coast, in multiples of the mean.
HOURS = (0.58, 0.49, 0.54, 0.43, 0.56, 0.65, 0.67, 0.79, 1.13, 1.16, 1.30, 1.38,
         1.42, 1.40, 1.43, 1.39, 1.32, 1.31, 1.15, 1.05, 0.98, 0.90, 0.77, 0.72)  # fmt: skip

#: Rate by day of the week from Monday, in multiples of the mean.
WEEKDAYS = (0.93, 1.16, 1.10, 1.17, 1.07, 0.76, 0.62)

DRIFT_HOUR = 0.8
"""Autocorrelation of the rate's slow drift after one hour; counts then show 0.55, 0.4, 0.3, 0.2 after 1, 2, 3, 6 hours,
as measured (0.55, 0.39, 0.29, 0.16)."""

DRIFT_SD = 0.3
"""Standard deviation of the drift (natural log). It gives hourly counts an overdispersion of 0.09 (variance = mean +
0.09 mean^2); measured 0.04 and 0.16 on the two calmest of the busy companies, 0.04 to 0.70 on six of the seven (the
seventh lived through a bot loop)."""

DOUBLING_MINUTES = (10.0, 13.0)
"""Doubling time of the revolt, drawn from this range. 21 real curves doubled in 8 to 105 minutes, median 28."""


def rhythm(local: datetime) -> float:
    """Expected rate at a local time, in multiples of the mean; hours run into each other without a step."""
    after = (local.minute * 60 + local.second) / 3600 - 0.5
    hour = local.hour if after >= 0 else local.hour - 1
    share = after % 1
    return WEEKDAYS[local.weekday()] * (HOURS[hour % 24] * (1 - share) + HOURS[(hour + 1) % 24] * share)


def growth(minutes: float, doubling: float, first: float, ceiling: float) -> float:
    """Logistic growth (Verhulst 1838): `first` a minute at 0, doubling every `doubling` minutes, at most `ceiling`."""
    return ceiling / (1 + (ceiling / first - 1) * 2 ** (-minutes / doubling))


def poisson(rng: Random, mean: float) -> int:
    """Draw a Poisson count by the arrivals of a unit-rate process; `mean` is some hundreds at most."""
    count, left = 0, mean - rng.expovariate(1.0)
    while left > 0:
        count += 1
        left -= rng.expovariate(1.0)
    return count


class Drift:
    """A slowly wandering factor with mean 1: the exponential of a first-order autoregression, one step a minute."""

    def __init__(self, rng: Random, sd: float = DRIFT_SD, hour: float = DRIFT_HOUR) -> None:
        self._rng = rng
        self._sd = sd
        self._keep = hour ** (1 / 60)
        self._value = rng.gauss(0, sd)

    def step(self) -> float:
        """Advance by a minute and give the factor."""
        self._value = self._keep * self._value + self._rng.gauss(0, self._sd * math.sqrt(1 - self._keep**2))
        return math.exp(self._value - self._sd**2 / 2)
