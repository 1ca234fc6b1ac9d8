"""The snapshots of the archive's table. Expiring an old one deletes no file: its files become orphans."""

from pyiceberg.table import Table

from tollbook.archive.catalog import archive_errors
from tollbook.times import SECONDS_PER_DAY

# A reader keeps the snapshot that it began with, and may take this long. An uncommitted file may belong to a commit
# that is under way until it is this old.
KEEP_S = 3.0 * SECONDS_PER_DAY


def old_snapshots(table: Table, *, now_s: float) -> list[int]:
    """Return the ids of the snapshots that no reader can still be using; never the current one."""
    current = table.current_snapshot()
    return [
        snapshot.snapshot_id
        for snapshot in table.metadata.snapshots
        if snapshot.timestamp_ms / 1000 < now_s - KEEP_S
        and (current is None or snapshot.snapshot_id != current.snapshot_id)
    ]


def expire_snapshots(table: Table, snapshot_ids: list[int]) -> None:
    """Remove snapshots from the table's metadata; raise ArchiveError.

    Only while no batch is claimed: the id of a batch that was committed and not acknowledged is in a snapshot.
    """
    if snapshot_ids:
        with archive_errors("expiring snapshots"):
            table.maintenance.expire_snapshots().by_ids(snapshot_ids).commit()
