"""The archive's table: created once, given the columns that it lacks, and refused if it is not ours to write."""

from collections.abc import Collection

from pyiceberg.catalog import Catalog, MetastoreCatalog
from pyiceberg.io import load_file_io
from pyiceberg.table import Table

from maintenance.archive.announced import AnnouncingCatalog, announcing
from maintenance.archive.guard import check_new, check_state
from maintenance.archive.metadata_files import COMMIT_PROPERTY, data_without_metadata, list_metadata, read_metadata
from tollbook.archive.catalog import archive_errors, load_archive
from tollbook.archive.older_table import add_columns, missing_columns
from tollbook.archive.schema import NAMESPACE, PARTITIONS, PROPERTIES, SCHEMA, SORTED, TABLE
from tollbook.archive.storage import Storage
from tollbook.errors import ArchiveLost, SchemaError
from tollbook.store.archive_commits import Announcements, announcements, disowned, finish
from tollbook.store.database import Connection


def ensure_table(catalog: Catalog, connection: Connection, *, removing: bool = False) -> Table:
    """Load the archive's table to write it, with the columns of this version; create it if it does not exist.

    Every commit to it is announced by way of `connection`, which must be in autocommit. Call as sole archiver; with
    `removing`, which looks for newer states more thoroughly, before snapshots or months are removed. Raises
    ArchiveError, SchemaError for a table that this version must not write, ArchiveForked for one that this database
    must not write, and ArchiveLost if the catalog leads to no readable metadata, or there are files of an archive that
    it does not know: a new table beside them would split the history in two.
    """
    table = load_archive(catalog)
    with archive_errors("loading the archive's table"):
        if table is None:
            return _create(catalog, connection)
        known = check_state(connection, table, listing=removing)
        if commit_id := table.properties.get(COMMIT_PROPERTY):
            finish(connection, commit_id)  # a kill may have prevented it
        return _check_layout(_with_new_columns(announcing(table, connection, known)))


def _create(catalog: Catalog, connection: Connection) -> Table:
    known = announcements(connection)
    check_new(known)
    _refuse_to_start_anew(catalog, known, disowned(connection))
    catalog.create_namespace_if_not_exists(NAMESPACE)
    location = default_location(catalog)
    table = AnnouncingCatalog(catalog, connection, known).create(
        None if location is None else load_file_io(catalog.properties, location),
        location,
        PROPERTIES,
        identifier=TABLE,
        schema=SCHEMA,
        partition_spec=PARTITIONS,
        sort_order=SORTED,
    )
    return announcing(table, connection, known)


def default_location(catalog: Catalog, identifier: tuple[str, str] = TABLE) -> str | None:
    """Return where the catalog puts a new table; None if it does not say so in advance (REST)."""
    warehouse = catalog.properties.get("warehouse")
    if not isinstance(catalog, MetastoreCatalog) or not warehouse:
        return None
    return "/".join((warehouse.rstrip("/"), *identifier))


def _refuse_to_start_anew(catalog: Catalog, known: Announcements, disowned_files: Collection[str]) -> None:
    location = default_location(catalog)
    if location is None:
        return
    io = load_file_io(catalog.properties, location)
    storage = Storage(io, location)
    for file in list_metadata(storage):
        # A run of this database that was killed while it created the table leaves the first metadata file, or a torn
        # one, and no other.
        metadata = read_metadata(io, file.location) if file.number == 0 else None
        commit_id = metadata.properties.get(COMMIT_PROPERTY) if metadata is not None else None
        ours = file.number == 0 and (0 in known.open_numbers if metadata is None else commit_id in known.numbers)
        if not ours and file.location not in disowned_files:
            raise ArchiveLost(
                f"there is an archive at {location} that the catalog does not know (was the database set up anew?):"
                " bring it back with `tollbook archive attach`, or give the archive another warehouse"
            )
    if left := data_without_metadata(storage, location):
        raise ArchiveLost(left)


def _with_new_columns(table: Table) -> Table:
    """Add the last of our columns if the table lacks them; older files read as NULL there."""
    if missing := missing_columns(table):
        with table.update_schema() as change:
            add_columns(change, missing)
    return table


def _check_layout(table: Table) -> Table:
    """Return the table; raise SchemaError if its columns or partitions are not those that this version writes."""
    if table.spec().fields != PARTITIONS.fields or table.schema().as_struct() != SCHEMA.as_struct():
        raise SchemaError(
            f"the archive's table {'.'.join(table.name())} has other columns or partitions than this version writes:"
            " it was changed by another tool or by a newer Tollbook; use that, or give the archive another warehouse"
        )
    return table
