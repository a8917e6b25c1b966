from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import fleet
from detectors.fleet import FEW, Ask
from detectors.hourly import Curve
from detectors.looks import Looks
from detectors.robust import Baseline
from detectors.series import Floats, Series
from detectors.sources import Normal
from detectors.watch import Watch, fit, rehearse

FINE, MINUTE, DAY = 300.0, 60.0, 1440
START = 1_700_000_100.0
"""No whole hour: windows end where they end."""


def series(chance: np.random.Generator, start: float, step: float, n: int, told: str) -> Series:
    """`n` buckets in which the columns named by the letters of `told` are known: n(egative), s(cored), a(uthors)."""
    mentions = chance.poisson(chance.gamma(1.0, 3.0) * step / FINE, n).astype(float)
    scored = chance.binomial(mentions.astype(int), 0.8).astype(float)
    negative = chance.binomial(scored.astype(int), 0.15).astype(float)
    authors = chance.binomial(mentions.astype(int), 0.9).astype(float)
    rest = [
        values if letter in told else None for letter, values in zip("nsa", (negative, scored, authors), strict=True)
    ]
    return Series(start, step, mentions, *rest)


def watched(seed: int, told: str, days: float, sources: int, *, taught: bool) -> Watch:
    chance = np.random.default_rng(seed)
    past = {str(n): series(chance, START, FINE, round(288 * days), told) for n in range(sources)}
    watch = rehearse(past) if taught else fit(past)
    return replace(watch, budget=float(chance.uniform(0.1, 2.0)))


WATCHES = [
    watched(1, "nsa", 6.0, 1, taught=True),
    watched(2, "nsa", 3.0, 2, taught=True),
    watched(3, "", 6.0, 1, taught=True),
    watched(4, "ns", 2.0, 1, taught=False),
    watched(5, "n", 1.0, 3, taught=False),
    watched(6, "nsa", 0.1, 1, taught=False),
]
"""Grown and young, of one and of several sources, with and without sentiment; of the last too little is known."""


@st.composite
def asked(draw: st.DrawFn) -> Ask:
    """A day of minutes after a watch was fitted: gaps, bursts, what is left out, a running minute."""
    watch = draw(st.sampled_from(WATCHES))
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n, step = draw(st.sampled_from([(DAY, MINUTE), (90, MINUTE), (2, MINUTE), (288, FINE)]))
    start = START + 6 * 86_400.0
    told = draw(st.sampled_from(["nsa", "ns", "n", ""]))
    recent = {name: series(chance, start, step, n, told) for name in [*watch.normals, "new"]}
    some = next(iter(recent.values()))
    if draw(st.booleans()):
        some.mentions[-draw(st.integers(1, 40)) :] += 50.0
    if draw(st.booleans()):
        begin = draw(st.integers(0, n - 1))
        for values in (some.mentions, some.negative, some.scored, some.authors):
            if values is not None and chance.random() < 0.7:
                values[begin : begin + draw(st.integers(1, n))] = np.nan
    many = draw(st.sampled_from([1, 1, 2, FEW, FEW + 3]))
    spans = [draw(st.none() | st.integers(1, n)) for _ in range(2)]
    mask, campaign = (None if span is None else np.arange(n) % n >= span for span in spans)
    return Ask(
        watch,
        recent,
        tuple(range(max(n - many, 0), n)),
        exposure=draw(st.sampled_from([1.0, 0.25])),
        mask=mask,
        campaign=campaign,
        utc_offset=draw(st.sampled_from([0.0, -19_800.0])),
    )


def alone(ask: Ask) -> Looks:
    return ask.watch.look(
        ask.recent,
        rows=np.array(ask.rows),
        exposure=ask.exposure,
        mask=ask.mask,
        campaign=ask.campaign,
        utc_offset=ask.utc_offset,
    )


def same(found: Floats, wanted: Floats) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@settings(max_examples=60)
@given(st.lists(asked(), min_size=1, max_size=6))
def test_many_brands_together_are_found_as_each_alone(asks: list[Ask]) -> None:
    for found, wanted in zip(fleet.look(asks), map(alone, asks), strict=True):
        same(found.end, wanted.end)
        same(found.score, wanted.score)
        same(found.flash, wanted.flash)
        assert list(found.findings) == list(wanted.findings)
        assert len(found.verdicts()) == len(wanted.verdicts())
        for name, finding in found.findings.items():
            same(finding.height, wanted.findings[name].height)
            same(finding.seen.expected, wanted.findings[name].seen.expected)
            same(finding.seen.observed, wanted.findings[name].seen.observed)


def test_a_look_tells_the_verdict_and_the_scores_of_its_own_brand() -> None:
    chance = np.random.default_rng(7)
    asks = [
        Ask(watch, {name: series(chance, START, MINUTE, DAY, "nsa") for name in watch.normals}, (DAY - 2, DAY - 1))
        for watch in WATCHES[:2]
    ]
    said = asks[1].recent["0"]
    for values in (said.mentions, said.negative, said.scored, said.authors):
        assert values is not None
        values[-5:] += 40.0
    calm, storm = fleet.look(asks)
    assert storm.verdicts()[0].score > 50.0 > calm.verdicts()[0].score
    assert storm.verdicts()[0].observed >= 200.0
    assert storm.verdicts()[0].reason == alone(asks[1]).verdicts()[0].reason
    assert storm.scores(1) == {verdict.detector: verdict.score for verdict in storm.verdicts(1)}
    assert storm.scores(0) != storm.scores(1)


def test_a_forecast_that_is_no_table_of_the_week_is_summed_as_well() -> None:
    curve = Curve(START - START % 3600.0, np.random.default_rng(8).uniform(10.0, 30.0, 240))
    watch = replace(WATCHES[0], normals={"": Normal(curve, curve)})
    recent = {"": series(np.random.default_rng(9), START + 86_400.0, MINUTE, DAY, "ns")}
    (found,) = fleet.look([Ask(watch, recent, (DAY - 1,), exposure=0.5)])
    same(found.score, alone(Ask(watch, recent, (DAY - 1,), exposure=0.5)).score)


@given(
    st.sampled_from([60.0, 300.0, 900.0, 3600.0, 86_400.0]),
    st.lists(st.integers(0, 400), min_size=2, max_size=8, unique=True).map(sorted),
    st.integers(-800_000, 800_000).map(float),
)
def test_totals_between_edges_are_sums_of_the_mean(step: float, edges: list[int], offset: float) -> None:
    week = np.random.default_rng(12).uniform(0.2, 3.0, 2016)
    baseline = Baseline(0.3, week, frozenset([int(START // 86_400.0) + 3]))
    mean = baseline.mean(START, step, edges[-1], offset)
    wanted = [mean[begin:end].sum() for begin, end in pairwise(edges)]
    same(baseline.totals(START, step, tuple(edges), offset), np.array(wanted))


def test_a_brand_of_which_nothing_is_expected_has_no_verdict() -> None:
    stranger = Ask(WATCHES[0], {"other": series(np.random.default_rng(9), START, MINUTE, DAY, "")}, (DAY - 1,))
    (found,) = fleet.look([stranger])
    assert found.verdicts() == ()
    assert np.isnan(found.score).all()


def test_the_brands_that_are_looked_at_are_not_changed() -> None:
    recent = {"0": series(np.random.default_rng(10), START, MINUTE, DAY, "nsa")}
    before = recent["0"].mentions.copy()
    fleet.look([Ask(WATCHES[0], recent, (DAY - 1,), exposure=0.1)] * 2)
    assert (recent["0"].mentions == before).all()


def test_sources_that_differ_in_their_buckets_are_refused_by_name() -> None:
    chance = np.random.default_rng(11)
    recent = {"0": series(chance, START, MINUTE, DAY, ""), "1": series(chance, START, MINUTE, DAY - 1, "")}
    with pytest.raises(ValueError, match="'1' has other buckets than '0'"):
        fleet.look([Ask(WATCHES[1], recent, (DAY - 1,))])
