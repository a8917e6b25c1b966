"""The parts of the accuracy card on recorded series: Foreshock beside the rules of other tools."""

from collections.abc import Iterator, Sequence

from service.bench.card_cell import Values, long, minutes, number, sure, with_rate
from service.bench.card_text import COLD
from service.bench.peers import RULES
from service.bench.prophet_peer import BANDS

BUDGETS = ("0.1", "0.5", "1", "2")
STRENGTHS = ("0.5", "2", "8")

PEERS = {name: rule.says for name, rule in RULES.items()} | {
    name: f"Prophet, hourly, above its {100 * width:.0f} % band" for name, width in BANDS.items()
}
"""Name in the figures -> what the rule says."""


def labels(values: Values) -> Iterator[str]:
    """Yield the tables of `bench tweets`."""
    budgets = [budget for budget in BUDGETS if f"hits_{budget}" in values]
    yield f"{values['labels']:.0f} labels on {values['brands']:.0f} brands in {values['weeks']:.0f} brand-weeks."
    yield ""
    yield "| budget, false pages a week | hits | false pages a brand-week | over budget |"
    yield "| ---: | ---: | ---: | ---: |"
    for budget in budgets:
        yield (
            f"| {budget} | {sure(values, f'hits_{budget}')} | {sure(values, f'false_a_week_{budget}', 2)} "
            f"| {values[f'false_a_week_{budget}'] / float(budget):.2f} |"
        )
    yield ""
    yield from _beside(values, "hits", budgets)


def revolts(values: Values) -> Iterator[str]:
    """Yield the tables of `bench replays`."""
    budgets = [budget for budget in BUDGETS if f"caught_{budget}" in values]
    yield f"{values['revolts']:.0f} revolts on {values['brands']:.0f} brands."
    yield ""
    yield (
        "| budget | caught | false pages a brand-week | over budget | "
        + " | ".join(f"strength {s}: caught; median and 90 % of minutes" for s in STRENGTHS)
        + " |"
    )
    yield "| ---: |" + " ---: |" * (3 + len(STRENGTHS))
    for budget in budgets:
        rate = values[f"false_a_week_{budget}"]
        cells = [sure(values, f"caught_{budget}"), sure(values, f"false_a_week_{budget}", 2)]
        cells += [f"{rate / float(budget):.2f}", *(_strength(values, f"{budget}_x{s}") for s in STRENGTHS)]
        yield f"| {budget} | {' | '.join(cells)} |"
    yield ""
    yield from _beside(values, "caught", budgets)
    yield from _delays(values)


def _strength(values: Values, suffix: str) -> str:
    if f"caught_{suffix}" not in values:
        return ""
    delays = (values[f"median_minutes_{suffix}"], values[f"p90_minutes_{suffix}"])
    return f"{sure(values, f'caught_{suffix}')}; {', '.join(map(minutes, delays))}"


def _beside(values: Values, figure: str, budgets: Sequence[str]) -> Iterator[str]:
    """Yield the table of the peers: each cell is what was found, and in brackets the real false pages a week."""
    peers = [name for name in PEERS if f"peer_{name}_published_{figure}" in values]
    if not peers:
        return
    yield f"{figure.capitalize()}, and in brackets the false pages a brand-week that came with them:"
    yield ""
    yield "| | as published | " + " | ".join(f"at most {budget} false" for budget in budgets) + " |"
    yield "| --- |" + " ---: |" * (1 + len(budgets))
    for name in peers:
        peer = f"peer_{name}"
        cells = [with_rate(values, f"{peer}_{figure}_{b}", f"{peer}_false_a_week_{b}") for b in budgets]
        published = with_rate(values, f"{peer}_published_{figure}", f"{peer}_published_false_a_week")
        yield f"| {PEERS[name]} | {published} | {' | '.join(cells)} |"
    ours = [with_rate(values, f"{figure}_{budget}", f"false_a_week_{budget}") for budget in budgets]
    yield f"| **Foreshock**, told that budget beforehand | | {' | '.join(ours)} |"
    if f"volume_{figure}_{budgets[0]}" in values:
        alone = [with_rate(values, f"volume_{figure}_{b}", f"volume_false_a_week_{b}") for b in budgets]
        yield f"| **Foreshock**, likewise, on volume alone | | {' | '.join(alone)} |"
    yield ""


def _delays(values: Values) -> Iterator[str]:
    peers = [name for name in PEERS if f"peer_{name}_published_caught" in values]
    if not peers:
        return
    strengths = " / ".join(STRENGTHS)
    yield f"Caught, and median minutes to the page, at strength {strengths}:"
    yield ""
    yield "| | as published: caught | minutes | at most 0.5 false: caught | minutes |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for name in peers:
        published, equal = f"peer_{name}_published_{{}}_x", f"peer_{name}_{{}}_0.5_x"
        yield f"| {PEERS[name]} | {' | '.join([*_slashed(values, published), *_slashed(values, equal)])} |"
    yield f"| **Foreshock** | | | {' | '.join(_slashed(values, '{}_0.5_x'))} |"
    if "volume_caught_0.5" in values:
        yield f"| **Foreshock**, on volume alone | | | {' | '.join(_slashed(values, 'volume_{}_0.5_x'))} |"
    yield ""


def _slashed(values: Values, pattern: str) -> tuple[str, str]:
    caught = [values.get(pattern.format("caught") + strength) for strength in STRENGTHS]
    delays = [values.get(pattern.format("median_minutes") + strength) for strength in STRENGTHS]
    if None in caught:
        return "–", "–"
    return " / ".join(map(number, caught)), " / ".join(minutes(delay) for delay in delays if delay is not None)


def cold(values: Values) -> Iterator[str]:
    """Yield what a young brand gets, of `bench replays`."""
    hours = sorted({int(name.split("_")[1]) for name in values if name.startswith("cold_")})
    if not hours:
        return
    yield from ("### A brand's first hours, days and weeks", "", COLD)
    yield (
        "| history | caught | of strength "
        + " / ".join(STRENGTHS)
        + " | median minutes | false pages a week from then |"
    )
    yield "| ---: | ---: | ---: | ---: | ---: |"
    for hour in hours:
        name = f"cold_{hour}"
        caught, delays = _slashed(values, name + "_{}_x")
        yield (
            f"| {long(hour)} | {sure(values, f'{name}_caught')} of {values[f'{name}_revolts']:.0f} | {caught} "
            f"| {delays} | {sure(values, f'{name}_false_a_week', 2)} |"
        )
