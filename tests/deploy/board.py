"""The Grafana board as data: its panels, its queries, and what Grafana puts for their variables."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GRAFANA = Path(__file__).resolve().parents[2] / "grafana"
RULES = GRAFANA / "prometheus" / "foreshock.rules.yml"

VARIABLES = {"$__rate_interval": "1m", "$__range": "6h", "$brand": ".+"}
"""What Grafana puts in for all brands and a wide range; `$datasource` stands in no expression."""


@dataclass(frozen=True)
class Query:
    """One expression of the board, with the panel that draws it and the legend of its series."""

    panel: str
    expr: str
    legend: str

    @property
    def filled(self) -> str:
        """The expression with every variable filled in."""
        expr = self.expr
        for name, value in VARIABLES.items():
            expr = expr.replace(name, value)
        return expr


def dashboard() -> dict[str, Any]:
    """The board as Grafana reads it."""
    board: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "foreshock.json").read_text())
    return board


def queries(board: dict[str, Any]) -> list[Query]:
    """Every expression of the panels and of the annotations."""
    drawn = [Query(p["title"], t["expr"], t["legendFormat"]) for p in board["panels"] for t in p.get("targets", [])]
    return drawn + [Query(a["name"], a["expr"], a["textFormat"]) for a in board["annotations"]["list"]]
