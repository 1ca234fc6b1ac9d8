"""Daily partitions of `call_cdr` (by start_ts, epoch ms) and `call_leg` (by created_us, epoch µs), UTC days.

A partition is created as a plain table and then attached: `CREATE TABLE … PARTITION OF` needs a lock on the parent for
which it waits while a reader is open, and every INSERT then waits for it.

Days long past need no partition of their own: `call_cdr_late` and `call_leg_late` reach up to the first that stands. So
the number of partitions is bounded by the retention, whatever a clock or an old CDR file says: PostgreSQL locks every
partition that a query cannot rule out, and has room for some 6,400 locks in all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import LiteralString

from psycopg import sql

from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.locks import PARTITION_LOCK
from tollbook.times import MS_PER_DAY, US_PER_DAY, current_day, date_of

DAYS_AHEAD = 7
# In a new database, days up to so long past the retention still get partitions of their own: prune drops such a day
# whole as soon as it is archived, whereas calls in the late partition stay for the length of the window.
OVERDUE_DAYS = 30


@dataclass(frozen=True, kw_only=True)
class Partitioned:
    """A table with one partition per day, and two columns of `hot_window` in its units.

    `begins`: until where its days were dropped. `late_until`: until where its late partition reaches, which is the
    same or later.
    """

    table: LiteralString
    begins: LiteralString
    late_until: LiteralString
    units_per_day: int


CALLS = Partitioned(table="call_cdr", begins="window_start", late_until="calls_late_until", units_per_day=MS_PER_DAY)
LEGS = Partitioned(table="call_leg", begins="leg_start", late_until="legs_late_until", units_per_day=US_PER_DAY)


def partition_name(table: str, day: int) -> str:
    """Name the partition of a day, counted from 1970-01-01: `call_cdr_20261123`."""
    return f"{table}_{date_of(day):%Y%m%d}"


def standing_days(connection: Connection, kind: Partitioned) -> list[int]:
    """List the days that have a partition of their own, oldest first."""
    with store_errors():
        rows = connection.execute(
            "SELECT (to_date(substring(child.relname, %(name)s), 'YYYYMMDD') - date '1970-01-01')::int AS day"
            " FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
            " WHERE inhparent = %(table)s::regclass AND child.relname ~ %(name)s ORDER BY day",
            {"table": kind.table, "name": f"^{kind.table}_([0-9]{{8}})$"},
        ).fetchall()
    return [day for (day,) in rows]


class Partitions:
    """The days known to have partitions, so that a batch asks the catalog only about new ones."""

    def __init__(self) -> None:
        self._ready: set[tuple[str, int]] = set()
        self._late_until: dict[str, int] = {}  # the first day of each table beyond its late partition

    def ensure(self, connection: Connection, *, call_days: Iterable[int], leg_days: Iterable[int]) -> None:
        """Create the missing partitions, each in a transaction of its own. Call outside a transaction."""
        wanted = [(CALLS, day) for day in call_days] + [(LEGS, day) for day in leg_days]
        for kind, day in sorted(wanted, key=lambda pair: (pair[0].table, pair[1])):
            if not self._known(kind, day):
                self._late_until[kind.table] = _make(connection, kind, day)
                self._ready.add((kind.table, day))

    def first_new(self, days: Iterable[int], most: int) -> set[int]:
        """Return the days to write now: those known to be ready, and of the others the newest, at most `most`."""
        wanted = set(days)
        ready = {day for day in wanted if self._known(CALLS, day) and self._known(LEGS, day)}
        return ready | set(sorted(wanted - ready, reverse=True)[:most])

    def forget(self) -> None:
        """Forget the known days, so that the catalog is asked again: another process may have dropped one."""
        self._ready.clear()
        self._late_until.clear()

    def _known(self, kind: Partitioned, day: int) -> bool:
        return (kind.table, day) in self._ready or day < self._late_until.get(kind.table, 0)


def make_ready(connection: Connection) -> None:
    """Create the partitions from yesterday to DAYS_AHEAD days from now."""
    days = range(current_day() - 1, current_day() + DAYS_AHEAD + 1)
    Partitions().ensure(connection, call_days=days, leg_days=days)


def begin_days(connection: Connection, day: int) -> None:
    """Let a new database have no partition for days before `day`: what belongs there goes to the late partitions.

    Does nothing when a day has a partition already, or was pruned. Call outside a transaction.
    """
    for kind in (CALLS, LEGS):
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
            begun = sql.SQL("SELECT {} > 0 FROM hot_window").format(sql.Identifier(kind.late_until))
            if connection.execute(begun).fetchone() != (False,) or standing_days(connection, kind):
                continue
            late = sql.Identifier(f"{kind.table}_late")
            connection.execute(sql.SQL("ALTER TABLE {} DETACH PARTITION {}").format(sql.Identifier(kind.table), late))
            attach_late(connection, kind, day * kind.units_per_day)


def attach_late(connection: Connection, kind: Partitioned, until: int) -> None:
    """Attach the detached late partition again, reaching to `until`, in the units of the table."""
    connection.execute(
        sql.SQL("ALTER TABLE {} ATTACH PARTITION {} FOR VALUES FROM (MINVALUE) TO ({})").format(
            sql.Identifier(kind.table), sql.Identifier(f"{kind.table}_late"), sql.Literal(until)
        )
    )
    connection.execute(sql.SQL("UPDATE hot_window SET {} = %s").format(sql.Identifier(kind.late_until)), (until,))


def _make(connection: Connection, kind: Partitioned, day: int) -> int:
    """Create the partition of a day if it has none; return the first day beyond the late partition."""
    name = partition_name(kind.table, day)
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (PARTITION_LOCK,))
        found = connection.execute(
            sql.SQL("SELECT to_regclass(%s) IS NOT NULL, {} / %s FROM hot_window").format(
                sql.Identifier(kind.late_until)
            ),
            (name, kind.units_per_day),
        ).fetchone()
        stands, late_until = found or (False, 0)
        if stands or day < late_until:
            return late_until
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
    return late_until
