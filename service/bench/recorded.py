"""Recorded series whose truth is known: a folder of `truth.json`, `tweets/*.csv` and `replays/*.csv`."""

import argparse
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detectors.series import Floats, Series
from service.bench import BenchError
from service.clock import posix
from service.recording import RecordingError, read

FOLDER = Path("../shared/data/series")
"""Where the series are looked for, beside the project, when nothing names another folder."""

BUDGETS = (0.1, 0.5, 1.0, 2.0)
"""Alert budgets, false pages a brand-week, that the benches go through."""


@dataclass(frozen=True)
class Recorded:
    """One series (n,), the POSIX times of its buckets as they were written, and what is true of it."""

    name: str
    brand: str
    series: Series
    times: Floats
    truth: dict[str, Any]

    def rows(self, first: int, last: int) -> "Recorded":
        """Buckets `first` to `last` (not included) alone."""
        return Recorded(self.name, self.brand, self.series.rows(first, last), self.times[first:last], self.truth)

    def volume(self) -> "Recorded":
        """The same without sentiment and authors."""
        bare = Series(self.series.start, self.series.step, self.series.mentions)
        return Recorded(self.name, self.brand, bare, self.times, self.truth)


def folder(arguments: argparse.Namespace) -> Path:
    """Return the folder of the series: `--data`, else FORESHOCK_SERIES, else beside the project.

    Raises:
        BenchError: there is none.
    """
    found = Path(arguments.data or os.environ.get("FORESHOCK_SERIES") or FOLDER)
    if not (found / "truth.json").is_file():
        raise BenchError(
            f"no truth.json in {found}; name the folder of truth.json, tweets/ and replays/ by --data DIR "
            "or FORESHOCK_SERIES"
        )
    return found


def load(root: Path, kind: str) -> list[Recorded]:
    """Return all series of `kind` (tweets or replays), by name.

    Raises:
        BenchError: the truth or a series can't be read.
    """
    try:
        truths = json.loads((root / "truth.json").read_text())[kind]
        return [_recorded(root / kind / f"{name}.csv", truth) for name, truth in sorted(truths.items())]
    except (OSError, ValueError, KeyError, TypeError, RecordingError) as error:
        raise BenchError(f"{root}: {kind} can't be read: {error}") from error


def brand(name: str) -> str:
    """Return whose series it is: that of a replay is named EVENT-on-BRAND-xSTRENGTH.

    >>> brand("storm-on-Northvane-x0.5"), brand("Northvane")
    ('Northvane', 'Northvane')
    """
    return name.rpartition("-on-")[2].rpartition("-x")[0] if "-on-" in name else name


def _recorded(path: Path, truth: dict[str, Any]) -> Recorded:
    series, written, _ = read(path)
    # The truth counts in timestamps as written, which may lie up to a second off the grid.
    times = np.array([series.times()[i] if text is None else posix(text) for i, text in enumerate(written)])
    return Recorded(path.stem, brand(path.stem), series, times, truth)


Each = Callable[[Callable[..., Any], Sequence[Any]], Iterator[Any]]
"""`each(function, jobs)`: the function of every tuple of arguments, in their order."""


@contextmanager
def processors() -> Iterator[Each]:
    """Give a map over all processors; a job is a tuple of arguments, and jobs are handed out one by one."""
    # A process that is spawned holds no lock of a thread of this one, unlike one that is forked.
    with ProcessPoolExecutor(_cores(), mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda function, jobs: pool.map(function, *zip(*jobs, strict=True))


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
