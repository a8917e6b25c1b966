"""What a detector says of one look at a brand."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """One detector's finding at one instant.

    `observed` is what was counted in the window, `expected` the forecast's mean for it, `low` and `high` the interval
    that holds it in 95 of 100 normal windows. `p_value` is the probability of at least `observed` in one normal
    window. `score` is 0-100: 50 is where the alert budget lets a page go out, 100 is where chance is out of the
    question; every ten points are a tenfold rarer chance. `flash` is the score of the windows of minutes alone: what is
    happening now. `window` is the window's length in seconds, `reason` one sentence for a person.
    """

    detector: str
    score: float
    observed: float
    expected: float
    low: float
    high: float
    p_value: float
    window: float
    reason: str
    flash: float = 0.0
