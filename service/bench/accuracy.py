"""`make accuracy`: runs the benches of detection and writes the accuracy card, ACCURACY.md, from their figures."""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from service.bench import BenchError
from service.bench.card import Row, render
from service.bench.recorded import folder

SERIES = ("tweets", "replays", "injected")
"""Those that need recorded series, or do better with them."""

PARTS = ("tweets", "replays", "outbreaks", "calibration", "injected", "scoring")
"""The benches that the card is made of, in its order."""

LONGEST = 1800.0
"""Seconds after which a part is given up; all together take some minutes on two cores."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the parts that are asked for, write the card; 1 where one of them could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m service.bench.accuracy", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; by default all")
    parser.add_argument("--short", action="store_true", help="a sample; the card is printed and not written")
    parser.add_argument("--data", type=Path, metavar="DIR", help="folder of series whose truth is known")
    parser.add_argument("--figures", type=Path, default=Path("build/accuracy.jsonl"), help="JSON Lines, one part each")
    parser.add_argument("--document", type=Path, default=Path("ACCURACY.md"), help="what is rendered from them")
    parser.add_argument("--render", action="store_true", help="only render the document from the figures")
    arguments = parser.parse_args(argv)
    unknown = [name for name in arguments.parts if name not in PARTS]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(PARTS)}")
    chosen = () if arguments.render else [name for name in PARTS if not arguments.parts or name in arguments.parts]
    rows = [_run(name, arguments.short, _series(arguments)) for name in chosen]
    if arguments.short:
        sys.stdout.write(render(rows))
    else:
        kept = [row for row in _kept(arguments.figures) if row["part"] not in chosen]
        _keep(arguments.figures, kept + rows)
        arguments.document.write_text(render(sorted(kept + rows, key=lambda row: PARTS.index(row["part"]))))
    return int(any(row["missing"] for row in rows))


def _series(arguments: argparse.Namespace) -> Path | None:
    try:
        return folder(arguments)
    except BenchError:  # the benches that need it say so
        data: Path | None = arguments.data
        return data


def _run(name: str, short: bool, data: Path | None) -> Row:
    """Run one bench by the very command that the card names, in a process of its own."""
    options = [*["--short"] * short, *(["--data", str(data)] if data and name in SERIES else [])]
    command = [sys.executable, "-m", "service", "bench", name, "--format", "json", *options]
    began = time.monotonic()
    try:
        # The command is this program's own.
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)  # noqa: S603
        figures, missing = _read(name, done.stdout, done.stderr)
    except subprocess.TimeoutExpired:
        figures, missing = {}, f"it was not done after {LONGEST:g} s"
    seconds = time.monotonic() - began
    print(f"{name}: {missing or f'{len(figures)} figures'}, {seconds:.0f} s", file=sys.stderr, flush=True)
    at = datetime.now(UTC).isoformat(timespec="seconds")
    # The card is read elsewhere: a path of this machine says nothing there.
    told = ["DIR" if option == str(data) else option for option in options]
    missing = missing.replace(str(data), "DIR") if data else missing
    found = {"part": name, "options": told, "figures": figures, "missing": missing, "seconds": round(seconds, 1)}
    return {**found, "at": at, **_machine()}


def _read(name: str, out: str, error: str) -> tuple[dict[str, float], str]:
    """Return a bench's figures, or why there are none: the last thing it said."""
    for line in reversed(out.splitlines()):
        if line.startswith('{"name"'):
            return json.loads(line)["figures"], ""
    said = error.strip().splitlines() or ["it said nothing"]
    return {}, said[-1].removeprefix(f"foreshock bench {name}: ")


def _machine() -> dict[str, Any]:
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "foreshock": metadata.version("foreshock"),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }


def _kept(path: Path) -> list[Row]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _keep(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
