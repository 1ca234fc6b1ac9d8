"""What is left of pruned days: late rows and their legs, until the archive has them and they have rested for a window.

A call from before the window whose row is gone, and legs with it, is frozen: no part of its legs may replace it.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import LiteralString, TypeAlias

from psycopg import sql

from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.partitions import CALLS, partition_name
from tollbook.store.days.window import LEG_LOCK

Key: TypeAlias = tuple[str, int]


def hold_legs(connection: Connection) -> None:
    """Keep prune from dropping legs until this transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(%s)", (LEG_LOCK,))


def present(connection: Connection, keys: Collection[Key]) -> set[Key]:
    """Give those of the keys that have a row, late or not."""
    rows = connection.execute(
        "SELECT call_id, start_ts FROM call_cdr WHERE (call_id, start_ts) IN"
        " (SELECT * FROM unnest(%s::text[], %s::bigint[]))",
        _arrays(keys),
    ).fetchall()
    return set(rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class LateCall:
    """A late row that is complete and archived, and that nothing has changed for as long as the window is."""

    call_id: str
    start_ts: int
    account_id: str | None
    billsec: int | None
    cost_micros: int | None


def settled(connection: Connection, *, limit: int, behind: Key | None = None) -> list[LateCall]:
    """List up to `limit` late rows that the archive has taken and that have not changed within the window.

    The oldest first, those behind the (call_id, start_ts) given.
    """
    call_id, start_ts = behind or ("", -(2**63))
    with store_errors():
        rows = connection.execute(
            "SELECT call_id, start_ts, account_id, billsec, cost_micros FROM call_cdr_late AS call"
            " WHERE end_ts IS NOT NULL AND updated_ts < (SELECT window_start FROM hot_window)"
            " AND NOT EXISTS (SELECT FROM archive_outbox AS waiting"
            "  WHERE waiting.call_id = call.call_id AND waiting.start_ts = call.start_ts)"
            " AND (start_ts, call_id) > (%s, %s) ORDER BY start_ts, call_id LIMIT %s",
            (start_ts, call_id, limit),
        ).fetchall()
    return [
        LateCall(call_id=one[0], start_ts=one[1], account_id=one[2], billsec=one[3], cost_micros=one[4]) for one in rows
    ]


def delete(connection: Connection, keys: Collection[Key]) -> int:
    """Delete late rows, with their legs, unless they changed or wait for the archive again; give the number."""
    if not keys:
        return 0
    with store_errors(), connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LEG_LOCK,))
        row = connection.execute(
            """
            WITH gone AS (
                DELETE FROM call_cdr_late AS call USING unnest(%s::text[], %s::bigint[]) AS one (call_id, start_ts)
                WHERE call.call_id = one.call_id AND call.start_ts = one.start_ts
                  AND end_ts IS NOT NULL AND updated_ts < (SELECT window_start FROM hot_window)
                  AND NOT EXISTS (SELECT FROM archive_outbox AS waiting
                                  WHERE waiting.call_id = call.call_id AND waiting.start_ts = call.start_ts)
                RETURNING call.call_id, call.start_ts
            ), legs AS (
                DELETE FROM call_leg_late AS leg USING gone
                WHERE leg.call_id = gone.call_id AND leg.call_start_ts = gone.start_ts
            )
            SELECT count(*) FROM gone
            """,
            _arrays(keys),
        ).fetchone()
    return int(row[0]) if row else 0


# `deleted` tells the archiver that the archive may hold the call, whatever its revision, under any account.
_AGAIN: LiteralString = """
    INSERT INTO archive_outbox (call_id, start_ts, account_id, deleted)
    SELECT call_id, start_ts, account_id, true FROM {table} WHERE end_ts IS NOT NULL AND {chosen}
    ON CONFLICT (call_id, start_ts) DO UPDATE SET since = now(), batch_id = NULL, deleted = true
"""


def requeue(connection: Connection, keys: Collection[Key]) -> int:
    """Put late rows into the outbox, to replace whatever the archive holds of them; give the number."""
    if not keys:
        return 0
    query = sql.SQL(_AGAIN).format(
        table=sql.Identifier("call_cdr_late"),
        chosen=sql.SQL("(call_id, start_ts) IN (SELECT * FROM unnest(%s::text[], %s::bigint[]))"),
    )
    with store_errors():
        return connection.execute(query, _arrays(keys)).rowcount


def requeue_day(connection: Connection, day: int, accounts: Collection[str | None]) -> int:
    """Put these accounts' complete calls of a day that stands into the outbox, as `requeue`."""
    query = sql.SQL(_AGAIN).format(
        table=sql.Identifier(partition_name(CALLS.table, day)),
        chosen=sql.SQL("(account_id = ANY (%s) OR (account_id IS NULL AND %s))"),
    )
    with store_errors():
        return connection.execute(query, ([one for one in accounts if one is not None], None in accounts)).rowcount


def count(connection: Connection) -> tuple[int, int]:
    """Count the late rows, and those of them that are still open."""
    with store_errors():
        row = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE end_ts IS NULL) FROM call_cdr_late"
        ).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _arrays(keys: Collection[Key]) -> tuple[str, str]:
    return array_literal([call_id for call_id, _ in keys]), array_literal([start_ts for _, start_ts in keys])
