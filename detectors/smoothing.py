"""Exponential smoothing, additive in logs with a season of a day: ETS(A,N,A) of log(1 + count) by hour.

It works where the level wanders and the shape of the day changes slowly. It knows no week, so weekends surprise it, and
its level follows the last hours: after a burst it expects too much for a while.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.hourly import AHEAD, BLOCK, Hours, Slow
from detectors.series import Floats

Whole = NDArray[np.int64]

DAY_HOURS = 24

MAX_ITERATIONS = 60
"""Steps of the optimiser; most histories need a dozen."""


@dataclass(frozen=True)
class Smoothing:
    """Weights of the last hour in level and season, where they started, `season` (24,) by local hour of the day."""

    alpha: float
    gamma: float
    level: float
    season: Floats

    def follow(self, hours: Hours) -> tuple[Floats, Floats]:
        """Hyndman, Koehler, Ord & Snyder 2008, Forecasting with Exponential Smoothing, eq. 3.9; a gap moves nothing."""
        logs, level, season = hours.logs.tolist(), self.level, self.season.tolist()
        past = np.empty((len(logs), 2))
        for t, y in enumerate(logs):
            if t % BLOCK == 0:
                base, kept = level, season.copy()
            hour = (hours.first + t) % DAY_HOURS
            past[t] = base + kept[hour], base + kept[(hour + 1) % DAY_HOURS]
            if y == y:  # not NaN
                error = y - level - season[hour]
                level += self.alpha * error
                season[hour] += self.gamma * error
        ahead = (hours.first + len(logs) + np.arange(AHEAD)) % DAY_HOURS
        return past, level + np.array(season)[ahead]


def learn(hours: Hours) -> Smoothing | None:
    """Maximum likelihood of both weights by statsmodels; None where it fails."""
    import warnings

    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    hour = (hours.first + np.arange(len(hours.counts))) % DAY_HOURS
    filled = _filled(hours.logs, hour)
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            model = ETSModel(
                filled, error="add", seasonal="add", seasonal_periods=DAY_HOURS, initialization_method="heuristic"
            )
            found = model.fit(disp=False, maxiter=MAX_ITERATIONS)
            alpha, gamma = found.smoothing_level, found.smoothing_seasonal
            level, *season = found.initial_state.tolist()
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return None
    by_hour = np.empty(DAY_HOURS)
    by_hour[hour[:DAY_HOURS]] = season
    return Smoothing(float(alpha), float(gamma), level, by_hour)


def _filled(logs: Floats, hour: Whole) -> Floats:
    """Gaps as the hour of the day usually is: the estimation of the weights needs a whole series."""
    known = np.isfinite(logs)
    often = np.bincount(hour[known], minlength=DAY_HOURS)
    total = np.bincount(hour[known], logs[known], DAY_HOURS)
    usual = np.where(often > 0, total / np.maximum(often, 1), logs[known].mean())
    return np.where(known, logs, usual[hour])


fit = Slow(learn)
"""The forecaster; a fit costs a tenth of a second."""
