"""Prophet's own uncertainty bands as an alarm, as other tools use them: hourly counts above the upper edge."""

import logging
from typing import Any

import numpy as np

from detectors.series import Floats, Series

HOUR, DAY = 3600.0, 86400.0

BANDS = {"prophet_80": 0.80, "prophet_95": 0.95, "prophet_99": 0.99}
"""Name in the figures -> width of the interval."""

REFITS = (2 * DAY, 7 * DAY)
"""Seconds of history at the first fit and the second; from then on it is fitted once a week."""

SEED = 1


def scores(series: Series) -> dict[str, Floats]:
    """Score the hours of `series` (n,) by each band: 0 at the forecast, 1 at the band's upper edge.

    An hour's score stands in the bucket that ends it, shape (n,); all others, and the time before the first fit, are
    minus infinity. Every forecast is made of hours before it. Prophet: Taylor & Letham (2018), The American
    Statistician 72:37-45, with its defaults.
    """
    hours, counts, ends = hourly(series)
    out = {band: np.full(len(series), -np.inf) for band in BANDS}
    fits = [series.start + since for since in (*REFITS, *np.arange(14 * DAY, len(series) * series.step, 7 * DAY))]
    for at, until in zip(fits, [*fits[1:], np.inf], strict=True):
        past, ahead = hours + HOUR <= at, (hours + HOUR > at) & (hours + HOUR <= until)
        if not ahead.any():
            continue
        drawn = _forecast(hours[past], counts[past], hours[ahead])
        middle = drawn.mean(axis=1)
        for band, width in BANDS.items():
            upper = np.quantile(drawn, 0.5 + width / 2, axis=1)
            score = (counts[ahead] - middle) / np.maximum(upper - middle, 1e-9)
            out[band][ends[ahead]] = np.where(np.isnan(score), -np.inf, score)
    return out


def hourly(series: Series) -> tuple[Floats, Floats, Any]:
    """Return the clock hours that end within `series`: their POSIX begins, counts, and the rows that end them.

    Gaps take their part out: the count is that of the known buckets scaled to the hour, NaN where none is known.
    """
    hour, place = np.unique(series.times() // HOUR, return_inverse=True)
    known = ~np.isnan(series.mentions)
    total = np.bincount(place, weights=np.where(known, series.mentions, 0.0))
    buckets = np.bincount(place, weights=known)
    counts = np.full(len(hour), np.nan)
    counts[buckets > 0] = total[buckets > 0] / buckets[buckets > 0] * (HOUR / series.step)
    ends = np.searchsorted(place, np.arange(len(hour)), side="right") - 1
    whole = series.times()[ends] + 2 * series.step > (hour + 1) * HOUR
    return hour[whole] * HOUR, counts[whole], ends[whole]


def _forecast(past: Floats, counts: Floats, ahead: Floats) -> Floats:
    """Draws from the predictive distribution of the hours `ahead`, shape (hours, draws)."""
    for name in ("prophet", "prophet.plot", "cmdstanpy"):
        logging.getLogger(name).disabled = True
    import pandas as pd  # some seconds and a hundred MiB, for this peer alone
    from prophet import Prophet

    np.random.seed(SEED)  # Prophet draws from the global generator
    model = Prophet()
    model.fit(pd.DataFrame({"ds": pd.to_datetime(past, unit="s"), "y": counts}), seed=SEED)
    drawn = model.predictive_samples(pd.DataFrame({"ds": pd.to_datetime(ahead, unit="s")}))
    return np.asarray(drawn["yhat"], dtype=np.float64)
