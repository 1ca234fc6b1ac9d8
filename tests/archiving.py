"""Shared by the tests of the archive: both tiers read in the same form, and the archiver run once."""

from maintenance.archive.run import archive_calls
from tests.factories import FOR_EVER_MS
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.record import COLUMNS, Record
from tollbook.model.selection import Selection
from tollbook.store import outbox
from tollbook.store.calls.pages import read_page
from tollbook.store.database import Connection
from tollbook.store.outbox import ClaimedBatch
from tollbook.times import MS_PER_DAY

MONTH = 31 * MS_PER_DAY


def stored(connection: Connection, account: str | None = None) -> list[Record]:
    """All that PostgreSQL holds, newest first, of an account or of all."""
    selection = Selection(accounts=_accounts(account), since=0, until=FOR_EVER_MS)
    return read_page(connection, selection, COLUMNS, 1_000_000)


def archived(
    settings: Settings, account: str | None = None, *, limit: int | None = None, **selected: object
) -> list[Record]:
    """All that the archive holds, in the same form."""
    selection = Selection(**{"accounts": _accounts(account), "since": 0, "until": FOR_EVER_MS, **selected})
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        return list(read_all(table, selection, limit=limit))


def _accounts(account: str | None) -> Accounts:
    return EveryAccount() if account is None else OneAccount(account)


def archive_now(settings: Settings) -> str:
    """Archive all that waits, and return what the command prints, without the time it took.

    rclone's S3 answers about one upload in a hundred with an Internal Error. Nothing is lost by that: the next run
    continues, here as with the timer.
    """
    try:
        done = archive_calls(settings, now=True)
    except ArchiveError as error:
        if "Internal Error" not in str(error):
            raise
        done = archive_calls(settings, now=True)
    return str(done).rpartition(",")[0]


def waiting(connection: Connection) -> int:
    """Return how many rows are in the outbox."""
    return connection.execute("SELECT count(*) FROM archive_outbox").fetchone()[0]


def claim(connection: Connection, limit: int = outbox.BATCH_ROWS) -> ClaimedBatch | None:
    """Claim what waits, of every account, as `archive run --now` does."""
    at = outbox.moment(connection)
    due = outbox.accounts_waiting(connection, at=at, before=at, rows=1, oldest_s=0)
    return outbox.claim(connection, before=at, accounts=[account.account_id for account in due], limit=limit)
