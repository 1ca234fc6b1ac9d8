"""Where the catalog says that a table's newest metadata file is, without opening that file."""

from pyiceberg.catalog import Catalog
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from sqlalchemy import select
from sqlalchemy.orm import Session

from tollbook.archive.schema import TABLE


def read_pointer(catalog: Catalog, identifier: tuple[str, str] = TABLE) -> str | None:
    """Return the metadata file's location; None for a catalog that does not say it, or does not know the table.

    Raises what SQLAlchemy raises.
    """
    if not isinstance(catalog, SqlCatalog):
        return None
    with Session(catalog.engine) as session:
        return session.scalar(
            select(IcebergTables.metadata_location).where(
                IcebergTables.catalog_name == catalog.name,
                IcebergTables.table_namespace == identifier[0],
                IcebergTables.table_name == identifier[1],
            )
        )
