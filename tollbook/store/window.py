"""`hot_window`: where the calls that PostgreSQL keeps begin, and what of the archive is not yet as it shall be."""

from dataclasses import dataclass

from tollbook.store.database import Connection, store_errors

# Held, shared, by a batch that touches calls as old as the window, while prune drops no legs.
LEG_LOCK = 7_264_100_004


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Calls that began before `start_ts` (epoch ms) are in the archive, legs before `leg_us` (epoch µs) are gone.

    Save for those of `call_cdr_late` and `call_leg_late`.
    """

    start_ts: int
    leg_us: int


def window(connection: Connection) -> Window:
    """Read the window."""
    with store_errors():
        row = connection.execute("SELECT window_start, leg_start FROM hot_window").fetchone()
    assert row is not None
    return Window(start_ts=row[0], leg_us=row[1])


def superseded(connection: Connection, *, since: int, until: int) -> frozenset[tuple[str, int]]:
    """Give the keys of the calls that began in [since, until), epoch ms, and that the archive holds as they were.

    They wait in the outbox: changed, or deleted. Read it in the same snapshot as the rows that are laid over the
    archive, and take none of these from there.
    """
    with store_errors():
        rows = connection.execute(
            "SELECT call_id, start_ts FROM archive_outbox WHERE start_ts >= %s AND start_ts < %s", (since, until)
        ).fetchall()
    return frozenset(rows)
