"""The archive's table, or the certainty that there is none: an archive that was lost is not one that never began."""

from collections.abc import Callable
from typing import Final, TypeAlias

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from tollbook.archive.catalog import load_calls
from tollbook.errors import ArchiveLost

#: Whether PostgreSQL has ever written an archive (`tollbook.store.archive_commits.archive_begun`).
Begun: TypeAlias = Callable[[], bool]

LOST: Final = (
    "the catalog knows no archive, and this database has written one; are the archive's settings those of then"
    " (PYICEBERG_CATALOG__TOLLBOOK__…, TOLLBOOK_DATA_DIR)?; if its catalog is lost, `tollbook archive attach`"
    " finds the archive again; if it is gone and to be begun anew, `tollbook archive attach --no-archive`"
)


def load_known_calls(catalog: Catalog, begun: Begun) -> Table | None:
    """Load the archive's table as `load_calls` does; None only if no archive was ever written.

    `begun` is asked only when the catalog knows no table. Raises ArchiveLost, and what `begun` raises.
    """
    table = load_calls(catalog)
    if table is None and begun():
        raise ArchiveLost(LOST)
    return table
