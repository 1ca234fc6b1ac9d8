"""The archive for the API: opened when it is first needed, kept open, read by several threads."""

import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from pyiceberg.catalog import Catalog

from tollbook.archive import pages
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.errors import ArchiveError, SettingsError
from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import KEYED_COLUMNS

# Fewer than the API has threads: while storage is slow, the calls that PostgreSQL keeps are still served.
MAX_READERS: Final = 4
WAIT_TIMEOUT_S: Final = 3.0


class Archive:
    """One catalog for all threads of a process; after a failure, the next read opens it again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._readers = threading.BoundedSemaphore(MAX_READERS)
        self._open = ExitStack()
        self._catalog: Catalog | None = None

    def read_page(
        self, selection: Selection, limit: int, excluded: frozenset[CallKey], columns: tuple[str, ...] = KEYED_COLUMNS
    ) -> Sequence[Record]:
        """Read a page of archived calls, for `tollbook.model.tiers.merge_tiers`; raises ArchiveError."""
        with self._reader():
            # Loaded for each page: the merge needs an archive that is no older than its snapshot of PostgreSQL.
            table = load_calls(self._opened())
            return [] if table is None else pages.read_page(table, selection, limit, excluded, columns)

    def close(self) -> None:
        """Close the catalog's connections."""
        with self._lock:
            self._catalog = None
            self._open.close()

    def _opened(self) -> Catalog:
        with self._lock:
            if self._catalog is None:
                try:
                    self._catalog = self._open.enter_context(open_catalog(self._settings))
                except SettingsError as error:
                    raise ArchiveError(str(error)) from error
            return self._catalog

    @contextmanager
    def _reader(self) -> Generator[None]:
        if not self._readers.acquire(timeout=WAIT_TIMEOUT_S):
            raise ArchiveError(f"{MAX_READERS} requests are reading the archive, and none ended in time")
        try:
            yield
        finally:
            self._readers.release()
