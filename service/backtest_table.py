"""Shows a backtest to people."""

from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from service.policy import severity


def show(name: str, budget: float, records: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    """Print the episodes of `records` and what they come to."""
    console = Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, title=f"{name} at {budget:g} false pages a week", title_justify="left")
    for column in ("opened", "lasted", "detector"):
        table.add_column(column, no_wrap=True)
    for column in ("severity", "score"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("why")
    worst: dict[str, float] = {}
    for record in records:
        worst[record["opened_at"]] = max(record["score"], worst.get(record["opened_at"], 0.0))
    for record in records:
        if record["kind"] == "episode":
            score = worst[record["opened_at"]]
            table.add_row(
                record["opened_at"],
                _lasted(record["opened_at"], record["closed_at"]),
                record["detector"],
                str(severity(score)),
                f"{score:.0f}",
                record["reason"],
            )
    if table.row_count:
        console.print(table)
    weeks, episodes = summary["weeks"], summary["episodes"]
    a_week = f", {episodes / weeks:.2f} a week" if weeks else ""
    console.print(
        f"{episodes} episode{'' if episodes == 1 else 's'} in {weeks:.1f} weeks{a_week}; "
        f"{summary['rows']} rows, {summary['gaps']} gaps, {summary['seconds']:.1f} s"
    )


def _lasted(opened: str, closed: str | None) -> str:
    if closed is None:
        return "still open"
    minutes = (datetime.fromisoformat(closed) - datetime.fromisoformat(opened)).total_seconds() / 60
    return f"{minutes / 60:.1f} h" if minutes >= 60 else f"{minutes:.0f} min"
