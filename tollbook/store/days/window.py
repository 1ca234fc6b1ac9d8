"""`hot_window`: where the calls that PostgreSQL keeps begin."""

from dataclasses import dataclass

from tollbook.store.database import Connection, store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Calls that started before `start_ts` (epoch ms) are in the archive, and legs from before `leg_us` (µs) are gone.

    Except for those in `call_cdr_late` and `call_leg_late`.
    """

    start_ts: int
    leg_us: int


def read_window(connection: Connection) -> Window:
    """Read the window."""
    with store_errors():
        row = connection.execute("SELECT window_start, leg_start FROM hot_window").fetchone()
    assert row is not None
    return Window(start_ts=row[0], leg_us=row[1])
