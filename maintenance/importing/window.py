"""Where PostgreSQL's days begin for an import: what is older goes into the archive, where readers look for it."""

from tollbook.store.database import Connection
from tollbook.store.days.partitions import CALLS, standing_days
from tollbook.store.days.split import extend_late
from tollbook.store.days.sync_window import begin_changes
from tollbook.store.days.window import move_window, read_window
from tollbook.times import MS_PER_DAY, current_day


def begin_window(connection: Connection, retention_days: int) -> int:
    """Return the window's start, epoch ms; let it begin with the retention in a database that has pruned no day yet.

    There the window has no beginning, and nobody looks into the archive. A day that has a partition stays in the
    window, and so do the later ones. Call as sole archiver, in autocommit; raises StoreUnavailable.
    """
    window = read_window(connection)
    if window.start_ts:
        return window.start_ts
    while True:
        day = min([current_day() - retention_days, *standing_days(connection, CALLS)[:1]])
        begin_changes(connection)  # what the archive has, a sync cannot read from this database
        move_window(connection, start_ts=day * MS_PER_DAY, leg_us=max(window.leg_us, day * MS_PER_DAY * 1000))
        if extend_late(connection, day):
            return day * MS_PER_DAY
