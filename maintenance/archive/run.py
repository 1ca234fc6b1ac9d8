"""`tollbook archive run`: from the outbox into the archive, batch by batch.

Claim, commit, acknowledge. A kill between any two of them is repaired by the next run: a batch that was claimed is
looked for in the archive, and acknowledged when it is there, written when it is not.
"""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pyiceberg.catalog import Catalog

from maintenance.archive.batch import parse
from maintenance.archive.commit import Committed, commit, holds
from maintenance.archive.due import COMPANY_AGE_S, FLUSH_ROWS, due
from maintenance.archive.table import ensure_table
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.store import outbox
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.outbox import AccountWaiting, Batch


@dataclass(frozen=True, kw_only=True)
class ArchiveReport:
    """What a run did. `found`: batches that an earlier run had written and not acknowledged."""

    done: Committed
    found: int
    seconds: float

    def __str__(self) -> str:
        """Say it in one line."""
        repaired = f", {self.found} batches found written by an earlier run" if self.found else ""
        return (
            f"archived: {self.done.appended} rows appended, {self.done.replaced} replaced, {self.done.deleted} deleted,"
            f" {self.done.files} files{repaired}, {self.seconds:.1f} s"
        )


def run(
    settings: Settings,
    *,
    now: bool = False,
    at: dt.datetime | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ArchiveReport:
    """Archive the accounts that are due (`due.py`); with `now` every row that waits, estimated ends too.

    `at`: the moment that the run takes for the present, unless the database's. `progress` is told rows done and rows
    due. Raises StoreUnavailable, ArchiveError or SettingsError; what was done until then stays done.
    """
    begun = time.monotonic()
    with connect(settings.require_database_url(), name="archive", autocommit=True) as connection:
        check_schema(connection)
        with outbox.sole_archiver(connection):
            if now:
                outbox.settle(connection)
            present = at or outbox.moment(connection)
            before = present if now else present - dt.timedelta(seconds=outbox.GRACE_S)
            accounts = _due(connection, present, before, everything=now)
            left = outbox.left_behind(connection)
            done, found = Committed(), 0
            if left or accounts:  # most runs end here, and ask no storage for anything
                with open_catalog(settings, writing=True) as catalog:
                    done, found = _run(connection, catalog, left, accounts, before, progress)
    return ArchiveReport(done=done, found=found, seconds=time.monotonic() - begun)


def _due(connection: Connection, at: dt.datetime, before: dt.datetime, *, everything: bool) -> Sequence[AccountWaiting]:
    if everything:
        return outbox.accounts_waiting(connection, at=at, before=before, rows=1, oldest_s=0)
    return due(outbox.accounts_waiting(connection, at=at, before=before, rows=FLUSH_ROWS, oldest_s=COMPANY_AGE_S))


def _run(
    connection: Connection,
    catalog: Catalog,
    left: list[Batch],
    due_accounts: Sequence[AccountWaiting],
    before: dt.datetime,
    progress: Callable[[int, int], None] | None,
) -> tuple[Committed, int]:
    done, found, rows = Committed(), 0, 0
    accounts = [one.account_id for one in due_accounts]
    total = sum(one.rows for one in due_accounts) + sum(batch.rows for batch in left)
    while batch := left.pop(0) if left else outbox.claim(connection, before=before, accounts=accounts):
        written = finish(connection, catalog, batch)
        done, found, rows = done + (written or Committed()), found + (written is None), rows + batch.rows
        if progress:
            progress(rows, total)
    return done, found


def finish(connection: Connection, catalog: Catalog, batch: Batch) -> Committed | None:
    """Bring a claimed batch into the archive and out of the outbox; None when the archive held it already."""
    table = ensure_table(catalog)
    written = (
        None
        if holds(table, batch.batch_id)
        else commit(table, batch.batch_id, parse(outbox.read_csv(connection, batch)))
    )
    outbox.acknowledge(connection, batch.batch_id)
    return written
