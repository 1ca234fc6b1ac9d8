"""What waits when an erasure begins: legs on disk, which keep it from beginning, and rows, which it archives."""

from collections.abc import Callable

from pyiceberg.catalog import Catalog

from maintenance.archive.run import finish_batch
from maintenance.erase.scope import Scope
from maintenance.progress import Progress
from tollbook.config import Settings
from tollbook.errors import Retryable
from tollbook.spool_files import segments, spool_folders
from tollbook.store import outbox
from tollbook.store.database import Connection


def refuse_waiting_legs(settings: Settings) -> None:
    """Raise Retryable while legs wait on disk: they are calls that nobody has seen yet."""
    for folder in spool_folders(settings.data_dir):
        if segments(folder):
            raise Retryable(
                f"legs wait for PostgreSQL in {folder}: let the listener write them, then run this again"
                " (`tollbook spool list` shows them)"
            )


def archive_waiting(
    connection: Connection, catalog: Catalog, scope: Scope, check_alone: Callable[[], None], progress: Progress
) -> None:
    """Archive what waits for the archive, of the scope's account or of all. Call as the sole archiver."""
    for batch in outbox.unfinished_batches(connection):
        check_alone()
        finish_batch(connection, catalog, batch)
    outbox.settle(connection)
    at = outbox.moment(connection)
    accounts = [
        account
        for account in outbox.accounts_waiting(connection, at=at, before=at, rows=1, oldest_s=0)
        if scope.account_id in (None, account.account_id)
    ]
    names, rows = [account.account_id for account in accounts], 0
    total = sum(account.rows for account in accounts)
    while names and (batch := outbox.claim(connection, before=at, accounts=names)):
        check_alone()
        finish_batch(connection, catalog, batch)
        rows += batch.rows
        progress(rows, total)
