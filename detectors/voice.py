"""`voice`: one angry author with wide reach, measured by how rarely this brand meets an angry voice that wide.

Angry voices are rare, and each is an event of its own, so that their law is simple: they come as a Poisson process, and
their reach is Pareto beyond LOUD. Both are drawn to what is usual at large by gamma priors: a brand that never met one
is paged by 12,000 followers, one that meets them daily only by what is wide for it. So it is known how often a week as
wide a voice comes, which is what the alert budget asks, and no block maxima are needed to calibrate it.
"""

from dataclasses import dataclass
from math import log

import numpy as np

from detectors.calibrate import DECADE, WEEK
from detectors.scan import MINUTE
from detectors.series import Bools, Floats
from detectors.verdict import Verdict

LOUD = 5_000.0
"""Followers from which an author's voice is kept, and pages where it is rare: half of what made an executive call."""

WINDOW = 15 * MINUTE
"""Seconds that a voice is looked at: networks tell minutes late, and it opens its episode in the first look anyway."""

PART = 0.1
"""Part of the alert budget that voices may spend beside the counts, which leave about as much of it."""

USUAL_RATE, USUAL_SHARE, USUAL_HEARD = 0.1, 0.005, 0.02
"""What is believed before any voice was heard: voices a week at least, and what part of the angry mentions is one: a
brand of which many are angry meets wide voices too; and how many voices this belief weighs."""

USUAL_INDEX, INDEX_WEIGHT = 1.0, 10.0
"""Pareto index of reach at large, and how many voices of its own outweigh it. Followers of accounts have 1.28 (Kwak et
al. 2010, WWW, fig. 1: density exponent 2.276), those of posts fewer, for who has more followers posts more."""

MOST_REACH = 1e10
"""Followers: more than there are people, to which intervals are cut."""


@dataclass(frozen=True)
class Voices:
    """How often a brand is spoken of by angry authors of LOUD followers or more, and how wide these reach.

    `heard` voices in `weeks`; `index` voices whose log reach beyond LOUD sums to `logs`; usual ones are in all four.
    """

    heard: float = USUAL_HEARD
    weeks: float = USUAL_HEARD / USUAL_RATE
    index: float = INDEX_WEIGHT
    logs: float = INDEX_WEIGHT / USUAL_INDEX

    def rate(self, reach: Floats) -> Floats:
        """Voices a week that reach `reach` followers or more (LOUD at the least), same shape.

        The predictive tail of a Pareto law whose index is gamma distributed: heavier where less is known.

        >>> Voices().rate(np.array([5000.0, 12000.0])).round(3).tolist()
        [0.1, 0.043]
        """
        beyond = np.log(np.maximum(reach, LOUD) / LOUD)
        return np.asarray(self.heard / self.weeks * (1.0 + beyond / self.logs) ** -self.index)

    def reached(self, chance: float) -> float:
        """Followers that the widest voice of one window passes with probability `chance`: the inverse of `rate`.

        0 where a voice is rarer than that.
        """
        often = -np.log1p(-chance) * WEEK / WINDOW
        times = self.heard / self.weeks / often
        if times <= 1.0:
            return 0.0
        beyond = self.logs * (times ** (1.0 / self.index) - 1.0)
        return float(min(LOUD * np.exp(min(beyond, log(MOST_REACH))), MOST_REACH))

    def listen(self, widest: Floats, known: Bools, budget: float) -> "Loud":
        """Judge the `widest` voice in the window of each row (rows,), 0 where none is; `budget` is in pages a week.

        What is `known` (rows,) to hold no loud voice scores 0; the rest cannot be told.
        """
        score = np.clip(50.0 + DECADE * np.log10(PART * budget / self.rate(widest)), 0.0, 100.0)
        return Loud(self, widest, np.where(widest >= LOUD, score, np.where(known, 0.0, np.nan)))


@dataclass(frozen=True)
class Loud:
    """What was found at some rows: followers of the widest angry voice in the window, and scores (rows,)."""

    voices: Voices
    widest: Floats
    flash: Floats

    def verdict(self, row: int) -> Verdict:
        """All that is to be said of one row; observed, expected and interval are followers of the window's widest."""
        reach, score = float(self.widest[row]), float(self.flash[row])
        rate = float(self.voices.rate(np.array(reach)))
        return Verdict(
            detector="voice",
            score=score,
            observed=reach,
            expected=self.voices.reached(0.5),
            low=self.voices.reached(0.975),
            high=self.voices.reached(0.025),
            p_value=float(-np.expm1(-rate * WINDOW / WEEK)) if reach else 1.0,
            window=WINDOW,
            reason=f"{SOMEBODY} with {reach:,.0f} followers is angry; so wide an angry voice comes {_often(rate)} here",
            flash=score,
        )


SOMEBODY = "an author"
"""Stands in a reason for the author's name, which detectors do not know."""


def fit(
    at: Floats, reach: Floats, start: float, step: float, known: Bools, strange: Bools, angry: float = 0.0
) -> Voices:
    """Learn from angry voices of `reach` (m,) followers that were heard `at` (m,), POSIX seconds.

    The past has buckets (n,) of `step` seconds from POSIX `start`: those that are `known` were listened to; a run of
    `strange` ones is one crisis, which teaches its widest voice alone. Voices outside of the past teach nothing.
    `angry` is how many angry mentions were counted in it.

    >>> days = np.arange(35.0)
    >>> daily = fit(86400.0 * days, np.full(35, 8000.0), 0.0, 86400.0, days >= 0, days < 0)
    >>> daily.rate(np.array([8000.0, 20000.0])).round(1).tolist()
    [3.0, 0.7]
    """
    bucket = np.floor((at - start) / step).astype(np.int64)
    inside = (bucket >= 0) & (bucket < len(known)) & (reach >= LOUD)
    bucket, wide = bucket[inside], reach[inside]
    begins = strange & ~np.concatenate(([False], strange[:-1]))
    crisis = np.where(strange, np.cumsum(begins), 0)[bucket]
    widest_each = [wide[crisis == one].max() for one in np.unique(crisis[crisis > 0])]
    logs = np.log(np.concatenate((wide[crisis == 0], widest_each)) / LOUD)
    weeks = float(np.count_nonzero(known)) * step / WEEK
    usual = max(USUAL_RATE, USUAL_SHARE * angry / weeks if weeks else 0.0)
    return Voices(
        heard=USUAL_HEARD + len(logs),
        weeks=USUAL_HEARD / usual + weeks,
        index=INDEX_WEIGHT + len(logs),
        logs=INDEX_WEIGHT / USUAL_INDEX + float(logs.sum()),
    )


def widest(at: Floats, reach: Floats, ends: Floats) -> Floats:
    """The widest of the voices of `reach` (n,), heard `at` (n,) in any order, in the WINDOW before each of `ends`.

    Times are POSIX seconds; the answer has the shape of `ends` (rows,), 0 where none was heard.

    >>> widest(np.array([10.0, 50.0]), np.array([3e3, 9e3]), np.array([30.0, 60.0, 920.0, 960.0])).tolist()
    [3000.0, 9000.0, 9000.0, 0.0]
    """
    if not len(at) or not len(ends):
        return np.zeros(len(ends))
    near = (at >= ends[0] - WINDOW) & (at < ends[-1])
    heard, wide = at[near], reach[near]
    inside = (heard >= ends[:, None] - WINDOW) & (heard < ends[:, None])
    return np.asarray(np.max(np.where(inside, wide, 0.0), axis=1, initial=0.0))


def _often(rate: float) -> str:
    """How often `rate` times a week is, in words."""
    if rate >= 1.0:
        return f"{rate:.0f} times a week"
    weeks = 1.0 / rate
    return f"once in {weeks:.0f} weeks" if weeks < 104 else f"once in {weeks / 52:.0f} years"
