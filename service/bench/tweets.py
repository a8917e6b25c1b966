"""`foreshock bench tweets`: real mention counts with labelled points, judged as the service would have paged."""

import argparse

from service.bench import Figures
from service.bench.judging import judge_labels, label_figures, play
from service.bench.peers import on_labels
from service.bench.recorded import BUDGETS, Each, Recorded, folder, load, processors

SHORT_BUDGET = 0.5


def measure(arguments: argparse.Namespace) -> Figures:
    """Return hits of the labels and false pages a brand-week at each budget, and the same of the peers.

    `--short` takes budget 0.5 alone and leaves out the peers.

    Raises:
        BenchError: there are no series.
    """
    series = load(folder(arguments), "tweets")
    budgets = (SHORT_BUDGET,) if arguments.short else BUDGETS
    with processors() as each:
        figures = _ours(series, budgets, each)
        return figures if arguments.short else figures | on_labels(series, each)


def _ours(series: list[Recorded], budgets: tuple[float, ...], each: Each) -> Figures:
    jobs = [(one, budget) for budget in budgets for one in series]
    judged = [(b, judge_labels(one, found)) for (one, b), found in zip(jobs, each(play, jobs), strict=True)]
    first = [one for b, one in judged if b == budgets[0]]
    figures = {
        "brands": float(len({one.brand for one in first})),
        "labels": float(sum(one.labels for one in first)),
        "weeks": sum(one.weeks for one in first),
    }
    for budget in budgets:
        figures |= label_figures([one for b, one in judged if b == budget], f"_{budget:g}")
    return figures
