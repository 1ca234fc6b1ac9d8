"""`hot_window`: the time from which PostgreSQL keeps calls and legs."""

from dataclasses import dataclass
from typing import Final

from tollbook.store.database import Connection, scalar, store_errors

WINDOW: Final = "SELECT window_start, leg_start, unverified_before FROM hot_window"


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Calls from before `start_ts` (epoch ms) are in the archive; legs from before `leg_us` (epoch µs) are gone.

    The exceptions are in `call_cdr_late` and `call_leg_late`. Calls from before `unverified_ts` (epoch ms) may be in
    the archive although this database never sent them there, and their rows may stand here without legs.
    """

    start_ts: int
    leg_us: int
    unverified_ts: int


def read_window(connection: Connection) -> Window:
    """Read the window."""
    row = connection.window_row
    if row is None:
        with store_errors():
            row = connection.execute(WINDOW).fetchone()
    assert row is not None
    return Window(start_ts=row[0], leg_us=row[1], unverified_ts=row[2])


def hold_window(connection: Connection) -> Window:
    """Read the window, and keep prune from dropping a day until this transaction ends; readers and writers go on.

    A snapshot would not do: a day that is dropped is gone from older snapshots too.
    """
    with store_errors():
        connection.execute("LOCK TABLE ONLY call_cdr IN ACCESS SHARE MODE")
    return read_window(connection)


def move_window(connection: Connection, *, start_ts: int, leg_us: int) -> None:
    """Let the window begin at another time, and legs be gone before `leg_us`. Call as sole archiver."""
    with store_errors():
        connection.execute("UPDATE hot_window SET window_start = %s, leg_start = %s", (start_ts, leg_us))


def note_dropped(connection: Connection, before_ms: int) -> None:
    """Remember that the archive's retention drops calls that started before a time. Call before it does."""
    with store_errors():
        connection.execute("UPDATE hot_window SET dropped_before = greatest(dropped_before, %s)", (before_ms,))


def read_dropped_before(connection: Connection) -> int:
    """Read before what time, epoch ms, the archive's retention has dropped calls; 0: none."""
    with store_errors():
        return int(str(scalar(connection, "SELECT dropped_before FROM hot_window")))
