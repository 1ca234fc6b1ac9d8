"""Where calls are read from: the seam between the API and the two tiers that hold calls."""

from collections.abc import Sequence
from operator import itemgetter

from export_app.database import Database
from tollbook.archive.reader import Archive
from tollbook.model import tiers
from tollbook.model.call_key import CallKey
from tollbook.model.selection import Selection
from tollbook.model.tiers import ROW_COLUMNS
from tollbook.store.calls import pages
from tollbook.store.calls.pages import Record
from tollbook.store.days.window import hot


def read_page(
    database: Database, archive: Archive, selection: Selection, columns: Sequence[str], limit: int
) -> Sequence[Record]:
    """Read up to `limit` rows of a selection, in its order, with these columns (times in epoch ms, parts as JSON text).

    The connection is given back before the archive is read, which happens only when the page reaches into it. Raises
    StoreUnavailable and ArchiveError.
    """
    wide = (*ROW_COLUMNS, *(name for name in columns if name not in ROW_COLUMNS))
    with database.reading(selection.accounts) as connection:
        kept = hot(connection, selection, lambda one: pages.read_page(one, selection, wide, limit))

    def archived(older: Selection, wanted: int, without: frozenset[CallKey]) -> Sequence[Record]:
        return archive.page(older, wanted, without, wide)

    rows = tiers.page(selection, limit, kept, archived)
    if tuple(columns) == wide:
        return rows
    if len(columns) == 1:
        place = wide.index(columns[0])
        return [(row[place],) for row in rows]
    return list(map(itemgetter(*map(wide.index, columns)), rows))
