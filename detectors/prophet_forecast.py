"""Prophet: the rhythm of day and week as smooth curves, with what holidays and campaigns add to it.

It works where the rhythm is smooth and the calendar tells; a holiday or campaign that the history has not seen adds
nothing. Its trend serves the fit alone, since it was fitted to both sides of every hour: the level is followed as of
before each block.

This is the one file of the room that leaves it: Prophet's optimiser is a program of its own, that is given a private
temporary directory and killed after BUDGET_SECONDS.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.hourly import AHEAD, BLOCK, DAY, HOUR, WEEKLY_HOURS, Hours, Slow
from detectors.series import Floats

BUDGET_SECONDS = 20.0
"""A fit to five weeks takes a fifth of a second; one that takes a hundred times as long will not end."""

KEPT_HOURS = 48
"""Hours for which what was learned must do beyond AHEAD: until it is learned anew, and a day of grace."""

LEVEL_HOURS = 24.0
"""Half-life of the level, in hours that were seen."""

LEVEL_CREDIT = 12.0
"""Hours of the history's first day that the level begins with."""


@dataclass(frozen=True)
class Calendar:
    """Past and to come: holidays (local days since 1970), campaigns (begin and end, local seconds since 1970)."""

    holidays: frozenset[int] = frozenset()
    campaigns: tuple[tuple[float, float], ...] = ()

    def campaign(self, hours: Floats) -> Floats:
        """Whether each of `hours` (n,), local begins in seconds, lies in a campaign: 0 or 1, shape (n,)."""
        found = np.zeros(len(hours))
        for begin, end in self.campaigns:
            found[(hours + HOUR > begin) & (hours < end)] = 1.0
        return found


@dataclass(frozen=True)
class Effects:
    """What hour of the week and calendar add to the log of the count, `logs` (m,), from hour `first` on."""

    first: int
    logs: Floats

    def follow(self, hours: Hours) -> tuple[Floats, Floats]:
        """An exponentially weighted level of what the effects leave, as of each block's begin."""
        n = len(hours.counts)
        place = hours.first - self.first + np.arange(n + AHEAD)
        beyond = np.maximum(place - len(self.logs) + 1, 0)
        effect = self.logs[place - 168 * -(-beyond // 168)]
        logs, fade = hours.logs, 0.5 ** (1.0 / LEVEL_HOURS)
        left = logs - effect[:n]
        weight = LEVEL_CREDIT
        total = weight * float(np.nanmean(left[: np.flatnonzero(np.isfinite(left))[23] + 1]))
        past = np.empty((n, 2))
        for t, value in enumerate(left.tolist()):
            if t % BLOCK == 0:
                base = total / weight
            past[t] = base + effect[t], base + effect[t + 1]
            if value == value:  # not NaN
                total, weight = fade * total + value, fade * weight + 1.0
        return past, total / weight + effect[n:]


@dataclass(frozen=True)
class Learn:
    """Learns the effects of hour, weekday and `calendar`."""

    calendar: Calendar

    def __call__(self, hours: Hours) -> Effects | None:
        """Fit by Prophet (Taylor & Letham 2018, The American Statistician 72); None where it fails."""
        import tempfile

        n = len(hours.counts)
        with _quiet(), tempfile.TemporaryDirectory(prefix="foreshock-prophet-") as private:
            frame = self._frame(hours, n + AHEAD + KEPT_HOURS)
            model = self._model(weekly=n >= WEEKLY_HOURS)
            try:
                model.fit(frame[:n].dropna(subset="y"), timeout=BUDGET_SECONDS, output_dir=private)
                logs = model.predict(frame)["additive_terms"].to_numpy(np.float64)
            except (RuntimeError, ValueError, OSError):
                return None
        return Effects(hours.first, logs)

    def _model(self, *, weekly: bool) -> Any:
        import pandas as pd
        from prophet import Prophet

        days = pd.DataFrame({"ds": pd.to_datetime(sorted(self.calendar.holidays), unit="D"), "holiday": "holiday"})
        model = Prophet(
            daily_seasonality=True,
            weekly_seasonality=weekly,
            yearly_seasonality=False,
            holidays=days if len(days) else None,
            uncertainty_samples=0,
        )
        if self.calendar.campaigns:
            model.add_regressor("campaign", standardize=False)
        return model

    def _frame(self, hours: Hours, n: int) -> Any:
        import pandas as pd

        begins: Floats = hours.start + HOUR * np.arange(n, dtype=np.float64)
        logs = np.full(n, np.nan)
        logs[: len(hours.counts)] = hours.logs
        middles = pd.to_datetime(begins + HOUR / 2.0, unit="s")
        return pd.DataFrame({"ds": middles, "y": logs, "campaign": self.calendar.campaign(begins)})


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither Prophet nor its optimiser writes to the log."""
    import warnings

    loggers = [logging.getLogger(name) for name in ("prophet", "prophet.plot", "cmdstanpy")]
    was = [each.disabled for each in loggers]
    for each in loggers:
        each.disabled = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for each, before in zip(loggers, was, strict=True):
            each.disabled = before


def prophet(calendar: Calendar) -> Slow:
    """The forecaster for a brand's calendar."""
    return Slow(Learn(calendar), seconds=DAY)


fit = prophet(Calendar())
"""The forecaster for a brand without a calendar; a fit costs a third of a second, the first one some seconds more."""
