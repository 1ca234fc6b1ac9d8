"""The catalog's entry of a table: to which metadata file it leads."""

from contextlib import suppress

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from pyiceberg.exceptions import CommitFailedException, NoSuchTableError
from sqlalchemy import update
from sqlalchemy.orm import Session

from tollbook.archive.pointer import read_pointer


def lead_to(catalog: Catalog, identifier: tuple[str, str], file: str) -> None:
    """Make the catalog lead to a table's metadata file; where it can be done in one step, no reader finds no table.

    Raises CommitFailedException if another changed the entry meanwhile, and what the catalog raises.
    """
    old = read_pointer(catalog, identifier)
    if old == file:
        return
    if old is None or not isinstance(catalog, SqlCatalog):
        with suppress(NoSuchTableError):
            catalog.drop_table(identifier)
        catalog.create_namespace_if_not_exists(identifier[0])
        catalog.register_table(identifier, file)
        return
    entry = (
        IcebergTables.catalog_name == catalog.name,
        IcebergTables.table_namespace == identifier[0],
        IcebergTables.table_name == identifier[1],
        IcebergTables.metadata_location == old,
    )
    new = {"metadata_location": file, "previous_metadata_location": old}
    with Session(catalog.engine) as session:
        moved = session.execute(update(IcebergTables).where(*entry).values(new).returning(IcebergTables.table_name))
        if moved.first() is None:
            raise CommitFailedException("the catalog's entry of the archive was changed meanwhile")
        session.commit()
