"""`foreshock bench NAME`: measures a part of the service, on this machine, with its real parts."""

import argparse
import importlib
import json
import sys

NAMES = (
    "ingest",
    "count",
    "annotate",
    "spam",
    "labels",
    "sentiment",
    "tweets",
    "replays",
    "outbreaks",
    "calibration",
    "injected",
    "scoring",
    "alert",
)
BENCHES = {name: f"service.bench.{name}" for name in NAMES}
"""Name -> the module whose `measure` gives its figures."""

Figures = dict[str, float]


class BenchError(Exception):
    """The bench can't go on; the message is one sentence."""


def run(arguments: argparse.Namespace) -> int:
    """Run one bench and print its figures; 1 where it found the service to count wrongly, 2 where it can't run."""
    if arguments.name not in BENCHES:
        print(f"foreshock bench: there is no {arguments.name!r}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    try:
        found: Figures = importlib.import_module(BENCHES[arguments.name]).measure(arguments)
    except BenchError as error:
        print(f"foreshock bench {arguments.name}: {error}", file=sys.stderr)
        return 2
    figures = {name: round(value, 3) for name, value in found.items()}
    if arguments.format == "json":
        print(json.dumps({"name": arguments.name, "figures": figures}))
    else:
        for name, value in figures.items():
            print(f"{name:<32} {value:>16,.3f}".rstrip("0").rstrip("."))
    return exit_code(figures)


def exit_code(figures: Figures) -> int:
    """Return 1 where anything was counted that was not expected, or the other way round."""
    wrong = figures.get("counted") != figures.get("expected") or figures.get("wrong_buckets", 0) > 0
    if figures.get("missed", 0) > 0:
        print("foreshock bench: not every revolt was told", file=sys.stderr)
        return 1
    if wrong:
        print("foreshock bench: what was counted is not what was posted", file=sys.stderr)
    return int(wrong)
