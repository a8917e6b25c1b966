"""`foreshock annotate`: one text a line in, one JSON object a line out."""

import json
import sys
from argparse import Namespace
from collections.abc import Iterable, Iterator

from collectors.annotate import annotate

DIGITS = 4
"""Decimal places of a probability: more than its engine can mean."""


def run(args: Namespace) -> int:  # noqa: ARG001 - the command has no options
    """Annotate standard input until it ends, each line as soon as it comes."""
    for answer in answers(sys.stdin.buffer):
        sys.stdout.write(answer + "\n")
        sys.stdout.flush()
    return 0


def answers(lines: Iterable[bytes]) -> Iterator[str]:
    """One JSON object for each line, the empty ones too; bytes that are not UTF-8 are read as U+FFFD."""
    for line in lines:
        note = annotate(line.decode("utf-8", "replace").rstrip("\r\n"))
        yield json.dumps(
            {
                "language": note.language,
                "sentiment": note.sentiment,
                "negative": None if note.negative is None else round(note.negative, DIGITS),
                "scored": note.scored,
                "spam": note.spam,
            }
        )
