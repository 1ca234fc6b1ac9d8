"""Issue a statement: freeze it under the next number of its series, once."""

import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from functools import partial

from msgspec.structs import replace as with_fields

from tollbook.archive.period_sums import ArchivedSums
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.errors import Retryable, StoreUnavailable, UsageError
from tollbook.statements.book import HotDraft, StatementSettings, find_issued, read_billing, read_draft
from tollbook.statements.period import GRACE_MS
from tollbook.statements.statement import Issued, Statement, freeze, thaw
from tollbook.statements.unbilled import count_month, unbilled_command
from tollbook.store import history, row_security
from tollbook.store.archive_commits import archive_begun
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.statements import issued
from tollbook.times import written


@contextmanager
def issuing(settings: Settings) -> Generator["Issuer"]:
    """Yield what drafts and issues statements; raises StoreUnavailable, SettingsError and SchemaError."""
    url = settings.require_database_url()
    with (
        # Two, because what is read is of one snapshot, in a transaction that only reads.
        connect(url, name="statement", autocommit=True) as connection,
        connect(url, name="statement", autocommit=True) as reading,
        closing(Archive(settings, partial(archive_begun, url))) as archive,
    ):
        check_schema(connection)
        yield Issuer(settings, connection, reading, archive)


class Issuer:
    """Drafts and issues statements: reads calls on one connection, and writes on another. See `issuing`."""

    def __init__(self, settings: Settings, connection: Connection, reading: Connection, archive: Archive) -> None:
        self._settings = settings
        self._about = StatementSettings.of(settings)
        self._connection, self._reading = connection, reading
        self._archive = archive

    def show(self, account_id: str, month: str) -> Issued:
        """Return the issued statement of a month, or a draft of it; see `read_draft` for what is raised."""
        if (found := find_issued(self._connection, account_id, month)) is not None:
            return found
        hot, draft = self._draft(account_id, month)
        return self._issued_meanwhile(hot, account_id, month) or freeze(draft)

    def list_issued(self, account_id: str) -> list[Issued]:
        """Return all issued statements of an account, the first month first; raises UsageError without an account."""
        found = issued.read_all(self._connection, account_id)
        if not found:
            read_billing(self._connection, account_id)
        return [thaw(row.content, row.sha256) for row in found]

    def issue(self, account_id: str, month: str) -> Issued:
        """Issue the statement of a month, or return it as it was issued.

        Raises UsageError for a month that cannot be issued, Retryable for one that cannot be issued yet, DataError for
        amounts without a currency, IssuedMeanwhile, StoreUnavailable, ArchiveError, ArchiveDamaged and ArchiveLost:
        nothing was issued then.
        """
        if (found := find_issued(self._connection, account_id, month)) is not None:
            return found
        self._refuse_always()
        hot, draft = self._draft(account_id, month)
        return self._freeze(hot, draft)

    def issue_if_any(self, account_id: str, month: str) -> Issued | None:
        """Issue as `issue` does; None: the account has neither a call in the month nor a statement, and needs none."""
        if (found := find_issued(self._connection, account_id, month)) is not None:
            return found
        hot, draft = self._draft(account_id, month)
        if not (hot.months or draft.lines or draft.uncounted):
            return None
        self._refuse_always()
        return self._freeze(hot, draft)

    def unbilled(self, month: str) -> str:
        """Return a sentence on the calls of a month that nobody is billed for, empty if there are none.

        It comes after what was issued, which it must not hide: so it also says why they could not be counted.
        """
        command = unbilled_command(month)
        try:
            counts = count_month(self._reading, self._settings, month)
        except StoreUnavailable as error:
            return f"the calls of {month} that nobody is billed for were not counted: {error}; `{command}` finds them"
        if counts is None:
            return f"the sums of {month} are not built: `{command}` finds the calls that nobody is billed for"
        if not counts.calls:
            return ""
        return f"nobody is billed for {counts.calls} answered calls of {month}: {counts}; `{command}` lists them"

    def _refuse_always(self) -> None:
        """Raise what no statement can be issued for, whatever its account and month."""
        history.refuse_restored(self._connection, self._settings.data_dir)
        if not self._about.issuer.name:
            raise UsageError("a statement names who issues it: set TOLLBOOK_ISSUER_NAME, and …_ADDRESS, …_TAX_ID")

    def _freeze(self, hot: HotDraft, draft: Statement) -> Issued:
        """Write a draft under the next number; raises as `issue`."""
        account_id, month = draft.account_id, draft.month
        if (found := self._issued_meanwhile(hot, account_id, month)) is not None:
            return found
        _refuse(hot, draft)
        series = self._settings.statement_series

        def make(number: int) -> tuple[str, str]:
            now_ms = time.time_ns() // 1_000_000
            frozen = freeze(with_fields(draft, number=f"{series}{number:06}", issued_ts=now_ms))
            return frozen.content.decode(), frozen.sha256

        stored = issued.write(
            self._connection, account_id=account_id, month=month, span=(draft.from_ts, draft.until_ts),
            series=series, after=len(hot.months), make=make,
        )  # fmt: skip
        return thaw(stored.content, stored.sha256)

    def _draft(self, account_id: str, month: str) -> tuple[HotDraft, Statement]:
        now_ms = time.time_ns() // 1_000_000
        with row_security.snapshot(self._reading):
            hot = read_draft(self._reading, self._about, account_id, month, now_ms=now_ms)
        archived = ArchivedSums()
        if (question := hot.archived) is not None:
            archived = self._archive.sum_periods(question)
        return hot, hot.complete(archived)

    def _issued_meanwhile(self, hot: HotDraft, account_id: str, month: str) -> Issued | None:
        """Return the statement if another command has issued it since this one looked for it."""
        return find_issued(self._connection, account_id, month) if month in hot.months else None


def _refuse(hot: HotDraft, draft: Statement) -> None:
    """Raise UsageError for a month that is not due, and Retryable for one that is not over or loses calls just now."""
    if hot.due not in (None, draft.month):
        raise UsageError(
            f"the next statement of {draft.account_id} is that of {hot.due}: issue the months in their order, each once"
        )
    if hot.erasing:
        raise Retryable("calls are being erased: run `tollbook account erase` to its end, then this again")
    due_ms = draft.until_ts + GRACE_MS
    if time.time_ns() // 1_000_000 < due_ms:
        raise Retryable(
            f"{draft.month} can be issued from {written(due_ms)} (UTC) on, a day after its end: some calls come late"
        )
