"""`foreshock sources`: what can be listened to, what it needs and costs, from the collectors' own declarations."""

import argparse
import dataclasses
import json

from collectors.registry import SOURCES

COLUMNS = ("name", "reads", "needs_key", "push", "counts", "backfill", "price")


def run(arguments: argparse.Namespace) -> int:
    """Print the table, or a JSON list."""
    rows = [
        {c: v for c, v in dataclasses.asdict(d).items() if c in COLUMNS}
        for d in (s.declaration for s in SOURCES.values())
    ]
    if arguments.format == "json":
        print(json.dumps(rows, indent=2))
        return 0
    from rich.console import Console
    from rich.table import Table

    table = Table(*COLUMNS)
    for row in rows:
        table.add_row(*(str(row[c]) if not isinstance(row[c], bool) else ("yes" if row[c] else "no") for c in COLUMNS))
    Console().print(table)
    return 0
