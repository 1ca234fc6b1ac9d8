"""Drop the oldest day of `call_cdr` or `call_leg`, and keep the rows that outlive it in the `…_late` partition.

A partition is dropped under an exclusive lock on its parent, and every INSERT waits for that lock. So everything slow
is done first, under a lock that stops only the writers of that one day. The exclusive lock is then requested with a
short `lock_timeout`, given up when a reader is in the way, and requested again. Each day is one transaction.
"""

import itertools
import random
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from tollbook.errors import StoreUnavailable
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.days.partitions import (
    CALLS,
    LEGS,
    Partitioned,
    attach_late,
    partition_name,
    standing_days,
)
from tollbook.store.days.sync_window import changed_lately, keep_changed
from tollbook.store.locks import LEG_LOCK, PARTITION_LOCK
from tollbook.times import date_of

# The longest that an INSERT waits while we request the lock. Our work under the lock adds some 20 ms.
LOCK_TIMEOUT_MS = 100
# How long to keep trying, with short pauses, while readers hold a day open.
PATIENCE_S = 60.0
_PAUSE_S = 0.2


class DayChanged(StoreUnavailable):
    """The verified day is no longer the oldest, or more of its rows wait by now: it must be verified again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """A dropped day: how many rows moved to the late partition, and how many tries it took."""

    moved: int
    tries: int


def drop_calls(connection: Connection, day: int, *, most_moved: int, patience_s: float = PATIENCE_S) -> Dropped:
    """Drop a day of calls, and move the window on; rows that are open or in the outbox move to `call_cdr_late`.

    So do those that a sync may not have seen since they changed (`sync_window.keep_changed`).

    Raises DayChanged when it is not the oldest day, or more than `most_moved` rows would move; StoreUnavailable, naming
    the sessions in the way, when the lock could not be had within `patience_s`. Call outside a transaction.
    """
    name, deadline = partition_name(CALLS.table, day), time.monotonic() + patience_s

    def index() -> None:
        # Finds the open calls at once in every try: reading a million rows would keep this day's writers waiting.
        connection.execute(
            sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} (start_ts) WHERE end_ts IS NULL").format(
                sql.Identifier(f"{name}_open"), sql.Identifier(name)
            )
        )

    def stays() -> list[str]:
        _lock(connection, name)
        found = connection.execute(
            sql.SQL(
                "SELECT ctid::text FROM {day} WHERE end_ts IS NULL"
                " UNION SELECT call.ctid::text FROM archive_outbox AS waiting JOIN {day} AS call"
                "  ON (call.start_ts, call.call_id, call.switch) = (waiting.start_ts, waiting.call_id, waiting.switch)"
                "  WHERE waiting.start_ts >= %s AND waiting.start_ts < %s LIMIT %s"
            ).format(day=sql.Identifier(name)),
            (day * CALLS.units_per_day, (day + 1) * CALLS.units_per_day, most_moved + 1),
        ).fetchall()
        if len(found) > most_moved:
            raise DayChanged(f"more than {most_moved} calls of {date_of(day)} are open or wait for the archive")
        return [*(ctid for (ctid,) in found), *keep_changed(connection, day, first_change)]

    first_change = changed_lately(connection, day)
    try_until(deadline, connection, CALLS, day, index)
    return _drop(connection, CALLS, day, stays, deadline)


def drop_legs(connection: Connection, day: int, *, patience_s: float = PATIENCE_S) -> Dropped:
    """Drop a day of legs; those whose call is still in `call_cdr_late` move to `call_leg_late`.

    No leg is older than its call: the legs of a day whose calls were dropped belong to calls in the archive or in
    `call_cdr_late`. Raises the same errors as `drop_calls`.
    """
    name = partition_name(LEGS.table, day)

    def stays() -> list[str]:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LEG_LOCK,))
        _lock(connection, "call_cdr_late")
        _lock(connection, name)
        found = connection.execute(
            sql.SQL(
                "SELECT leg.ctid::text FROM call_cdr_late AS call"
                " JOIN {day} AS leg"
                "  ON (leg.call_start_ts, leg.call_id, leg.switch) = (call.start_ts, call.call_id, call.switch)"
            ).format(day=sql.Identifier(name))
        ).fetchall()
        return [ctid for (ctid,) in found]

    return _drop(connection, LEGS, day, stays, time.monotonic() + patience_s)


def _lock(connection: Connection, table: str) -> None:
    """Stop a table's writers, but not its readers, until the transaction ends, so that the rows found stay in place."""
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(table)))


def _drop(
    connection: Connection, kind: Partitioned, day: int, stays: Callable[[], list[str]], deadline: float
) -> Dropped:
    """Move the rows that `stays` finds, drop the day, and extend the late partition to the end of that day."""
    parent, late = sql.Identifier(kind.table), sql.Identifier(f"{kind.table}_late")
    ends, name = (day + 1) * kind.units_per_day, sql.Identifier(partition_name(kind.table, day))
    moved = 0

    def drop() -> None:
        nonlocal moved
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
        if standing_days(connection, kind)[:1] != [day]:
            raise DayChanged(f"{date_of(day)} is not the oldest day of {kind.table}")
        places = stays()
        columns = sql.SQL(", ").join(map(sql.Identifier, columns_of(connection, kind)))
        # From here on every INSERT waits.
        connection.execute(sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(parent))
        connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(parent, late))
        if places:
            moving = sql.SQL("INSERT INTO {late} ({columns}) SELECT {columns} FROM {day} WHERE ctid = ANY (%s::tid[])")
            moved = connection.execute(moving.format(late=late, columns=columns, day=name), (places,)).rowcount
        connection.execute(sql.SQL("DROP TABLE {}").format(name))
        attach_late(connection, kind, ends)
        # After an archive was attached to a new database, the window begins later than its oldest days.
        connection.execute(
            sql.SQL("UPDATE hot_window SET {begins} = greatest({begins}, %s)").format(
                begins=sql.Identifier(kind.begins)
            ),
            (ends,),
        )

    return Dropped(tries=try_until(deadline, connection, kind, day, drop), moved=moved)


def try_until(deadline: float, connection: Connection, kind: Partitioned, day: int, work: Callable[[], None]) -> int:
    """Do some work in a transaction with a short lock timeout, until it succeeds; return how many tries it took.

    Raises StoreUnavailable, naming the sessions in the way, when `deadline` (of time.monotonic) has passed.
    """
    for tries in itertools.count(1):
        try:
            with store_errors(), _passing(), connection.transaction():
                limit_transaction(connection)
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_TIMEOUT_MS}ms",))
                work()
                return tries
        except _InTheWay as error:
            if time.monotonic() >= deadline:
                raise StoreUnavailable(
                    f"{kind.table} of {date_of(day)} was in use all the time and stays as it is:"
                    f" {_holders(connection, kind, day)}; nothing is lost, run the same command again"
                ) from error
            time.sleep(_PAUSE_S * (0.5 + random.random()))  # noqa: S311 - only keeps retries out of step
    raise AssertionError("counting never ends")


def columns_of(connection: Connection, kind: Partitioned) -> list[str]:
    """List the columns of a table that can be written, in their order."""
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        (kind.table,),
    ).fetchall()
    return [name for (name,) in rows]


class _InTheWay(Exception):
    """Another session holds a lock that we need; nothing was changed."""


@contextmanager
def _passing() -> Generator[None]:
    try:
        yield
    except (LockNotAvailable, DeadlockDetected) as error:
        raise _InTheWay from error


def _holders(connection: Connection, kind: Partitioned, day: int) -> str:
    """Name the sessions that hold a lock on what we need, and how to end them."""
    rows = connection.execute(
        """
        SELECT pid, coalesce(nullif(application_name, ''), 'unnamed'), coalesce(state, 'at work'),
               coalesce(extract(epoch FROM now() - xact_start), 0)::bigint
        FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND pid IN (
            SELECT pid FROM pg_locks WHERE granted AND relation IN (to_regclass(%s), to_regclass(%s), to_regclass(%s))
        ) ORDER BY xact_start LIMIT 3
        """,
        (kind.table, f"{kind.table}_late", partition_name(kind.table, day)),
    ).fetchall()
    sessions = [
        f"process {pid} ({name}, {state}) has held it for {seconds} s, `SELECT pg_terminate_backend({pid})` ends it"
        for pid, name, state, seconds in rows
    ]
    return "; ".join(sessions) or "by sessions that are gone now"
