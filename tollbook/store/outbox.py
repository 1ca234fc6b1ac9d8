"""`archive_outbox`: the rows that are not in the archive yet, claimed in batches.

A row counts as waiting from `since` on: when it arrived, or a day later when its end is an estimate, because
`tollbook recover` may take that long to make it exact (store/calls/call_rows.py).

Claiming, reading and acknowledging are three transactions, so every function needs a connection in autocommit. Any
change to a row after its claim takes it out of the batch (store/calls/call_rows.py sets batch_id to NULL): a row is
read only while it belongs to the batch, and acknowledged only if it still does.
"""

import datetime as dt
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, LiteralString, cast
from uuid import UUID, uuid4

from psycopg import Error
from psycopg.errors import LockNotAvailable

from tollbook.errors import ArchiveError
from tollbook.model.call_key import CallKey
from tollbook.model.record import COLUMNS
from tollbook.store.database import Connection, TimeLimits, connect, limit_transaction, store_errors
from tollbook.store.locks import ARCHIVE_LOCK

# How long a row waits before it is archived: late legs arrive within seconds, and replacing costs more than waiting.
GRACE_S = 60.0

# Bounds the memory of a run: about 20 MB of rows, and a few times that while they are sorted and written.
BATCH_ROWS = 50_000

# A compaction releases the lock after each commit, and a commit takes less than this.
LOCK_WAIT_S = 120.0

# What `read_csv` returns: the row as it is now, whether the row is gone, and what the archiver must know about the
# versions it archived before. `prior_accounts` is a JSON array, with null for "no account".
_ROW_COLUMNS: Final[tuple[LiteralString, ...]] = (*COLUMNS, "parts", "revision", "switch", "estimated", "currency")
OUTBOX_COLUMNS: Final = (*_ROW_COLUMNS, "gone", "deleted", "prior_accounts")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedBatch:
    """A claimed batch: how many outbox rows it holds, and the first and last start_ts among them, epoch ms."""

    batch_id: UUID
    rows: int
    first_ts: int
    last_ts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountWaiting:
    """How many rows of an account wait, and how long the oldest has waited."""

    account_id: str | None
    rows: int
    oldest_s: float


@contextmanager
def sole_archiver(url: str, *, name: str, wait_s: float = LOCK_WAIT_S) -> Generator[Callable[[], None]]:
    """Hold the lock that lets one command at a time write the archive; yield a check that it is still held.

    It belongs to a transaction on a connection of its own, because behind PgBouncer nothing else lasts for longer than
    a statement. That transaction reads nothing, and so keeps nothing from being vacuumed; when an archiver is killed,
    it ends. The check raises ArchiveError when it has ended by itself. Raises ArchiveError when another command has the
    lock, and StoreUnavailable.
    """
    unlimited = TimeLimits(statement_s=0, lock_s=wait_s, pause_s=0, transaction_s=0)
    lock = connect(url, name=name, limits=unlimited)
    try:
        with store_errors():
            limit_transaction(lock)
            try:
                lock.execute("SELECT pg_advisory_xact_lock(%s)", (ARCHIVE_LOCK,))
            except LockNotAvailable:
                raise ArchiveError(
                    f"another command is writing the archive and did not finish within {wait_s:.0f} s:"
                    " nothing is lost, the next run takes what waits; try again later"
                ) from None

        def check() -> None:
            try:
                lock.execute("SELECT")
            except Error as error:
                raise ArchiveError(
                    f"the connection that kept other commands from writing the archive was closed: {error}; nothing is"
                    " lost, try again; a pooler must not close idle transactions (PgBouncer's idle_transaction_timeout)"
                ) from error

        yield check
    finally:
        with suppress(Error):
            lock.rollback()  # before it is closed, so that the lock is free when this returns
        lock.close()


def moment(connection: Connection) -> dt.datetime:
    """Return the database's time. A run uses one time throughout; otherwise a run under load would never end."""
    with store_errors():
        row = connection.execute("SELECT now()").fetchone()
    return cast("tuple[dt.datetime]", row)[0]


def settle(connection: Connection) -> None:
    """Make the rows with estimated ends due now, without waiting for `tollbook recover`."""
    with store_errors():
        connection.execute(
            """
            UPDATE archive_outbox AS waiting SET since = now() FROM (
                SELECT start_ts, call_id, switch FROM archive_outbox
                WHERE batch_id IS NULL AND since > now() FOR UPDATE SKIP LOCKED
            ) AS held
            WHERE (waiting.start_ts, waiting.call_id, waiting.switch) = (held.start_ts, held.call_id, held.switch)
            """
        )


def accounts_waiting(
    connection: Connection, *, at: dt.datetime, before: dt.datetime, rows: int, oldest_s: float
) -> list[AccountWaiting]:
    """List the accounts with at least `rows` rows waiting, or one that at the time `at` has waited `oldest_s`.

    Rows that arrived after `before` do not count. Reads only the index archive_outbox_account.
    """
    with store_errors():
        found = connection.execute(
            """
            SELECT account_id, count(*), extract(epoch FROM %(at)s - min(since))::float8
            FROM archive_outbox WHERE batch_id IS NULL AND since <= %(before)s
            GROUP BY account_id
            HAVING count(*) >= %(rows)s OR min(since) <= %(at)s - make_interval(secs => %(oldest_s)s)
            ORDER BY account_id
            """,
            {"at": at, "before": before, "rows": rows, "oldest_s": oldest_s},
        ).fetchall()
    return [AccountWaiting(account_id=account, rows=count, oldest_s=age) for account, count, age in found]


def unfinished_batches(connection: Connection) -> list[ClaimedBatch]:
    """List the batches that an archiver claimed and never acknowledged. Call as sole archiver."""
    with store_errors():
        rows = connection.execute(
            """
            SELECT batch_id, count(*), min(start_ts), max(start_ts)
            FROM archive_outbox WHERE batch_id IS NOT NULL GROUP BY batch_id ORDER BY min(since)
            """
        ).fetchall()
    return [
        ClaimedBatch(batch_id=batch, rows=count, first_ts=first, last_ts=last) for batch, count, first, last in rows
    ]


def claim(
    connection: Connection, *, before: dt.datetime, accounts: Sequence[str | None], limit: int = BATCH_ROWS
) -> ClaimedBatch | None:
    """Claim up to `limit` rows of these accounts, due by `before`, under a new batch id; None when there are none.

    Rows are claimed account by account, so that few accounts are split between batches. Rows that a batch of the
    listener has locked are left for later: waiting for them could deadlock.
    """
    batch_id = uuid4()
    with store_errors():
        row = connection.execute(
            """
            WITH due AS MATERIALIZED (
                SELECT start_ts, call_id, switch FROM archive_outbox
                WHERE batch_id IS NULL AND since <= %(before)s
                  AND (account_id = ANY (%(accounts)s) OR (%(none)s AND account_id IS NULL))
                ORDER BY account_id, since LIMIT %(limit)s FOR UPDATE SKIP LOCKED
            ), claimed AS (
                UPDATE archive_outbox AS waiting SET batch_id = %(batch)s FROM due
                WHERE (waiting.start_ts, waiting.call_id, waiting.switch) = (due.start_ts, due.call_id, due.switch)
                RETURNING waiting.start_ts
            )
            SELECT count(*), min(start_ts), max(start_ts) FROM claimed
            """,
            {
                "before": before,
                "accounts": [account for account in accounts if account is not None],
                "none": None in accounts,
                "limit": limit,
                "batch": batch_id,
            },
        ).fetchone()
    rows, first, last = cast("tuple[int, int, int]", row)
    return ClaimedBatch(batch_id=batch_id, rows=rows, first_ts=first, last_ts=last) if rows else None


# The bounds on call_cdr.start_ts reach the server as literals (COPY takes no parameters, so psycopg inserts the
# values), and the planner skips every partition outside the batch's days.
_READ: Final[LiteralString] = f"""
    COPY (
        SELECT {", ".join(f"{'waiting' if name in CallKey._fields else 'call'}.{name}" for name in _ROW_COLUMNS)},
               call.call_id IS NULL, waiting.deleted, to_json(call.prior_accounts)
        FROM archive_outbox AS waiting
        LEFT JOIN call_cdr AS call
            ON (call.start_ts, call.call_id, call.switch) = (waiting.start_ts, waiting.call_id, waiting.switch)
            AND call.start_ts BETWEEN %(first)s AND %(last)s
        WHERE waiting.batch_id = %(batch)s
    ) TO STDOUT (FORMAT csv)
"""  # noqa: S608 - built only from our own names, as LiteralString proves


def read_csv(connection: Connection, batch: ClaimedBatch) -> bytes:
    """Read the rows of a batch as they are now, as CSV with OUTBOX_COLUMNS, in any order.

    A quoted "" is an empty text, an empty field NULL. CSV, because Arrow columns are built from it in a tenth of the
    time that Python objects take. A row that is no longer in call_cdr has `gone` true and only its key; one that was
    deleted since it was last acknowledged has `deleted` true, even when it was written again.
    """
    values = {"first": batch.first_ts, "last": batch.last_ts, "batch": batch.batch_id}
    with store_errors(), connection.cursor() as cursor, cursor.copy(_READ, values) as copy:
        return b"".join(copy)


def acknowledge(connection: Connection, batch_id: UUID) -> int:
    """Remove an archived batch from the outbox, except rows that changed meanwhile; return how many were removed.

    A row that the listener has locked stays: either its change takes it out of the batch, or the next run finds the
    batch again and acknowledges the rest.
    """
    with store_errors():
        return connection.execute(
            """
            DELETE FROM archive_outbox AS done USING (
                SELECT start_ts, call_id, switch FROM archive_outbox WHERE batch_id = %s FOR UPDATE SKIP LOCKED
            ) AS free
            WHERE (done.start_ts, done.call_id, done.switch) = (free.start_ts, free.call_id, free.switch)
            """,
            (batch_id,),
        ).rowcount


def mark_unverified(connection: Connection) -> int:
    """Mark the waiting rows as possibly archived already, under any account, so that they replace and never duplicate.

    For an archive that was attached to a database that knows less than the archive does. Returns the number of rows.
    """
    with store_errors():
        return connection.execute("UPDATE archive_outbox SET deleted = true WHERE batch_id IS NULL").rowcount
