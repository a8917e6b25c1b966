"""ACCURACY.md, rendered from figures: what was measured, on what, beside what others get, each next to its command."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from service.bench.card_cell import Values, minutes, number, sure
from service.bench.card_recorded import PEERS, STRENGTHS, cold, labels, revolts
from service.bench.card_simulated import calibration, injected, plain
from service.bench.card_text import HOW, LIMITS, TITLES, TOP

Row = dict[str, Any]
"""One part as it was run: `part`, `options`, `figures`, `missing` (why none), `seconds`, `at`, and the machine."""

TABLES: Mapping[str, Sequence[Callable[[Values], Iterator[str]]]] = {
    "tweets": [labels],
    "replays": [revolts, cold],
    "outbreaks": [plain],
    "calibration": [calibration],
    "injected": [injected],
    "scoring": [plain],
}


def render(rows: Sequence[Row]) -> str:
    """Return the card; parts that were not measured are left out, and said to be."""
    parts = {row["part"]: row["figures"] for row in rows if row["figures"]}
    lines = [TOP, *_glance(parts), "", *_missing(rows)]
    for row in rows:
        if row["figures"]:
            lines += _section(row)
    return "\n".join([*lines, "## Known limits", "", LIMITS.rstrip(), *_machines(rows)]) + "\n"


def _section(row: Row) -> Iterator[str]:
    name, values = row["part"], row["figures"]
    yield from (f"## {TITLES[name]}", "", HOW[name])
    yield f"    {_command(row)}"
    yield ""
    for table in TABLES[name]:
        yield from table(values)
    yield ""


def _command(row: Row) -> str:
    return " ".join(["foreshock bench", row["part"], *row["options"]])


def _glance(parts: Mapping[str, Values]) -> Iterator[str]:
    yield "| | at the default budget of 0.5 false pages a week | best of the others at equal false rate |"
    yield "| --- | ---: | ---: |"
    if tweets := parts.get("tweets"):
        best = _best(tweets, "hits_0.5")
        yield f"| labelled points hit, of {tweets['labels']:.0f} | {sure(tweets, 'hits_0.5')} | {best} |"
        yield f"| false pages a brand-week | {sure(tweets, 'false_a_week_0.5', 2)} | |"
    if replays := parts.get("replays"):
        best = _best(replays, "caught_0.5")
        yield f"| revolts caught in 6 hours, of {replays['revolts']:.0f} | {sure(replays, 'caught_0.5')} | {best} |"
        for strength in STRENGTHS:
            if f"revolts_x{strength}" in replays:
                yield _at_strength(replays, strength)
        yield f"| false pages a brand-week before them | {sure(replays, 'false_a_week_0.5', 2)} | |"
    if calibration := parts.get("calibration"):
        spent = sure(calibration, "realised_over_budget_0.5", 2)
        yield f"| simulated quiet brands: false pages over budget | {spent} | |"
    if scoring := parts.get("scoring"):
        yield f"| seconds to judge {number(scoring.get('brands'))} brands | {number(scoring.get('tick_seconds'))} | |"


def _at_strength(replays: Values, strength: str) -> str:
    caught, delay = f"caught_0.5_x{strength}", f"median_minutes_0.5_x{strength}"
    best = min((replays[f"peer_{n}_{delay}"] for n in PEERS if f"peer_{n}_{delay}" in replays), default=None)
    return (
        f"| of strength {strength}: caught of {replays[f'revolts_x{strength}']:.0f}; median minutes to the page "
        f"| {sure(replays, caught)}; {minutes(replays[delay])} | "
        f"{_best(replays, caught)}{'' if best is None else f'; {minutes(best)}'} |"
    )


def _best(values: Values, figure: str) -> str:
    found = [values[f"peer_{name}_{figure}"] for name in PEERS if f"peer_{name}_{figure}" in values]
    return f"{max(found):.0f}" if found else ""


def _missing(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if not row["figures"]:
            yield f"Not measured: `{_command(row)}` ({row['missing']})."
            yield ""


def _machines(rows: Sequence[Row]) -> Iterator[str]:
    yield from ("", "## Measured with", "")
    for version, python, system, cores in sorted(
        {(r["foreshock"], r["python"], r["system"], r["cores"]) for r in rows}
    ):
        yield f"Foreshock {version}, Python {python}, {system}, {cores} cores."
    yield ""
    yield "| | on | seconds |"
    yield "| --- | --- | ---: |"
    for row in rows:
        yield f"| `{_command(row)}` | {row['at'][:10]} | {row['seconds']:.0f} |"
