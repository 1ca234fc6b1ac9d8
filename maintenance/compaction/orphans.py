"""What the archive no longer needs: old snapshots, and files that no snapshot names.

Expiring a snapshot deletes no file. A file is deleted when no snapshot has named it, it is three days old, it lies
below the table's location, and it is of a kind that Iceberg writes there.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

from pyiceberg.table import Table

from maintenance.archive.storage import Storage, Stored
from tollbook.archive.catalog import archive_errors

# A reader keeps the snapshot that it has begun with: so long it may take. A file younger than this may belong to a
# commit that is under way.
KEEP_S = 3 * 24 * 3600.0

_OURS = re.compile(r"/data/.*\.parquet$|/metadata/[^/]+\.(avro|metadata\.json)$")


@dataclass(frozen=True, kw_only=True)
class Orphans:
    """Files that nothing names, oldest first, and where they are."""

    storage: Storage
    files: tuple[Stored, ...]

    @property
    def bytes(self) -> int:
        """What deleting them frees."""
        return sum(file.bytes for file in self.files)


def old_snapshots(table: Table, *, now_s: float) -> list[int]:
    """Give the ids of the snapshots that are too old for any reader; never the newest."""
    newest = table.current_snapshot()
    return [
        one.snapshot_id
        for one in table.metadata.snapshots
        if one.timestamp_ms / 1000 < now_s - KEEP_S and (newest is None or one.snapshot_id != newest.snapshot_id)
    ]


def expire(table: Table, snapshot_ids: list[int]) -> None:
    """Take snapshots out of the table's metadata; raises ArchiveError.

    Only while no batch is claimed: the id of a batch that was committed and not acknowledged stands in a snapshot.
    """
    if snapshot_ids:
        with archive_errors("expiring snapshots"):
            table.maintenance.expire_snapshots().by_ids(snapshot_ids).commit()


def find_orphans(table: Table, *, now_s: float | None = None) -> Orphans:
    """List the files below the table's location that may be deleted; raises ArchiveError."""
    with archive_errors("listing the archive's files"):
        storage = Storage(table.io, table.location())
        # Listed first: what a commit writes meanwhile is in neither, or is young.
        stored = list(storage.files())
        named = {storage.path(location) for location in _named(table)}
    before = (time.time() if now_s is None else now_s) - KEEP_S
    # A time of 0 is a storage that does not know it.
    old = [one for one in stored if 0 < one.written_s < before]
    found = [one for one in old if one.path not in named and _OURS.search(one.path)]
    return Orphans(storage=storage, files=tuple(sorted(found, key=lambda one: (one.written_s, one.path))))


def _named(table: Table) -> Iterator[str]:
    """Give every file that the metadata, or any snapshot, names."""
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
