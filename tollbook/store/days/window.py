"""`hot_window`: the time from which PostgreSQL keeps calls and legs."""

from dataclasses import dataclass

from tollbook.store.database import Connection, store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Calls from before `start_ts` (epoch ms) are in the archive; legs from before `leg_us` (epoch µs) are gone.

    The exceptions are in `call_cdr_late` and `call_leg_late`.
    """

    start_ts: int
    leg_us: int


def read_window(connection: Connection) -> Window:
    """Read the window."""
    with store_errors():
        row = connection.execute("SELECT window_start, leg_start FROM hot_window").fetchone()
    assert row is not None
    return Window(start_ts=row[0], leg_us=row[1])


def hold_window(connection: Connection) -> Window:
    """Read the window, and keep prune from dropping a day until this transaction ends; readers and writers go on.

    A snapshot would not do: a day that is dropped is gone from older snapshots too.
    """
    with store_errors():
        connection.execute("LOCK TABLE ONLY call_cdr IN ACCESS SHARE MODE")
    return read_window(connection)
