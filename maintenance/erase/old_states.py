"""What else holds erased calls in the archive: old snapshots, with their manifests, metadata and data files.

All of it goes at once: a reader that still uses an old snapshot gets an error, and reads the current one.
"""

from collections.abc import Callable
from math import inf
from typing import Final

from pyiceberg.table import Table

from maintenance.compaction.digests import merge_digests
from maintenance.compaction.orphans import find_orphans
from maintenance.compaction.snapshots import expire_snapshots, old_snapshots
from tollbook.archive.catalog import archive_errors
from tollbook.archive.schema import PROPERTIES

_KEPT_METADATA: Final = "write.metadata.previous-versions-max"


def forget_old_states(load: Callable[[], Table]) -> None:
    """Expire all snapshots but the current one, and name no earlier metadata any more. Raises ArchiveError.

    `load` loads the table to write it. Call as sole archiver, while no batch is claimed. A commit names the metadata
    that it replaces, so two are still named in the end: both have only the current snapshot.
    """
    table = load()
    expire_snapshots(table, old_snapshots(table, now_s=inf))
    with archive_errors("forgetting the archive's old states"):
        with load().transaction() as transaction:
            transaction.set_properties({_KEPT_METADATA: "1"})
        with load().transaction() as transaction:
            transaction.set_properties({_KEPT_METADATA: PROPERTIES[_KEPT_METADATA]})
        merge_digests(load())


def delete_unnamed(table: Table, note: Callable[[str], None]) -> None:
    """Delete every file that the table's only state does not name, of any age; `note` is called with each before it.

    Call as sole archiver: nothing else writes files below the table's location then. Raises ArchiveError.
    """
    orphans = find_orphans(table, keep_s=0)
    for file in orphans.files:
        note(orphans.storage.location(file.path))
    orphans.delete()
