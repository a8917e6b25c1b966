"""From an alert budget to a threshold: how often a week does a brand's own past look as strange as this?

Every window of every detector is a channel. Its surprise is measured by the channel's own past (how far above the
middle of its block maxima, in their spread), which makes channels and brands comparable; the highest of all channels is
the brand's one score, and that has one tail. So the budget is spent once, however the channels hang together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np

from detectors import tail as tails
from detectors.scan import DAY, HOUR, columns
from detectors.series import Bools, Floats
from detectors.tail import Tail, fitted, young

WEEK = 7 * DAY

BLOCK_HOURS = 6.0
"""Only the highest score of every six hours counts: what lies within them is one episode, not many."""

BLOCKS_KEPT = 224
"""Blocks that are remembered: eight weeks of six hours."""

OWN_BLOCKS = 40.0
"""Blocks of its own that weigh as much as what is believed of a channel before: ten days."""

USUAL_SPREAD, LEAST_SPREAD = {"volume": 1.7, "revolt": 1.4}, 0.3
"""Spread of a channel's block maxima at large (from their middle to the highest tenth, standard normal units), and the
least that is believed: talk is burstier than chance (1.0), in every window."""

HIGH = 0.9
"""Quantile of the block maxima whose distance from their middle is the spread."""

POORER = 1.5
"""Spreads that `volume` is set back where sentiment is told: alone it is the poorer witness of a crisis."""

LATE = {6 * HOUR: 0.5, DAY: 1.0, 7 * DAY: 1.0}
"""Spreads that the slowest windows are set back, by seconds: what only they see is seldom a crisis."""

SPENT = 1.2
"""Part of the budget that blocks may spend: not every block above the threshold is a page of its own."""

RAREST = 1.0 / 52.0
"""Times a week. What is rarer than once in a year is taken for a crisis: it teaches the tail no more than that."""

VOUCHED = RAREST / 10.0
"""Times a week. What a person called a false alarm teaches up to heights that come once in ten years: its full height
but for the wildest, which would double the threshold of a brand of few days by one word."""

CRISES = 0.02
"""Part of the blocks, the highest ones, that have no word in what is rarest: they may be crises."""

DECADE = 10.0
"""Points of score for a page that is ten times rarer."""

Channel = tuple[str, float]
"""A detector's name and a window's length in seconds."""


@dataclass(frozen=True)
class Scale:
    """What measures surprises: `middle` and `spread` (channels,), what channels are set `back`, and the tail.

    Of many looks, `middle` and `spread` are (channels, looks) and the tail is as `tail.beside` gives it.
    """

    middle: Floats
    spread: Floats
    back: Floats
    tail: Tail

    def height(self, surprise: Floats) -> Floats:
        """Spreads above the middle, less what a channel is set back, shape as `surprise` (channels, rows)."""
        return np.asarray((surprise - columns(self.middle)) / columns(self.spread) - columns(self.back))

    def score(self, height: Floats, budget: float | Floats) -> Floats:
        """Scores 0-100 of heights (..., rows), same shape, NaN where unknown; at 50 the `budget` a week is spent.

        Every DECADE points are tenfold rarer, so that pages of higher severities are a geometric series on openings.
        """
        return np.clip(50.0 + DECADE * np.log10(SPENT * budget / self.tail.rate(height)), 0.0, 100.0)


def beside(scales: Sequence[Scale], rows: int) -> Scale:
    """The scales of many brands as one, each for `rows` looks."""
    return Scale(
        np.repeat(np.array([one.middle for one in scales]).T, rows, axis=1),
        np.repeat(np.array([one.spread for one in scales]).T, rows, axis=1),
        scales[0].back,
        tails.beside([one.tail for one in scales], rows),
    )


@dataclass(frozen=True)
class Calibration:
    """What a brand's past says of how strange is usual, for buckets of `step` seconds.

    `blocks` (n, channels) are maxima of blocks of time, newest last, NaN where unknown; `last` is the newest's number.
    `false` (n,) are the blocks of false alarms, as people said. `middle` and `spread` (channels,) are the channels'
    own, with what is believed of them before.
    """

    step: float
    channels: tuple[Channel, ...] = ()
    blocks: Floats = field(default_factory=lambda: np.empty((0, 0)))
    false: Bools = field(default_factory=lambda: np.empty(0, dtype=np.bool_))
    last: float = -np.inf
    middle: Floats = field(default_factory=lambda: np.empty(0))
    spread: Floats = field(default_factory=lambda: np.empty(0))
    tail: Tail | None = None

    @property
    def seconds(self) -> float:
        """Seconds of a block."""
        return max(BLOCK_HOURS * HOUR, self.step)

    def height(self, strange: Mapping[Channel, Floats]) -> Floats:
        """Surprises (rows,) by channel as spreads above the middle, less what a channel is set back, (channels, rows).

        >>> Calibration(300.0).height({("volume", 300.0): np.array([2.3, 4.0])}).round(1).tolist()
        [[-0.0, 1.0]]
        """
        return self.scale(tuple(strange)).height(np.array(list(strange.values())))

    def scale(self, channels: tuple[Channel, ...]) -> Scale:
        """What measures surprises of `channels`."""
        if channels == self.channels:
            return self._own
        return self._scale(channels, *_measured(channels, self.seconds, self._as(channels)))

    @cached_property
    def _own(self) -> Scale:
        return self._scale(self.channels, self.middle, self.spread)

    def _scale(self, channels: tuple[Channel, ...], middle: Floats, spread: Floats) -> Scale:
        return Scale(middle, spread, _set_back(channels), self.tail or young(WEEK / self.seconds))

    def score(self, height: Floats, budget: float) -> Floats:
        """Scores of heights, as `Scale.score`.

        >>> Calibration(300.0).score(np.array([0.0, 5.0, 50.0]), 0.5).round().tolist()
        [35.0, 55.0, 95.0]
        """
        return self.scale(self.channels).score(height, budget)

    def learn(self, strange: Mapping[Channel, Floats], times: Floats, false: Bools | None = None) -> "Calibration":
        """The calibration after surprises (n,) by channel were seen at POSIX `times` (n,); NaN teaches nothing.

        `false` (n,) are those of false alarms: they teach more than once-a-year heights, up to VOUCHED.
        """
        channels = tuple(strange)
        seen = np.array(list(strange.values()))
        known = np.isfinite(seen).any(axis=0)
        if not known.any():
            return self
        number = np.floor(times[known] / self.seconds)
        starts = np.flatnonzero(np.diff(number, prepend=number[0] - 1.0))
        new = np.fmax.reduceat(seen[:, known], starts, axis=1).T
        said = np.zeros(len(number), dtype=np.bool_) if false is None else false[known]
        called = np.logical_or.reduceat(said, starts)
        old, before = self._as(channels), self.false
        if number[0] == self.last:
            new[0] = np.fmax(new[0], old[-1])
            called[0] |= before[-1]
            old, before = old[:-1], before[:-1]
        blocks = np.concatenate((old, new))[-BLOCKS_KEPT:]
        vouched = np.concatenate((before, called))[-BLOCKS_KEPT:]
        middle, spread = _measured(channels, self.seconds, blocks)
        highest = np.nanmax((blocks - middle) / spread - _set_back(channels), axis=1)
        tail = _tail(highest, vouched, WEEK / self.seconds)
        return Calibration(self.step, channels, blocks, vouched, float(number[-1]), middle, spread, tail)

    def _as(self, channels: tuple[Channel, ...]) -> Floats:
        """The blocks in the order of `channels`, NaN for those that are new."""
        if channels == self.channels:
            return self.blocks
        own = {channel: n for n, channel in enumerate(self.channels)}
        unknown = np.full(len(self.blocks), np.nan)
        return np.array([self.blocks[:, own[c]] if c in own else unknown for c in channels]).T


def _tail(highest: Floats, false: Bools, a_week: float) -> Tail:
    """The tail of the highest of every block (n,), those of `false` alarms being vouched for (n,)."""
    rest = np.sort(highest[~false])
    common = fitted(rest[: len(rest) - max(1, round(CRISES * len(rest)))], a_week)
    most = np.where(false, common.reached(VOUCHED), common.reached(RAREST))
    return fitted(np.minimum(highest, most), a_week)


@lru_cache(maxsize=64)
def _usual(channels: tuple[Channel, ...], seconds: float) -> tuple[Floats, Floats]:
    """Middle and spread (channels,) at large: the median of the maximum of as many windows as a block has."""
    from scipy.special import ndtri  # costs half a second to load

    windows = np.array([max(seconds / length, 1.0) for _, length in channels])
    return np.asarray(ndtri(0.5 ** (1.0 / windows))), np.array([USUAL_SPREAD[name] for name, _ in channels])


@lru_cache(maxsize=64)
def _set_back(channels: tuple[Channel, ...]) -> Floats:
    told = any(detector == "revolt" for detector, _ in channels)
    return np.array([POORER * (told and name == "volume") + LATE.get(length, 0.0) for name, length in channels])


def _measured(channels: tuple[Channel, ...], seconds: float, blocks: Floats) -> tuple[Floats, Floats]:
    """Middle and spread (channels,) of the blocks, drawn to the usual ones by OWN_BLOCKS."""
    usual_middle, usual_spread = _usual(channels, seconds)
    if not len(blocks):
        return usual_middle, np.maximum(usual_spread, LEAST_SPREAD)
    n = np.isfinite(blocks).sum(axis=0)
    some = n > 0
    middle, high = np.zeros(len(channels)), np.zeros(len(channels))
    if some.any():
        middle[some], high[some] = np.nanquantile(blocks[:, some], (0.5, HIGH), axis=0)
    part = n / (n + OWN_BLOCKS)
    spread = part * (high - middle) + (1.0 - part) * usual_spread
    return part * middle + (1.0 - part) * usual_middle, np.maximum(spread, LEAST_SPREAD)
