"""What a forecaster is, and which there are."""

from typing import Protocol

from detectors import components, prophet_forecast, robust, smoothing, yearly
from detectors.hourly import Following, Slow
from detectors.series import Floats


class Forecast(Protocol):
    """What is normal, ahead of time."""

    def mean(self, start: float, step: float, n: int, utc_offset: float = 0.0) -> Floats:
        """Expected count of `n` buckets of `step` seconds from POSIX `start`, shape (n,)."""
        ...


class Forecaster(Protocol):
    """Fits to counts (n,), NaN where unknown; gives the forecast and what it would have expected of each past bucket.

    The second, shape (n,), must not use a bucket's own count or a later one for its level. None while too little is
    known.
    """

    def __call__(
        self, start: float, step: float, counts: Floats, utc_offset: float = 0.0
    ) -> tuple[Forecast, Floats] | None:
        """Fit."""
        ...


FORECASTERS: dict[str, Forecaster] = {
    "robust": robust.fit,
    "smoothing": smoothing.fit,
    "components": components.fit,
    "prophet": prophet_forecast.fit,
    "yearly": yearly.fit,
}
"""By name, as `--forecaster` takes it."""


def remembering(forecaster: Forecaster) -> Forecaster:
    """What is fitted every few hours: a slow one learns anew when it is due and is followed in between."""
    return Following(forecaster) if isinstance(forecaster, Slow) else forecaster
