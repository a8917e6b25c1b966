"""Files: mentions that another program writes, JSON Lines or CSV, followed as the file grows.

Only whole records are read; a file that was replaced or cut is read anew. Paths lie under the operator's own directory.
"""

import asyncio
import csv
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from collectors.collector import Batch, CollectorError, Declaration
from collectors.mention import Mention, SourceName

CHUNK = 4 * 2**20
"""Bytes of one poll: some 10,000 short mentions."""
MAX_RECORD = 2**20
"""Bytes of one record; a text of 100,000 characters, escaped, is shorter."""
HEAD = 64
"""Bytes at the beginning by which a file is told from the one that stood there before."""
NEEDED = ("id", "text", "published_at")
AUTHOR = {"author_id": "id", "author_name": "name", "author_followers": "followers"}
"""Columns of a CSV file that make the author."""
FIELDS = frozenset(Mention.model_fields) - {"source", "brands", "author"}

DECLARATION = Declaration(
    name="file",
    reads="mentions that another program writes into a file (JSON Lines, CSV)",
    needs_key=False,
    push=False,
    counts=False,
    backfill="the whole file, as far as 8 days go back",
    price="free",
    poll_seconds=5.0,
)


def _relative(path: str) -> str:
    if "\0" in path or Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError("a path below FORESHOCK_FILES_DIR is expected, without / in front and without ..")
    return path


class FileSettings(BaseModel):
    """A brand's source `{type: file, path: shop/reviews.jsonl}`; `source` names it in series and metrics."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["file"] = "file"
    path: Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_relative)]
    format: Literal["jsonl", "csv"] = "jsonl"
    source: SourceName = "file"
    matched: bool = Field(default=False, description="all of the file is about the brand; else its query decides")


@dataclass(frozen=True)
class _Piece:
    """What was read: bytes from `offset` on, the file's number and first bytes, its size, when it was last written."""

    data: bytes
    offset: int
    inode: int
    head: bytes
    size: int
    written: datetime


class FileCollector:
    """The cursor holds the `offset` of the next record, which `file` that is in, and a CSV file's `columns`."""

    def __init__(self, settings: FileSettings, brand: str, folder: Path) -> None:
        self.declaration = replace(DECLARATION, name=settings.source)
        self._settings = settings
        self._brand = brand
        self._folder = folder

    async def poll(self, cursor: Mapping[str, Any], now: datetime) -> Batch:
        """Read the records that are whole.

        Raises:
            CollectorError: the file can't be read, lies elsewhere, or lacks a needed column.
        """
        piece = await asyncio.to_thread(self._read, cursor)
        columns = list(cursor.get("columns", ())) if piece.offset else []
        mentions: dict[tuple[str, Any], Mention] = {}
        skipped, end = 0, 0
        for record, at in _records(piece.data, quoted=self._settings.format == "csv"):
            end = at
            if record is None:
                skipped += 1
            elif self._settings.format == "csv" and not columns:
                columns = self._columns(record)
            elif record.strip():
                try:
                    mention = self._mention(record, columns)
                    mentions[mention.id, mention.updated_at] = mention
                except (ValueError, TypeError, RecursionError, csv.Error):
                    skipped += 1
        offset = piece.offset + end
        more = bool(end) and piece.offset + len(piece.data) < piece.size
        after: dict[str, Any] = {"offset": offset, "file": _identity(piece.inode, piece.head, offset)}
        if columns:
            after["columns"] = columns
        return Batch(
            mentions=list(mentions.values()),
            cursor=after,
            complete_until=None if more else min(now, piece.written),
            more=more,
            skipped=skipped,
        )

    def _read(self, cursor: Mapping[str, Any]) -> _Piece:
        path = self._settings.path
        try:
            folder = self._folder.resolve(strict=True)
            real = (folder / path).resolve(strict=True)
            if not real.is_relative_to(folder):
                raise CollectorError(f"{path} leads out of FORESHOCK_FILES_DIR")
            if not real.is_file():
                raise CollectorError(f"{path} is no file")
            with real.open("rb") as file:
                known = os.fstat(file.fileno())
                head, offset = file.read(HEAD), int(cursor.get("offset", 0))
                same = _identity(known.st_ino, head, offset) == cursor.get("file")
                offset = offset if same and offset <= known.st_size else 0
                file.seek(offset)
                written = datetime.fromtimestamp(known.st_mtime, UTC)
                return _Piece(file.read(CHUNK), offset, known.st_ino, head, known.st_size, written)
        except OSError as error:
            raise CollectorError(f"{path} under FORESHOCK_FILES_DIR can't be read: {error.strerror}") from None

    def _columns(self, record: bytes) -> list[str]:
        try:
            first = next(csv.reader([record.decode("utf-8-sig", "replace")]), [])
        except csv.Error as error:
            raise CollectorError(f"{self._settings.path}: its first line is no CSV: {error}") from None
        columns = [name.strip().lower() for name in first]
        missing = [name for name in NEEDED if name not in columns]
        if missing:
            raise CollectorError(
                f"{self._settings.path}: its first line lacks {', '.join(missing)}; "
                f"columns named {', '.join(NEEDED)} are needed, others of a mention may follow"
            )
        return columns

    def _mention(self, record: bytes, columns: list[str]) -> Mention:
        text = record.decode("utf-8-sig")
        told = _row(text, columns) if self._settings.format == "csv" else json.loads(text)
        if not isinstance(told, dict):
            raise ValueError("no object")
        known = {name: value for name, value in told.items() if name in FIELDS or name == "author"}
        known |= {"source": self._settings.source, "brands": [self._brand] if self._settings.matched else None}
        try:
            return Mention.model_validate(known)
        except ValidationError as error:
            raise ValueError(str(error.error_count())) from None


def _identity(inode: int, head: bytes, offset: int) -> str:
    """Return what tells a file from another that takes its place; only of what was read, since the rest may change."""
    return hashlib.sha256(b"%d " % inode + head[: min(offset, HEAD)]).hexdigest()[:32]


def _row(text: str, columns: list[str]) -> dict[str, Any]:
    """Return a CSV record as a mention's fields; empty cells say nothing."""
    (cells,) = csv.reader([text], strict=True)
    told: dict[str, Any] = {name: cell for name, cell in zip(columns, cells, strict=True) if name in FIELDS and cell}
    author = {AUTHOR[name]: cell for name, cell in zip(columns, cells, strict=True) if name in AUTHOR and cell}
    if author:
        told["author"] = {"id": author.get("name"), **author}
    return {"text": "", **told}


def _records(data: bytes, quoted: bool) -> Iterator[tuple[bytes | None, int]]:
    """Yield whole records and where they end; None for one that is too long. A quoted one may hold line ends."""
    begin = at = quotes = 0
    while end := data.find(b"\n", at) + 1:
        quotes += data.count(b'"', at, end) if quoted else 0
        at = end
        if quotes % 2 and at - begin <= MAX_RECORD:
            continue
        yield (data[begin:at] if at - begin <= MAX_RECORD else None), at
        begin, quotes = at, 0
    if len(data) - begin > MAX_RECORD:  # its end lies beyond what was read: go past it, piece by piece
        yield None, len(data)
