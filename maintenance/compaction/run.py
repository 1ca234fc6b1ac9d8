"""What `tollbook archive compact` does, in order: drop, merge, expire, tidy up. A kill costs the step it falls into."""

import datetime as dt
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.archive.table import ensure_table
from maintenance.compaction.compact import Compacted, compact_some, drop_before, scattered
from maintenance.compaction.months import begin_of, first_kept, first_open
from maintenance.compaction.orphans import Orphans, expire, find_orphans, old_snapshots
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.store import outbox
from tollbook.store.database import Connection, check_schema, connect


@dataclass(frozen=True, kw_only=True)
class CompactionReport:
    """What was done, or would be when `dry`. `snapshots` None: a batch is claimed, so none may expire."""

    dry: bool
    compacted: Compacted = field(default_factory=Compacted)
    dropped_before: dt.datetime | None = None
    dropped_rows: int = 0
    snapshots: int | None = 0
    orphans: Orphans | None = None
    orphans_removed: bool = False
    seconds: float = 0.0


def compact(
    settings: Settings,
    *,
    dry: bool = False,
    remove_orphans: bool = False,
    now: dt.datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CompactionReport:
    """Bring the archive into shape; `dry` only looks. `progress` is told files merged and files to merge.

    Raises StoreUnavailable, ArchiveError, SchemaError or SettingsError; what was done until then stays done.
    """
    begun = time.monotonic()
    at = now or dt.datetime.now(dt.UTC)
    kept = settings.archive_retention_months
    with connect(settings.require_database_url(), name="compact", autocommit=True) as connection:
        check_schema(connection)
        with open_catalog(settings) as catalog:
            table = load_calls(catalog)
            if table is None:
                return CompactionReport(dry=dry)
            dropped_before = None if kept is None else begin_of(first_kept(at, kept))
            dropped = 0
            if kept is not None and not dry:
                dropped = _drop(connection, catalog, first_kept(at, kept))
            months = scattered(load_calls(catalog) or table, first_open(at))
            compacted = Compacted(files_before=months.total())
            if not dry:
                compacted = _merge(connection, catalog, months, progress)
            snapshots = _expire(connection, catalog, at.timestamp(), dry=dry)
            orphans = find_orphans(load_calls(catalog) or table, now_s=at.timestamp())
            if remove_orphans and not dry:
                for file in orphans.files:
                    orphans.storage.delete(file.path)
    return CompactionReport(
        dry=dry,
        compacted=compacted,
        dropped_before=dropped_before,
        dropped_rows=dropped,
        snapshots=snapshots,
        orphans=orphans,
        orphans_removed=remove_orphans and not dry,
        seconds=time.monotonic() - begun,
    )


@contextmanager
def _alone(connection: Connection, catalog: Catalog) -> Generator[Table]:
    """Give the table as it is, while nobody else writes it."""
    with outbox.sole_archiver(connection):
        yield ensure_table(catalog)


def _drop(connection: Connection, catalog: Catalog, first: int) -> int:
    dropped = 0
    while True:
        with _alone(connection, catalog) as table:
            rows = drop_before(table, first)
        if not rows:
            return dropped
        dropped += rows


def _merge(
    connection: Connection,
    catalog: Catalog,
    months: dict[int, int],
    progress: Callable[[int, int], None] | None,
) -> Compacted:
    done = Compacted()
    for month in sorted(months):
        while True:
            with _alone(connection, catalog) as table:
                some = compact_some(table, month)
            if some is None:
                break
            done += some
            if progress:
                progress(done.files_before, max(sum(months.values()), done.files_before))
    return done


def _expire(connection: Connection, catalog: Catalog, now_s: float, *, dry: bool) -> int | None:
    with _alone(connection, catalog) as table:
        if outbox.left_behind(connection):
            return None
        ids = old_snapshots(table, now_s=now_s)
        if not dry:
            expire(table, ids)
    return len(ids)
