"""What was found at one or many instants: scores as arrays, and a verdict for those that someone will read."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce

import numpy as np

from detectors import negbin
from detectors.series import Floats
from detectors.statistic import Statistic
from detectors.verdict import Verdict
from detectors.voice import Loud

WORDS = {"volume": "mentions", "revolt": "negative mentions", "advocates": "positive mentions"}


@dataclass(frozen=True)
class Finding:
    """One detector at many rows: `flash` and `slow` scores (rows,), NaN where unknown, and the windows behind them.

    `height` (windows, rows) says how far above its usual each window stands, in its own spread.
    """

    detector: str
    lengths: tuple[float, ...]
    seen: Statistic
    height: Floats
    flash: Floats
    slow: Floats

    @cached_property
    def score(self) -> Floats:
        """The higher of both speeds, shape (rows,)."""
        return np.fmax(self.flash, self.slow)

    def part(self, rows: slice) -> "Finding":
        """The same of some rows, as views."""
        return replace(
            self, seen=self.seen.part(rows), height=self.height[:, rows], flash=self.flash[rows], slow=self.slow[rows]
        )

    def verdict(self, row: int) -> Verdict:
        """All that is to be said of one row; observed and expected are the leading window's."""
        lead = int(np.argmax(self.height[:, row]))
        observed, expected = float(self.seen.observed[lead, row]), float(self.seen.expected[lead, row])
        size, window = float(self.seen.size[lead, row]), self.lengths[lead]
        low, high = negbin.interval(expected, size)
        p_value = float(negbin.tail(observed, expected, size))
        return Verdict(
            detector=self.detector,
            score=float(self.score[row]),
            observed=observed,
            expected=expected,
            low=low,
            high=high,
            p_value=p_value,
            window=window,
            reason=_reason(WORDS[self.detector], observed, expected, low, high, window),
            flash=float(self.flash[row]),
        )


@dataclass(frozen=True)
class Looks:
    """What every detector found at rows that end at POSIX times `end` (rows,); empty while too little is known.

    They are the `rows` of what was `found`, which may hold those of other brands beside them, and so may `highest`, the
    highest score and flash of all that was found, where it is known. `voice` is what was heard
    at these rows, None where nobody loud was.
    """

    end: Floats
    found: Mapping[str, Finding]
    rows: slice = field(default_factory=lambda: slice(None))
    voice: Loud | None = None
    highest: tuple[Floats, Floats] | None = None

    @property
    def findings(self) -> Mapping[str, Finding]:
        """What was found at these rows, by detector."""
        return {name: finding.part(self.rows) for name, finding in self.found.items()}

    def scores(self, row: int = -1) -> dict[str, float]:
        """Every detector's score at one row."""
        said = {} if self.voice is None else {"voice": float(self.voice.flash[row])}
        return {name: float(f.score[self.rows][row]) for name, f in self.found.items()} | said

    def verdicts(self, row: int = -1) -> tuple[Verdict, ...]:
        """The verdicts of one row, the highest score first; none where nothing can be said."""
        known = [f.verdict(row) for f in self.findings.values() if np.isfinite(f.score[row])]
        if self.voice is not None and np.isfinite(self.voice.flash[row]):
            known.append(self.voice.verdict(row))
        return tuple(sorted(known, key=lambda verdict: -verdict.score))

    @property
    def score(self) -> Floats:
        """Highest score of any detector, shape (rows,), NaN where nothing can be said."""
        if self.highest is not None:
            return self._highest([self.highest[0][self.rows]])
        return self._highest([f.score[self.rows] for f in self.found.values()])

    @property
    def flash(self) -> Floats:
        """Highest score of any detector in the windows of minutes, shape (rows,)."""
        if self.highest is not None:
            return self._highest([self.highest[1][self.rows]])
        return self._highest([f.flash[self.rows] for f in self.found.values()])

    def _highest(self, scores: list[Floats]) -> Floats:
        scores += [] if self.voice is None else [self.voice.flash]
        return reduce(np.fmax, scores) if scores else np.full(len(self.end), np.nan)


def _reason(words: str, observed: float, expected: float, low: float, high: float, window: float) -> str:
    length = f"{window / 3600:g} h" if window >= 3600 else f"{window / 60:g} min"
    times = f", {observed / expected:.1f} times what is expected" if expected > 0 else ""
    return f"{observed:.0f} {words} in {length} where {low:.0f} to {high:.0f} are normal{times}"
