"""The digests of the archive's data files: length and SHA-256, kept beside the table in `digests/`.

Page checksums do not cover a file's footer, and nothing else shows that a file is the one that was written. A commit
writes the digests of its files to a file of its own, before it is made: a kill leaves digests of files that no snapshot
names, and never a committed file without one. Compaction merges them by month (`maintenance.compaction.digests`), so
that looking up some files' digests reads the newest and those of their months.

A file is JSON: `{"files": [[location, bytes, sha256], …], "sha256": of the bytes of that list}`. One that a kill cut
off, or in which a bit flipped, counts as absent: a file without a digest is unproved, not damaged.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final
from uuid import uuid4

import msgspec
from pyiceberg.io import FileIO
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from maintenance.archive.hashed_files import FileDigest
from tollbook.archive.storage import Storage
from tollbook.errors import ArchiveDamaged

# The digests in one file, some 4 MB.
CHUNK: Final = 20_000

_FOLDER: Final = "digests"
_NAME: Final = re.compile(r"/digests/(?:(\d{4}-\d{2})-)?[0-9a-f]{8}-[0-9a-f-]{27}\.json$")

# A compaction may replace the files between their listing and their reading.
_TRIES: Final = 3

# What is read of a data file at a time.
_BLOCK: Final = 1 << 20


class _Content(msgspec.Struct, frozen=True):
    files: msgspec.Raw
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DigestFile:
    """A file of digests: its location, and the month of its data files (`2026-09`); None if it is a commit's own."""

    location: str
    month: str | None


def month_name(month: int) -> str:
    """Return a month, counted from January 1970, as `2026-09`."""
    return f"{1970 + month // 12:04}-{month % 12 + 1:02}"


def write_digests(table: Table, digests: Sequence[FileDigest], month: str | None = None) -> None:
    """Write digests beside a table, durably, in files of CHUNK; raises what the storage raises."""
    for first in range(0, len(digests), CHUNK):
        files = msgspec.json.encode(digests[first : first + CHUNK])
        content = _Content(files=msgspec.Raw(files), sha256=hashlib.sha256(files).hexdigest())
        prefix = "" if month is None else f"{month}-"
        with table.io.new_output(f"{table.location()}/{_FOLDER}/{prefix}{uuid4()}.json").create() as stream:
            stream.write(msgspec.json.encode(content))


def list_digests(storage: Storage) -> list[DigestFile]:
    """List the files of digests of a table's location in any order; raises what the storage raises."""
    return [
        DigestFile(location=storage.location(file.path), month=found[1])
        for file in storage.files(_FOLDER)
        if (found := _NAME.search(file.path))
    ]


def read_digests(io: FileIO, location: str) -> tuple[FileDigest, ...] | None:
    """Read a file of digests; return None if it is not whole. Raises what the storage raises."""
    with io.new_input(location).open() as stream:
        content = stream.read()
    try:
        found = msgspec.json.decode(content, type=_Content)
        if hashlib.sha256(found.files).hexdigest() == found.sha256:
            return msgspec.json.decode(found.files, type=tuple[FileDigest, ...])
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    return None


class Digests:
    """The digests of a table's data files, for several threads: a month's are read when one of them is needed."""

    def __init__(self, table: Table) -> None:
        self._io, self._location = table.io, table.location()
        self._of_month: dict[str | None, dict[str, FileDigest]] = {}
        self._lock = Lock()

    def of(self, file: DataFile) -> FileDigest | None:
        """Return a file's digest; None if it has none. Raises what the storage raises."""
        for month in (None, month_name(file.partition[1])):
            with self._lock:
                if month not in self._of_month:
                    self._of_month[month] = self._read(month)
            if found := self._of_month[month].get(file.file_path):
                return found
        return None

    def check(self, file: DataFile) -> bool:
        """Read a data file; return whether it has a digest. Raise ArchiveDamaged if it is another file than that."""
        expected = self.of(file)
        if expected is None:
            return False
        try:
            sound = hash_file(self._io, file.file_path) == expected
        except FileNotFoundError:
            sound = False
        if not sound:
            raise ArchiveDamaged(
                f"{file.file_path} is missing, or not as it was written, and was not copied into another file: see"
                " `tollbook archive verify`, which says whose calls it has and what heals it",
                file.file_path,
            )
        return True

    def _read(self, month: str | None) -> dict[str, FileDigest]:
        for last in (*[False] * (_TRIES - 1), True):
            found = list_digests(Storage(self._io, self._location))
            try:
                chunks = [read_digests(self._io, file.location) for file in found if file.month == month]
            except FileNotFoundError:
                if last:
                    raise
            else:
                return {digest.location: digest for chunk in chunks for digest in chunk or ()}
        raise AssertionError


def hash_file(io: FileIO, location: str) -> FileDigest:
    """Read a file, a block at a time, and return its digest; raises what the storage raises."""
    digest, length = hashlib.sha256(), 0
    with io.new_input(location).open() as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
            length += len(block)
    return FileDigest(location, length, digest.hexdigest())
