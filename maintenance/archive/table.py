"""The archive's table: created once, given the columns that it lacks, and refused if it is not ours to write."""

import re

from pyiceberg.catalog import Catalog, MetastoreCatalog
from pyiceberg.io import load_file_io
from pyiceberg.table import Table

from maintenance.archive.storage import Storage
from tollbook.archive._pyarrow import untyped
from tollbook.archive.catalog import archive_errors
from tollbook.archive.schema import NAMESPACE, PARTITIONS, PROPERTIES, SCHEMA, SORTED, TABLE
from tollbook.errors import ArchiveLost, SchemaError

_FIRST_METADATA = re.compile(r"/00000-[^/]+\.metadata\.json$")


def ensure_table(catalog: Catalog) -> Table:
    """Load the archive's table with the columns of this version; create it if it does not exist.

    Raises ArchiveError, SchemaError for a table that this version must not write, and ArchiveLost if there are files
    of an archive that the catalog does not know: a new table beside them would split the history in two.
    """
    with archive_errors("loading the archive's table"):
        if not catalog.table_exists(TABLE):
            _refuse_to_start_anew(catalog)
            catalog.create_namespace_if_not_exists(NAMESPACE)
            return untyped(catalog).create_table_if_not_exists(
                TABLE, SCHEMA, partition_spec=PARTITIONS, sort_order=SORTED, properties=PROPERTIES
            )
        return _check_layout(_with_new_columns(catalog.load_table(TABLE)))


def default_location(catalog: Catalog) -> str | None:
    """Return where the catalog puts a new table; None if it does not say so in advance (REST)."""
    warehouse = catalog.properties.get("warehouse")
    if not isinstance(catalog, MetastoreCatalog) or not warehouse:
        return None
    return "/".join((warehouse.rstrip("/"), *TABLE))


def _refuse_to_start_anew(catalog: Catalog) -> None:
    location = default_location(catalog)
    if location is None:
        return
    files = Storage(load_file_io(catalog.properties, location), location).files("metadata")
    # A run that was killed while it created the table leaves the first metadata file, and no other.
    if not all(_FIRST_METADATA.search(file.path) for file in files):
        raise ArchiveLost(
            f"there is an archive at {location} that the catalog does not know (was the database set up anew?):"
            " bring it back with `tollbook archive attach`, or give the archive another warehouse"
        )


def _with_new_columns(table: Table) -> Table:
    """Add the last of our columns if the table lacks them; older files read as NULL there."""
    known = table.schema().as_struct().fields
    ours = SCHEMA.as_struct().fields
    if len(known) >= len(ours) or known != ours[: len(known)]:
        return table
    with table.update_schema() as change:
        for column in ours[len(known) :]:
            change.add_column(column.name, column.field_type)
    return table


def _check_layout(table: Table) -> Table:
    """Return the table; raise SchemaError if its columns or partitions are not those that this version writes."""
    if table.spec().fields != PARTITIONS.fields or table.schema().as_struct() != SCHEMA.as_struct():
        raise SchemaError(
            f"the archive's table {'.'.join(table.name())} has other columns or partitions than this version writes:"
            " it was changed by another tool or by a newer Tollbook; use that, or give the archive another warehouse"
        )
    return table
