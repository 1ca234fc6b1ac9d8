"""The rows of a day as the archiver reads them, in one snapshot, to be compared with what the archive holds."""

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import starmap
from typing import Final, LiteralString

from psycopg import sql

from tollbook.model.call_key import CallKey
from tollbook.store.arrays import key_arrays
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.days.partitions import CALLS, partition_name
from tollbook.store.outbox_rows import ROW_COLUMNS
from tollbook.times import MS_PER_DAY, MS_PER_HOUR

# Bounds the memory: some 8,000 rows.
_CHUNK_BYTES = 2_000_000

_COPY: Final[LiteralString] = f"""
    COPY (SELECT {", ".join(ROW_COLUMNS)} FROM {{table}} WHERE {{chosen}}) TO STDOUT (FORMAT csv)
"""  # noqa: S608 - built only from our own names, as LiteralString proves


@dataclass(frozen=True, kw_only=True)
class DayRows:
    """A day that has a partition: the keys that wait in the outbox, and how many of its calls are open."""

    waiting: frozenset[CallKey]
    open: int
    _connection: Connection
    _day: int

    def read_csv(self, first_ms: int | None = None, end_ms: int | None = None) -> Iterator[bytes]:
        """Yield the complete calls that started in [first_ms, end_ms), or all, as CSV with ROW_COLUMNS, by the hour.

        An hour a statement, because each has a limit of time.
        """
        begin = self._day * MS_PER_DAY if first_ms is None else first_ms
        end = (self._day + 1) * MS_PER_DAY if end_ms is None else end_ms
        table = sql.Identifier(partition_name(CALLS.table, self._day))
        for hour in range(begin, end, MS_PER_HOUR):
            chosen = sql.SQL("end_ts IS NOT NULL AND start_ts >= {} AND start_ts < {}")
            span = chosen.format(sql.Literal(hour), sql.Literal(min(hour + MS_PER_HOUR, end)))
            yield from _copied(self._connection, sql.SQL(_COPY).format(table=table, chosen=span))


@contextmanager
def day_rows(connection: Connection, day: int, *, most_waiting: int) -> Generator[DayRows]:
    """Read a day in a single snapshot, which ends with the block. Call outside a transaction.

    `waiting` holds at most `most_waiting` + 1 keys: enough to see that there are too many. Raises StoreUnavailable.
    """
    table = sql.Identifier(partition_name(CALLS.table, day))
    with store_errors(), connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        limit_transaction(connection)
        waiting = connection.execute(
            "SELECT start_ts, call_id, switch FROM archive_outbox WHERE start_ts >= %s AND start_ts < %s LIMIT %s",
            (day * MS_PER_DAY, (day + 1) * MS_PER_DAY, most_waiting + 1),
        ).fetchall()
        opened = connection.execute(sql.SQL("SELECT count(*) - count(end_ts) FROM {}").format(table)).fetchone()
        yield DayRows(
            waiting=frozenset(starmap(CallKey, waiting)),
            open=opened[0] if opened else 0,
            _connection=connection,
            _day=day,
        )


def late_rows_csv(connection: Connection, keys: Collection[CallKey]) -> bytes:
    """Read complete late rows as CSV with ROW_COLUMNS; raises StoreUnavailable."""
    wanted = sql.SQL(
        "(start_ts, call_id, switch) IN (SELECT * FROM unnest({}::bigint[], {}::text[], {}::text[]))"
        " AND end_ts IS NOT NULL"
    ).format(*map(sql.Literal, key_arrays(keys)))
    with store_errors():
        return b"".join(
            _copied(connection, sql.SQL(_COPY).format(table=sql.Identifier("call_cdr_late"), chosen=wanted))
        )


def _copied(connection: Connection, query: sql.Composed) -> Iterator[bytes]:
    """Yield what a COPY sends, in chunks of whole rows."""
    chunk = BytesIO()
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        for row in copy:
            chunk.write(row)
            if chunk.tell() >= _CHUNK_BYTES:
                yield chunk.getvalue()
                chunk = BytesIO()
    if chunk.tell():
        yield chunk.getvalue()
