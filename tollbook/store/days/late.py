"""What remains of pruned days: late rows and their legs, until they are archived and unchanged for a whole window.

A call from before the window whose row and legs are gone is frozen: some of its legs must not replace the whole call.
"""

from collections.abc import Collection
from itertools import starmap
from typing import LiteralString, cast

from psycopg import sql

from tollbook.model.call_key import CallKey
from tollbook.store.arrays import key_arrays
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.partitions import CALLS, partition_name
from tollbook.store.days.sync_window import NEWEST_CHANGE, lose_changes
from tollbook.store.locks import LEG_LOCK

_FIRST = CallKey(-(2**63), "", "")


def hold_legs(connection: Connection) -> None:
    """Keep prune from dropping legs until this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (LEG_LOCK,))


def present(connection: Connection, keys: Collection[CallKey]) -> set[CallKey]:
    """Return those of the keys that have a row, late or not."""
    rows = connection.execute(
        "SELECT start_ts, call_id, switch FROM call_cdr WHERE (start_ts, call_id, switch) IN"
        " (SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]))",
        key_arrays(keys),
    ).fetchall()
    return set(starmap(CallKey, rows))


def settled(connection: Connection, *, limit: int, after: CallKey | None = None) -> list[CallKey]:
    """List the keys of up to `limit` late rows that are archived and have not changed within the window.

    Oldest first, starting after the key `after`.
    """
    with store_errors():
        rows = connection.execute(
            "SELECT start_ts, call_id, switch FROM call_cdr_late AS call"
            " WHERE end_ts IS NOT NULL AND updated_ts < (SELECT window_start FROM hot_window)"
            " AND NOT EXISTS (SELECT FROM archive_outbox AS waiting"
            "  WHERE (waiting.start_ts, waiting.call_id, waiting.switch) = (call.start_ts, call.call_id, call.switch))"
            " AND (start_ts, call_id, switch) > (%s, %s, %s) ORDER BY start_ts, call_id, switch LIMIT %s",
            (*(after or _FIRST), limit),
        ).fetchall()
    return list(starmap(CallKey, rows))


def delete(connection: Connection, keys: Collection[CallKey]) -> int:
    """Delete late rows with their legs, unless they changed or wait for the archive again; return how many."""
    if not keys:
        return 0
    with store_errors(), connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LEG_LOCK,))
        row = connection.execute(
            f"""
            WITH gone AS (
                DELETE FROM call_cdr_late AS call
                USING unnest(%s::bigint[], %s::text[], %s::text[]) AS wanted (start_ts, call_id, switch)
                WHERE (call.start_ts, call.call_id, call.switch) = (wanted.start_ts, wanted.call_id, wanted.switch)
                  AND end_ts IS NOT NULL AND updated_ts < (SELECT window_start FROM hot_window)
                  AND NOT EXISTS (
                      SELECT FROM archive_outbox AS waiting
                      WHERE (waiting.start_ts, waiting.call_id, waiting.switch)
                          = (call.start_ts, call.call_id, call.switch)
                  )
                RETURNING call.start_ts, call.call_id, call.switch, call.changed, call.updated_ts
            ), legs AS (
                DELETE FROM call_leg_late AS leg USING gone
                WHERE (leg.call_start_ts, leg.call_id, leg.switch) = (gone.start_ts, gone.call_id, gone.switch)
            )
            SELECT count(*), {NEWEST_CHANGE} FROM gone
            """,  # noqa: S608 - literals alone
            key_arrays(keys),
        ).fetchone()
        deleted, changed, updated_ms = cast("tuple[int, str | None, int | None]", row)
        lose_changes(connection, changed, updated_ms)
    return deleted


# `deleted`: the archive may hold the call under any account, whatever its revision, so the archiver must look for it.
_AGAIN: LiteralString = """
    INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, deleted, archived)
    SELECT start_ts, call_id, switch, account_id, true, true FROM {table} WHERE end_ts IS NOT NULL AND {chosen}
    ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET since = now(), deleted = true
"""


def requeue(connection: Connection, keys: Collection[CallKey], *, day: int | None = None) -> int:
    """Put complete rows into the outbox, to replace whatever the archive holds of them; return how many.

    Late rows, or those of a day that still has its partition.
    """
    if not keys:
        return 0
    query = sql.SQL(_AGAIN).format(
        table=sql.Identifier("call_cdr_late" if day is None else partition_name(CALLS.table, day)),
        chosen=sql.SQL("(start_ts, call_id, switch) IN (SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[]))"),
    )
    with store_errors():
        return connection.execute(query, key_arrays(keys)).rowcount


def requeue_day(connection: Connection, day: int, accounts: Collection[str | None]) -> int:
    """Put these accounts' complete calls of a day that still has its partition into the outbox, like `requeue`."""
    query = sql.SQL(_AGAIN).format(
        table=sql.Identifier(partition_name(CALLS.table, day)),
        chosen=sql.SQL("(account_id = ANY (%s) OR (account_id IS NULL AND %s))"),
    )
    with store_errors():
        return connection.execute(
            query, ([account for account in accounts if account is not None], None in accounts)
        ).rowcount


def count(connection: Connection) -> tuple[int, int]:
    """Count the late rows, and how many of them are still open."""
    with store_errors():
        row = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE end_ts IS NULL) FROM call_cdr_late"
        ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def days(connection: Connection) -> list[int]:
    """List the days of which late calls are left, newest first."""
    with store_errors():
        rows = connection.execute(
            "SELECT DISTINCT start_ts / %s AS day FROM call_cdr_late ORDER BY day DESC", (CALLS.units_per_day,)
        ).fetchall()
    return [day for (day,) in rows]
