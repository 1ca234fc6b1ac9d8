"""The API's access to the archive, shared out between accounts."""

from collections.abc import Sequence
from threading import Semaphore
from typing import Final

from export_app.share import Share
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection

# Half of those that `tollbook.archive.reader` lets read at once.
ACCOUNT_READERS: Final = 2


class SharedArchive:
    """The archive, of which no account may use more than its share."""

    def __init__(self, settings: Settings, room: Semaphore) -> None:
        self._archive = Archive(settings)
        self._share = Share("pages of archived calls", ACCOUNT_READERS, room)

    def read_page(
        self, selection: Selection, limit: int, excluded: frozenset[CallKey], columns: tuple[str, ...]
    ) -> Sequence[Record]:
        """Read a page as `Archive.read_page` does; raises ApiError when the share is used up, and ArchiveError."""
        with self._share.taken(selection.accounts):
            return self._archive.read_page(selection, limit, excluded, columns)

    def close(self) -> None:
        """Close the catalog's connections."""
        self._archive.close()
