"""Puts the cells of closed days in order.

The roll-up adds a cell when its first call ends, so an account's cells of a quarter-hour lie among those of a thousand
others: each is on a page of its own, and a month of an account is 35,000 pages. In the order of the key it is 500.
"""

from typing import Final, LiteralString

from tollbook.store.database import Connection, scalar, store_errors
from tollbook.store.sums.build import days_with_sums
from tollbook.store.sums.cubes import CALLS, QUEUES, Cube
from tollbook.store.sums.writing import writing_sums
from tollbook.times import MS_PER_DAY

# After the end of a day, most of its calls have ended, and late events are over.
_OPEN_DAYS: Final = 2


def _ordering(cube: Cube) -> LiteralString:
    columns: LiteralString = ", ".join([*cube.keys, *cube.measures])
    # A cell of which all calls were taken away is nothing.
    return f"""
        WITH taken AS (
            DELETE FROM {cube.table}
            WHERE {cube.time} >= %(first)s / {cube.unit} AND {cube.time} < %(end)s / {cube.unit} RETURNING {columns}
        )
        INSERT INTO {cube.table} ({columns}) SELECT {columns} FROM taken WHERE calls <> 0
        ORDER BY {", ".join(cube.keys)}
    """  # noqa: S608 - literals alone


_ORDERING: Final[tuple[LiteralString, ...]] = (_ordering(CALLS), _ordering(QUEUES))


def order_closed_days(connection: Connection, today: int) -> int:
    """Put the cells of each closed day in order, once; return how many days that were. `today` from 1970-01-01.

    A transaction a day, so it can be killed. Call in autocommit; raises StoreUnavailable.
    """
    with store_errors():
        ordered_before = int(str(scalar(connection, "SELECT ordered_before FROM sum_state")))
    closed = today - _OPEN_DAYS
    days = [day for day in sorted(days_with_sums(connection)) if ordered_before <= day < closed]
    for day in days:
        with writing_sums(connection, wait=True):
            for ordering in _ORDERING:
                connection.execute(ordering, {"first": day * MS_PER_DAY, "end": (day + 1) * MS_PER_DAY})
            connection.execute("UPDATE sum_state SET ordered_before = %s", (day + 1,))
    if days:
        with store_errors():
            connection.execute("VACUUM (ANALYZE) call_sum, queue_sum")
    return len(days)
