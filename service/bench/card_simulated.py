"""The parts of the accuracy card on simulated and injected series."""

from collections.abc import Iterator, Mapping

from service.bench.card_cell import Values, number, sure

BUDGETS = ("0.1", "0.5", "2")

SPENT = {
    "": "all brands, grown",
    "_free": "of those, the ones on which no floor binds",
    "young_": "their first weeks",
    "live_": "minute by minute, as the service looks",
    "live_brands_backtest": "the same brands in the backtest",
}
"""What stands before or after the figure -> what it is of."""

RACES = {
    "": "all",
    "_doubling_10": "doubling in 10 minutes",
    "_doubling_30": "doubling in 30 minutes",
    "_doubling_60": "doubling in 60 minutes",
    "_doubling_120": "doubling in 120 minutes",
    "_strength_below_0.3": "less than 30 % on top at the onset",
    "_strength_0.3_to_1": "30 to 100 % on top",
    "_strength_above_1": "more than 100 % on top",
    "_told": "with sentiment",
    "_volume_only": "on volume alone",
}


def calibration(values: Values) -> Iterator[str]:
    """Yield realised over budgeted false pages of `bench calibration`."""
    if "realised_over_budget_0.5" not in values:
        yield from plain(values)
        return
    yield f"{number(values.get('brands'))} brands, {number(values.get('brand_weeks'))} brand-weeks."
    yield ""
    yield "| false pages over budget | " + " | ".join(f"budget {budget}" for budget in BUDGETS) + " |"
    yield "| --- |" + " ---: |" * len(BUDGETS)
    for kind, says in SPENT.items():
        names = [_spent(kind, budget) for budget in BUDGETS]
        if any(name in values for name in names):
            yield f"| {says} | {' | '.join(sure(values, name, 2) for name in names)} |"
    classes = [name.removeprefix("brands_") for name in values if name.startswith("brands_")]
    for name in classes:
        cells = [sure(values, f"realised_over_budget_{budget}_{name}", 2) for budget in BUDGETS]
        yield f"| {name.replace('_', ' ')} ({number(values[f'brands_{name}'])} brands) | {' | '.join(cells)} |"


def _spent(kind: str, budget: str) -> str:
    if kind == "live_brands_backtest":
        return f"{kind}_over_budget_{budget}"
    return f"realised_over_budget_{budget}{kind}" if kind.startswith("_") else f"{kind}realised_over_budget_{budget}"


def injected(values: Values) -> Iterator[str]:
    """Yield delays beside the oracle's, of `bench injected`."""
    kinds: Mapping[str, str] = {kind: says for kind, says in RACES.items() if f"delay_over_oracle{kind}" in values}
    if not kinds:
        yield from plain(values)
        return
    yield "| revolts | number | caught | by the oracle | median minutes | of the oracle | over the oracle |"
    yield "| --- |" + " ---: |" * 6
    for kind, says in kinds.items():
        names = ("of", "caught", "oracle_caught", "delay_minutes_p50", "oracle_delay_minutes_p50", "delay_over_oracle")
        yield f"| {says} | {' | '.join(number(values.get(name + kind)) for name in names)} |"


def plain(values: Values) -> Iterator[str]:
    """Yield all figures as they are called."""
    yield "| figure | value |"
    yield "| --- | ---: |"
    for name in values:
        if not name.endswith(("_low", "_high")):
            yield f"| `{name}` | {sure(values, name, None)} |"
