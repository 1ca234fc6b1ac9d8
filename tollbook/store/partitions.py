"""Daily partitions of `call_cdr` (by start_ts, epoch ms) and `call_leg` (by created_us, epoch µs), UTC days.

A partition is made as a table of its own and then attached: `CREATE TABLE … PARTITION OF` takes a lock on the
parent that one open reader makes every INSERT wait behind.
"""

import datetime as dt
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from tollbook.store.database import Connection, store_errors

DAYS_AHEAD = 7
MS_PER_DAY = 86_400_000
_PARTITION_LOCK = 7_264_100_002


@dataclass(frozen=True, kw_only=True)
class _Partitioned:
    table: LiteralString
    units_per_day: int


CALLS = _Partitioned(table="call_cdr", units_per_day=MS_PER_DAY)
LEGS = _Partitioned(table="call_leg", units_per_day=MS_PER_DAY * 1000)


def partition_name(table: str, day: int) -> str:
    """Name the partition of a day, counted from 1970-01-01: `call_cdr_20261123`."""
    return f"{table}_{dt.date(1970, 1, 1) + dt.timedelta(days=day):%Y%m%d}"


class Partitions:
    """The days that are known to stand ready, so that a batch asks the catalog only about new ones."""

    def __init__(self) -> None:
        self._ready: set[tuple[str, int]] = set()

    def ensure(self, connection: Connection, *, call_days: Iterable[int], leg_days: Iterable[int]) -> None:
        """Make the partitions that are missing, each in a transaction of its own. Call between transactions."""
        wanted = [(CALLS, day) for day in call_days] + [(LEGS, day) for day in leg_days]
        for kind, day in sorted(wanted, key=lambda one: (one[0].table, one[1])):
            if (kind.table, day) not in self._ready:
                _make(connection, kind, day)
                self._ready.add((kind.table, day))

    def forget(self) -> None:
        """Ask the catalog again: another process may have dropped a day."""
        self._ready.clear()


def make_ready(connection: Connection) -> None:
    """Make yesterday's to next week's partitions."""
    today = int(time.time()) // 86_400
    days = range(today - 1, today + DAYS_AHEAD + 1)
    Partitions().ensure(connection, call_days=days, leg_days=days)


def _make(connection: Connection, kind: _Partitioned, day: int) -> None:
    name = partition_name(kind.table, day)
    with store_errors(), connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (_PARTITION_LOCK,))
        found = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
        if found and found[0]:
            return
        connection.execute(
            sql.SQL("CREATE TABLE {} (LIKE {} INCLUDING ALL)").format(sql.Identifier(name), sql.Identifier(kind.table))
        )
        connection.execute(
            sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM ({}) TO ({})").format(
                sql.Identifier(kind.table),
                sql.Identifier(name),
                sql.Literal(day * kind.units_per_day),
                sql.Literal((day + 1) * kind.units_per_day),
            )
        )
