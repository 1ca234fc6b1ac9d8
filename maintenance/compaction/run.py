"""`tollbook archive compact`, step by step.

Drop old months, merge, index call ids, expire snapshots, merge digests, look for orphans.

The archive's lock is released between two commits. A kill loses no more than the step that it falls into.
"""

import datetime as dt
from collections.abc import Generator
from contextlib import contextmanager
from uuid import uuid4

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.archive.gone import merge_deleted
from maintenance.archive.guard import check_new
from maintenance.archive.table import ensure_table
from maintenance.compaction.call_ids import forget_removed_files, index_some
from maintenance.compaction.compact import Compacted, compact_some, count_scattered, drop_some
from maintenance.compaction.digests import merge_digests
from maintenance.compaction.months import begin_of, first_kept, first_open
from maintenance.compaction.orphans import find_orphans, without_named
from maintenance.compaction.report import CompactionReport
from maintenance.compaction.snapshots import expire_snapshots, old_snapshots
from maintenance.progress import Progress, no_progress
from tollbook.archive.bounds import first_start
from tollbook.archive.catalog import archive_errors, load_calls, open_catalog
from tollbook.archive.schema import archived_account
from tollbook.config import Settings
from tollbook.errors import ArchiveDamaged
from tollbook.store import outbox
from tollbook.store.archive_commits import announcements
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days.window import note_dropped
from tollbook.store.holds import held_accounts

# Each damaged file costs the work of one commit, which is done again without it. A storage that lost more than these
# needs its operator first.
_DAMAGED_FILES = 10


def compact_archive(
    settings: Settings,
    *,
    dry_run: bool = False,
    remove_orphans: bool = False,
    now: dt.datetime | None = None,
    progress: Progress = no_progress,
) -> CompactionReport:
    """Compact the archive, or with `dry_run` report what would be done. `progress`: files merged, and to merge.

    Raises StoreUnavailable, ArchiveError, ArchiveForked, ArchiveLost, SchemaError or SettingsError; what was done until
    then stays done.
    """
    now = now or dt.datetime.now(dt.UTC)
    months_kept = settings.archive_retention_months
    url = settings.require_database_url()
    with connect(url, name="compact", autocommit=True) as connection:
        check_schema(connection)
        with open_catalog(settings) as catalog:
            table = load_calls(catalog)
            if table is None:
                check_new(announcements(connection))
                return CompactionReport(dry_run=dry_run)
            kept_from = None if months_kept is None else first_kept(now, months_kept)
            dropped = 0 if kept_from is None or dry_run else _drop(url, connection, catalog, kept_from)
            scattered = count_scattered(load_calls(catalog) or table, first_open(now))
            if dry_run:
                compacted, indexed = Compacted(files_before=scattered.total()), 0
            else:
                damaged: list[ArchiveDamaged] = []
                compacted = _merge(url, connection, catalog, scattered, damaged, progress)
                indexed = _index(url, connection, catalog, damaged)
                if damaged:
                    raise ArchiveDamaged(
                        f"{len(damaged)} damaged files were left as they are, the others are merged and their call ids"
                        f" indexed, and nothing was removed: {damaged[0]}",
                        damaged[0].location,
                    )
            if dry_run:
                # Without the lock and `ensure_table`, which adds columns that an older table lacks.
                snapshots = _expirable(connection, table, now.timestamp())
            else:
                with _sole_writer(url, connection, catalog, removing=True) as current:
                    snapshots = _expirable(connection, current, now.timestamp())
                    expire_snapshots(current, snapshots or [])
                with _sole_writer(url, connection, catalog, removing=True) as current:
                    merge_digests(current)
                    with archive_errors("merging the list of deleted calls"):
                        merge_deleted(current, uuid4())
            held = held_accounts(connection) if kept_from is not None else ()
            orphans = find_orphans(load_calls(catalog) or table, now_s=now.timestamp())
            if remove_orphans and not dry_run:
                # What another database wrote since the last commit is found before anything is deleted; and what was
                # attached or committed since the listing may name some of these files again.
                with _sole_writer(url, connection, catalog, removing=True) as current:
                    orphans = without_named(orphans, current)
                    orphans.delete()
    return CompactionReport(
        dry_run=dry_run,
        compacted=compacted,
        indexed=indexed,
        dropped_before=None if kept_from is None else begin_of(kept_from),
        dropped_rows=dropped,
        held=tuple(sorted(held)),
        snapshots=None if snapshots is None else len(snapshots),
        orphans=orphans,
        orphans_removed=remove_orphans and not dry_run,
    )


@contextmanager
def _sole_writer(url: str, connection: Connection, catalog: Catalog, *, removing: bool = False) -> Generator[Table]:
    """Yield the table as it now is, while no other command writes it; `removing` as for `ensure_table`."""
    with sole_archiver(url, name="compact"):
        yield ensure_table(catalog, connection, removing=removing)


def _drop(url: str, connection: Connection, catalog: Catalog, kept_from: int) -> int:
    dropped = 0
    while True:
        with _sole_writer(url, connection, catalog, removing=True) as table:
            held = set(map(archived_account, held_accounts(connection)))
            _note_dropped(connection, table, kept_from)
            rows = drop_some(table, kept_from, held)
            if not rows:
                if dropped:
                    forget_removed_files(table)
                return dropped
        dropped += rows


def _note_dropped(connection: Connection, table: Table, kept_from: int) -> None:
    """Remember for statements what is about to be dropped, if there is anything."""
    before_ms = int(begin_of(kept_from).timestamp()) * 1000
    with archive_errors("looking for what the retention drops"):
        first_ms = first_start(table)
    if first_ms is not None and first_ms < before_ms:
        note_dropped(connection, before_ms)


def _merge(
    url: str,
    connection: Connection,
    catalog: Catalog,
    scattered: dict[int, int],
    damaged: list[ArchiveDamaged],
    progress: Progress,
) -> Compacted:
    """Merge month by month, and leave out the damaged files, which are added to `damaged`."""
    total = Compacted()
    for month in sorted(scattered):
        while True:
            with _sole_writer(url, connection, catalog) as table, _leaving_out(damaged):
                compacted = compact_some(table, month, _locations(damaged))
                if compacted is None:
                    break
                total += compacted
                progress(total.files_before, max(sum(scattered.values()), total.files_before))
    return total


def _index(url: str, connection: Connection, catalog: Catalog, damaged: list[ArchiveDamaged]) -> int:
    """Index call ids, and leave out the damaged files, which are added to `damaged`; return how many were written."""
    total = 0
    while True:
        with _sole_writer(url, connection, catalog) as table, _leaving_out(damaged):
            calls = index_some(table, _locations(damaged))
            if calls is None:
                return total
            total += calls


@contextmanager
def _leaving_out(damaged: list[ArchiveDamaged]) -> Generator[None]:
    """Note a damaged file, without which the work is to be done again; raise ArchiveDamaged when there are too many."""
    try:
        yield
    except ArchiveDamaged as error:
        damaged.append(error)
        if error.location is None or len(damaged) == _DAMAGED_FILES:
            raise


def _locations(damaged: list[ArchiveDamaged]) -> list[str]:
    return [error.location for error in damaged if error.location]


def _expirable(connection: Connection, table: Table, now_s: float) -> list[int] | None:
    """Return the snapshots that may expire; None if a batch is claimed, which forbids it."""
    return None if outbox.unfinished_batches(connection) else old_snapshots(table, now_s=now_s)
