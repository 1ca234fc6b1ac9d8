"""Move the end of the late calls' partition: back, so that a pruned day has its own again, or on to the window."""

import time

from psycopg import sql

from tollbook.store.database import Connection, store_errors
from tollbook.store.days.partitions import CALLS, Partitions, attach_late, partition_name, standing_days
from tollbook.store.days.prune import PATIENCE_S, columns_of, try_until
from tollbook.store.locks import PARTITION_LOCK


def make_day(connection: Connection, day: int) -> None:
    """Give a day of calls a partition of its own, and every day after it; late calls move from `call_cdr_late` there.

    Does nothing for a day that has one. Call as sole archiver, outside a transaction. Raises StoreUnavailable, naming
    the sessions in the way, when the locks could not be had.
    """
    Partitions().ensure(connection, call_days=[day], leg_days=())
    with store_errors():
        ((late_until,),) = connection.execute("SELECT calls_late_until FROM hot_window").fetchall()
    for late_day in range(late_until // CALLS.units_per_day - 1, day - 1, -1):
        _split(connection, late_day)


def extend_late(connection: Connection, day: int) -> bool:
    """Let the late calls' partition reach to `day`, where it ends earlier; False if an earlier day has its own.

    Otherwise a late write would give such a day a partition with a part of its calls. Call as `make_day`, and raises as
    it does.
    """
    calls, late = sql.Identifier(CALLS.table), sql.Identifier(f"{CALLS.table}_late")
    reaches = False

    def extend() -> None:
        nonlocal reaches
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
        ((late_until,),) = connection.execute("SELECT calls_late_until FROM hot_window").fetchall()
        reaches = late_until >= day * CALLS.units_per_day
        if reaches or any(stands < day for stands in standing_days(connection, CALLS)):
            return
        connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(calls))
        connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(calls, late))
        attach_late(connection, CALLS, day * CALLS.units_per_day)
        reaches = True

    try_until(time.monotonic() + PATIENCE_S, connection, CALLS, day, extend)
    return reaches


def _split(connection: Connection, day: int) -> None:
    """Part the last day of the late partition from it."""
    name, ends = sql.Identifier(partition_name(CALLS.table, day)), (day + 1) * CALLS.units_per_day
    calls, late = sql.Identifier(CALLS.table), sql.Identifier(f"{CALLS.table}_late")
    begins = day * CALLS.units_per_day

    def split() -> None:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
        connection.execute(sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(name, calls))
        columns = sql.SQL(", ").join(map(sql.Identifier, columns_of(connection, CALLS)))
        # From here on every INSERT waits.
        connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(calls))
        connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(calls, late))
        moving = sql.SQL(
            "WITH moved AS (DELETE FROM {late} WHERE start_ts >= %s RETURNING {columns})"
            " INSERT INTO {day} ({columns}) SELECT {columns} FROM moved"
        )
        connection.execute(moving.format(late=late, day=name, columns=columns), (begins,))
        attach_late(connection, CALLS, begins)
        connection.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                calls, name, sql.Literal(begins), sql.Literal(ends)
            )
        )

    try_until(time.monotonic() + PATIENCE_S, connection, CALLS, day, split)
