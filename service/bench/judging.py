"""When an episode is a hit, a catch or false, on a series whose truth is known; and how sure the totals are.

A page is an opening or an escalation: both can hit, and both are false where nothing happened.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.series import Floats
from service.backtest import Closed, Escalated, Happening, Opened, backtest
from service.bench import Figures
from service.bench.recorded import Recorded
from service.clock import posix

MINUTE, HOUR, DAY, WEEK = 60.0, 3600.0, 86400.0, 7 * 86400.0

EARLIEST, LATEST = 60 * MINUTE, 15 * MINUTE
"""A label is hit by what opens from this long before it to that long after it; what is further off is false."""

IN_TIME = 6 * HOUR
"""A revolt is caught by what opens within this of its onset, and missed after."""

WARM_UP = 3 * DAY
"""What opens in a replay's first days is not judged."""

DRAWS = 2000
"""Resamples of an interval: its ends are steady to about one in a hundred."""


@dataclass(frozen=True)
class Page:
    """One page: POSIX times of the bucket whose data raised it and of the one that ended it, None where none did."""

    at: float
    until: float | None


@dataclass(frozen=True)
class Labelled:
    """What became of a brand's labels: `hits` of `labels`, and `false` pages in `weeks`."""

    brand: str
    hits: int
    labels: int
    false: int
    weeks: float


@dataclass(frozen=True)
class Replayed:
    """What became of one revolt: minutes until it was told (None: missed), and `false` pages in `weeks` before it."""

    brand: str
    strength: float
    delay: float | None
    false: int
    weeks: float

    @property
    def caught(self) -> bool:
        """Whether it was told in time."""
        return self.delay is not None


def play(recorded: Recorded, budget: float) -> list[Page]:
    """Return what the service would have paged: the live detectors and policy at `budget` false pages a week."""
    return pages(backtest(recorded.series, budget=budget), recorded)


def pages(happenings: Iterable[Happening], recorded: Recorded) -> list[Page]:
    """Return the pages of a backtest, in order of time."""
    found: list[Page] = []
    opened: Page | None = None
    for happening in happenings:
        at = float(recorded.times[happening.row])
        match happening:
            case Opened():
                opened = Page(at, None)
            case Escalated():
                found.append(Page(at, at))
            case Closed() if opened is not None:
                found.append(Page(opened.at, at))
                opened = None
    return sorted([*found, *([opened] if opened else [])], key=lambda page: page.at)


def judge_labels(recorded: Recorded, found: Sequence[Page]) -> Labelled:
    """Hold pages against `labels`, instants, from `judged_from` on; what comes before is warm-up.

    A label is hit when a page is raised from 60 minutes before to 15 minutes after it and still lasts, or is raised,
    within 15 minutes of it. A page more than 60 minutes from every label is false.
    """
    start, end = posix(recorded.truth["judged_from"]), float(recorded.times[-1])
    labels = [label for label in map(posix, recorded.truth["labels"]) if label >= start]
    some = [page for page in found if page.at >= start]
    return Labelled(
        recorded.brand,
        hits=sum(any(_hits(page, label, end) for page in some) for label in labels),
        labels=len(labels),
        false=sum(all(abs(page.at - label) > EARLIEST for label in labels) for page in some),
        weeks=(end - start) / WEEK,
    )


def _hits(page: Page, label: float, end: float) -> bool:
    until = end if page.until is None else page.until
    return -EARLIEST <= page.at - label <= LATEST and until >= label - LATEST


def judge_replay(recorded: Recorded, found: Sequence[Page], warm_up: float = WARM_UP) -> Replayed:
    """Hold pages against a revolt's `onset`: caught within 6 hours, its delay counted to the END of the bucket.

    A page before the onset, past the first `warm_up` seconds, is false.
    """
    onset, start = posix(recorded.truth["onset"]), float(recorded.times[0]) + warm_up
    caught = [page.at for page in found if onset <= page.at <= onset + IN_TIME]
    return Replayed(
        recorded.brand,
        float(recorded.truth["strength"]),
        delay=(caught[0] + recorded.series.step - onset) / MINUTE if caught else None,
        false=sum(start <= page.at < onset for page in found),
        weeks=max(0.0, onset - start) / WEEK,
    )


def label_figures(judged: Sequence[Labelled], suffix: str, *, sure: bool = True) -> Figures:
    """Return hits and false pages a brand-week, each with its 95 % interval over brands where `sure`."""
    brands = [one.brand for one in judged]
    hits, labels = [one.hits for one in judged], sum(one.labels for one in judged)
    false, weeks = [one.false for one in judged], [one.weeks for one in judged]
    found = {f"hits{suffix}": float(sum(hits)), f"false_a_week{suffix}": sum(false) / sum(weeks)}
    if sure:
        found |= _ends(f"hits{suffix}", brands, hits, [one.labels for one in judged], labels)
        found |= _ends(f"false_a_week{suffix}", brands, false, weeks)
    return found


def replay_figures(judged: Sequence[Replayed], suffix: str, *, sure: bool = True) -> Figures:
    """Return revolts caught, delays in minutes (360: missed) by strength, and false pages a brand-week."""
    brands, ones = [one.brand for one in judged], [1] * len(judged)
    false, weeks = [one.false for one in judged], [one.weeks for one in judged]
    caught = [one.caught for one in judged]
    found = {f"caught{suffix}": float(sum(caught)), f"false_a_week{suffix}": _share(false, weeks)}
    if sure:
        found |= _ends(f"caught{suffix}", brands, caught, ones, len(judged))
        found |= _ends(f"false_a_week{suffix}", brands, false, weeks)
    for strength in sorted({one.strength for one in judged}):
        some = [one for one in judged if one.strength == strength]
        name = f"{suffix}_x{strength:g}"
        delays = sorted(IN_TIME / MINUTE if one.delay is None else one.delay for one in some)
        found[f"caught{name}"] = float(sum(one.caught for one in some))
        if sure:
            hit = [one.caught for one in some]
            found |= _ends(f"caught{name}", [one.brand for one in some], hit, [1] * len(some), len(some))
        found[f"median_minutes{name}"] = statistics.median(delays)
        found[f"p90_minutes{name}"] = delays[int(0.9 * (len(delays) - 1))]
    return found


def _share(above: Sequence[float], below: Sequence[float]) -> float:
    return sum(above) / sum(below) if sum(below) else float("nan")


def _ends(
    name: str, brands: Sequence[str], above: Sequence[float], below: Sequence[float], scale: float = 1.0
) -> Figures:
    low, high = interval(brands, above, below)
    return {f"{name}_low": scale * low, f"{name}_high": scale * high}


def interval(brands: Sequence[str], above: Sequence[float], below: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of sum(above) / sum(below), whole brands drawn with replacement.

    Series of one brand are alike, so that they are drawn together (cluster bootstrap; Davison & Hinkley 1997, 3.8).
    The draws are the same each time.

    >>> interval(["a", "b"], [3, 3], [10, 10])
    (0.3, 0.3)
    """
    names, places = np.unique(brands, return_inverse=True)
    drawn = np.random.default_rng(1).multinomial(len(names), np.full(len(names), 1 / len(names)), size=DRAWS)
    top, bottom = drawn @ _by_brand(places, above), drawn @ _by_brand(places, below)
    share = top[bottom > 0] / bottom[bottom > 0]
    if not len(share):
        return float("nan"), float("nan")
    low, high = np.percentile(share, [2.5, 97.5])
    return float(low), float(high)


def _by_brand(places: NDArray[np.intp], values: Sequence[float]) -> Floats:
    return np.asarray(np.bincount(places, weights=np.asarray(values, dtype=np.float64)), dtype=np.float64)
