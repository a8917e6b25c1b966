"""Which forecaster serves a brand: a rolling-origin backtest on its own past, by a proper score.

Each is fitted before an origin and scored on the hours of the day after it, seven days in a row, each weekday once
(Tashman 2000, International Journal of Forecasting 16). It works from two weeks of history on; a week says little, so
another than the robust one is chosen only where it is better by a margin, and seven days can tell so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from detectors.crps import crps, log_score
from detectors.forecaster import FORECASTERS, Forecaster
from detectors.series import Floats

HOUR, DAY = 3600.0, 86400.0

ORIGINS = 7
"""Days that are forecast: each weekday once."""

LEAST_DAYS = 14.0
"""Days of history before there is a choice: the first origin has a week behind it."""

LOOK_BACK_DAYS = 35.0
"""What a fit looks back at, as that of a watch does."""

MARGIN = 0.03
"""Part of the robust forecaster's CRPS that another must save: less is not worth a slower fit."""

CONFIDENCE = 0.95
"""That the saving is no luck, for all others together (Bonferroni)."""

LEAST_HOURS = 12
"""Known hours of a day that is scored."""

CUT = 3.0
"""Standard deviations at which a past residual is cut while the dispersion is estimated."""

LEAST_INVERSE = 0.005
"""No brand is steadier than 7 % an hour, whatever its short past says."""


@dataclass(frozen=True)
class Score:
    """How one forecaster did: mean CRPS (mentions an hour) and log score (nats an hour).

    `saved` is the part of the robust one's CRPS that it does without, `confidence` one minus the p-value of that being
    luck (paired t over days); both are 0 for the robust one itself.
    """

    crps: float
    log_score: float
    saved: float
    confidence: float


@dataclass(frozen=True)
class Choice:
    """What was `chosen`, from how many `days`, and each forecaster's score; one that could not be fitted has none."""

    chosen: str
    days: int
    scores: Mapping[str, Score]


def choose(
    start: float,
    step: float,
    counts: Floats,
    utc_offset: float = 0.0,
    *,
    forecasters: Mapping[str, Forecaster] = FORECASTERS,
) -> Choice | None:
    """Choose for `counts` (n,) of `step` seconds from POSIX `start`, NaN where unknown; `forecasters` has a "robust".

    None where there are fewer than LEAST_DAYS, buckets longer than an hour, or not two days to score.
    """
    n = len(counts)
    if step > HOUR or n * step < LEAST_DAYS * DAY:
        return None
    day = round(DAY / step)
    found: dict[str, list[tuple[float, float] | None]] = {name: [] for name in forecasters}
    for origin in range(n - ORIGINS * day, n, day):
        first = max(0, origin - round(LOOK_BACK_DAYS * DAY / step))
        past, coming = counts[first:origin], counts[origin : origin + day]
        if np.isfinite(_hours(coming, step)).sum() < LEAST_HOURS:
            continue
        for name, forecaster in forecasters.items():
            found[name].append(_scored(forecaster, start + first * step, step, past, coming, utc_offset))
    days = len(found["robust"])
    whole = {name: np.array(scores) for name, scores in found.items() if scores and None not in scores}
    if days < 2 or "robust" not in whole:
        return None
    scores = {name: _compared(values, whole["robust"]) for name, values in whole.items()}
    needed = 1.0 - (1.0 - CONFIDENCE) / max(len(forecasters) - 1, 1)
    better = [name for name, s in scores.items() if s.saved >= MARGIN and s.confidence >= needed]
    return Choice(min(better, key=lambda name: scores[name].crps, default="robust"), days, scores)


def _hours(counts: Floats, step: float) -> Floats:
    """Sums over whole hours, shape (hours,); NaN where any part is unknown."""
    each = max(1, round(HOUR / step))
    return np.asarray(counts[: len(counts) // each * each].reshape(-1, each).sum(axis=1))


def _scored(
    forecaster: Forecaster, start: float, step: float, past: Floats, coming: Floats, utc_offset: float
) -> tuple[float, float] | None:
    """Mean CRPS and log score of the hours of `coming`, fitted to `past` alone; None where there is no fit."""
    fitted = forecaster(start, step, past, utc_offset)
    if fitted is None:
        return None
    forecast, expected = fitted
    ahead = forecast.mean(start + len(past) * step, step, len(coming), utc_offset)
    seen, usual = _hours(coming, step), _hours(ahead, step)
    known = np.isfinite(seen)
    size = 1.0 / _inverse(_hours(past, step), _hours(expected, step))
    mean = np.maximum(usual[known], 1e-6)
    return float(crps(seen[known], mean, size).mean()), float(log_score(seen[known], mean, size).mean())


def _inverse(seen: Floats, expected: Floats) -> float:
    """Inverse size of the negative binomial by moments of what was expected before, outliers cut."""
    known = np.isfinite(seen)
    seen, expected, inverse = seen[known], np.maximum(expected[known], 1e-6), 0.1
    for _ in range(3):
        variance = expected + inverse * expected**2
        beyond = np.minimum((seen - expected) ** 2, CUT * CUT * variance) - expected
        inverse = max(float(beyond.sum() / (expected**2).sum()), LEAST_INVERSE)
    return inverse


def _compared(values: Floats, robust: Floats) -> Score:
    """Score of `values` (days, 2) against those of the robust forecaster, both CRPS and log score a day."""
    from scipy.special import stdtr  # costs half a second to load

    mean, usual = values.mean(axis=0), float(robust[:, 0].mean())
    gain = robust[:, 0] - values[:, 0]
    spread = float(gain.std(ddof=1))
    confidence = float(stdtr(len(gain) - 1, gain.mean() * np.sqrt(len(gain)) / spread)) if spread > 0 else 0.0
    saved = 1.0 - float(mean[0]) / usual if usual > 0 else 0.0
    return Score(float(mean[0]), float(mean[1]), saved, confidence)
