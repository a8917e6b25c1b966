"""`foreshock query`: which of these texts a query matches, and which of its terms did it."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice

from collectors.explain import Explainer, Explanation, told
from collectors.query import QueryError, parse

MOST_ROWS = 10_000
"""Rows of a table; who has more reads JSON."""
MOST_SHOWN = 200
"""Characters of a text in a table."""


class Unread(ValueError):
    """A line that is no mention."""


def run(arguments: argparse.Namespace) -> int:
    """Try the query on each line; 0 where it can be read, 2 on bad input."""
    try:
        explainer = Explainer(parse(arguments.query))
        with ExitStack() as open_files:
            lines = open_files.enter_context(arguments.file.open("rb")) if arguments.file else sys.stdin.buffer
            explained = _explained(explainer, lines, arguments.mentions)
            _table(explained) if arguments.format == "table" else _json(explained)
    except (QueryError, Unread) as error:
        return _refuse(f"query: {error}" if isinstance(error, QueryError) else str(error))
    except OSError as error:
        return _refuse(f"{arguments.file}: {error.strerror}; a text file, one text a line, would be right")
    return 0


def _explained(explainer: Explainer, lines: Iterable[bytes], mentions: bool) -> Iterator[tuple[str, Explanation]]:
    for number, line in enumerate(lines, 1):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not mentions:
            yield text, explainer.explain(text)
            continue
        try:
            said = json.loads(text)
            yield said["text"], explainer.explain(said["text"], said)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise Unread(f"line {number}: a mention as JSON is expected, with its text") from None


def _json(explained: Iterable[tuple[str, Explanation]]) -> None:
    for _, explanation in explained:
        sys.stdout.write(json.dumps(told(explanation), ensure_ascii=False) + "\n")
        sys.stdout.flush()


def _table(explained: Iterable[tuple[str, Explanation]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("matches", "text", "found")
    for text, explanation in islice(explained, MOST_ROWS):
        shown = Text(_plain(text[:MOST_SHOWN]))
        for found in explanation.found:
            for start, end in found.spans:
                shown.stylize("strike" if found.excludes else "bold", start, end)
        terms = [f"NOT {found.term}" if found.excludes else found.term for found in explanation.found]
        table.add_row("yes" if explanation.matches else "no", shown, Text(_plain(", ".join(terms))))
    Console().print(table)


def _plain(text: str) -> str:
    """Return what a terminal may be given: a text is anybody's."""
    return "".join(c if c.isprintable() else " " for c in text)


def _refuse(sentence: str) -> int:
    print(f"foreshock query: {sentence}", file=sys.stderr)
    return 2
