"""`foreshock sources`: what can be listened to, what it needs and costs, from the collectors' own declarations."""

import argparse
import dataclasses
import json
from collections.abc import Iterator

from collectors.collector import Declaration
from collectors.registry import PUSHED, SOURCES

COLUMNS = ("name", "reads", "needs_key", "push", "counts", "backfill", "price")
SHOWN = ("source", "what is read", "key", "delay", "backfill", "price", "limit")


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or a JSON list."""
    if arguments.format == "json":
        rows = [{c: v for c, v in dataclasses.asdict(d).items() if c in COLUMNS} for d in declarations()]
        print(json.dumps(rows, indent=2))
        return 0
    if arguments.format == "markdown":
        print(markdown())
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(*SHOWN)
    for declaration in declarations():
        table.add_row(*_cells(declaration))
    Console().print(table)
    return 0


def declarations() -> Iterator[Declaration]:
    """Yield what every source says of itself, by name: those that are polled, then those that push."""
    yield from (SOURCES[name].declaration for name in sorted(SOURCES))
    yield from (PUSHED[name] for name in sorted(PUSHED))


def markdown() -> str:
    """Return the table as the README has it."""
    rows = [SHOWN, ("---",) * len(SHOWN), *(_cells(declaration, "`") for declaration in declarations())]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cells(of: Declaration, quote: str = "") -> tuple[str, ...]:
    limit = of.limit
    delay = "none" if of.push else _span(of.poll_seconds)
    within = f"{limit.requests:,} in {_span(limit.seconds)}" if limit else "as its answers say"
    return (
        f"{quote}{of.name}{quote}",
        of.reads,
        "needed" if of.needs_key else "none",
        delay,
        of.backfill,
        of.price,
        "none" if of.push else within,
    )


def _span(seconds: float) -> str:
    """Return a span as a person says it.

    >>> _span(5.0), _span(60.0), _span(900.0), _span(86_400.0)
    ('5 s', '1 min', '15 min', '1 day')
    """
    for size, unit in ((86_400, "day"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
