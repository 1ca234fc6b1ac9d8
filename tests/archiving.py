"""Shared by the tests of the archive: both tiers read in the same form, and the archiver run once."""

from pyiceberg.schema import Schema

from maintenance.archive.batch import parse
from maintenance.archive.commit import BATCH_PROPERTY
from maintenance.archive.data_files import write_files
from maintenance.archive.run import ArchiveReport, archive_calls
from tests.factories import FOR_EVER_MS
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.archive.schema import ARCHIVE_COLUMNS, NAMESPACE, PARTITIONS, PROPERTIES, SCHEMA, TABLE
from tollbook.config import Settings
from tollbook.errors import ArchiveError
from tollbook.model.accounts import Accounts, EveryAccount, OneAccount
from tollbook.model.record import COLUMNS, Record
from tollbook.model.selection import Selection
from tollbook.store import outbox
from tollbook.store.calls.pages import read_page
from tollbook.store.database import Connection
from tollbook.store.outbox import ClaimedBatch
from tollbook.store.outbox_rows import read_csv
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
    """Archive all that waits, and return what the command prints, without the time it took."""
    return str(archive_all(settings)).rpartition(",")[0]


def archive_all(settings: Settings) -> ArchiveReport:
    """Archive all that waits.

    rclone's S3 answers about one upload in a hundred with an Internal Error. Nothing is lost by that: the next run
    continues, here as with the timer.
    """
    try:
        return archive_calls(settings, now=True)
    except ArchiveError as error:
        if "Internal Error" not in str(error):
            raise
        return archive_calls(settings, now=True)


def waiting(connection: Connection) -> int:
    """Return how many rows are in the outbox."""
    return connection.execute("SELECT count(*) FROM archive_outbox").fetchone()[0]


def claim(connection: Connection, limit: int = outbox.BATCH_ROWS) -> ClaimedBatch | None:
    """Claim what waits, of every account, as `archive run --now` does."""
    at = outbox.moment(connection)
    due = outbox.accounts_waiting(connection, at=at, before=at, rows=1, oldest_s=0)
    return outbox.claim(connection, before=at, accounts=[account.account_id for account in due], limit=limit)


def archive_as_before(settings: Settings, connection: Connection, first_missing: str | None = None) -> None:
    """Archive what waits as a version did that kept no digests, and had our columns only up to this one."""
    missing = ARCHIVE_COLUMNS[ARCHIVE_COLUMNS.index(first_missing) :] if first_missing else ()
    columns = [column for column in SCHEMA.fields if column.name not in missing]
    older = Schema(*columns, identifier_field_ids=SCHEMA.identifier_field_ids)
    with open_catalog(settings, writing=True) as catalog:
        catalog.create_namespace_if_not_exists(NAMESPACE)
        table = catalog.create_table_if_not_exists(TABLE, older, partition_spec=PARTITIONS, properties=PROPERTIES)
        while batch := claim(connection):
            rows = parse(read_csv(connection, batch)).rows.drop_columns(list(missing))
            summary = {BATCH_PROPERTY: str(batch.batch_id)}
            with table.transaction() as change, change.update_snapshot(summary).fast_append() as append:
                for written in write_files(table, rows):
                    append.append_data_file(written.file)
            outbox.acknowledge(connection, batch.batch_id)
