"""Where calls are read from. The seam between the API and the tiers that hold calls."""

from collections.abc import Sequence

from tollbook.model.selection import Selection
from tollbook.store import pages
from tollbook.store.database import Connection
from tollbook.store.pages import Record


def read_page(connection: Connection, selection: Selection, columns: Sequence[str], limit: int) -> list[Record]:
    """Read up to `limit` rows of a selection, in its order, with these columns (times in epoch ms, parts as JSON text).

    Called inside `access.reading` of the selection's account. Raises StoreUnavailable.
    """
    return pages.read_page(connection, selection, columns, limit)
