"""The picture of an episode: what was counted, what is normal, when it began, where it goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

import numpy as np

from detectors.series import Floats
from service.episode import Episode
from service.frozen import Curve
from service.notify.message import what
from service.notify.words import moment, span

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INCHES, DOTS = (7.2, 4.5), 150
"""1080 by 675 dots: letters of 15 points are read on a telephone, where it is a third as wide."""
LEAST_BEFORE, MOST_BEFORE = 6 * 3600.0, 86_400.0
"""Seconds before the begin that are shown, at the least and at the most: as many as it lasted."""
AHEAD_SECONDS = 3600.0
"""How far ahead it is drawn: what comes later is told in words."""
NAME_PART = 0.08
"""Part of the width that the name of a line needs."""
TALLEST = 2.0
"""A forecast may be so many times as high as what was counted; the rest of it is cut off."""

_drawing = Lock()
"""One picture at a time: matplotlib keeps caches that threads must not share, and two would only halve the core."""


@dataclass(frozen=True)
class Colours:
    """Of one theme; each stands out from `paper` by 3 to 1, text by 7 to 1."""

    paper: str
    ink: str
    soft: str
    edge: str
    bars: str
    negative: str
    usual: str


LIGHT = Colours("#ffffff", "#151b26", "#4a5363", "#d5d9e0", "#8fa6c4", "#b3141d", "#2e6b3f")
DARK = Colours("#151b26", "#f2f4f8", "#b9c1cf", "#39424f", "#5f7fa8", "#ff6b66", "#7fce95")


def png(episode: Episode, curve: Curve, zone: str = "UTC", colours: Colours = LIGHT) -> bytes:
    """Draw an episode as PNG, times in `zone`; `curve` has a bucket at the least.

    To be called in a thread: it takes some 0.3 s, and the first time a second more.
    """
    with _drawing:
        return _drawn(episode, curve, zone, colours)


def load() -> None:
    """Load what draws: a second of work and 40 MB, which the first picture would wait for."""
    with _drawing:
        import matplotlib.backends.backend_agg
        import matplotlib.figure  # noqa: F401


def _drawn(episode: Episode, curve: Curve, zone: str, colours: Colours) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # half a second and 40 MB: only where it is drawn
    from matplotlib.figure import Figure

    figure = Figure(figsize=INCHES, dpi=DOTS, facecolor=colours.paper)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.105, 0.08, 0.87, 0.71), facecolor=colours.paper)
    shown = _shown(episode, curve)
    _bars(axes, shown, colours)
    _normal(axes, shown, colours)
    last = float(shown.times[-1]) + shown.step
    highest = _highest(shown)
    ahead = _ahead(axes, episode, shown, last, TALLEST * highest, colours)
    axes.set_ylim(0, 1.08 * max(highest, ahead))
    _dress(axes, shown, last + (AHEAD_SECONDS if ahead else 0.0), zone, colours)
    _marks(axes, episode, colours)
    title = f"{episode.brand}: {what(episode)}, severity {episode.severity} of 5"
    figure.text(0.02, 0.945, title, color=colours.ink, fontsize=15, fontweight="bold", va="center")
    until = moment(datetime.fromtimestamp(last, UTC), zone)
    figure.text(
        0.02, 0.885, f"Mentions every {span(shown.step)}, until {until} ({zone})", color=colours.soft, fontsize=11.5,
        va="center",
    )  # fmt: skip
    legend = axes.legend(
        loc="lower left", bbox_to_anchor=(-0.015, 1.0), ncols=5, frameon=False, fontsize=10.5, labelcolor=colours.ink,
        handlelength=1.1, columnspacing=1.1, handletextpad=0.5, borderaxespad=0.1,
    )  # fmt: skip
    legend.set_in_layout(False)
    picture = BytesIO()
    figure.savefig(picture, format="png", facecolor=colours.paper)
    return picture.getvalue()


@dataclass(frozen=True)
class _Shown:
    """The part of a curve that is drawn; NaN is unknown."""

    times: Floats
    step: float
    mentions: Floats
    negative: Floats
    expected: Floats
    low: Floats
    high: Floats


def _shown(episode: Episode, curve: Curve) -> _Shown:
    times: Floats = curve.start + float(curve.step) * np.arange(len(curve.mentions), dtype=np.float64)
    began = episode.started_at.timestamp()
    before = float(np.clip(times[-1] - began, LEAST_BEFORE, MOST_BEFORE))
    part = slice(int(np.searchsorted(times, began - before)), None)
    columns = (curve.mentions, curve.negative, curve.expected, curve.low, curve.high)
    return _Shown(times[part], float(curve.step), *(_array(column)[part] for column in columns))


def _array(values: Sequence[float | None]) -> Floats:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _highest(shown: _Shown) -> float:
    values = np.concatenate((shown.mentions, shown.high, [4.0]))
    return float(np.nanmax(values))


def _bars(axes: "Axes", shown: _Shown, colours: Colours) -> None:
    place: Any = {"width": 0.86 * shown.step, "align": "edge", "lw": 0, "zorder": 2}
    axes.bar(shown.times, np.nan_to_num(shown.mentions), color=colours.bars, label="mentions", **place)
    if np.nansum(shown.negative) > 0:
        axes.bar(shown.times, np.nan_to_num(shown.negative), color=colours.negative, label="negative", **place)
    for begin, end in _runs(np.isnan(shown.mentions)):
        axes.axvspan(
            shown.times[begin], shown.times[end - 1] + shown.step, fc="none", ec=colours.edge, hatch="///", lw=0
        )


def _normal(axes: "Axes", shown: _Shown, colours: Colours) -> None:
    if not np.isfinite(shown.expected).any():
        return
    edges = np.append(shown.times, shown.times[-1] + shown.step)
    low, high, usual = (np.append(row, row[-1]) for row in (shown.low, shown.high, shown.expected))
    axes.fill_between(edges, low, high, step="post", color=colours.usual, alpha=0.3, lw=0, label="95 % of normal")
    axes.step(edges, usual, where="post", color=colours.usual, lw=1.8, label="expected", zorder=3)


def _ahead(axes: "Axes", episode: Episode, shown: _Shown, last: float, most: float, colours: Colours) -> float:
    """Draw where it leads within an hour, from the last whole bucket on; return how high that is drawn."""
    growth = episode.growth
    known = np.flatnonzero(np.isfinite(shown.mentions))
    if growth is None or growth.high is None or episode.ended is not None or len(known) < 2 or "1" not in growth.ahead:
        return 0.0
    row = shown.negative if episode.detector == "revolt" else shown.mentions
    now, part = float(row[known[-2]]), shown.step / 3600.0
    middle, low, high = (
        part * told["1"] if "1" in told else part * growth.ahead["1"]
        for told in (growth.ahead, growth.ahead_low, growth.ahead_high)
    )
    colour = colours.negative if episode.detector == "revolt" else colours.bars
    span_: Any = [last, last + AHEAD_SECONDS]
    axes.fill_between(span_, [now, min(low, most)], [now, min(high, most)], color=colour, alpha=0.18, lw=0)
    axes.plot(span_, [now, min(middle, most)], color=colour, lw=2.2, ls=(0, (2, 1.5)), label="next hour")
    return min(high, most)


def _marks(axes: "Axes", episode: Episode, colours: Colours) -> None:
    """Lines for its begin, its alert and its end, each with its name beside it."""
    marks = [("began", episode.started_at, "left"), ("alert", episode.opened_at, "right")]
    if episode.ended:
        marks.append(("over", episode.ended, "left"))
    first, until = axes.get_xlim()
    height = 0.985
    for name, at, wanted in marks:
        x = at.timestamp()
        side = "left" if x > until - NAME_PART * (until - first) else wanted
        height -= 0.08 if side == "left" and name != "began" else 0.0  # or the names would meet
        axes.axvline(x, color=colours.ink, lw=1.4, ls=(0, (4, 2)) if name == "began" else "-")
        axes.annotate(
            name, (x, height), xycoords=("data", "axes fraction"), xytext=(-5 if side == "left" else 5, 0),
            textcoords="offset points", ha="right" if side == "left" else "left", va="top", fontsize=11.5,
            color=colours.ink,
            bbox={"facecolor": colours.paper, "edgecolor": "none", "alpha": 0.75, "pad": 1.0},
        )  # fmt: skip


def _dress(axes: "Axes", shown: _Shown, until: float, zone: str, colours: Colours) -> None:
    first = float(shown.times[0])
    axes.set_xlim(first, until)
    ticks = _ticks(first, until, zone)
    local = [datetime.fromtimestamp(at, ZoneInfo(zone)) for at in ticks]
    names = [f"{at:%H:%M}" if at.hour or at.minute else f"{at:%a} {at.day}" for at in local]
    axes.set_xticks(ticks, names)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(colours.edge)
    axes.tick_params(colors=colours.soft, length=0, labelsize=12)
    axes.yaxis.set_major_locator(_whole())
    axes.grid(axis="y", color=colours.edge, lw=0.8)
    axes.set_axisbelow(True)


def _whole() -> Any:
    from matplotlib.ticker import MaxNLocator

    return cast("Any", MaxNLocator)(nbins=5, integer=True)


def _ticks(first: float, until: float, zone: str) -> list[float]:
    """Return at most seven whole hours or days, where the brand is, from `first` to `until` (POSIX seconds)."""
    hours = next((h for h in (1, 2, 3, 6, 12, 24, 48, 96) if (until - first) / 3600 / h <= 7), 168)
    offset = datetime.fromtimestamp(first, ZoneInfo(zone)).utcoffset()
    shift = offset.total_seconds() if offset else 0.0
    step = 3600.0 * hours
    begin = np.ceil((first + shift) / step) * step - shift
    return [float(at) for at in np.arange(begin, until, step)]


def _runs(flags: Any) -> list[tuple[int, int]]:
    """Return runs of true flags, first and one beyond the last."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]
