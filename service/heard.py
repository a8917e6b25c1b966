"""Loud angry voices beside a brand's counts: learned from its past, and heard in what is looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from detectors import voice
from detectors.looks import Looks
from detectors.series import Bools, Floats, Series
from detectors.voice import WINDOW, Voices

MOST = 5000
"""Voices of a brand that the store keeps, as in functions.lua."""


@dataclass(frozen=True)
class Heard:
    """Loud angry voices (n,) in order of publication: `at` in POSIX seconds, `reach` in followers."""

    at: Floats = field(default_factory=lambda: np.empty(0))
    reach: Floats = field(default_factory=lambda: np.empty(0))

    def widest_at(self, end: float) -> float:
        """Return when the widest voice of the window before `end` spoke; `end` where none did (POSIX seconds)."""
        inside = (self.at >= end - WINDOW) & (self.at < end)
        return float(self.at[inside][np.argmax(self.reach[inside])]) if inside.any() else end


def learn_voices(past: Heard, history: Mapping[str, Series], strange: Bools, left: Bools | None = None) -> Voices:
    """Learn which voices are usual for a brand, from the time of its `history` of which any source told.

    What was heard in `strange` buckets teaches its widest voice alone, in those that are `left` nothing.
    """
    first = next(iter(history.values()))
    if left is not None and left.any() and len(past.at):
        bucket = np.clip(np.floor((past.at - first.start) / first.step).astype(np.int64), 0, len(left) - 1)
        past = Heard(past.at[~left[bucket]], past.reach[~left[bucket]])
    known = np.logical_or.reduce([np.isfinite(series.mentions) for series in history.values()])
    calm = known & ~strange
    angry = sum(float(np.nansum(series.negative[calm])) for series in history.values() if series.negative is not None)
    if len(past.at) >= MOST:  # older ones made way
        known &= first.times() >= past.at[0]
    return voice.fit(past.at, past.reach, first.start, first.step, known, strange, angry)


def listened(found: Looks, said: Heard, usual: Voices | None, budget: float) -> Looks:
    """Return what was found with what was heard at the same rows; `budget` is in pages a week."""
    if usual is None or not found.found or not len(said.at):
        return found
    loud = voice.widest(said.at, said.reach, found.end)
    return replace(found, voice=usual.listen(loud, np.isfinite(found.score), budget)) if loud.any() else found
