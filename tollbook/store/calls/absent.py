"""Rows that an attached archive does not have by their key: it may have the call by another, or the call is no more.

A backup has a call as it was known then. When an earlier leg of it was learnt of later, its row was deleted and written
by another key, and the archive has that one alone (`tollbook.model.call_span`).
"""

from collections.abc import Collection, Iterable
from typing import Final, LiteralString

from psycopg import sql

from tollbook.model.call_key import CallKey
from tollbook.model.call_span import LONGEST_CALL_MS, CallSpan
from tollbook.store.arrays import array_literal, key_arrays
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.days.partitions import CALLS, partition_name
from tollbook.store.locks import lock_switches


def absent_calls(
    connection: Connection,
    day: int | None,
    archived: Collection[CallKey],
    *,
    after: CallKey,
    last: CallKey,
    limit: int,
) -> list[tuple[CallSpan, int]]:
    """Return the first `limit` calls of a day (None: late calls) after `after` up to `last`, without `archived`.

    In the order of their keys, open ones too, each with when it was last written, epoch ms. Raises StoreUnavailable.
    """
    table = sql.Identifier("call_cdr_late" if day is None else partition_name(CALLS.table, day))
    with store_errors():
        rows = connection.execute(
            sql.SQL(_ABSENT).format(calls=table), (*after, *last, *key_arrays(archived), limit)
        ).fetchall()
    return [(CallSpan(CallKey(*key), end_ts), updated_ms) for *key, end_ts, updated_ms in rows]


_ABSENT: Final[LiteralString] = """
    SELECT start_ts, call_id, switch, end_ts, updated_ts FROM {calls} AS call
    WHERE (start_ts, call_id, switch) > (%s, %s, %s) AND (start_ts, call_id, switch) <= (%s, %s, %s)
      AND NOT EXISTS (
          SELECT FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS archived (start_ts, call_id, switch)
          WHERE (archived.start_ts, archived.call_id, archived.switch) = (call.start_ts, call.call_id, call.switch)
      )
    ORDER BY start_ts, call_id, switch LIMIT %s
"""


def overlapping(connection: Connection, calls: Collection[CallSpan]) -> list[CallSpan]:
    """Return the rows with the ids of some calls that may have been up at the same time. Raises psycopg.Error."""
    starts, ids, switches = key_arrays([call.key for call in calls])
    rows = connection.execute(
        """
        SELECT DISTINCT call.start_ts, call.call_id, call.switch, call.end_ts
        FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[]) AS made (start_ts, call_id, switch, end_ts)
        JOIN call_cdr AS call ON (call.call_id, call.switch) = (made.call_id, made.switch)
            AND call.start_ts BETWEEN made.start_ts - %s AND coalesce(made.end_ts, made.start_ts)
        """,
        (starts, ids, switches, array_literal([call.end_ts for call in calls]), LONGEST_CALL_MS),
    ).fetchall()
    return [CallSpan(CallKey(*key), end_ts) for *key, end_ts in rows]


def waiting_deletions(connection: Connection, keys: Iterable[CallKey]) -> set[CallKey]:
    """Return those of the keys that wait for the archive to delete them: they have no row. Raises StoreUnavailable."""
    with store_errors():
        rows = connection.execute(
            """
            SELECT start_ts, call_id, switch FROM archive_outbox AS waiting
            JOIN unnest(%s::bigint[], %s::text[], %s::text[]) AS key (start_ts, call_id, switch)
                USING (start_ts, call_id, switch)
            WHERE NOT EXISTS (
                SELECT FROM call_cdr AS call WHERE (call.start_ts, call.call_id, call.switch)
                    = (waiting.start_ts, waiting.call_id, waiting.switch)
            )
            """,
            key_arrays(list(keys)),
        ).fetchall()
    return {CallKey(*key) for key in rows}


def remove_calls(connection: Connection, keys: Collection[CallKey], *, with_prices: bool = False) -> None:
    """Delete rows with their legs, and let the archive delete what it has by these keys.

    A sync is told of each. `with_prices`: also the prices that the calls had. Call outside a transaction; raises
    StoreUnavailable.
    """
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        lock_switches(connection, (key.switch for key in keys))
        arrays = key_arrays(keys)
        call_rows.delete(connection, keys)
        connection.execute(
            """
            DELETE FROM call_leg AS leg
            USING unnest(%s::bigint[], %s::text[], %s::text[]) AS gone (start_ts, id, switch)
            WHERE (leg.call_start_ts, leg.call_id, leg.switch) = (gone.start_ts, gone.id, gone.switch)
            """,
            arrays,
        )
        connection.execute(
            """
            INSERT INTO archive_outbox (start_ts, call_id, switch, deleted)
            SELECT *, true FROM unnest(%s::bigint[], %s::text[], %s::text[])
            ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET since = now(), deleted = true
            """,
            arrays,
        )
        if with_prices:
            connection.execute(
                """
                DELETE FROM price_history AS price
                USING unnest(%s::bigint[], %s::text[], %s::text[]) AS gone (start_ts, id, switch)
                WHERE (price.start_ts, price.call_id, price.switch) = (gone.start_ts, gone.id, gone.switch)
                """,
                arrays,
            )
