"""A tick: many brands looked at together, where each alone would cost ten times as much.

Every brand's counts are summed between the edges of its windows; from there on a brand is a column of the arrays that
`Watch.look` has for one. What it finds is what `Watch.look` finds, but for rounding.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from detectors import calibrate, robust, sources, statistic
from detectors.looks import Looks
from detectors.robust import Baseline
from detectors.scan import backwards, windows
from detectors.series import Bools, Floats, Series
from detectors.statistic import CHANNELS, Rows, Spreads
from detectors.watch import Watch, channels, findings

Edges = tuple[int, ...]

FEW = 4
"""Rows up to which a brand is looked at with others; with more it is as quick alone."""


@dataclass(frozen=True)
class Summed:
    """One source's `n` buckets of `step` seconds from POSIX `start`, as sums between `edges`.

    `counts` (4, edges - 1) are mentions, negative, scored, authors.
    For who holds counts in another way than as a `Series`, where nothing is unknown from the first edge on.
    """

    start: float
    step: float
    n: int
    counts: Floats

    def __len__(self) -> int:
        return self.n


class Ask(NamedTuple):
    """What is asked of one brand, as `Watch.look` is asked; `rows` rise.

    Sources may be `Summed` where rows are FEW, with neither mask nor campaign.
    """

    watch: Watch
    recent: Mapping[str, Series | Summed]
    rows: tuple[int, ...]
    exposure: float = 1.0
    mask: Bools | None = None
    campaign: Bools | None = None
    utc_offset: float = 0.0


class _Alike(NamedTuple):
    """What brands must have in common to be columns of the same arrays."""

    step: float
    rows: tuple[int, ...]
    fitted: float
    lengths: tuple[float, ...]
    negative: bool
    share: bool


def look(asks: Sequence[Ask]) -> list[Looks]:
    """Judge what is asked, in the same order.

    Raises:
        ValueError: the sources of one brand differ in their buckets, or it has none.

    >>> from detectors.watch import fit
    >>> quiet = Series(0.0, 300.0, np.random.default_rng(1).poisson(4.0, 2016).astype(float))
    >>> hour = Series(604800.0, 300.0, np.array([4.0, 3.0, 5.0, 60.0]))
    >>> calm, storm = look([Ask(fit(quiet), {"": hour}, (2,)), Ask(fit(quiet), {"": hour}, (3,))])
    >>> bool(calm.score[0] < 50 < storm.score[0])
    True
    """
    found: dict[int, Looks] = {}
    alike: dict[_Alike, list[int]] = defaultdict(list)
    for n, ask in enumerate(asks):
        first, spreads = sources.check(ask.recent), ask.watch.spreads
        if spreads is None or not 0 < len(ask.rows) <= FEW:
            found[n] = _alone(ask)
            continue
        told, shared = spreads.negative is not None, spreads.share is not None
        alike[_Alike(first.step, ask.rows, ask.watch.step, spreads.lengths, told, shared)].append(n)
    for kind, places in alike.items():
        found |= zip(places, _together(kind, [asks[n] for n in places]), strict=True)
    return [found[n] for n in range(len(asks))]


def _first(ask: Ask) -> Series | Summed:
    return next(iter(ask.recent.values()))


def _alone(ask: Ask) -> Looks:
    return ask.watch.look(
        _whole(ask),
        rows=np.array(ask.rows, dtype=np.int64),
        exposure=ask.exposure,
        mask=ask.mask,
        campaign=ask.campaign,
        utc_offset=ask.utc_offset,
    )


def _whole(ask: Ask) -> dict[str, Series]:
    """Every bucket of every source.

    Raises:
        ValueError: only sums of them were given.
    """
    whole = {name: series for name, series in ask.recent.items() if isinstance(series, Series)}
    if len(whole) < len(ask.recent):
        raise ValueError("sums between edges are not enough where a bucket is unknown or left out; whole series are")
    return whole


def _together(kind: _Alike, asks: Sequence[Ask]) -> list[Looks]:
    edges, begins, within = _windows(kind.lengths, kind.step, kind.rows)
    each, rows = len(kind.rows), np.array(kind.rows)
    sums = np.zeros((len(asks), CHANNELS, len(begins)))
    known = np.ones((len(asks), each), dtype=np.bool_)
    plain = np.ones((len(asks), each), dtype=np.bool_)
    whole = np.ones(len(asks), dtype=np.bool_)
    for n in _sum_plain(asks, edges, sums):
        whole[n] = _sum(asks[n], edges, begins, sums[n])
    for n in np.flatnonzero(~(whole & np.isfinite(sums.sum(axis=(1, 2))))).tolist():
        sums[n], known[n], plain[n] = _with_gaps(asks[n], rows, edges)
    by_brand = (sums.reshape(-1, len(begins)) @ within).reshape(len(asks), CHANNELS, len(kind.lengths), each)
    inside = by_brand.transpose(1, 2, 0, 3).reshape(CHANNELS, len(kind.lengths), len(asks) * each)
    spreads: list[Spreads] = [ask.watch.spreads for ask in asks if ask.watch.spreads is not None]
    found = statistic.judge(inside, statistic.beside(spreads, each), known.ravel(), plain.ravel())
    of = channels(found, kind.lengths)
    scale = calibrate.beside([ask.watch.calibration.scale(of) for ask in asks], each)
    budgets = np.repeat([ask.watch.spends(kind.step) for ask in asks], each)
    scored = findings(found, kind.fitted, kind.lengths, scale, budgets)
    starts = np.array([_first(ask).start for ask in asks])
    times = starts[:, None] + kind.step * (rows + 1.0)
    highest = Looks(times.ravel(), scored)
    both = highest.score, highest.flash
    return [Looks(end, scored, slice(n * each, (n + 1) * each), highest=both) for n, end in enumerate(times)]


def edges_of(fitted: float, step: float, rows: tuple[int, ...]) -> Edges:
    """Buckets of `step` seconds at which a window that ends with one of `rows` begins or ends.

    The windows are those of a watch that was fitted to buckets of `fitted` seconds.
    """
    return _windows(sum(windows(fitted), ()), step, rows)[0]


@lru_cache(maxsize=64)
def _windows(lengths: tuple[float, ...], step: float, rows: tuple[int, ...]) -> tuple[Edges, Rows, Floats]:
    """Buckets at which a window begins or ends, and which parts between them are in which window of which row.

    The second answer is all edges but the last, the third has shape (edges - 1, windows * rows). The last
    row is a part of its own: it may be running.
    """
    ends = np.array(rows) + 1
    begins = np.maximum(ends - backwards(lengths, step)[:, None], 0)
    edges = np.unique(np.concatenate((begins.ravel(), ends, ends[-1:] - 1)))
    inside = (begins <= edges[:-1, None, None]) & (edges[1:, None, None] <= ends)
    return tuple(edges.tolist()), edges[:-1], inside.reshape(len(edges) - 1, -1).astype(np.float64)


class _Plain(NamedTuple):
    """What brands of one source, whose sums are given and whose forecast is a table, must share to be added up."""

    start: float
    step: float
    utc_offset: float
    holidays: frozenset[int]
    angry: bool


def _plain(ask: Ask) -> tuple[_Plain, Summed, list[Baseline]] | None:
    if ask.mask is not None or ask.campaign is not None or len(ask.recent) != 1:
        return None
    ((name, series),) = ask.recent.items()
    normal = ask.watch.normals.get(name)
    if normal is None or not isinstance(series, Summed) or not isinstance(normal.mentions, Baseline):
        return None
    usual = [normal.mentions]
    if normal.negative is not None:
        if not isinstance(normal.negative, Baseline) or normal.negative.holidays != normal.mentions.holidays:
            return None
        usual.append(normal.negative)
    return _Plain(series.start, series.step, ask.utc_offset, usual[0].holidays, len(usual) > 1), series, usual


def _sum_plain(asks: Sequence[Ask], edges: Edges, sums: Floats) -> list[int]:
    """Do what `_sum` does for all brands that are `_plain`, together; return the places of the others."""
    alike: dict[_Plain, list[tuple[int, Summed, list[Baseline]]]] = defaultdict(list)
    others = []
    for n, ask in enumerate(asks):
        if (plain := _plain(ask)) is None:
            others.append(n)
        else:
            alike[plain[0]].append((n, *plain[1:]))
    for kind, some in alike.items():
        places, series, usual = zip(*some, strict=True)
        buckets = (kind.start, kind.step, edges, kind.utc_offset)
        found = np.zeros((len(some), *sums.shape[1:]))
        mentions, negative, scored, authors = np.array([one.counts for one in series]).swapaxes(0, 1)
        found[:, 0] = found[:, 5] = mentions
        found[:, 1] = robust.totals([both[0] for both in usual], *buckets)
        if kind.angry:
            found[:, 2] = negative
            found[:, 3] = robust.totals([both[1] for both in usual], *buckets)
            found[:, 4] = scored
        found[:, 6] = authors
        running = np.array(
            [asks[n].exposure if edges[-1] == len(one) else 1.0 for n, one in zip(places, series, strict=True)]
        )
        found[:, 1, -1] *= running
        found[:, 3, -1] *= running
        sums[list(places)] = found
    return others


def _sum(ask: Ask, edges: Edges, begins: Rows, out: Floats) -> bool:
    """Add the channels of every source between `edges` to `out` (CHANNELS, edges - 1); NaN where there is a gap.

    `begins` are all `edges` but the last.

    False where this is not the way to sum them: buckets are left out, or nothing is known.
    """
    if ask.mask is not None or ask.campaign is not None:
        return False
    last, some = edges[-1], False
    for name, normal in ask.watch.normals.items():
        series = ask.recent.get(name)
        if series is None:
            continue
        some = True
        mentions, negative, scored, authors = _between(series, begins, last)
        out[0] += mentions
        out[1] += sources.totals(normal.mentions, series.start, series.step, edges, ask.utc_offset)
        if negative is not None and normal.negative is not None:
            out[2] += negative
            out[3] += sources.totals(normal.negative, series.start, series.step, edges, ask.utc_offset)
            if scored is not None:
                out[4] += scored
        if authors is not None:
            out[5] += mentions
            out[6] += authors
    if last == len(_first(ask)):
        out[1, -1] *= ask.exposure
        out[3, -1] *= ask.exposure
    return some


def _between(
    series: Series | Summed, begins: Rows, last: int
) -> tuple[Floats, Floats | None, Floats | None, Floats | None]:
    """Mentions, negative, scored, authors summed from each of `begins` to the next, and to `last`."""
    if isinstance(series, Summed):
        mentions, angry, judged, people = series.counts
        return mentions, angry, judged, people
    mentions = np.add.reduceat(series.mentions[:last], begins)
    rest = (series.negative, series.scored, series.authors)
    negative, scored, authors = (None if some is None else np.add.reduceat(some[:last], begins) for some in rest)
    return mentions, negative, scored, authors


def _with_gaps(ask: Ask, rows: Rows, edges: Edges) -> tuple[Floats, Bools, Bools]:
    """The channels between `edges`, which of `rows` are known, and in which volume may speak."""
    if not ask.watch.normals.keys() & ask.recent.keys():
        unknown = np.zeros(len(rows), dtype=np.bool_)
        return np.zeros((CHANNELS, len(edges) - 1)), unknown, unknown
    recent = _whole(ask)
    nothing = np.zeros(len(next(iter(recent.values()))), dtype=np.bool_)
    mask = nothing if ask.mask is None else ask.mask
    campaign = nothing if ask.campaign is None else ask.campaign
    sums = sources.expect(recent, ask.watch.normals, mask, ask.utc_offset, ask.exposure)
    known = sums.known[rows]
    parts = np.add.reduceat(statistic.channels(sums, campaign)[:, : edges[-1]], edges[:-1], axis=1)
    return parts, known, known & ~campaign[rows]
