"""How strange every window is: the statistic of `volume` and that of `revolt`, in standard normal units."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors import negbin, scan
from detectors import share as shares
from detectors.scan import Spread, spread, trailing
from detectors.series import Bools, Floats
from detectors.share import Share
from detectors.sources import Sums

Rows = NDArray[np.int64]

CHANNELS = 7
"""What is counted and expected of each bucket; see `channels`."""

LEAST_MENTIONS, LEAST_NEGATIVE = 5.0, 3.0
"""Smallest counts in a window that anyone is woken for."""

LEAST_EFFECT = 1.5
"""Times the expected count below which nothing pages, however certain."""

FLOORED = 3.0
"""How far below the expected what is too small to page is taken to be, at the most, in standard normal units."""

OUTSIDE = 1.96
"""Surprise of the count alone below which nothing pages: what is shown as normal must not hold what was seen."""

FAINTER = 0.8
"""Weight of the fainter of a revolt's two signs, negative count and negative share; the louder one has the rest.
A busy hour raises the count alone and a handful of posts the share alone; a revolt raises both."""


@dataclass(frozen=True)
class Statistic:
    """One detector at some rows, shape (windows, rows) each: what was seen, expected, the law's size, how strange.

    `matters` says where count and effect are large enough to wake anyone for. The tails learn from all windows, so that
    what is too small to page does not make the rest look rare.
    """

    observed: Floats
    expected: Floats
    size: Floats
    surprise: Floats
    matters: Bools

    def part(self, rows: slice) -> "Statistic":
        """The same of some rows, as views."""
        seen, size = self.observed[:, rows], self.size[:, rows]
        return Statistic(seen, self.expected[:, rows], size, self.surprise[:, rows], self.matters[:, rows])

    def strange(self) -> Floats:
        """`surprise`, and far below it in what does not matter."""
        return np.where(self.matters, self.surprise, np.minimum(self.surprise, -FLOORED))


@dataclass(frozen=True)
class Spreads:
    """What is known of a brand's variability: of mentions, of negative ones, of their share, of authors a mention.

    Of many looks, `crowd` is (looks,) and the others are as `scan.beside` gives them.
    """

    lengths: tuple[float, ...]
    mentions: Spread
    negative: Spread | None
    share: Share | None
    crowd: float | Floats


def estimate(past: Sums, lengths: tuple[float, ...]) -> Spreads:
    """From a past of counts and honest expectations, for windows of `lengths` seconds."""
    told, scored = bool(past.expected_negative.any()), bool(past.scored.any())
    crowd = float(past.authors.sum() / past.signed.sum()) if past.signed.any() else 1.0
    return Spreads(
        lengths,
        spread(past.mentions, past.expected, past.step, lengths),
        spread(past.negative, past.expected_negative, past.step, lengths) if told else None,
        shares.fit(past.negative, past.scored, past.step, lengths) if told and scored else None,
        min(max(crowd, 0.05), 1.0),
    )


def measure(sums: Sums, spreads: Spreads, rows: Rows, campaign: Bools) -> dict[str, Statistic]:
    """The statistics of `volume` and, where sentiment is told, of `revolt`, NaN where a row is unknown.

    Volume says nothing within a `campaign` (n,).
    """
    known = sums.known[rows]
    inside = trailing(channels(sums, campaign), spreads.lengths, sums.step, rows)
    return judge(inside, spreads, known, known & ~campaign[rows])


def channels(sums: Sums, campaign: Bools) -> Floats:
    """What is summed over windows, shape (CHANNELS, n).

    Mentions and those expected, negative ones and those expected, scored, mentions whose authors are known, authors.
    The buckets of a `campaign` (n,) are left out of mentions. In a campaign the expected negative count rises with the
    volume, so that only more anger a mention counts.
    """
    mentions, expected, less = sums.mentions, sums.expected, sums.expected_negative
    if campaign.any():
        less = np.where(campaign, less * np.maximum(mentions / np.maximum(expected, 1e-12), 1.0), less)
        mentions, expected = np.where(campaign, 0.0, mentions), np.where(campaign, 0.0, expected)
    return np.array((mentions, expected, sums.negative, less, sums.scored, sums.signed, sums.authors))


def judge(inside: Floats, spreads: Spreads, known: Bools, plain: Bools) -> dict[str, Statistic]:
    """The statistics of what is `inside` windows, `channels` summed (CHANNELS, windows, rows).

    `known` (rows,) says of which rows anything is known, `plain` of which volume may speak. `spreads` are one brand's,
    or of each row.
    """
    seen, usual, angry, rarely, scored, signed, authors = inside
    crowd = np.where(signed > 0, np.minimum(authors / np.maximum(signed * spreads.crowd, 1e-12), 1.0), 1.0)
    seen, angry = seen * crowd, angry * crowd
    size = spreads.mentions.size(usual)
    strange = negbin.surprise(seen, usual, size)
    found = {"volume": _judged(seen, usual, size, strange, strange, LEAST_MENTIONS, plain)}
    if spreads.negative is not None:
        size = spreads.negative.size(rarely)
        more = strange = negbin.surprise(angry, rarely, size)
        if spreads.share is not None:
            among = spreads.share.surprise(angry, scored * crowd)
            strange = FAINTER * np.minimum(strange, among) + (1.0 - FAINTER) * np.maximum(strange, among)
        found["revolt"] = _judged(angry, rarely, size, more, strange, LEAST_NEGATIVE, known)
    return found


def beside(spreads: Sequence[Spreads], rows: int) -> Spreads:
    """The spreads of many brands as one, each for `rows` looks; all of them tell the same things, or none does."""
    negative = [one.negative for one in spreads if one.negative is not None]
    share = [one.share for one in spreads if one.share is not None]
    return Spreads(
        spreads[0].lengths,
        scan.beside([one.mentions for one in spreads], rows),
        scan.beside(negative, rows) if negative else None,
        shares.beside(share, rows) if share else None,
        np.repeat([one.crowd for one in spreads], rows),
    )


def _judged(
    seen: Floats, usual: Floats, size: Floats, more: Floats, strange: Floats, least: float, known: Bools
) -> Statistic:
    """`more` is the surprise of the count alone, `strange` that of the detector, shape (windows, rows)."""
    matters = (seen >= least) & (seen >= LEAST_EFFECT * usual) & (more >= OUTSIDE)
    return Statistic(seen, usual, size, np.where(known, strange, np.nan), matters)
