"""The roll-up: moves what writers left in `sum_delta` into the cubes, in pieces, each in a transaction of its own."""

from typing import Final, LiteralString, cast

from tollbook.store.calls.columns import COUNTED
from tollbook.store.database import Connection, scalar, store_errors
from tollbook.store.sums.cubes import add_calls, learn_accounts, learn_names
from tollbook.store.sums.writing import SumsBusy, writing_sums

#: How often the listener rolls up. A read adds what waits, some 200 bytes a call, to the cubes.
ROLL_UP_EVERY_S: Final = 10.0

# The table's pages that are moved at once: some 20,000 calls, a fraction of a second.
PIECE_PAGES: Final = 500
# Deleted rows that are vacuumed away: autovacuum comes once a minute, and meanwhile every read would pass over them.
_VACUUM_AFTER: Final = 5_000

_COLUMNS: Final[LiteralString] = ", ".join(("sign", *COUNTED))
# Pages, because they need no index: one would cost every call that is written. All statements of a piece have one
# snapshot, and so the same rows.
_PIECE: Final[LiteralString] = "ctid >= %(first)s::tid AND ctid < %(end)s::tid"
_WAITING: Final[LiteralString] = f"SELECT {_COLUMNS} FROM sum_delta WHERE {_PIECE}"  # noqa: S608 - literals alone
_TAKEN: Final[LiteralString] = f"DELETE FROM sum_delta WHERE {_PIECE} RETURNING {_COLUMNS}"  # noqa: S608 - literals alone

_LEARN_ACCOUNTS: Final = learn_accounts(_WAITING)
_LEARN_NAMES: Final = learn_names(_WAITING)
_MOVE: Final = add_calls(_TAKEN)


def roll_up(connection: Connection) -> int | None:
    """Move what waits into the cubes; return how many rows that were, or None if another process is at it.

    A kill loses and doubles nothing. Call in autocommit; raises StoreUnavailable.
    """
    moved = 0
    try:
        for first in range(0, _pages(connection), PIECE_PAGES):
            with writing_sums(connection, wait=False):
                moved += roll_up_piece(connection, first, first + PIECE_PAGES)
    except SumsBusy:
        return None
    if moved >= _VACUUM_AFTER:
        with store_errors():
            connection.execute("VACUUM (ANALYZE) sum_delta")
    return moved


def roll_up_all(connection: Connection) -> None:
    """Move all that waits, whatever its amount, in the present transaction, that of `writing_sums`."""
    roll_up_piece(connection, 0, _pages(connection) + 1)


def roll_up_piece(connection: Connection, first: int, end: int) -> int:
    """Move the rows of some of the table's pages; return how many. Call in a transaction of `writing_sums`."""
    pages = {"first": f"({first},0)", "end": f"({end},0)"}
    connection.execute(_LEARN_ACCOUNTS, pages)
    connection.execute(_LEARN_NAMES, pages)
    return cast("tuple[int]", connection.execute(_MOVE, pages).fetchone())[0]


def _pages(connection: Connection) -> int:
    with store_errors():
        size = scalar(connection, "SELECT pg_relation_size('sum_delta') / current_setting('block_size')::integer")
    return cast("int", size)
