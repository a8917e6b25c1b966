"""`foreshock annotate`: one text a line in, one JSON object a line out."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator

from collectors.annotate import annotate
from collectors.sentiment import DEFAULT_ENGINE, Engine, EngineError, engine
from service.settings import from_environment

DIGITS = 4
"""Decimal places of a probability: more than its engine can mean."""


def run(args: Namespace) -> int:
    """Annotate standard input until it ends, each line as soon as it comes; 2 where the engine can't be loaded."""
    try:
        judge = chosen(args)
    except EngineError as error:
        print(f"foreshock annotate: {error}", file=sys.stderr)
        return 2
    for answer in answers(sys.stdin.buffer, judge):
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()
    return 0


def chosen(args: Namespace) -> Engine:
    """Give the engine that the command line names, else the environment.

    Raises:
        EngineError: there is none, or it can't be loaded.
    """
    return engine(args.sentiment or str(from_environment().get("sentiment", DEFAULT_ENGINE)))


def answers(lines: Iterable[bytes], judge: Engine) -> Iterator[str]:
    """One JSON object for each line, the empty ones too; bytes that are not UTF-8 are read as U+FFFD."""
    for line in lines:
        note = annotate(line.decode("utf-8", "replace").rstrip("\r\n"), engine=judge)
        yield json.dumps(
            {
                "language": note.language,
                "sentiment": note.sentiment,
                "negative": None if note.negative is None else round(note.negative, DIGITS),
                "scored": note.scored,
                "spam": note.spam,
            }
        )
