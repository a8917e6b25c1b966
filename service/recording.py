"""Reads a recorded series from CSV, and planned events from iCalendar."""

import csv
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from detectors.series import Bools, Floats, Series
from service.calendar import CalendarError, planned

COLUMNS = ("mentions", "negative", "scored", "authors")
SHORTEST, LONGEST = 60.0, 86400.0
MOST_PLANNED = 10_000
"""Planned events within a recording."""
SINGLE_ROW_STEP = 300.0
"""Step in seconds that a file of one row is taken to have; nothing is judged in it anyway."""


class RecordingError(ValueError):
    """The file cannot be read as it is; the message says where and what would be right."""


def read(path: Path) -> tuple[Series, list[str | None], int]:
    """The series of a CSV with header `timestamp,mentions[,negative,scored,authors]`, on its own grid.

    Returns the series with NaN where a row is missing or a cell is empty, the timestamp as written of every bucket
    (None where its row is missing), and how many rows the file has.

    Raises:
        RecordingError: the file cannot be opened or a cell is wrong; the first one is named by row and column.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise RecordingError(f"{path}: cannot be read as CSV in UTF-8: {error}") from error
    header = [name.strip() for name in rows[0]] if rows else []
    _check_header(path, header)
    body = [(number, row) for number, row in enumerate(rows[1:], start=2) if row]
    times = np.empty(len(body))
    values = {name: np.full(len(body), np.nan) for name in header[1:]}
    for i, (number, row) in enumerate(body):
        if len(row) != len(header):
            raise RecordingError(f"{path}: row {number}: {len(row)} cells; the header has {len(header)}")
        times[i] = _instant(path, number, row[0])
        if i and times[i] <= times[i - 1]:
            raise RecordingError(f"{path}: row {number}, timestamp: {row[0]} is not after the row before")
        for name, cell in zip(header[1:], row[1:], strict=True):
            if cell.strip():
                values[name][i] = _count(path, number, name, cell)
    step = _step(path, times)
    place = _places(path, times, step, [number for number, _ in body])
    written: list[str | None] = [None] * (int(place[-1]) + 1 if len(place) else 0)
    for i, (_, row) in zip(place.tolist(), body, strict=True):
        written[i] = row[0].strip()
    grid = {name: _spread_out(column, place, len(written)) for name, column in values.items()}
    return Series(float(times[0]) if len(times) else 0.0, step, **grid), written, len(body)


def _check_header(path: Path, header: list[str]) -> None:
    right = "the header is timestamp,mentions[,negative,scored,authors]"
    if header[:2] != ["timestamp", "mentions"]:
        raise RecordingError(f"{path}: row 1: {','.join(header) or 'nothing'!r}; {right}")
    for i, name in enumerate(header[2:], start=2):
        if name not in COLUMNS or name in header[:i]:
            raise RecordingError(f"{path}: row 1, column {i + 1}: {name!r} is unknown or there twice; {right}")


def _instant(path: Path, number: int, cell: str) -> float:
    try:
        instant = datetime.fromisoformat(cell.strip())
    except ValueError:
        raise RecordingError(
            f"{path}: row {number}, timestamp: {cell!r} is no instant; write ISO 8601, as 2024-05-01T12:00:00Z"
        ) from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp()


def _count(path: Path, number: int, name: str, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = -1.0
    if not 0.0 <= value < np.inf:
        raise RecordingError(f"{path}: row {number}, {name}: {cell!r} is no count; write a number from 0 up or nothing")
    return value


def _step(path: Path, times: Floats) -> float:
    """The most common distance between rows, in whole seconds."""
    if len(times) < 2:
        return SINGLE_ROW_STEP
    gaps, often = np.unique(np.round(np.diff(times)), return_counts=True)
    step = float(gaps[often.argmax()])
    if not SHORTEST <= step <= LONGEST:
        raise RecordingError(f"{path}: timestamp: rows are {step:g} seconds apart; a bucket has 60 to 86400 seconds")
    return step


def _places(path: Path, times: Floats, step: float, numbers: list[int]) -> NDArray[np.int64]:
    """Bucket number of every row."""
    if not len(times):
        return np.empty(0, dtype=np.int64)
    away = (times - times[0]) / step
    place = np.round(away).astype(np.int64)
    off = np.abs(away - place) * step > 1.0
    if off.any():
        number = numbers[int(off.argmax())]
        raise RecordingError(f"{path}: row {number}, timestamp: off the grid of {step:g} s that the first row begins")
    return np.asarray(place)


def _spread_out(column: Floats, place: NDArray[np.int64], n: int) -> Floats:
    out = np.full(n, np.nan)
    out[place] = column
    return out


def campaigns(path: Path, series: Series) -> Bools:
    """Which buckets of `series` a planned event of the calendar at `path` touches, shape (n,); its days are UTC's.

    Raises:
        RecordingError: the file is no calendar, or one of its events is not understood.
    """
    first, last = (datetime.fromtimestamp(at, UTC) for at in (series.start, series.start + len(series) * series.step))
    try:
        events = planned(path.read_bytes(), UTC, first, last, MOST_PLANNED)
    except (OSError, CalendarError) as error:
        raise RecordingError(f"{path}: cannot be read as iCalendar: {error}") from error
    starts = series.times()
    touched = np.zeros(len(series), dtype=np.bool_)
    for event in events:
        touched |= (starts < event.end.timestamp()) & (starts + series.step > event.start.timestamp())
    return touched
