"""The archive for readers of pages, single calls and sums: opened when first needed, kept open, for several threads."""

import threading
from collections.abc import Collection, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Final

from pyiceberg.catalog import Catalog

from tollbook.archive import pages
from tollbook.archive.by_id import KnownFiles, find_by_id
from tollbook.archive.catalog import open_catalog
from tollbook.archive.engine.engine import Engine
from tollbook.archive.engine.question import Question
from tollbook.archive.known import Begun, load_known_calls
from tollbook.archive.period_sums import ArchivedSums, PeriodsQuestion, sum_periods
from tollbook.archive.rows import ArchivedRow
from tollbook.archive.unbilled import unbilled_calls
from tollbook.config import Settings
from tollbook.errors import ArchiveError, SettingsError
from tollbook.model.call_key import CallKey
from tollbook.model.call_sums import CallSums, GroupKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import KEYED_COLUMNS
from tollbook.model.unbilled import Unbilled, add_up_unbilled
from tollbook.model.wanted_calls import WantedCalls

# Fewer than the API has threads: while storage is slow, the calls that PostgreSQL keeps are still served.
MAX_READERS: Final = 4
WAIT_TIMEOUT_S: Final = 3.0


class Archive:
    """One catalog for all threads of a process; after a failure, the next read opens it again."""

    def __init__(self, settings: Settings, begun: Begun) -> None:
        self._settings = settings
        self._begun = begun
        self._lock = threading.Lock()
        self._readers = threading.BoundedSemaphore(MAX_READERS)
        self._engine = Engine(settings)
        self._open = ExitStack()
        self._catalog: Catalog | None = None
        self._files = KnownFiles()

    def read_page(
        self, selection: Selection, limit: int, excluded: frozenset[CallKey], columns: tuple[str, ...] = KEYED_COLUMNS
    ) -> Sequence[Record]:
        """Read a page of archived calls, for `tollbook.model.tiers.merge_tiers`; raises ArchiveError, ArchiveLost."""
        with self._reader():
            # Loaded for each page: the merge needs an archive that is no older than its snapshot of PostgreSQL.
            table = load_known_calls(self._opened(), self._begun)
            return [] if table is None else pages.read_page(table, selection, limit, excluded, columns)

    def find_by_id(self, wanted: WantedCalls, *, within_s: float) -> dict[CallKey, ArchivedRow]:
        """Find archived calls by their id; raises as `read_page`, and SearchTooLong."""
        with self._reader():
            table = load_known_calls(self._opened(), self._begun)
            return {} if table is None else find_by_id(table, wanted, self._files, within_s=within_s)

    def sum_calls(self, question: Question, excluded: Collection[CallKey]) -> dict[GroupKey, CallSums]:
        """Add up archived calls by group, without those that have a key in `excluded`; raises as `Engine.sum_calls`."""
        return self._engine.sum_calls(lambda: load_known_calls(self._opened(), self._begun), question, excluded)

    def sum_periods(self, question: PeriodsQuestion, *, within_s: float | None = None) -> ArchivedSums:
        """Add up an account's archived calls as `period_sums.sum_periods`; raises as that, EngineBusy and ArchiveLost.

        It takes a turn of the engine, and none of those that read pages.
        """
        with self._engine.turn():
            table = load_known_calls(self._opened(), self._begun)
            return ArchivedSums() if table is None else sum_periods(table, question, within_s=within_s)

    def find_unbilled(self, first_ms: int, end_ms: int, excluded: Collection[CallKey]) -> list[Unbilled]:
        """Add up archived calls without a price; raises as `unbilled.unbilled_calls`, EngineBusy and ArchiveLost.

        It takes a turn as `sum_periods`.
        """
        with self._engine.turn():
            table = load_known_calls(self._opened(), self._begun)
            return [] if table is None else add_up_unbilled(unbilled_calls(table, first_ms, end_ms, excluded))

    def close(self) -> None:
        """Close the catalog's connections, and the engine."""
        self._engine.close()
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
