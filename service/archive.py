"""The file of a backup: a tar with one RDB for each primary, a header that says what they are, and its checksum."""

import hashlib
import os
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

import msgspec

FORMAT = 1
HEADER = "foreshock.json"
SUM = f"{HEADER}.sha256"
BLOCK = 512
"""Bytes that a tar's entries are multiples of."""
CHUNK = 1 << 20
MOST = 64 << 20
"""Bytes that a header may have; it holds the collectors' cursors."""


class ArchiveError(Exception):
    """The file is not a whole backup, or can't become one; the message is one sentence for a person."""


class Part(msgspec.Struct, frozen=True):
    """The RDB of one primary."""

    name: str
    size: int
    sha256: str


class Header(msgspec.Struct, frozen=True):
    """What a backup holds.

    `schema` is the store's, `foreshock` the version that made the backup, `taken_at` ISO 8601, `database` the number
    of the database within the RDBs, `before` the keys that were read before all parts (see backup.py) as DUMP has them.
    """

    format: int
    schema: int
    foreshock: str
    taken_at: str
    brands: int
    database: int
    before: dict[str, bytes]
    parts: list[Part]


@contextmanager
def created(path: Path, force: bool) -> Iterator[BinaryIO]:
    """Open a new file that stands in the place of `path`, whole and on disk, once the body has ended without an error.

    Nobody else may read it: a backup holds the hashes of keys and the secrets of webhooks.

    Raises:
        ArchiveError: there is a file already, and `force` is false.
    """
    _refuse(path, force)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:  # noqa: PTH123
            yield file
            file.flush()
            os.fsync(file.fileno())
        _refuse(path, force)
        temporary.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)
    finally:
        temporary.unlink(missing_ok=True)


def _refuse(path: Path, force: bool) -> None:
    if path.exists() and not force:
        raise ArchiveError(f"{path} is there already: name another file, or take --force to replace it")


async def add(file: BinaryIO, name: str, chunks: AsyncIterator[bytes]) -> Part:
    """Append an entry whose size is known only when it has come."""
    at, size, digest = file.tell(), 0, hashlib.sha256()
    file.write(bytes(BLOCK))
    async for chunk in chunks:
        size += len(chunk)
        digest.update(chunk)
        file.write(chunk)
    file.write(bytes(-size % BLOCK))
    file.seek(at)
    file.write(_entry(name, size))
    file.seek(0, os.SEEK_END)
    return Part(name, size, digest.hexdigest())


def close(file: BinaryIO, header: Header) -> None:
    """Append the header, its checksum (as sha256sum writes it), and the tar's end."""
    text = msgspec.json.format(msgspec.json.encode(header), indent=1)
    entries = ((HEADER, text), (SUM, _sum(text)))
    file.writelines(_entry(name, len(data)) + data + bytes(-len(data) % BLOCK) for name, data in entries)
    file.write(bytes(2 * BLOCK))


def _sum(text: bytes) -> bytes:
    return f"{hashlib.sha256(text).hexdigest()}  {HEADER}\n".encode()


def _entry(name: str, size: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    return info.tobuf(tarfile.GNU_FORMAT)


def read(path: Path) -> Header:
    """Return the header of a backup whose parts are all there and unchanged.

    Raises:
        ArchiveError: the file is none, was cut short or changed, or is of a newer format.
        OSError: the file can't be read.
    """
    with _opened(path) as tar:
        header = _header(path, tar)
        for part in header.parts:
            digest = hashlib.sha256()
            for chunk in _chunks(_member(path, tar, part.name)):
                digest.update(chunk)
            if digest.hexdigest() != part.sha256:
                raise ArchiveError(f"{path} was changed or cut short: its {part.name} is not what was saved")
    return header


def extract(path: Path, part: Part, to: Path) -> None:
    """Write one part of a backup to a file of its own."""
    with _opened(path) as tar, to.open("wb") as file:
        for chunk in _chunks(_member(path, tar, part.name)):
            file.write(chunk)


@contextmanager
def _opened(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path, "r:") as tar:
            yield tar
    except tarfile.TarError as error:
        raise ArchiveError(f"{path} is no backup, or was cut short: {error}") from None


def _header(path: Path, tar: tarfile.TarFile) -> Header:
    text = _member(path, tar, HEADER).read(MOST)
    if _member(path, tar, SUM).read(MOST) != _sum(text):
        raise ArchiveError(f"{path} was changed or cut short: its {HEADER} is not what was saved")
    try:
        found = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        version = msgspec.json.decode(found["format"], type=int)
        if version > FORMAT:
            raise ArchiveError(f"{path} has format {version}, this version reads up to {FORMAT}: use the newer one")
        return msgspec.json.decode(text, type=Header)
    except (msgspec.MsgspecError, KeyError):
        raise ArchiveError(f"{path} is no backup: its {HEADER} can't be read") from None


def _member(path: Path, tar: tarfile.TarFile, name: str) -> IO[bytes]:
    try:
        file = tar.extractfile(name)
    except KeyError:
        file = None
    if file is None:
        raise ArchiveError(f"{path} is no backup, or was cut short: there is no {name} in it")
    return file


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk
