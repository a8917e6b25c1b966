"""The facade of the room: fit what is normal for a brand every few hours, look at it every minute."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from detectors import sources, statistic, yearly
from detectors.calibrate import Calibration, Channel, Scale
from detectors.feedback import Feedback, unsaid
from detectors.forecaster import FORECASTERS, Forecaster
from detectors.looks import Finding, Looks
from detectors.scan import DAY, HOUR, windows
from detectors.series import Bools, Floats, Series
from detectors.sources import Normal
from detectors.statistic import Rows, Spreads, Statistic

REFIT_SECONDS = 6 * HOUR
"""How often a watch is fitted anew; its calibration promises what it does at this pace."""

FINER = 1.5
"""Times as many pages come where the windows are looked at more often than the tails learned from: each minute, and the
running one, instead of every five."""

HISTORY_SECONDS, HISTORY_STEPS, HISTORY_YEARS = 35 * DAY, 120, 6
"""What a fit looks back at: five weeks, or 120 buckets where they are longer than some hours; years where the
forecaster is of years."""


@dataclass(frozen=True)
class Watch:
    """A brand's normal, and what it takes to be strange. Made by `fit`; it is never changed, only followed by another.

    `until` is the POSIX time up to which its data went, `budget` false pages a week.
    """

    step: float
    until: float
    budget: float
    normals: Mapping[str, Normal]
    spreads: Spreads | None
    calibration: Calibration

    def look(
        self,
        recent: Series | Mapping[str, Series],
        *,
        rows: Rows | None = None,
        exposure: float = 1.0,
        mask: Bools | None = None,
        campaign: Bools | None = None,
        utc_offset: float = 0.0,
    ) -> Looks:
        """Judge the buckets `rows` of `recent` (n,), by default the last one; its step divides the windows.

        `recent` should reach back `lookback(step)` seconds. `exposure` is how much of the last bucket has passed (0-1];
        `mask` (n,) are buckets to leave out as unknown: those of episodes that are closed; `campaign` (n,) those of
        planned events.
        """
        by_source = {"": recent} if isinstance(recent, Series) else recent
        first = sources.check(by_source)
        n = len(first)
        rows = np.array([n - 1], dtype=np.int64) if rows is None else rows
        nothing = np.zeros(n, dtype=np.bool_)
        mask, campaign = nothing if mask is None else mask, nothing if campaign is None else campaign
        end = np.asarray(first.start + first.step * (rows + 1.0), dtype=np.float64)
        if self.spreads is None or n == 0:
            return Looks(end, {})
        sums = sources.expect(by_source, self.normals, mask, utc_offset, exposure)
        found = statistic.measure(sums, self.spreads, rows, campaign)
        scale = self.calibration.scale(channels(found, self.spreads.lengths))
        return Looks(end, findings(found, self.step, self.spreads.lengths, scale, self.spends(first.step)))

    def spends(self, step: float) -> float:
        """The pages a week that a threshold may spend where buckets of `step` seconds are looked at."""
        return self.budget / FINER if step < self.step else self.budget


def channels(detectors: Iterable[str], lengths: tuple[float, ...]) -> tuple[Channel, ...]:
    """Every window of every detector, in the order in which they are scored."""
    return tuple((name, length) for name in detectors for length in lengths)


def findings(
    found: Mapping[str, Statistic], step: float, lengths: tuple[float, ...], scale: Scale, budget: float | Floats
) -> dict[str, Finding]:
    """Score what was found by watches of `step` seconds; `budget` is what each spends, one or (rows,)."""
    flashes, every = len(windows(step)[0]), len(lengths)
    heights = scale.height(np.concatenate([seen.strange() for seen in found.values()]))
    scored = {}
    for n, (name, seen) in enumerate(found.items()):
        height = heights[n * every : (n + 1) * every]
        highest = np.array((height[:flashes].max(axis=0), height[flashes:].max(axis=0)))
        flash, slow = scale.score(highest, budget)
        scored[name] = Finding(name, lengths, seen, height, flash, slow)
    return scored


def lookback(step: float) -> float:
    """Seconds of recent data that the longest window needs at a fit of `step` seconds."""
    return windows(step)[1][-1]


def fit(
    history: Series | Mapping[str, Series],
    *,
    budget: float = 0.5,
    previous: Watch | None = None,
    mask: Bools | None = None,
    campaign: Bools | None = None,
    feedback: Feedback | None = None,
    utc_offset: float = 0.0,
    forecaster: Forecaster = FORECASTERS["robust"],
) -> Watch:
    """Learn what is normal from `history` (n,), one series or one a source; NaN is unknown.

    `mask` (n,) are strange buckets, which teach no baseline; `campaign` (n,) those of planned events; `feedback` is
    what people said of them. `previous` is the watch until now: it judges what came after it, as it did live, and those
    scores teach the tails. Without it the thresholds are those of a young brand; `rehearse` gives a grown one from
    history alone.

    Raises:
        ValueError: sources differ in their buckets, or the budget is not a positive number.

    >>> quiet = Series(0.0, 300.0, np.random.default_rng(1).poisson(4.0, 2016).astype(float))
    >>> watch = fit(quiet, budget=0.5)
    >>> hour = Series(604800.0, 300.0, np.array([4.0, 3.0, 5.0, 60.0]))
    >>> watch.look(hour).verdicts(0)[0].score > 50
    True
    """
    if not (budget > 0 and np.isfinite(budget)):
        raise ValueError(f"the alert budget is {budget}; it is a number of false pages a week above 0")
    by_source = {"": history} if isinstance(history, Series) else history
    first = sources.check(by_source)
    n, step = len(first), first.step
    nothing = np.zeros(n, dtype=np.bool_)
    mask, campaign = nothing if mask is None else mask, nothing if campaign is None else campaign
    if previous is None:
        calibration = Calibration(step)
    else:
        calibration = _taught(previous, by_source, first, mask, campaign, feedback or unsaid(n), utc_offset)
    years = HISTORY_YEARS * yearly.YEAR if forecaster is yearly.fit else 0.0
    oldest = max(0, n - round(max(HISTORY_SECONDS, HISTORY_STEPS * step, years) / step))
    recent = sources.cut(by_source, oldest, n)
    normals, past = sources.fit(recent, forecaster, (mask | campaign)[oldest:], utc_offset)
    lengths = sum(windows(step), ())
    return Watch(
        step=step,
        until=first.start + n * step,
        budget=budget,
        normals=normals,
        spreads=statistic.estimate(past, lengths) if normals else None,
        calibration=calibration,
    )


def rehearse(
    history: Series | Mapping[str, Series],
    *,
    budget: float = 0.5,
    every: float = REFIT_SECONDS,
    mask: Bools | None = None,
    campaign: Bools | None = None,
    feedback: Feedback | None = None,
    utc_offset: float = 0.0,
    forecaster: Forecaster = FORECASTERS["robust"],
) -> Watch:
    """The watch that a brand would have now had it been watched since `history` began: fitted `every` seconds.

    Raises:
        ValueError: as `fit`.
    """
    by_source = {"": history} if isinstance(history, Series) else history
    first = sources.check(by_source)
    stride = max(1, round(every / first.step))
    watch: Watch | None = None
    for last in [*range(stride, len(first), stride), len(first)]:
        watch = fit(
            sources.cut(by_source, 0, last),
            budget=budget,
            previous=watch,
            mask=None if mask is None else mask[:last],
            campaign=None if campaign is None else campaign[:last],
            feedback=None if feedback is None else feedback.rows(0, last),
            utc_offset=utc_offset,
            forecaster=forecaster,
        )
    assert watch is not None
    return watch


def _taught(
    watch: Watch,
    by_source: Mapping[str, Series],
    first: Series,
    mask: Bools,
    campaign: Bools,
    feedback: Feedback,
    utc_offset: float,
) -> Calibration:
    """The calibration of `watch` after it saw what came since it was fitted."""
    n, step = len(first), first.step
    new = int(np.clip(round((watch.until - first.start) / step), 0, n))
    if watch.spreads is None or new == n:
        return watch.calibration
    context = max(0, new - round(lookback(step) / step))
    recent = sources.cut(by_source, context, n)
    mask, campaign = (mask | feedback.false)[context:], campaign[context:]
    rows, lengths = np.arange(new - context, n - context), watch.spreads.lengths
    calm = sources.expect(recent, watch.normals, mask, utc_offset)
    seen = _surprises(statistic.measure(calm, watch.spreads, rows, campaign), lengths)
    if mask[rows].any():
        whole = sources.expect(recent, watch.normals, np.zeros_like(mask), utc_offset)
        storm = _surprises(statistic.measure(whole, watch.spreads, rows, campaign), lengths)
        seen = {key: _one_peak(strange, storm[key], mask, rows) for key, strange in seen.items()}
    said = feedback.rows(new, n)
    seen = {key: np.where(said.left, np.nan, strange) for key, strange in seen.items()}
    return watch.calibration.learn(seen, first.times()[new:], said.false)


def _one_peak(calm: Floats, storm: Floats, mask: Bools, rows: Rows) -> Floats:
    """An episode is one page, so that it teaches its highest score once, where it opened, however long it lasts.

    That holds for a false alarm too: the windows of a day after it hold it still.
    """
    masked = mask[rows]
    opens = np.flatnonzero(masked & ~np.where(rows > 0, mask[rows - 1], False))
    out = np.where(masked, np.nan, calm)
    for first in opens:
        rest = np.flatnonzero(~masked[first:])
        run = storm[first : first + int(rest[0])] if len(rest) else storm[first:]
        if np.isfinite(run).any():
            out[first] = np.nanmax(run)
    return out


def _surprises(found: Mapping[str, Statistic], lengths: tuple[float, ...]) -> dict[Channel, Floats]:
    """The surprise of every window of every detector, shape (rows,)."""
    strange = np.concatenate([seen.surprise for seen in found.values()])
    return dict(zip(channels(found, lengths), strange, strict=True))
