"""Draws a preview: what was said hour by hour, what was normal for it, and the alerts at every budget."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import numpy as np

from detectors.series import Floats
from service.preview import AtBudget, Past, Preview, preview
from service.preview_hours import Band

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK, SOFT, EDGE, LINK, CRISIS = "#151b26", "#535d6e", "#d5d9e0", "#0b57b8", "#b3141d"
SEVERITY = {1: "#e3c95f", 2: "#f2b24d", 3: "#f08a3c", 4: "#c6331f", 5: "#7d0a1c"}
"""The board's colours by day; the palest are darker here, where a mark is small and has no edge."""
LEGEND: Any = {"frameon": False, "fontsize": 9, "labelcolor": SOFT}
INCHES, DOTS = (12.0, 6.4), 120
DAYS_NAMED = 15
"""Days with a name below, at the most."""
LEAST_BAR = timedelta(hours=3)
"""A shorter alert is drawn this long, or it could not be seen among weeks."""


def png(past: Past, budgets: Sequence[float], timezone: str) -> bytes:
    """Compute a preview and draw it: a picture (PNG) of 1440 by 768 dots, in the brand's own time."""
    return draw(preview(past, budgets), timezone)


def draw(found: Preview, timezone: str) -> bytes:
    """Draw a preview as PNG."""
    from matplotlib import dates
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # half a second and 40 MB: only where it is drawn
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    zone, by_day = ZoneInfo(timezone), cast("Any", dates)  # of which only parts have types
    figure = Figure(figsize=INCHES, dpi=DOTS, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    lanes = 0.3 + 0.28 * len(found.budgets)
    top, middle, low = figure.subplots(3, 1, sharex=True, height_ratios=[2.0, 1.6, lanes])
    _curve(top, found.hours.start, found.hours.mentions, LINK)
    _curve(middle, found.hours.start, found.hours.negative, CRISIS)
    _lanes(low, found.budgets, found.end)
    _plain(top, "Mentions an hour (on a square root scale)")
    _plain(middle, "Negative mentions an hour")
    _plain(low, "Alerts at each budget of false pages a week, by severity")
    top.legend(loc="lower right", bbox_to_anchor=(1.0, 0.98), ncols=3, **LEGEND)
    low.legend(
        handles=[Patch(color=colour, label=str(severity)) for severity, colour in SEVERITY.items()],
        loc="lower right", bbox_to_anchor=(1.0, 0.93), ncols=5, handlelength=0.9, columnspacing=1.0, **LEGEND,
    )  # fmt: skip
    for alert in found.budgets[-1].raised:
        for axes in (top, middle, low):
            axes.axvline(cast("Any", alert.opened_at), color=INK, lw=0.8, ls=":", alpha=0.6, zorder=1)
    span: Any = (found.start, found.end)
    low.set_xlim(*span)
    low.xaxis.set_major_locator(by_day.DayLocator(interval=1 + (found.end - found.start).days // DAYS_NAMED, tz=zone))
    low.xaxis.set_major_formatter(by_day.DateFormatter("%-d %b", tz=zone))
    first, last = (f"{at.astimezone(zone):%-d %b %Y}" for at in (found.start, found.end))
    title = f"{found.brand}: what {first} to {last} would have raised"
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=13, fontweight="bold")
    figure.supxlabel(f"{timezone}; hatched: not known, which is not zero", x=0.99, ha="right", color=SOFT, fontsize=9)
    picture = BytesIO()
    figure.savefig(picture, format="png")
    return picture.getvalue()


def _curve(axes: "Axes", start: datetime, band: Band, colour: str) -> None:
    """Counts by hour; a square root shows a crisis and the quiet beside it, and gives all counts the same spread."""
    seen, expected, low, high = (_stepped(row) for row in (band.observed, band.expected, band.low, band.high))
    times: Any = [start + timedelta(hours=i) for i in range(len(seen))]
    axes.fill_between(times, low, high, step="post", color=SOFT, alpha=0.25, lw=0, label="95 of 100 normal hours")
    axes.step(times, expected, where="post", color=SOFT, lw=0.9, label="expected")
    axes.step(times, seen, where="post", color=colour, lw=1.1, label="seen")
    for begin, end in _unknown(seen):
        axes.axvspan(times[begin], times[min(end, len(times) - 1)], fc="none", ec=EDGE, hatch="////", lw=0)
    most = float(np.nanmax(np.concatenate((seen, high, [4.0]))))
    axes.set_yscale("function", functions=(lambda y: np.sqrt(np.maximum(y, 0.0)), np.square))
    axes.set_ylim(0, 1.08 * most)
    axes.set_yticks([0, *(round(most * part, -int(np.log10(most * part))) for part in (0.05, 0.25, 0.6, 1.0))])
    axes.grid(axis="y", color=EDGE, lw=0.6)
    axes.set_axisbelow(True)


def _lanes(axes: "Axes", budgets: Sequence[AtBudget], end: datetime) -> None:
    """A lane for each budget, its alerts from opening to end in the colour of their severity."""
    for lane, budget in enumerate(budgets):
        axes.axhline(lane, color=EDGE, lw=0.8, zorder=0)
        for alert in budget.raised:
            begin: Any = alert.opened_at
            lasts: Any = max((alert.closed_at or end) - alert.opened_at, LEAST_BAR)
            axes.barh(lane, lasts, 0.62, begin, color=SEVERITY[alert.severity], zorder=2)
        count = f" {budget.alerts} alert{'' if budget.alerts == 1 else 's'}"
        axes.annotate(count, (1.0, lane), xycoords=("axes fraction", "data"), va="center", color=INK, fontsize=9)
    axes.set_ylim(len(budgets) - 0.4, -0.6)
    axes.set_yticks(range(len(budgets)), [f"{budget.budget:g}" for budget in budgets])


def _plain(axes: "Axes", title: str) -> None:
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(EDGE)
    axes.tick_params(colors=SOFT, length=0, labelsize=9)
    axes.set_title(title, loc="left", color=INK, fontsize=10)


def _stepped(row: Sequence[float | None]) -> Floats:
    """The hours, and the last one's end; NaN is unknown."""
    values = [np.nan if value is None else value for value in row]
    return np.array([*values, *values[-1:]], dtype=np.float64)


def _unknown(seen: Floats) -> list[tuple[int, int]]:
    """Runs of unknown hours, first and one beyond the last."""
    edges = np.flatnonzero(np.diff(np.isnan(seen).astype(np.int8), prepend=0, append=0))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
