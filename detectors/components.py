"""Unobserved components: a level that wanders, a day of four harmonics, a week of three, and bursts that fade.

It works where level and rhythm are smooth: what rises for some hours is told from a new level, and forgotten at its own
pace (autoregression of one hour; without it, a burst moves the level for days). What happens at one hour of the week
alone is beyond three harmonics.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.hourly import AHEAD, BLOCK, DAY, WEEKLY_HOURS, Hours, Slow
from detectors.series import Floats

DAILY, WEEKLY = {"period": 24, "harmonics": 4}, {"period": 168, "harmonics": 3}
"""Hours, and how many sines: finer shapes than 6 hours of a day and 56 of a week are taken for noise."""

LEAST_VARIANCE = 1e-4
"""Of a state's part, in squared log units: a filter that is certain of all learns nothing."""

MAX_ITERATIONS = 30
"""Steps of the optimiser; most histories need two dozen."""

TOLERANCE = 1e10
"""Where the optimiser stops, in units of the machine's precision: a thousandth of log-likelihood."""


@dataclass(frozen=True)
class Components:
    """`parameters` as statsmodels has them, and the state (k,) with which they began at hour `first`.

    `variance` (k,) is how uncertain that state was.
    """

    first: int
    weekly: bool
    parameters: Floats
    state: Floats
    variance: Floats

    def follow(self, hours: Hours) -> tuple[Floats, Floats]:
        """Kalman filter (Durbin & Koopman 2012, Time Series Analysis by State Space Methods, section 4.3), gaps too.

        The past is what the filter's state at the begin of each block says of the hours in it.
        """
        model = _model(hours.logs, weekly=self.weekly)
        model.update(self.parameters)
        turn, seen = model.ssm["transition"], model.ssm["design"][0]
        begun = np.linalg.matrix_power(turn, hours.first - self.first) @ self.state  # rhythms turn, the level stays
        model.ssm.initialize_known(begun, np.diag(self.variance))
        states = model.ssm.filter().predicted_state[:, : len(hours.counts) + 1]
        ahead, state = np.empty(AHEAD), states[:, -1]
        for t in range(AHEAD):
            ahead[t], state = seen @ state, turn @ state
        begun = states[:, :-1:BLOCK]
        steps = np.empty((BLOCK + 1, begun.shape[1]))
        for k in range(BLOCK + 1):
            steps[k], begun = seen @ begun, turn @ begun
        past = np.stack((steps[:-1].T.ravel(), steps[1:].T.ravel()), axis=1)
        return past[: len(hours.counts)], ahead


def _model(logs: Floats, *, weekly: bool) -> Any:
    from statsmodels.tsa.statespace.structural import UnobservedComponents

    return UnobservedComponents(
        logs,
        level="llevel",
        freq_seasonal=[DAILY, WEEKLY] if weekly else [DAILY],
        stochastic_freq_seasonal=[False, False] if weekly else [False],
        autoregressive=1,
    )


def learn(hours: Hours) -> Components | None:
    """Maximum likelihood of the variances by statsmodels; None where it fails."""
    import warnings

    weekly = len(hours.counts) >= WEEKLY_HOURS
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            found = _model(hours.logs, weekly=weekly).fit(disp=False, maxiter=MAX_ITERATIONS, factr=TOLERANCE)
        except (ValueError, ArithmeticError, np.linalg.LinAlgError):
            return None
    variance = np.maximum(np.diagonal(found.smoothed_state_cov[:, :, 0]), LEAST_VARIANCE)
    return Components(hours.first, weekly, np.asarray(found.params), found.smoothed_state[:, 0], variance)


fit = Slow(learn, seconds=3 * DAY)
"""The forecaster; a fit costs a second. What it learns slowly are variances: its filter follows level and rhythm."""
