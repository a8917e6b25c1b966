"""A recording of mentions: JSON Lines in a file, read one line at a time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from collectors.mention import Mention

MOST_ERRORS = 10
"""Lines that are complained of; what is wrong with the rest is mostly the same."""


class MentionFileError(Exception):
    """The file is no recording; one line of text an error, each with file and line."""


@dataclass(frozen=True)
class Extent:
    """What a recording holds: how many mentions, from when to when, and the first line that goes back in time."""

    mentions: int
    first: datetime
    last: datetime
    unsorted: str | None = None


def extent(path: Path) -> Extent:
    """Read the whole file once and check every line.

    Raises:
        MentionFileError: it can't be read, holds nothing, or a line is no mention.
    """
    count, errors = 0, list[str]()
    first = last = before = None
    unsorted: str | None = None
    for number, line in _lines(path):
        found = _mention(line)
        if isinstance(found, str):
            errors.append(f"{path}:{number}: {found}")
            if len(errors) == MOST_ERRORS:
                errors.append(f"{path}: the first {MOST_ERRORS} errors; the rest was not read")
                break
            continue
        at = found.published_at
        if before and at < before and unsorted is None:
            unsorted = (
                f"{path}:{number}: published_at {at.isoformat()} is before that of the line above "
                f"({before.isoformat()}); lines in order of published_at would be right"
            )
        count, before = count + 1, at
        first, last = min(first or at, at), max(last or at, at)
    if errors:
        raise MentionFileError("\n".join(errors))
    if first is None or last is None:
        raise MentionFileError(f"{path}: holds no mention; one JSON object on each line would be right")
    return Extent(count, first, last, unsorted)


def mentions(path: Path) -> Iterator[Mention]:
    """Yield the mentions of a file that `extent` has checked.

    Raises:
        MentionFileError: the file has changed since, and a line is no mention.
    """
    for number, line in _lines(path):
        found = _mention(line)
        if isinstance(found, str):
            raise MentionFileError(f"{path}:{number}: {found}")
        yield found


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            yield from ((number, line) for number, line in enumerate(file, 1) if line.strip())
    except OSError as error:
        raise MentionFileError(f"{path}: {error.strerror}") from None


def _mention(line: bytes) -> Mention | str:
    """Return the line's mention, or what is wrong with it and what would be right."""
    try:
        return Mention.model_validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
    if first["type"] == "json_invalid":
        return _no_json(line)
    where = ".".join(str(part) for part in first["loc"]) or "the line"
    if first["type"] == "missing":
        return f"{where}: is missing; id, source, text and published_at are needed"
    if first["type"] == "extra_forbidden":
        return f"{where}: no such field; a mention's fields are {', '.join(Mention.model_fields)}"
    if first["type"] == "model_type":
        return 'no mention; a JSON object such as {"id": ...} would be right'
    return f"{where}: {first['msg'].removeprefix('Value error, ')}"


def _no_json(line: bytes) -> str:
    try:
        json.loads(line)
    except UnicodeDecodeError as error:
        return f"byte {error.start + 1} is not UTF-8; text in UTF-8 would be right"
    except ValueError as error:
        column = getattr(error, "colno", 1)
        return f"no JSON at column {column}; one mention, a JSON object, on each line would be right"
    return "no JSON; one mention, a JSON object, on each line would be right"
