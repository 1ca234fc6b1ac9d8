"""Find the archive's newest state, and make this database its owner: the first part of `tollbook archive attach`."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from pyiceberg.catalog import Catalog
from pyiceberg.io import FileIO, load_file_io
from pyiceberg.table import Table

from maintenance.archive.announced import announcing, take_over
from maintenance.archive.catalog_entry import lead_to
from maintenance.archive.guard import check_state
from maintenance.archive.metadata_files import data_without_metadata, list_metadata, table_location
from maintenance.archive.newest import Newest, find_newest, incomplete_state, named_state
from maintenance.archive.table import default_location
from tollbook.archive.catalog import load_archive
from tollbook.archive.pointer import read_pointer
from tollbook.archive.schema import TABLE
from tollbook.archive.storage import Storage
from tollbook.errors import ArchiveForked, ArchiveLost, UsageError
from tollbook.store.archive_commits import announcements, disown, disowned
from tollbook.store.database import Connection


@dataclass(frozen=True, kw_only=True)
class Found:
    """A state of the archive to go on from.

    `file`: its metadata file. `beyond`: files with higher numbers that stay aside: torn, incomplete, or passed over by
    the operator; `incomplete` says of each whose own list of files is missing what that may mean. `unreadable`: the
    file to which the catalog leads, if that is missing or torn.
    """

    file: str
    beyond: tuple[str, ...]
    incomplete: tuple[str, ...]
    unreadable: str | None


def find_state(connection: Connection, catalog: Catalog, file: str | None, disowning: Collection[str]) -> Found | None:
    """Find the newest state, or that of `file`; return None if the archive is as this database left it.

    First records the files of `disowning`. Raises UsageError if there is no archive or no such file, or if `file` is
    another state than the one in which this database left the archive; ArchiveForked if there are two histories;
    ArchiveDamaged if the newest state lacks files of an older one; ArchiveLost if no state is whole; and what the
    storage raises.
    """
    pointer, unreadable = None, None
    try:
        pointer = load_archive(catalog)
    except ArchiveLost:
        unreadable = read_pointer(catalog) or "to which its catalog leads"
    location = _location(catalog, pointer, file)
    io = load_file_io(catalog.properties, location)
    if file is not None:
        _check_address(io, file)
    storage = Storage(io, location)
    _disown(connection, storage, disowning)
    if pointer is not None:
        with suppress(ArchiveForked):
            check_state(connection, pointer, listing=True)
            if file is not None and storage.path(file) != storage.path(pointer.metadata_location):
                raise UsageError(
                    f"the archive is as this database left it, by {pointer.metadata_location}, and nothing goes back"
                    f" to {file}: attach without a file; for damaged files, see `tollbook archive verify`"
                )
            return None
    newest = (
        find_newest(io, location, pointer, announcements(connection), disowned(connection))
        if file is None
        else named_state(io, location, file)
    )
    return _found(newest, io, storage, location, unreadable)


def _found(newest: Newest, io: FileIO, storage: Storage, location: str, unreadable: str | None) -> Found:
    if newest.state is None:
        if not newest.aside:
            if left := data_without_metadata(storage, location):
                raise ArchiveLost(left)
            raise UsageError(
                f"no archive is at {location}: check PYICEBERG_CATALOG__TOLLBOOK__WAREHOUSE or TOLLBOOK_DATA_DIR;"
                " an archive must stay where it was written, because its files name each other by full paths"
            )
        raise ArchiveLost(
            f"no metadata file at {location} can be read with all that it names; the highest is"
            f" {newest.aside[0].location}: is the warehouse complete (mounted, copied whole)? Nothing was changed. If"
            " nothing was ever archived there, `tollbook archive attach --disown FILE` lets a run begin anew"
        )
    chosen = newest.state.file
    beyond = [file for file in newest.aside if file.number > chosen.number]
    return Found(
        file=chosen.location,
        beyond=tuple(file.location for file in beyond),
        incomplete=tuple(said for file in beyond if (said := incomplete_state(io, file)) is not None),
        unreadable=None if unreadable == chosen.location else unreadable,
    )


def adopt(connection: Connection, catalog: Catalog, found: Found) -> None:
    """Make the catalog lead to a state, and this database the archive's owner.

    A kill in between leaves an archive that is refused until it is attached again. Call as sole archiver. Raises what
    the catalog and the storage raise.
    """
    disown(connection, found.beyond)
    lead_to(catalog, TABLE, found.file)
    take_over(announcing(catalog.load_table(TABLE), connection, announcements(connection)))


def _location(catalog: Catalog, pointer: Table | None, file: str | None) -> str:
    if pointer is not None:
        return pointer.location()
    location = table_location(read_pointer(catalog) or file or "") or default_location(catalog)
    if location is None:
        raise UsageError("this catalog does not say where its tables are: name the metadata file to attach")
    return location


def _check_address(io: FileIO, file: str) -> None:
    """Raise UsageError for an address of a storage that pyiceberg does not know."""
    try:
        io.new_input(file)
    except ValueError as error:
        raise UsageError(f"{file} is no address of a metadata file: {error}") from error


def _disown(connection: Connection, storage: Storage, files: Collection[str]) -> None:
    if not files:
        return
    listed = {storage.path(file.location): file.location for file in list_metadata(storage)}
    unknown = [file for file in files if storage.path(file) not in listed]
    if unknown:
        raise UsageError(
            f"{unknown[0]} is no metadata file of this archive: name it as the message does that asks for it"
        )
    disown(connection, [listed[storage.path(file)] for file in files])
