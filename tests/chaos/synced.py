"""How much of the append-only file is on disk for sure at an instant: what a cut of the power cannot take.

`Traced` reads it off the server's own system calls: what was written before an `fdatasync` that has ended since. Where
there is no strace, `Sized` goes by what the server documents: in mode `always` it answers after the sync, so all that
is answered lies within the size that the file has then; in mode `everysec` it syncs what is older than a second.
"""

import bisect
import re
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.until import until

INCREMENT = "*.incr.aof"
LINE = re.compile(
    r"^(?P<thread>\d+)\s+(?P<at>\d+\.\d+) (?:<\.\.\. )?(?P<call>write|writev|pwrite64|fdatasync|fsync)"
    r"(?:\(\d+<(?P<file>[^>]*)>| resumed).*?"
    r"(?:= (?P<result>-?\d+).*<(?P<took>\d+\.\d+)>|(?P<unfinished><unfinished \.\.\.>))$"
)


class Synced(Protocol):
    """Answers for any instant of the past how many bytes were on disk."""

    method: str

    def finish(self) -> None:
        """Note no more; the server has ended."""

    def synced(self, instant: float) -> int:
        """Return the bytes of the append-only file that were on disk at an instant (POSIX seconds)."""

    def written(self, instant: float) -> int:
        """Return the bytes that were written by then, on disk or not."""


def increment(data_dir: Path) -> Path:
    """Return the file that the server appends to; there is one as long as it was never rewritten."""
    (file,) = (data_dir / "appendonlydir").glob(INCREMENT)
    return file


def watch(server: int, data_dir: Path, mode: str) -> Synced:
    """Start to note what the server process puts on disk."""
    return Traced(server, data_dir) if shutil.which("strace") else Sized(data_dir, mode)


@dataclass
class Steps:
    """A quantity that rises at instants."""

    instants: list[float] = field(default_factory=list)
    values: list[int] = field(default_factory=list)

    def rise(self, instant: float, value: int) -> None:
        """Note a value; those come in order."""
        self.instants.append(instant)
        self.values.append(value)

    def at(self, instant: float) -> int:
        """Return the last value not after an instant."""
        place = bisect.bisect_right(self.instants, instant)
        return self.values[place - 1] if place else 0


class Traced:
    """Attaches strace to the server: every write to the file, and every sync of it, with its instants."""

    method = "strace: the bytes before the last fdatasync that had ended"

    def __init__(self, server: int, data_dir: Path) -> None:
        self._file = increment(data_dir)
        self._log = data_dir / "strace.log"
        command = ["strace", "-f", "-y", "-s", "0", "-ttt", "-T", "-e", "trace=write,writev,pwrite64,fdatasync,fsync"]
        self._process = subprocess.Popen(
            [*command, "-o", str(self._log), "-p", str(server)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(lambda: self._log.exists() and "sync" in self._log.read_text(), 30, "strace's first word of a sync")

    def finish(self) -> None:
        """Read the log; the file's size tells what lay before its first line."""
        self._process.wait(30)
        self._written, self._synced = parse(self._log.read_text(), self._file)
        self._before = self._file.stat().st_size - (self._written.values or [0])[-1]
        assert self._before >= 0, "more was written than the file holds"

    def synced(self, instant: float) -> int:
        """Return the bytes on disk at an instant."""
        return self._before + self._synced.at(instant)

    def written(self, instant: float) -> int:
        """Return the bytes written by an instant."""
        return self._before + self._written.at(instant)


def parse(log: str, file: Path) -> tuple[Steps, Steps]:
    """Return the bytes written to a file and the bytes synced of it, since the log begins."""
    begun: dict[str, tuple[str, bool, int]] = {}
    total, written, synced = 0, Steps(), Steps()
    for line in log.splitlines():
        if not (found := LINE.match(line)):
            continue
        thread, call, at = found["thread"], found["call"], float(found["at"])
        ours, before = found["file"] == str(file), total
        if found["file"] is None:  # resumed: it ended at this line
            _, ours, before = begun.pop(thread, (call, False, 0))
        elif found["unfinished"]:
            begun[thread] = (call, ours, total)
            continue
        else:
            at += float(found["took"])
        if ours and "write" in call:
            total += int(found["result"])
            written.rise(at, total)
        elif ours and int(found["result"]) == 0:
            synced.rise(at, before)
    return written, synced


class Sized:
    """Notes the file's size every few milliseconds."""

    def __init__(self, data_dir: Path, mode: str) -> None:
        self.method = "the file's size at the answer" if mode == "always" else "the file's size a second before"
        self._mode = mode
        self._file, self._sizes, self._stop = increment(data_dir), Steps(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.003):
            size = self._file.stat().st_size
            self._sizes.rise(time.time(), size)

    def finish(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def synced(self, instant: float) -> int:
        """Return the bytes taken to be on disk at an instant: by the next look at the file, in mode `always`."""
        return self._sizes.at(instant - 1.0) if self._mode == "everysec" else self.written(instant)

    def written(self, instant: float) -> int:
        """Return the bytes written by the first look at the file after an instant."""
        place = bisect.bisect_left(self._sizes.instants, instant)
        return self._sizes.values[min(place, len(self._sizes.values) - 1)]
