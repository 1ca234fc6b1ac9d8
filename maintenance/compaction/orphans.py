"""Orphans: files of the archive that no snapshot names, left by a kill, a merge or an expired snapshot.

A file is an orphan if no metadata names it, it is three days old, it is below the table's location, and Iceberg writes
files of its kind there.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pyiceberg.table import Table

from maintenance.archive.storage import Storage, StoredFile
from maintenance.compaction.snapshots import KEEP_S
from tollbook.archive.catalog import archive_errors

_WRITTEN_BY_ICEBERG = re.compile(r"/data/.*\.parquet$|/metadata/[^/]+\.(avro|metadata\.json)$")


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
        with archive_errors("deleting orphaned files"):
            for file in self.files:
                self.storage.delete(file.path)


def find_orphans(table: Table, *, now_s: float | None = None) -> Orphans:
    """List the orphans of a table; raise ArchiveError."""
    with archive_errors("listing the archive's files"):
        storage = Storage(table.io, table.location())
        # List the files first: what a commit writes meanwhile is then either not listed, or too young.
        stored = list(storage.files())
        named = {storage.path(location) for location in _named_files(table)}
    before = (time.time() if now_s is None else now_s) - KEEP_S
    orphans = [
        file
        for file in stored
        if 0 < file.written_s < before  # 0: the storage does not know the time
        and file.path not in named
        and _WRITTEN_BY_ICEBERG.search(file.path)
    ]
    return Orphans(storage=storage, files=tuple(sorted(orphans, key=lambda file: (file.written_s, file.path))))


def _named_files(table: Table) -> Iterator[str]:
    """Yield the location of every file that the metadata or any snapshot names."""
    yield table.metadata_location
    for entry in table.metadata.metadata_log:
        yield entry.metadata_file
    seen: set[str] = set()
    for snapshot in table.metadata.snapshots:
        yield snapshot.manifest_list
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in seen:
                seen.add(manifest.manifest_path)
                yield manifest.manifest_path
                for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True):
                    yield entry.data_file.file_path
