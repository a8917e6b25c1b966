"""`foreshock bench calibration`: how much of its alert budget a quiet brand really spends.

Simulated brands are played through the backtest in buckets of five minutes, and some of them minute by minute as the
live ticker looks, running minute included. Every page they raise is false, openings and escalations alike. What the
first weeks raise, while a brand is young, is told apart; `free` are brands whose floors on count and effect do not
bind.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from detectors.scan import HOUR, trailing, windows
from detectors.series import Bools, Floats
from detectors.statistic import LEAST_EFFECT, LEAST_MENTIONS, LEAST_NEGATIVE
from service.backtest import Closed, backtest
from service.bench import Figures
from service.bench.live import live
from service.bench.quiet import WEEK, Brand, Quiet, draw, play
from service.bench.recorded import processors

BUDGETS = (0.1, 0.5, 2.0)
PARTS = 5
"""Minutes of a bucket of the backtest."""
APART = 6 * HOUR
"""What reaches beyond the floors within this is one page."""
FREE = 2.0
"""The floors do not bind where chance reaches beyond them at least so many times as often as the budget pages."""
DRAWS = 2000
"""Draws of brands, with replacement, for an interval."""


@dataclass(frozen=True)
class Size:
    """How many brands, of how many weeks, of which the first `young` are told apart.

    The first `live` brands run live too, in their last `live_weeks`.
    """

    brands: int
    weeks: int
    young: int
    live: int
    live_weeks: int


DEFAULT = Size(brands=72, weeks=12, young=4, live=12, live_weeks=4)
"""The first month is young: a brand pages more as its own past outweighs what every brand starts with. From then on it
is as in the rest of its year."""
SHORT = Size(brands=8, weeks=3, young=1, live=1, live_weeks=1)


@dataclass(frozen=True)
class Outcome:
    """What one brand raised, pages by budget (budgets,): grown, young, live; None where it did not run live.

    `same` are the backtest's in the weeks that run live. `beyond` is how often a grown week chance alone reached beyond
    the floors.
    """

    brand: Brand
    pages: Floats
    young: Floats
    live: Floats | None
    same: Floats
    beyond: float


CLASSES: dict[str, Callable[[Brand], bool]] = {
    "poisson": lambda brand: brand.kind == "poisson",
    "negbin": lambda brand: brand.kind == "negbin",
    "swelling": lambda brand: brand.kind == "swelling",
    "heavy": lambda brand: brand.kind == "heavy",
    "below_0.1_a_minute": lambda brand: brand.rate < 0.1,
    "0.1_to_1_a_minute": lambda brand: 0.1 <= brand.rate < 1.0,
    "1_to_30_a_minute": lambda brand: 1.0 <= brand.rate < 30.0,
    "above_30_a_minute": lambda brand: brand.rate >= 30.0,
    "told": lambda brand: brand.told,
    "volume_only": lambda brand: not brand.told,
    "gaps": lambda brand: brand.gaps > 0.0,
    "trend": lambda brand: brand.trend != 0.0,
}
"""Classes of brands that have a figure of their own."""


def measure(arguments: argparse.Namespace) -> Figures:
    """Give false pages a brand-week over the budget, with intervals of 95 in 100 over brands, and by class of brand."""
    size = SHORT if arguments.short else DEFAULT
    tasks = [((arguments.seed, number, size),) for number in range(size.brands)]
    with processors() as each:
        return figures(list(each(outcome, tasks)), size, arguments.seed)


def outcome(task: tuple[int, int, Size]) -> Outcome:
    """Play brand `number` of a `seed` at all budgets; the first ones run live too."""
    seed, number, size = task
    chance = np.random.default_rng((seed, number))
    minutes = play(draw(chance), size.weeks, chance)
    quiet = minutes.joined(PARTS)
    grown, young, same = (np.zeros(len(BUDGETS)) for _ in range(3))
    for i, budget in enumerate(BUDGETS):
        at = np.array(list(_pages(quiet, budget))) * quiet.series.step / WEEK
        grown[i], young[i] = (at >= size.young).sum(), (at < size.young).sum()
        same[i] = (at >= size.weeks - size.live_weeks).sum()
    found = None
    if number < size.live:
        first = round((size.weeks - size.live_weeks) * WEEK / minutes.series.step)
        found = np.array(live(minutes.series, first, BUDGETS, chance), dtype=np.float64)
    return Outcome(minutes.brand, grown, young, found, same, beyond(quiet, size.young))


def _pages(quiet: Quiet, budget: float) -> Iterator[int]:
    """Rows that open or escalate."""
    for happening in backtest(quiet.series, budget=budget):
        if not isinstance(happening, Closed):
            yield happening.row


def beyond(quiet: Quiet, young: float) -> float:
    """How often a week, after the first `young`, a window reaches beyond the floors of the detector that leads.

    That is `revolt` where sentiment is told, which has most of the budget, and `volume` where it is not.
    """
    series, brand = quiet.series, quiet.brand
    known = np.isfinite(series.mentions)
    counts = series.mentions if series.negative is None else series.negative
    part, least = (brand.scored * brand.share, LEAST_NEGATIVE) if brand.told else (1.0, LEAST_MENTIONS)
    both = np.where(known, (counts, quiet.usual * part), 0.0)
    rows = np.arange(round(young * WEEK / series.step), len(series))
    seen, usual = trailing(both, sum(windows(series.step), ()), series.step, rows)
    reached: Bools = ((seen >= least) & (seen >= LEAST_EFFECT * usual)).any(axis=0)
    blocks = np.unique(rows[reached] // round(APART / series.step))
    return float(len(blocks) * WEEK / (len(rows) * series.step))


def figures(outcomes: list[Outcome], size: Size, seed: int) -> Figures:
    """Sum up: totals with intervals first, then the classes."""
    chance = np.random.default_rng(seed)
    weeks = size.weeks - size.young
    alive = [(o, o.live) for o in outcomes if o.live is not None]
    found: Figures = {
        "brands": len(outcomes),
        "brand_weeks": len(outcomes) * weeks,
        "young_brand_weeks": len(outcomes) * size.young,
        "live_brand_weeks": len(alive) * size.live_weeks,
    }
    for i, budget in enumerate(BUDGETS):
        spent = np.array([o.pages[i] for o in outcomes]) / (weeks * budget)
        found |= _ratio(f"realised_over_budget_{budget:g}", spent, chance)
        free = np.array([o.beyond >= FREE * budget for o in outcomes])
        found[f"free_brands_{budget:g}"] = float(free.sum())
        found |= _ratio(f"realised_over_budget_{budget:g}_free", spent[free], chance)
        young = np.array([o.young[i] for o in outcomes]) / (size.young * budget)
        found |= _ratio(f"young_realised_over_budget_{budget:g}", young, chance)
        if alive:
            lives = np.array([raised[i] for _, raised in alive]) / (size.live_weeks * budget)
            found |= _ratio(f"live_realised_over_budget_{budget:g}", lives, chance)
            same = sum(o.same[i] for o, _ in alive) / (len(alive) * size.live_weeks * budget)
            found[f"live_brands_backtest_over_budget_{budget:g}"] = float(same)
    for name, belongs in CLASSES.items():
        mine = [o for o in outcomes if belongs(o.brand)]
        if mine:
            found[f"brands_{name}"] = len(mine)
            for i, budget in enumerate(BUDGETS):
                ratio = sum(o.pages[i] for o in mine) / (len(mine) * weeks * budget)
                found[f"realised_over_budget_{budget:g}_{name}"] = float(ratio)
    return found


def _ratio(name: str, spent: Floats, chance: np.random.Generator) -> Figures:
    """The mean over brands and its bootstrap interval (Efron 1979); nothing where there is no brand."""
    if not len(spent):
        return {}
    means = spent[chance.integers(len(spent), size=(DRAWS, len(spent)))].mean(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return {name: float(spent.mean()), f"{name}_low": float(low), f"{name}_high": float(high)}
