"""`archive_outbox`: the rows that are not in the archive yet, claimed in batches.

A row counts as waiting from `since` on: when it arrived, or a day later when its end is an estimate, because
`tollbook recover` may take that long to make it exact (store/calls/call_rows.py).

Claiming, reading and acknowledging are three transactions, so every function needs a connection in autocommit. A batch
is a list of versions of rows: where each stands (ctid), and which transaction wrote it (xmin). So a claim writes to no
row, and any change to a row after its claim takes it out of the batch: a row is read only while it belongs to the
batch, and acknowledged only if it still does. All that changes a row of the outbox has changed the call's revision, or
sets `deleted`, so what falls out of a batch that was written already replaces what the archive has of it.

A table that is written anew (VACUUM FULL, CLUSTER, a dump) has its rows elsewhere. A batch knows of which table it is,
and of another one all rows in its span of time are marked as possibly archived.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, cast
from uuid import UUID, uuid4

from tollbook.store.database import Connection, limit_transaction, store_errors

# How long a row waits before it is archived: late legs arrive within seconds, and replacing costs more than waiting.
GRACE_S = 60.0

# Bounds the memory of a run: about 20 MB of rows, and a few times that while they are sorted and written.
BATCH_ROWS = 50_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimedBatch:
    """A claimed batch: how many outbox rows it holds, and the first and last start_ts among them, epoch ms.

    `last_account`: of the accounts that it has rows of, the last in the order of claims, in which "no account" (None)
    is the very last. Of a batch that `unfinished_batches` found it is not known, and None as well.
    """

    batch_id: UUID
    rows: int
    first_ts: int
    last_ts: int
    last_account: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountWaiting:
    """How many rows of an account wait, and how long the oldest has waited."""

    account_id: str | None
    rows: int
    oldest_s: float


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
                WHERE since > now() AND ctid NOT IN (SELECT unnest(tids) FROM archive_batch) FOR UPDATE SKIP LOCKED
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
            FROM archive_outbox WHERE since <= %(before)s AND ctid NOT IN (SELECT unnest(tids) FROM archive_batch)
            GROUP BY account_id
            HAVING count(*) >= %(rows)s OR min(since) <= %(at)s - make_interval(secs => %(oldest_s)s)
            ORDER BY account_id
            """,
            {"at": at, "before": before, "rows": rows, "oldest_s": oldest_s},
        ).fetchall()
    return [AccountWaiting(account_id=account, rows=count, oldest_s=age) for account, count, age in found]


# Which table the versions of a batch are of: no dump, copy or rewritten table has these numbers.
THIS_OUTBOX: Final[LiteralString] = """
    concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
        (SELECT oid FROM pg_database WHERE datname = current_database()), pg_relation_filenode('archive_outbox'))
"""

# The rows of a batch that nobody has changed since it was claimed. Read in the order in which they stand: each place in
# turn would cost twice as much. Whatever transaction wrote a claimed row had ended by then, so a later version of a row
# in the same place has another xmin than any of them.
UNCHANGED: Final[LiteralString] = """
    waiting.ctid = ANY ((SELECT tids FROM archive_batch WHERE batch_id = %(batch)s)::tid[])
    AND waiting.xmin IN (SELECT unnest(xmins) FROM archive_batch WHERE batch_id = %(batch)s)
"""


def unfinished_batches(connection: Connection) -> list[ClaimedBatch]:
    """List the batches that an archiver claimed and never acknowledged. Call as sole archiver."""
    with store_errors():
        rows = connection.execute(
            "SELECT batch_id, rows, first_ts, last_ts FROM archive_batch ORDER BY claimed_at"
        ).fetchall()
    return [
        ClaimedBatch(batch_id=batch, rows=count, first_ts=first, last_ts=last) for batch, count, first, last in rows
    ]


# What an earlier batch still has of a row that a writer held is left out: the archive has it already.
_CLAIM: Final[LiteralString] = f"""
    INSERT INTO archive_batch (batch_id, rows, first_ts, last_ts, outbox, tids, xmins)
    SELECT %(batch)s, count(*), min(start_ts), max(start_ts), {THIS_OUTBOX}, array_agg(place), array_agg(version)
    FROM (
        SELECT start_ts, ctid AS place, xmin AS version FROM archive_outbox
        WHERE since <= %(before)s AND (account_id = ANY (%(accounts)s) OR (%(none)s AND account_id IS NULL))
          AND ctid NOT IN (SELECT unnest(tids) FROM archive_batch)
        ORDER BY account_id, since LIMIT %(limit)s
    ) AS due
    HAVING count(*) > 0
    RETURNING rows, first_ts, last_ts, (SELECT account_id FROM archive_outbox WHERE ctid = tids[rows])
"""  # noqa: S608 - literals alone


def claim(
    connection: Connection, *, before: dt.datetime, accounts: Sequence[str | None], limit: int = BATCH_ROWS
) -> ClaimedBatch | None:
    """Claim up to `limit` rows of these accounts, due by `before`, under a new batch id; None when there are none.

    Rows are claimed account by account, so that few accounts are split between batches. A claim waits for nobody: a
    row that the listener is changing is claimed as it is, and falls out of the batch with the change. Call as sole
    archiver, after the unfinished batches.
    """
    batch_id = uuid4()
    values = {
        "before": before,
        "accounts": [account for account in accounts if account is not None],
        "none": None in accounts,
        "limit": limit,
        "batch": batch_id,
    }
    with store_errors():
        row = connection.execute(_CLAIM, values).fetchone()
    if row is None:
        return None
    rows, first_ts, last_ts, last_account = row
    return ClaimedBatch(batch_id=batch_id, rows=rows, first_ts=first_ts, last_ts=last_ts, last_account=last_account)


_REMOVE: Final[LiteralString] = f"""
    DELETE FROM archive_outbox WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM archive_outbox AS waiting WHERE {UNCHANGED} FOR UPDATE SKIP LOCKED
    ))
"""  # noqa: S608 - literals alone

_KEEP_REST: Final[LiteralString] = f"""
    UPDATE archive_batch SET rows = cardinality(places), tids = places, xmins = versions
    FROM (
        SELECT array_agg(ctid) AS places, array_agg(xmin) AS versions
        FROM archive_outbox AS waiting WHERE {UNCHANGED}
    ) AS rest
    WHERE batch_id = %(batch)s AND places IS NOT NULL
"""  # noqa: S608 - literals alone


def acknowledge(connection: Connection, batch_id: UUID) -> int:
    """Remove an archived batch from the outbox, except rows that changed meanwhile; return how many were removed.

    A row that the listener has locked stays: either its change takes it out of the batch, or the next run finds the
    batch again and acknowledges the rest.
    """
    values = {"batch": batch_id}
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        # What the DELETE takes anyway. Between the comparison and the DELETE nobody may write the table anew.
        connection.execute("LOCK TABLE archive_outbox IN ROW EXCLUSIVE MODE")
        row = connection.execute(
            f"SELECT rows, outbox = {THIS_OUTBOX}, first_ts, last_ts FROM archive_batch WHERE batch_id = %(batch)s",  # noqa: S608 - literals alone
            values,
        ).fetchone()
        if row is None:
            return 0
        rows, ours, first, last = cast("tuple[int, bool, int, int]", row)
        removed = connection.execute(_REMOVE, values).rowcount if ours else 0
        if not ours:
            query = "UPDATE archive_outbox SET deleted = true WHERE start_ts BETWEEN %s AND %s"
            connection.execute(query, (first, last))
        if removed == rows or not ours or not connection.execute(_KEEP_REST, values).rowcount:
            connection.execute("DELETE FROM archive_batch WHERE batch_id = %(batch)s", values)
    return removed


def mark_unverified(connection: Connection, before_ms: int) -> None:
    """Mark what began before a time as possibly archived already, under any account: it replaces and never duplicates.

    That holds for the rows that wait, claimed ones included, and for those that come later. For an archive that is
    attached to a database that may know less than the archive does. Call outside a transaction.
    """
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        connection.execute("UPDATE hot_window SET unverified_before = greatest(unverified_before, %s)", (before_ms,))
        connection.execute("UPDATE archive_outbox SET deleted = true")


def count_stored(connection: Connection, account_id: str | None, *, first_ms: int, last_ms: int) -> int:
    """Count the calls that started from `first_ms` to `last_ms` and may be archived under an account.

    They are its complete calls that do not wait, and of those that wait the ones that have been archived before, under
    any account that they have had. One that waits for the first time is not there, however often it was corrected.
    """
    with store_errors():
        row = connection.execute(
            """
            SELECT count(*) FROM (
                SELECT FROM call_cdr AS call
                WHERE account_id IS NOT DISTINCT FROM %(account)s::text AND end_ts IS NOT NULL
                  AND start_ts BETWEEN %(first)s AND %(last)s
                  AND NOT EXISTS (
                      SELECT FROM archive_outbox AS waiting
                      WHERE (waiting.start_ts, waiting.call_id, waiting.switch)
                          = (call.start_ts, call.call_id, call.switch)
                  )
                UNION ALL
                SELECT FROM archive_outbox AS waiting
                LEFT JOIN call_cdr AS call
                    ON (call.start_ts, call.call_id, call.switch) = (waiting.start_ts, waiting.call_id, waiting.switch)
                    AND call.start_ts BETWEEN %(first)s AND %(last)s
                WHERE waiting.start_ts BETWEEN %(first)s AND %(last)s AND waiting.archived
                  AND (
                      waiting.account_id IS NOT DISTINCT FROM %(account)s::text
                      OR array_position(call.prior_accounts, %(account)s::text) IS NOT NULL
                  )
            ) AS archived
            """,
            {"account": account_id, "first": first_ms, "last": last_ms},
        ).fetchone()
    return row[0] if row else 0
