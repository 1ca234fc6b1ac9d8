"""Drop the oldest day of `call_cdr` or `call_leg`, and keep in the `…_late` partition what outlives it.

A partition is dropped under an exclusive lock on its parent, behind which every INSERT waits. So all that takes time is
done before, under a lock that stops writers of that one day alone; the exclusive lock is asked for with a short
`lock_timeout`, given back when a reader is in the way, and asked for again. Each day is one transaction.
"""

import random
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import LiteralString, TypeAlias

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from tollbook.errors import StoreUnavailable
from tollbook.store.arrays import array_literal
from tollbook.store.database import Connection, store_errors
from tollbook.store.partitions import (
    CALLS,
    LEGS,
    PARTITION_LOCK,
    Partitioned,
    date_of,
    partition_name,
    standing_days,
)
from tollbook.store.window import LEG_LOCK

# How long an INSERT waits behind us at most, save for what we do while we have the lock: some 20 ms.
LOCK_TIMEOUT_MS = 100
# How long readers that hold a day open are waited for, a moment at a time.
PATIENCE_S = 60.0
_PAUSE_S = 0.2

Key: TypeAlias = tuple[str, int]


class DayChanged(StoreUnavailable):
    """What was verified is not the oldest day any more, or more of it waits now: look at it anew."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """A day that was dropped: how many rows moved to the late partition, in how many tries."""

    moved: int
    tries: int


def drop_calls(connection: Connection, day: int, *, most_moved: int, patience_s: float = PATIENCE_S) -> Dropped:
    """Drop a day of calls; what is open or in the outbox moves to `call_cdr_late`, and the window moves on.

    Raises DayChanged when it is not the oldest day, or more than `most_moved` rows would move; StoreUnavailable, with
    the sessions that were in the way, when the lock was not to be had in `patience_s`. Call outside a transaction.
    """
    name = partition_name(CALLS.table, day)

    def stays() -> list[Key]:
        _lock(connection, name)
        found = connection.execute(
            sql.SQL(
                "SELECT call_id, start_ts FROM {day} WHERE end_ts IS NULL"
                " UNION SELECT call_id, start_ts FROM {day} JOIN ("
                "  SELECT call_id, start_ts FROM archive_outbox WHERE start_ts >= %s AND start_ts < %s"
                " ) AS waiting USING (call_id, start_ts) LIMIT %s"
            ).format(day=sql.Identifier(name)),
            (day * CALLS.units_per_day, (day + 1) * CALLS.units_per_day, most_moved + 1),
        ).fetchall()
        if len(found) > most_moved:
            raise DayChanged(f"more than {most_moved} calls of {date_of(day)} are open or wait for the archive")
        return found

    def move(keys: list[Key]) -> int:
        return _move(
            connection,
            CALLS,
            day,
            "(call_id, start_ts) IN (SELECT * FROM unnest(%s::text[], %s::bigint[]))",
            _arrays(keys),
        )

    return _drop(connection, CALLS, day, stays, move, patience_s)


def drop_legs(connection: Connection, day: int, *, patience_s: float = PATIENCE_S) -> Dropped:
    """Drop a day of legs; those whose call is still in `call_cdr_late` move to `call_leg_late`.

    No leg is older than its call: those of a day whose calls were dropped belong to calls of the archive or of
    `call_cdr_late`. Raises as `drop_calls`.
    """
    name = partition_name(LEGS.table, day)

    def stays() -> list[tuple[str, int, str]]:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LEG_LOCK,))
        _lock(connection, "call_cdr_late")
        _lock(connection, name)
        return connection.execute(
            sql.SQL(
                "SELECT leg.uid, leg.created_us, leg.switch FROM call_cdr_late AS call"
                " JOIN {day} AS leg ON leg.call_id = call.call_id AND leg.call_start_ts = call.start_ts"
            ).format(day=sql.Identifier(name))
        ).fetchall()

    def move(keys: list[tuple[str, int, str]]) -> int:
        return _move(
            connection,
            LEGS,
            day,
            "(uid, created_us, switch) IN (SELECT * FROM unnest(%s::text[], %s::bigint[], %s::text[]))",
            _arrays(keys),
        )

    return _drop(connection, LEGS, day, stays, move, patience_s)


def _arrays(keys: list[tuple[str, int]] | list[tuple[str, int, str]]) -> tuple[str, ...]:
    return tuple(array_literal([key[at] for key in keys]) for at in range(len(keys[0]))) if keys else ()


def _lock(connection: Connection, table: str) -> None:
    """Stop a table's writers, not its readers, until the transaction ends."""
    connection.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.Identifier(table)))


def _drop(
    connection: Connection,
    kind: Partitioned,
    day: int,
    stays: Callable[[], list[tuple[str, int]]] | Callable[[], list[tuple[str, int, str]]],
    move: Callable[..., int],
    patience_s: float,
) -> Dropped:
    deadline, tries = time.monotonic() + patience_s, 0
    while True:
        tries += 1
        try:
            with store_errors(), _passing(), connection.transaction():
                connection.execute("SELECT set_config('lock_timeout', %s, true)", (f"{LOCK_TIMEOUT_MS}ms",))
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
                if standing_days(connection, kind)[:1] != [day]:
                    raise DayChanged(f"{date_of(day)} is not the oldest day of {kind.table}")
                keys = stays()
                # From here on every INSERT waits.
                connection.execute(
                    sql.SQL("LOCK TABLE ONLY {} IN ACCESS EXCLUSIVE MODE").format(sql.Identifier(kind.table))
                )
                return Dropped(moved=move(keys), tries=tries)
        except _InTheWay as error:
            if time.monotonic() >= deadline:
                raise StoreUnavailable(
                    f"{kind.table} of {date_of(day)} was in use for {patience_s:.0f} s and was not dropped:"
                    f" {_holders(connection, kind, day)}; nothing is lost, run `tollbook prune` again"
                ) from error
            time.sleep(_PAUSE_S * (0.5 + random.random()))  # noqa: S311 - only so that tries do not fall into step


def _move(connection: Connection, kind: Partitioned, day: int, chosen: LiteralString, keys: tuple[str, ...]) -> int:
    """Move the rows that stay, drop the day, and let the late partition reach up to where it ended."""
    parent, late = sql.Identifier(kind.table), sql.Identifier(f"{kind.table}_late")
    ends, name = (day + 1) * kind.units_per_day, sql.Identifier(partition_name(kind.table, day))
    connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(parent, late))
    moved = 0
    if keys:
        columns = sql.SQL(", ").join(map(sql.Identifier, _columns(connection, kind)))
        moved = connection.execute(
            sql.SQL("INSERT INTO {late} ({columns}) SELECT {columns} FROM {day} WHERE {chosen}").format(
                late=late, columns=columns, day=name, chosen=sql.SQL(chosen)
            ),
            keys,
        ).rowcount
    connection.execute(sql.SQL("DROP TABLE {}").format(name))
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM (MINVALUE) TO ({})").format(
            parent, late, sql.Literal(ends)
        )
    )
    connection.execute(sql.SQL("UPDATE hot_window SET {} = %s").format(sql.Identifier(kind.begins)), (ends,))
    return moved


def _columns(connection: Connection, kind: Partitioned) -> list[str]:
    rows = connection.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' ORDER BY attnum",
        (kind.table,),
    ).fetchall()
    return [name for (name,) in rows]


class _InTheWay(Exception):
    """Somebody holds a lock that we wanted; nothing was changed."""


@contextmanager
def _passing() -> Generator[None]:
    try:
        yield
    except (LockNotAvailable, DeadlockDetected) as error:
        raise _InTheWay from error


def _holders(connection: Connection, kind: Partitioned, day: int) -> str:
    """Name the sessions that hold a lock on what we wanted, and how to end them."""
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
    told = [
        f"process {pid} ({name}, {state}) has held it for {seconds} s, `SELECT pg_terminate_backend({pid})` ends it"
        for pid, name, state, seconds in rows
    ]
    return "; ".join(told) or "by sessions that are gone now"
