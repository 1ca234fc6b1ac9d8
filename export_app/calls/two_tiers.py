"""Where calls are read from: the seam between the API and the two tiers that hold calls."""

from collections.abc import Sequence

from export_app.database import Database
from tollbook.archive.reader import Archive
from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import merge_tiers
from tollbook.store.calls import pages
from tollbook.store.days.window import hot


def read_page(
    database: Database, archive: Archive, selection: Selection, columns: tuple[str, ...], limit: int
) -> Sequence[Record]:
    """Read up to `limit` rows of a selection, in its order; `columns` are those of `tollbook.model.tiers.read_columns`.

    The connection is returned to the pool before the archive is read, which happens only when the page reaches into
    it. Raises StoreUnavailable and ArchiveError.
    """
    with database.reading(selection.accounts) as connection:
        kept = hot(connection, selection, lambda inside: pages.read_page(inside, selection, columns, limit))

    def read_archive(older: Selection, wanted: int, without: frozenset[CallKey]) -> Sequence[Record]:
        return archive.page(older, wanted, without, columns)

    return merge_tiers(selection, limit, kept, read_archive)
