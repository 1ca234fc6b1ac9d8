"""`tollbook archive compact`, step by step: drop old months, merge, expire snapshots, look for orphans.

The archive's lock is released between two commits. A kill loses no more than the step that it falls into.
"""

import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.archive.table import ensure_table
from maintenance.compaction.compact import Compacted, compact_some, count_scattered, drop_some
from maintenance.compaction.months import begin_of, first_kept, first_open
from maintenance.compaction.orphans import find_orphans
from maintenance.compaction.report import CompactionReport
from maintenance.compaction.snapshots import expire_snapshots, old_snapshots
from maintenance.progress import Progress, no_progress
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.store import outbox
from tollbook.store.database import Connection, check_schema, connect


def compact_archive(
    settings: Settings,
    *,
    dry_run: bool = False,
    remove_orphans: bool = False,
    now: dt.datetime | None = None,
    progress: Progress = no_progress,
) -> CompactionReport:
    """Compact the archive, or with `dry_run` report what would be done. `progress`: files merged, and to merge.

    Raises StoreUnavailable, ArchiveError, SchemaError or SettingsError; what was done until then stays done.
    """
    now = now or dt.datetime.now(dt.UTC)
    months_kept = settings.archive_retention_months
    url = settings.require_database_url()
    with connect(url, name="compact", autocommit=True) as connection:
        check_schema(connection)
        with open_catalog(settings) as catalog:
            table = load_calls(catalog)
            if table is None:
                return CompactionReport(dry_run=dry_run)
            kept_from = None if months_kept is None else first_kept(now, months_kept)
            dropped = 0 if kept_from is None or dry_run else _drop(url, catalog, kept_from)
            scattered = count_scattered(load_calls(catalog) or table, first_open(now))
            if dry_run:
                compacted = Compacted(files_before=scattered.total())
            else:
                compacted = _merge(url, catalog, scattered, progress)
            if dry_run:
                # Without the lock and `ensure_table`, which adds columns that an older table lacks.
                snapshots = _expirable(connection, table, now.timestamp())
            else:
                with _sole_writer(url, catalog) as current:
                    snapshots = _expirable(connection, current, now.timestamp())
                    expire_snapshots(current, snapshots or [])
            orphans = find_orphans(load_calls(catalog) or table, now_s=now.timestamp())
            if remove_orphans and not dry_run:
                orphans.delete()
    return CompactionReport(
        dry_run=dry_run,
        compacted=compacted,
        dropped_before=None if kept_from is None else begin_of(kept_from),
        dropped_rows=dropped,
        snapshots=None if snapshots is None else len(snapshots),
        orphans=orphans,
        orphans_removed=remove_orphans and not dry_run,
    )


@contextmanager
def _sole_writer(url: str, catalog: Catalog) -> Generator[Table]:
    """Yield the table as it now is, while no other command writes it."""
    with outbox.sole_archiver(url, name="compact"):
        yield ensure_table(catalog)


def _drop(url: str, catalog: Catalog, kept_from: int) -> int:
    dropped = 0
    while True:
        with _sole_writer(url, catalog) as table:
            rows = drop_some(table, kept_from)
        if not rows:
            return dropped
        dropped += rows


def _merge(url: str, catalog: Catalog, scattered: dict[int, int], progress: Progress) -> Compacted:
    total = Compacted()
    for month in sorted(scattered):
        while True:
            with _sole_writer(url, catalog) as table:
                compacted = compact_some(table, month)
            if compacted is None:
                break
            total += compacted
            progress(total.files_before, max(sum(scattered.values()), total.files_before))
    return total


def _expirable(connection: Connection, table: Table, now_s: float) -> list[int] | None:
    """Return the snapshots that may expire; None if a batch is claimed, which forbids it."""
    return None if outbox.unfinished_batches(connection) else old_snapshots(table, now_s=now_s)
