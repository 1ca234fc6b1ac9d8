"""Orphans: files of the archive that no snapshot names, left by a kill, a merge or an expired snapshot.

A file is an orphan if no metadata names it, it is three days old, it is below the table's location, and Iceberg writes
files of its kind there, or a kill left a part of one. Digests are not among them: a merge of the digests drops those of
files that no snapshot names. Nor is the index of call ids, which a compaction makes anew.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from pyiceberg.table import Table

from maintenance.archive.files import named_paths
from maintenance.compaction.snapshots import KEEP_S
from tollbook.archive.catalog import archive_errors
from tollbook.archive.storage import Storage, StoredFile

# Object storage takes its time for each file, and deletes many at once.
_THREADS = 8

# What ends in `.part` a kill has cut off (`tollbook.archive.file_io`).
_WRITTEN_BY_US = re.compile(r"/data/.*\.parquet$|/metadata/[^/]+\.(avro|metadata\.json)$|\.part$")


@dataclass(frozen=True, kw_only=True)
class Orphans:
    """Files that no metadata names, oldest first, and the storage that they are in."""

    storage: Storage
    files: tuple[StoredFile, ...]

    @property
    def bytes(self) -> int:
        """Return how many bytes deleting them would free."""
        return sum(file.bytes for file in self.files)

    def delete(self) -> None:
        """Delete the files; raise ArchiveError."""
        with archive_errors("deleting orphaned files"), ThreadPoolExecutor(_THREADS) as threads:
            for _ in threads.map(self.storage.delete, [file.path for file in self.files]):
                pass


def find_orphans(table: Table, *, now_s: float | None = None, keep_s: float = KEEP_S) -> Orphans:
    """List the orphans of a table that were written `keep_s` ago; raise ArchiveError, ArchiveDamaged.

    With 0 these are all, also those whose age the storage does not know: only while nothing is written.
    """
    with archive_errors("listing the archive's files"):
        storage = Storage(table.io, table.location())
        # List the files first: what a commit writes meanwhile is then either not listed, or too young.
        stored = list(storage.files())
        named = named_paths(storage, table)
    before = (time.time() if now_s is None else now_s) - keep_s
    orphans = [
        file
        for file in stored
        if (keep_s == 0 or 0 < file.written_s < before)  # 0: the storage does not know the time
        and file.path not in named
        and _WRITTEN_BY_US.search(file.path)
    ]
    return Orphans(storage=storage, files=tuple(sorted(orphans, key=lambda file: (file.written_s, file.path))))


def without_named(orphans: Orphans, table: Table) -> Orphans:
    """Return those of the orphans that a later state of their table does not name; raise ArchiveError, ArchiveDamaged.

    What was listed while others may write is deleted only after this, as sole archiver.
    """
    with archive_errors("reading which files the archive has"):
        named = named_paths(orphans.storage, table)
    return replace(orphans, files=tuple(file for file in orphans.files if file.path not in named))
