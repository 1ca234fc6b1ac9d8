"""The fork guard: whether the archive is as this database left it, asked before it is written or files are removed.

A database that was restored from a backup, or a copy of one, knows less than the archive. What it wrote would begin a
second history beside the newest states, and what it removed would be their files.
"""

import datetime as dt
from collections.abc import Collection
from typing import Final

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.archive.head import read_head
from maintenance.archive.metadata_files import (
    COMMIT_PROPERTY,
    OWNER_PROPERTY,
    MetadataFile,
    list_metadata,
    number_of,
    read_metadata,
)
from tollbook.archive.catalog import load_archive
from tollbook.archive.known import LOST
from tollbook.archive.storage import Storage
from tollbook.errors import ArchiveForked, ArchiveLost
from tollbook.store.archive_commits import Announcements, announcements, disowned
from tollbook.store.database import Connection

# A commit takes longer than a check, so that hardly two are disturbed.
_TRIES: Final = 5

# Its parts are separated by semicolons, so that `tollbook doctor` shortens each by itself.
_WHAT_TO_DO = (
    "nothing was written and nothing removed; if this database was restored from a backup, or moved, `tollbook archive"
    " attach` goes on from the newest state; if it is a copy, as for staging, it needs a warehouse of its own"
    " (PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE, or TOLLBOOK_DATA_DIR); docs/archive.md says more"
)


def check_state(connection: Connection, table: Table, *, listing: bool = False) -> Announcements:
    """Raise ArchiveForked unless the archive is ours and as we left it; return what this database knows of it.

    With `listing`, as before a removal, every metadata file that may be a newer state is looked at; without, only when
    the head is missing. An archive from before commits had ids is adopted by the first commit. Raises what the storage
    raises.
    """
    known = announcements(connection)
    owner, commit_id = table.properties.get(OWNER_PROPERTY), table.properties.get(COMMIT_PROPERTY)
    pointer = MetadataFile(
        location=table.metadata_location,
        number=number_of(table.metadata_location),
        written_s=table.metadata.last_updated_ms / 1000,
    )
    if owner not in (None, known.owner):
        raise _forked(table, "belongs to another database, or to this one before it was restored", pointer)
    if commit_id in known.numbers and commit_id not in known.current:
        raise _forked(table, "has newer states than the one to which its catalog leads, which went back", pointer)
    if commit_id not in known.current if commit_id is not None else known.finished:
        raise _forked(table, "has a state that this database did not write", pointer)
    head = read_head(table.io, table.location())
    if listing or head is None or head.id not in known.numbers:
        if unknown := unknown_files(table, known, disowned(connection)):
            newest = max(unknown, key=lambda file: (file.number, file.written_s))
            raise _forked(table, "has a state that this database did not write", newest)
        if head is not None and head.id not in known.numbers:
            raise _forked(table, f"is being written by another database, since {_time(head.time / 1000)}", pointer)
    return known


def check_new(known: Announcements) -> None:
    """Raise ArchiveLost if the catalog knows no archive, and this database has written one."""
    if known.finished:
        raise ArchiveLost(LOST)


def load_checked(connection: Connection, catalog: Catalog) -> Table | None:
    """Load the table and check it with a listing, beside a command that may be writing it.

    What is found is believed once nothing was announced or finished meanwhile. Raises as `check_state` and
    `load_archive` do.
    """
    for tries_left in reversed(range(_TRIES)):
        before = announcements(connection)
        table = load_archive(catalog)
        try:
            if table is None:
                check_new(before)
            else:
                check_state(connection, table, listing=True)
        except (ArchiveForked, ArchiveLost):
            if not tries_left or announcements(connection) == before:
                raise
        else:
            return table
    raise AssertionError


def unknown_files(table: Table, known: Announcements, disowned_files: Collection[str]) -> list[MetadataFile]:
    """List the metadata files at or beyond the table's own number that this database neither announced nor disowned.

    An announced file whose commit was killed is no newer state; nor is a torn file with the number of such a commit. A
    file with the table's own id, or with that of a file of another number, was written by another engine, which keeps
    the properties that it finds.
    """
    storage = Storage(table.io, table.location())
    current = table.properties.get(COMMIT_PROPERTY)
    logged = (entry.metadata_file for entry in table.metadata.metadata_log)
    expected = {storage.path(location) for location in (table.metadata_location, *logged, *disowned_files)}
    unknown: list[MetadataFile] = []
    for file in list_metadata(storage):
        if file.number < number_of(table.metadata_location) or storage.path(file.location) in expected:
            continue
        metadata = read_metadata(table.io, file.location)
        if metadata is None:
            if file.number not in known.open_numbers:
                unknown.append(file)
            continue
        commit_id = metadata.properties.get(COMMIT_PROPERTY)
        if commit_id is None or commit_id == current or known.numbers.get(commit_id) != file.number:
            unknown.append(file)
    return unknown


def _forked(table: Table, what: str, found: MetadataFile) -> ArchiveForked:
    """`found`: the newest file where all were listed; else the one to which the catalog leads, which may be older."""
    is_pointer = found.location == table.metadata_location
    state = "its catalog leads to" if is_pointer else "the newest state is"
    state += f" {found.location}, of {_time(found.written_s)}"
    return ArchiveForked(f"the archive at {table.location()} {what}; {state}; {_WHAT_TO_DO}")


def _time(epoch_s: float) -> str:
    return dt.datetime.fromtimestamp(epoch_s, dt.UTC).isoformat(timespec="seconds")
