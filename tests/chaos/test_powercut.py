"""The short mode of `python -m tests.chaos power-always power-everysec`, and what strace's log is read as."""

from pathlib import Path

import pytest

from tests.chaos import powercut
from tests.chaos.parts import PARTS
from tests.chaos.synced import parse

PLANS = {part.name: part.short for part in PARTS}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plan", PLANS["power-always"], ids=str)
def test_with_fsync_always_a_power_cut_loses_nothing_that_was_accepted(plan: powercut.Plan, tmp_path: Path) -> None:
    for cut in powercut.run(plan, tmp_path, print).cuts:
        assert cut.answered > 0
        assert (cut.lost, cut.twice) == (0, 0)
        assert cut.after_repeats.exact, cut.after_repeats.differences


@pytest.mark.timeout(300)
@pytest.mark.parametrize("plan", PLANS["power-everysec"], ids=str)
def test_with_fsync_everysec_a_power_cut_loses_the_last_second_and_repeats_bring_it_back(
    plan: powercut.Plan, tmp_path: Path
) -> None:
    for cut in powercut.run(plan, tmp_path, print).cuts:
        assert cut.unsynced > 0
        assert cut.twice == 0
        assert cut.seconds < 3.0
        assert cut.after_repeats.exact, cut.after_repeats.differences


def test_only_what_was_written_before_a_sync_began_is_on_disk_when_it_has_ended() -> None:
    log = "\n".join(
        [
            '7 100.000000 write(8</d/a.incr.aof>, ""..., 10) = 10 <0.000100>',
            '7 100.100000 write(9</d/other>, ""..., 99) = 99 <0.000100>',
            "8 100.200000 fdatasync(8</d/a.incr.aof> <unfinished ...>",
            '7 100.300000 write(8</d/a.incr.aof>, ""..., 5) = 5 <0.000100>',
            "8 100.400000 <... fdatasync resumed>) = 0 <0.200000>",
            "8 100.500000 fdatasync(8</d/a.incr.aof>) = -1 EIO (Input/output error) <0.000200>",
            "8 100.600000 fdatasync(8</d/a.incr.aof>) = 0 <0.100000>",
        ]
    )
    written, synced = parse(log, Path("/d/a.incr.aof"))
    assert [written.at(t) for t in (99.0, 100.05, 100.35)] == [0, 10, 15]
    assert [synced.at(t) for t in (100.35, 100.45, 100.55, 100.65, 100.75)] == [0, 10, 10, 10, 15]
