"""`foreshock bench replays`: revolts of known onset on real quiet series, judged as the service would have paged."""

import argparse
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from service.bench import Figures
from service.bench.judging import HOUR, IN_TIME, WEEK, Page, interval, judge_replay, play, replay_figures
from service.bench.peers import on_replays
from service.bench.recorded import BUDGETS, Each, Recorded, folder, load, processors
from service.clock import posix

SHORT_BUDGET, SHORT_STRIDE = 0.5, 4
"""The short mode takes one budget, and every fourth revolt by name: all brands and strengths come in."""

COLD_BUDGET = 0.5
COLD_HOURS = (6, 24, 72, 168, 336)
"""Hours of history that a young brand is left with; 6 is the first fit."""

Run = tuple[Recorded, list[Page]]


def measure(arguments: argparse.Namespace) -> Figures:
    """Return revolts caught, delays, false pages a brand-week at each budget; on volume alone; cold starts; peers.

    `--short` takes budget 0.5 alone, every fourth revolt, and nothing else.

    Raises:
        BenchError: there are no series.
    """
    series = load(folder(arguments), "replays")
    with processors() as each:
        if arguments.short:
            return _ours(series[::SHORT_STRIDE], (SHORT_BUDGET,), each)[0]
        figures, runs = _ours(series, BUDGETS, each)
        figures |= _volume_alone(series, each) | _cold(series, runs[COLD_BUDGET], each)
        return figures | on_replays(series, each)


def _ours(series: Sequence[Recorded], budgets: Sequence[float], each: Each) -> tuple[Figures, dict[float, list[Run]]]:
    figures = {"revolts": float(len(series)), "brands": float(len({one.brand for one in series}))}
    # What comes later than a catch can be changes nothing, so that it is not played.
    series = [one.rows(0, _onset(one) + _in_time(one)) for one in series]
    jobs = [(one, budget) for budget in budgets for one in series]
    found = list(each(play, jobs))
    runs = {b: [(one, got) for (one, of), got in zip(jobs, found, strict=True) if of == b] for b in budgets}
    for budget in budgets:
        figures |= replay_figures([judge_replay(*run) for run in runs[budget]], f"_{budget:g}")
    for strength in sorted({one.truth["strength"] for one in series}):
        figures[f"revolts_x{strength:g}"] = float(sum(one.truth["strength"] == strength for one in series))
    return figures, runs


def _volume_alone(series: Sequence[Recorded], each: Each) -> Figures:
    """Return what is left where nothing but mentions is known, as it is for the peers."""
    bare = [one.volume().rows(0, _onset(one) + _in_time(one)) for one in series]
    jobs = [(one, budget) for budget in BUDGETS for one in bare]
    judged = [(b, judge_replay(one, found)) for (one, b), found in zip(jobs, each(play, jobs), strict=True)]
    figures: Figures = {}
    for budget in BUDGETS:
        figures |= replay_figures([one for b, one in judged if b == budget], f"_{budget:g}", sure=False)
    return {f"volume_{name}": value for name, value in figures.items()}


def _cold(series: Sequence[Recorded], grown: Sequence[Run], each: Each) -> Figures:
    """Cut the history to a few hours before the onset; false pages are counted by how old a brand was at each."""
    cut = {hours: [_cut(one, hours) for one in series if _old(one) >= hours] for hours in COLD_HOURS}
    jobs = [(one, COLD_BUDGET) for hours in COLD_HOURS for one in cut[hours]]
    found = dict(zip([id(one) for one, _ in jobs], each(play, jobs), strict=True))
    runs = {hours: [(one, found[id(one)]) for one in cut[hours]] for hours in COLD_HOURS}
    every = [*grown, *(run for some in runs.values() for run in some)]
    figures: Figures = {}
    for hours, until in pairwise((*COLD_HOURS, np.inf)):
        judged = [judge_replay(*run) for run in runs[int(hours)]]
        name = f"cold_{hours:g}"
        figures[f"{name}_revolts"] = float(len(judged))
        figures |= {
            f"{name}_{figure}": value
            for figure, value in replay_figures(judged, "").items()
            if not figure.startswith(("false", "p90"))
        }
        figures |= _false_at_age(name, every, hours * HOUR, until * HOUR)
    return figures


def _false_at_age(name: str, runs: Iterable[Run], low: float, high: float) -> Figures:
    """Return false pages a week of a brand that has been known for `low` to `high` seconds."""
    brands, false, weeks = [], [], []
    for one, found in runs:
        start, onset = float(one.times[0]), posix(one.truth["onset"])
        brands.append(one.brand)
        false.append(sum(low <= page.at - start < high for page in found if page.at < onset))
        weeks.append(max(0.0, min(high, onset - start) - low) / WEEK)
    rate = sum(false) / sum(weeks) if sum(weeks) else float("nan")
    ends = interval(brands, false, weeks)
    return {
        f"{name}_false_a_week": rate,
        f"{name}_false_a_week_low": ends[0],
        f"{name}_false_a_week_high": ends[1],
        f"{name}_weeks": sum(weeks),
    }


def _onset(one: Recorded) -> int:
    """Row of the first bucket from the onset on."""
    return int(np.searchsorted(one.times, posix(one.truth["onset"])))


def _in_time(one: Recorded) -> int:
    """Buckets from the onset that a catch may come in."""
    return round(IN_TIME / one.series.step) + 1


def _old(one: Recorded) -> float:
    """Hours of history before the onset."""
    return (posix(one.truth["onset"]) - float(one.times[0])) / HOUR


def _cut(one: Recorded, hours: float) -> Recorded:
    onset = _onset(one)
    return one.rows(onset - round(hours * HOUR / one.series.step), onset + _in_time(one))
