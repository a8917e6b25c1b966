"""`python -m tests.chaos`: breaks the service on purpose and writes down what came of it."""

import argparse
import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tests.chaos.machine import machine
from tests.chaos.parts import PARTS, kept, run
from tests.chaos.report import render


def main() -> int:
    """Run the parts that are asked for; the exit code is 1 where a promise was not kept."""
    names = [part.name for part in PARTS]
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(names)}; by default all")
    parser.add_argument("--short", action="store_true", help="what the ordinary tests do; nothing is written down")
    parser.add_argument("--seed", type=int, default=0, help="another seed, another load and other instants")
    parser.add_argument("--figures", type=Path, default=Path("build/chaos.jsonl"), help="JSON Lines, one run each")
    parser.add_argument("--document", type=Path, default=Path("RELIABILITY.md"), help="what is rendered from them")
    parser.add_argument("--render", action="store_true", help="only render the document from the figures")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.parts if name not in names]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(names)}")
    sound = arguments.render or _run(arguments)
    if not arguments.short:
        rows = [json.loads(line) for line in arguments.figures.read_text().splitlines()]
        arguments.document.write_text(render(rows))
    return 0 if sound else 1


def _run(arguments: argparse.Namespace) -> bool:
    began, sound = time.monotonic(), True

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:7.1f} s  {text}", file=sys.stderr, flush=True)

    for part in PARTS:
        if arguments.parts and part.name not in arguments.parts:
            continue
        rows = []
        for figures in run(part, arguments.short, arguments.seed, say):
            good = kept(part.name, figures)
            sound &= good
            say(f"{part.name}: {'kept' if good else 'NOT KEPT'} {json.dumps(figures) if not good else ''}")
            rows.append(
                {"part": part.name, "at": datetime.now(UTC).isoformat(timespec="seconds"), **machine(), **figures}
            )
        if not arguments.short:
            _replace(arguments.figures, part.name, rows)
    return sound


def _replace(path: Path, part: str, rows: list[dict[str, object]]) -> None:
    """Write a part's rows in place of those of its last run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.read_text().splitlines() if path.exists() else []
    others = [line for line in before if json.loads(line)["part"] != part]
    path.write_text("\n".join([*others, *(json.dumps(row) for row in rows)]) + "\n")


if __name__ == "__main__":
    sys.exit(main())
