"""The forecaster of a brand is chosen beside the looks, reported, and followed by the watcher."""

import asyncio
import tempfile
from pathlib import Path

import pytest

from detectors import smoothing
from detectors.forecaster import FORECASTERS
from detectors.hourly import Curve, Following, join
from detectors.robust import Baseline
from service.brand import Brand
from service.clock import iso
from service.forecasting import Forecasting, choose_for, forecasters
from service.minutes import Minutes
from service.store import Store
from service.watcher import Watcher
from tests.service.live import with_store
from tests.service.weeks import counted

DAY = 86_400.0
NOW = 1_760_054_400.0
"""Midnight."""
BRAND = Brand(name="acme", query="acme", country="DE")


async def watcher_of(store: Store, days: int) -> Watcher:
    """A watcher of a brand with so many days of history, that was never fitted."""
    await counted(store, "acme", NOW, days)
    minutes = Minutes(store, "acme")
    minutes.remember({b"x\x1ffirst": str(NOW - days * DAY).encode(), b"x\x1flast": str(NOW - 60).encode()}, None)
    return Watcher(store, BRAND, minutes, "")


def test_a_choice_that_takes_too_long_leaves_the_robust_one_and_no_file(store_url: str, tmp_path: Path) -> None:
    async def body(store: Store) -> None:
        watcher = await watcher_of(store, 15)
        assert await forecasters(store, "acme") is None
        kept, tempfile.tempdir = tempfile.tempdir, str(tmp_path)
        try:
            await choose_for(store, watcher, NOW, patience=0.05)
        finally:
            tempfile.tempdir = kept
        assert watcher.forecaster is None
        report = await forecasters(store, "acme")
        assert report is not None
        assert (report["at"], report["chosen"], report["scores"]) == (iso(NOW), "robust", {})
        assert report["why"] == "it took more than 0 s"

    with_store(store_url, body)
    assert not list(tmp_path.iterdir())


def test_the_watcher_learns_with_what_was_chosen(store_url: str) -> None:
    async def body(store: Store) -> None:
        watcher = await watcher_of(store, 15)
        await watcher.learn(NOW - DAY)
        assert watcher.watch is not None
        assert isinstance(watcher.watch.normals["x"].mentions, Baseline)
        known = await watcher.history(NOW)
        assert known is not None
        series = known[0]["x"]
        learned = []
        for counts in (series.mentions, series.negative):
            assert counts is not None
            hours = join(series.start, series.step, counts, 0.0)
            assert hours is not None
            learned.append((hours, smoothing.learn(hours)))
        watcher.forecaster = Following(smoothing.fit, learned, anew=False)
        await watcher.learn(NOW)
        normal = watcher.watch.normals["x"]
        assert isinstance(normal.mentions, Curve)
        assert isinstance(normal.negative, Curve)
        day = normal.mentions.mean(NOW, DAY, 1)[0]
        assert day == pytest.approx(3.0 * 1.2 * 288, rel=0.15)

    with_store(store_url, body)


@pytest.mark.parametrize(("days", "begins"), [(13, False), (15, True)])
def test_two_weeks_of_history_are_needed_for_a_choice_and_one_a_day_is_enough(
    store_url: str, days: int, *, begins: bool
) -> None:
    async def body(store: Store) -> None:
        watcher = await watcher_of(store, days)
        forecasting = Forecasting(store)
        before = asyncio.all_tasks()
        forecasting.beside([watcher], NOW)
        assert asyncio.all_tasks() == before  # nobody knows what is normal yet
        await watcher.learn(NOW)
        forecasting.beside([watcher], NOW)
        new = asyncio.all_tasks() - before
        assert bool(new) is begins
        forecasting.beside([watcher], NOW + 60.0)
        assert asyncio.all_tasks() - before == new  # one at a time
        forecasting.stop()
        await asyncio.gather(*new, return_exceptions=True)
        assert all(task.cancelled() for task in new)

    with_store(store_url, body)


@pytest.mark.slow
def test_a_choice_is_made_in_a_process_apart_and_reported(store_url: str) -> None:
    async def body(store: Store) -> None:
        watcher = await watcher_of(store, 15)
        await choose_for(store, watcher, NOW)
        report = await forecasters(store, "acme")
        assert report is not None
        assert report["why"] is None
        assert report["days"] == 7
        assert set(report["scores"]) == set(FORECASTERS) - {"yearly"}  # of which weeks are too little
        assert report["scores"]["robust"]["saved"] == 0.0
        assert isinstance(watcher.forecaster, Following) is (report["chosen"] != "robust")

    with_store(store_url, body)
