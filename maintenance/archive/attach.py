"""`tollbook archive attach`: make the archive and a database that was restored, copied, moved or set up anew fit."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TypeAlias

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.archive.adopt import Found, adopt, find_state
from maintenance.archive.gone import read_deleted, read_erased
from maintenance.archive.metadata_files import table_location
from maintenance.archive.table import default_location
from maintenance.archive.unnamed import NOTHING_LEFT, LeftBehind, find_left_behind
from maintenance.progress import Progress, no_progress
from maintenance.restore.window import restore_window
from tollbook.archive.catalog import archive_errors, load_calls, open_catalog
from tollbook.archive.pointer import read_pointer
from tollbook.config import Settings
from tollbook.errors import UsageError
from tollbook.store import history, outbox
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.erasure.erased_legs import learn_hashes
from tollbook.store.sums.unbuilt import distrust_sums

#: What attaches the archive's other tables before the archive counts as attached; it returns what it did, if anything.
AttachOthers: TypeAlias = Callable[[Connection, Catalog], str | None]


def attach_none(_connection: Connection, _catalog: Catalog) -> str | None:
    """Attach no other table."""
    return None


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What attaching found, and what newer data files have that nothing else has."""

    text: str
    left_behind: LeftBehind = NOTHING_LEFT

    def __str__(self) -> str:
        """Return it as lines."""
        return f"{self.text}\n{self.left_behind}" if self.left_behind else self.text


def attach_archive(
    settings: Settings,
    metadata: str | None = None,
    *,
    attach_others: AttachOthers = attach_none,
    disown: Collection[str] = (),
    progress: Progress = no_progress,
) -> Attached:
    """Go on from the archive's newest state, or from the one at `metadata`; return what was found.

    Before, the files of `disown` are recorded as no newer states. `attach_others`: for the archive's other tables.
    Raises UsageError if there is nothing to attach, ArchiveForked if the archive has two histories, ArchiveLost if none
    is whole; ArchiveError, StoreUnavailable.
    """
    url = settings.require_database_url()
    with connect(url, name="attach", autocommit=True) as connection:
        check_schema(connection)
        history.recognise(connection, settings.data_dir)
        with (
            sole_archiver(url, name="attach"),
            open_catalog(settings, writing=True) as catalog,
            archive_errors("attaching the archive"),
        ):
            found = find_state(connection, catalog, metadata, disown)
            if found is None and history.restored(connection) is None:
                others = attach_others(connection, catalog)
                if disown or others:
                    parts = ["disowned" if disown else None, "the archive is as this database left it", others]
                    return Attached(text="; ".join(part for part in parts if part))
                raise UsageError("the archive is as this database left it: there is nothing to attach")
            if metadata is None:
                _refuse_another_warehouse(catalog, read_pointer(catalog) if found is None else found.file)
            # Before the table can be written: rows that wait in the database may be in the archive already.
            history.expect_attach(connection)
            outbox.mark_unverified(connection, time.time_ns() // 1_000_000)
            distrust_sums(connection)
            if found is not None:
                adopt(connection, catalog, found)
            table = load_calls(catalog)
            assert table is not None  # it was found, or adopted
            for erased in read_erased(table):
                learn_hashes(connection, erased.legs, erased.until_ts)
            written_s, every = _written_s(table), read_deleted(table)
            # What took the place of a call that was deleted later is not in this state.
            deleted = {key: at_ms for key, at_ms in every.items() if at_ms <= written_s * 1000}
            window = restore_window(
                connection, table, deleted=deleted, retention_days=settings.retention_days, progress=progress
            )
            left = find_left_behind(connection, table, written_s, every)
            others = attach_others(connection, catalog)
            history.accept(connection)
    snapshot = table.current_snapshot()
    rows = snapshot.summary["total-records"] if snapshot and snapshot.summary else "0"
    by = table.metadata_location if found is None else found.file
    text = "\n".join([f"attached: {rows} calls, by {by}; {window}", *_remarks(found), *([others] if others else [])])
    return Attached(text=text, left_behind=left)


def _written_s(table: Table) -> float:
    """Return when the calls of a state were committed, epoch s; 0 if it has none.

    Its snapshot's time: attaching writes newer metadata, and may have been killed after that.
    """
    snapshot = table.current_snapshot()
    return snapshot.timestamp_ms / 1000 if snapshot is not None else 0.0


def _remarks(found: Found | None) -> list[str]:
    """Return what the operator must know of the files that stay aside."""
    remarks: list[str] = []
    if found is not None and found.unreadable is not None:
        remarks.append(
            f"its newer state {found.unreadable} cannot be read: of the calls of that commit, the archive lacks those"
            " that PostgreSQL no longer has"
        )
    if found is not None and found.beyond:
        remarks.append(f"left aside for good: {', '.join(found.beyond)}")
    return remarks + (list(found.incomplete) if found is not None else [])


def _refuse_another_warehouse(catalog: Catalog, file: str | None) -> None:
    """Raise UsageError for an archive outside the warehouse of the settings: a copy's catalog leads to production's."""
    ours, found = default_location(catalog), table_location(file or "")
    if ours is None or found is None or ours.removeprefix("file://") == found.removeprefix("file://"):
        return
    raise UsageError(
        f"the catalog leads to the archive at {found}, and the warehouse of the settings is elsewhere, at {ours};"
        " for a copy of the database, as for staging, `tollbook archive attach --no-archive` begins an archive there;"
        f" to go on with the one that the catalog knows, name {file} as well"
    )
