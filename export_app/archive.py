"""The API's access to the archive, shared out between accounts."""

from collections.abc import Sequence
from functools import partial
from threading import Semaphore
from typing import Final

from export_app.outages import Outages
from export_app.share import Share
from export_app.web.errors import ApiError
from tollbook.archive.by_id import SearchTooLong
from tollbook.archive.engine.question import Question
from tollbook.archive.period_sums import ArchivedSums, PeriodsQuestion
from tollbook.archive.reader import Archive
from tollbook.archive.rows import ArchivedRow
from tollbook.config import Settings
from tollbook.model.accounts import OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.call_sums import CallSums, GroupKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.model.wanted_calls import WantedCalls
from tollbook.store.archive_commits import archive_begun

# Half of those that `tollbook.archive.reader` lets read at once.
ACCOUNT_READERS: Final = 2
# How long a call may be looked for in files that the index of ids lacks yet.
SEARCH_S: Final = 10.0
# A sum over archived calls takes seconds. With the default of TOLLBOOK_ENGINE_QUESTIONS, another account finds a place.
ACCOUNT_SUMS: Final = 1
# How long the draft of a statement may add up archived calls: some 15 million, on a quiet machine.
STATEMENT_S: Final = 10.0


class SharedArchive:
    """The archive, of which no account may use more than its share."""

    def __init__(self, settings: Settings, room: Semaphore, outages: Outages) -> None:
        self._archive = Archive(settings, partial(archive_begun, settings.require_database_url()))
        self._outages = outages
        self._share = Share("archived_calls", "archived calls", ACCOUNT_READERS, room)
        self._sum_share = Share("archived_sums", "sums of archived calls", ACCOUNT_SUMS, room)

    @property
    def shares(self) -> tuple[Share, ...]:
        """Return the shares of each kind of work."""
        return (self._share, self._sum_share)

    def read_page(
        self, selection: Selection, limit: int, excluded: frozenset[CallKey], columns: tuple[str, ...]
    ) -> Sequence[Record]:
        """Read a page as `Archive.read_page` does; raises ApiError when the share is used up, and ArchiveError."""
        with self._share.taken(selection.accounts):
            page = self._archive.read_page(selection, limit, excluded, columns)
        self._outages.archive_answers()
        return page

    def find_by_id(self, wanted: WantedCalls) -> dict[CallKey, ArchivedRow]:
        """Find calls as `Archive.find_by_id` does; raises as `read_page`, and ApiError when the time is used up."""
        with self._share.taken(wanted.accounts):
            try:
                found = self._archive.find_by_id(wanted, within_s=SEARCH_S)
            except SearchTooLong:
                raise ApiError(
                    422,
                    "search_too_long",
                    "so many archived calls are not in the index of call ids yet that this one was not found in time:"
                    " send its start_ts with it, or ask the operator to run `tollbook archive compact`, as each night",
                ) from None
        self._outages.archive_answers()
        return found

    def sum_calls(self, question: Question, excluded: frozenset[CallKey]) -> dict[GroupKey, CallSums]:
        """Add up calls as `Archive.sum_calls` does; raises ApiError when the share is used up, and as that does."""
        with self._sum_share.taken(question.selection.accounts):
            sums = self._archive.sum_calls(question, excluded)
        self._outages.archive_answers()
        self._outages.engine_answers()
        return sums

    def sum_periods(self, account: OneAccount, question: PeriodsQuestion) -> ArchivedSums:
        """Add up an account's calls as `Archive.sum_periods` does, within STATEMENT_S; raises as `sum_calls`."""
        with self._sum_share.taken(account):
            sums = self._archive.sum_periods(question, within_s=STATEMENT_S)
        self._outages.archive_answers()
        return sums

    def close(self) -> None:
        """Close the catalog's connections, and the engine."""
        self._archive.close()
