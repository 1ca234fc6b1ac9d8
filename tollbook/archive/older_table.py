"""An archive that was written before a column was added: every reader finds NULL there, before any run adds the column.

Field ids are part of the format, and a new column is the last and nullable (`schema.py`), so an older table has the
first of our columns. `archive run` adds the others for good; a reader adds them to its own copy of the metadata.
"""

from collections.abc import Sequence

from pyiceberg.table import Table
from pyiceberg.table.update.schema import UpdateSchema
from pyiceberg.types import NestedField

from tollbook.archive.schema import SCHEMA


def missing_columns(table: Table) -> Sequence[NestedField]:
    """Return the last of our columns that an older table lacks; none for a table that does not begin as ours does."""
    known = table.schema().as_struct().fields
    ours = SCHEMA.as_struct().fields
    return ours[len(known) :] if known == ours[: len(known)] else ()


def add_columns(change: UpdateSchema, columns: Sequence[NestedField]) -> None:
    """Add missing columns to a change of the schema, which gives them the ids that they have in ours."""
    for column in columns:
        change.add_column(column.name, column.field_type)


def as_ours(table: Table) -> Table:
    """Return a loaded table as one that has all our columns. Read it only: the catalog's table stays as it is."""
    missing = missing_columns(table)
    if not missing:
        return table
    never_committed = table.transaction()
    with never_committed.update_schema() as change:
        add_columns(change, missing)
    return Table(
        identifier=table.name(),
        metadata=never_committed.table_metadata,
        metadata_location=table.metadata_location,
        io=table.io,
        catalog=table.catalog,
        config=table.config,
    )
