"""`tollbook archive run`: from the outbox into the archive, batch by batch.

Claim, commit, acknowledge. The next run repairs a kill between any two of these steps: it looks in the archive for a
batch that is still claimed, acknowledges it if it is there, and writes it if it is not.
"""

import datetime as dt
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pyiceberg.catalog import Catalog

from maintenance.archive.batch import parse
from maintenance.archive.commit import Committed, commit, holds
from maintenance.archive.due import COMPANY_AGE_S, FLUSH_ROWS, due
from maintenance.archive.guard import load_checked
from maintenance.archive.table import ensure_table
from maintenance.progress import Progress, no_progress
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.log import log_line
from tollbook.store import outbox
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.history import recognise, remember
from tollbook.store.outbox import AccountWaiting, ClaimedBatch
from tollbook.store.outbox_rows import read_csv
from tollbook.store.tariffs import price_history

_log = logging.getLogger("tollbook.archive")


@dataclass(frozen=True, kw_only=True)
class ArchiveReport:
    """What a run did. `repaired`: batches that an earlier run had written and not acknowledged."""

    committed: Committed
    repaired: int
    seconds: float

    def __str__(self) -> str:
        """Return it as one line."""
        done = self.committed
        repaired = f", {self.repaired} batches found written by an earlier run" if self.repaired else ""
        return (
            f"archived: {done.appended} rows appended, {done.replaced} replaced, {done.deleted} deleted,"
            f" {done.files} files{repaired}, {self.seconds:.1f} s"
        )


def archive_calls(
    settings: Settings, *, now: bool = False, at: dt.datetime | None = None, progress: Progress = no_progress
) -> ArchiveReport:
    """Archive the accounts that are due (`due.py`); with `now`, every row that waits, also those with estimated ends.

    `at`: the time of the run, the database's if None. `progress`: rows archived, and rows that are due. Raises
    StoreUnavailable, ArchiveError or SettingsError; what was done until then stays done.
    """
    begun = time.monotonic()
    url = settings.require_database_url()
    with connect(url, name="archive", autocommit=True) as connection:
        check_schema(connection)
        if (found := recognise(connection, settings.data_dir)) is not None:
            log_line(_log, logging.WARNING, str(found))
        remember(connection, settings.data_dir)
        with sole_archiver(url, name="archive"):
            if now:
                outbox.settle(connection)
            at = at or outbox.moment(connection)
            before = at if now else at - dt.timedelta(seconds=outbox.GRACE_S)
            accounts = _due_accounts(connection, at, before, everything=now)
            unfinished = outbox.unfinished_batches(connection)
            committed, repaired = Committed(), 0
            if unfinished or accounts:  # most runs have neither, and send no request to the storage
                with open_catalog(settings, writing=True) as catalog:
                    committed, repaired = _archive(connection, catalog, unfinished, accounts, before, progress)
            elif found is not None:
                with open_catalog(settings) as catalog:
                    load_checked(connection, catalog)  # what refuses a run that has work refuses this one
    return ArchiveReport(committed=committed, repaired=repaired, seconds=time.monotonic() - begun)


def _due_accounts(
    connection: Connection, at: dt.datetime, before: dt.datetime, *, everything: bool
) -> Sequence[AccountWaiting]:
    if everything:
        return outbox.accounts_waiting(connection, at=at, before=before, rows=1, oldest_s=0)
    return due(outbox.accounts_waiting(connection, at=at, before=before, rows=FLUSH_ROWS, oldest_s=COMPANY_AGE_S))


def _archive(
    connection: Connection,
    catalog: Catalog,
    unfinished: list[ClaimedBatch],
    accounts: Sequence[AccountWaiting],
    before: dt.datetime,
    progress: Progress,
) -> tuple[Committed, int]:
    committed, repaired, rows = Committed(), 0, 0
    total = sum(account.rows for account in accounts) + sum(batch.rows for batch in unfinished)
    for batch in batches(connection, unfinished, [account.account_id for account in accounts], before):
        written = finish_batch(connection, catalog, batch)
        if written is None:
            repaired += 1
        else:
            committed += written
        rows += batch.rows
        progress(rows, total)
    return committed, repaired


def batches(
    connection: Connection,
    unfinished: list[ClaimedBatch],
    accounts: list[str | None],
    before: dt.datetime,
    *,
    most: int = outbox.BATCH_ROWS,
) -> Iterator[ClaimedBatch]:
    """Yield the unfinished batches, and then what is due of these accounts, claimed `most` rows at a time.

    `accounts` in their order, None last. Each batch is claimed once the one before it was dealt with. Raises
    StoreUnavailable.
    """
    yield from unfinished
    rest = accounts
    while (batch := outbox.claim(connection, before=before, accounts=rest, limit=most)) or rest is not accounts:
        if batch is None:  # but for what fell out of its batch, when the table was written anew
            rest = accounts
            continue
        yield batch
        # Nothing is due of the accounts before its last. What they had stays in the index until the next vacuum, and
        # each claim would pass by all of it.
        rest = rest[rest.index(batch.last_account) :]


def finish_batch(connection: Connection, catalog: Catalog, batch: ClaimedBatch) -> Committed | None:
    """Write a claimed batch into the archive and take it out of the outbox; return None if the archive has it already.

    Raises as `archive_calls`.
    """
    table = ensure_table(catalog, connection)
    written = (
        None
        if holds(table, batch.batch_id)
        else commit(
            table,
            batch.batch_id,
            parse(read_csv(connection, batch)),
            keep_prices=lambda prices: price_history.keep_archived(connection, prices),
        )
    )
    outbox.acknowledge(connection, batch.batch_id)
    return written
