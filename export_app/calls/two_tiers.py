"""A page of calls out of both tiers: PostgreSQL, and the archive where the page reaches into it."""

from collections.abc import Sequence

from export_app.archive import SharedArchive
from export_app.database import Database
from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import merge_tiers
from tollbook.store.calls.pages import read_hot_page


def read_page(
    database: Database, archive: SharedArchive, selection: Selection, columns: tuple[str, ...], limit: int
) -> Sequence[Record]:
    """Read up to `limit` rows of a selection, in its order; `columns` are those of `tollbook.model.tiers.read_columns`.

    The connection is back in the pool before the archive is read, which can take seconds. Raises StoreUnavailable and
    ArchiveError.
    """
    with database.reading(selection.accounts) as connection:
        edge = database.near.edge(selection, limit)
        hot = read_hot_page(connection, selection, columns, limit, edge=edge)
    database.near.note(selection, limit, hot.rows)

    def read_archive(older: Selection, lacking: int, excluded: frozenset[CallKey]) -> Sequence[Record]:
        return archive.read_page(older, lacking, excluded, columns)

    return merge_tiers(selection, limit, hot, read_archive)
