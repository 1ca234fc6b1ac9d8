"""`hot_window`: where the calls that PostgreSQL keeps begin, and what of the archive is not yet as it shall be."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import starmap

from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import Hot
from tollbook.store.database import Connection, store_errors


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Calls that began before `start_ts` (epoch ms) are in the archive, legs before `leg_us` (epoch µs) are gone.

    Save for those of `call_cdr_late` and `call_leg_late`.
    """

    start_ts: int
    leg_us: int


def read_window(connection: Connection) -> Window:
    """Read the window."""
    with store_errors():
        row = connection.execute("SELECT window_start, leg_start FROM hot_window").fetchone()
    assert row is not None
    return Window(start_ts=row[0], leg_us=row[1])


def hot(connection: Connection, selection: Selection, read: Callable[[Connection], Sequence[Record]]) -> Hot:
    """Read a page of PostgreSQL's tier with `read`, and what it is to be laid over the archive with.

    Call inside `access.reading` or `access.snapshot`, which hold one moment. Raises StoreUnavailable.
    """
    with store_errors():
        start_ts = read_window(connection).start_ts
        rows = read(connection)
        outdated = _superseded(connection, selection, start_ts) if selection.since < start_ts else frozenset[CallKey]()
    return Hot(rows=rows, window_start=start_ts, superseded=outdated)


def _superseded(connection: Connection, selection: Selection, start_ts: int) -> frozenset[CallKey]:
    """Give the keys of the calls before the window that the archive holds as they were: changed, or deleted since.

    They are few: of all that waits in the outbox, late calls alone.
    """
    first, end = replace(selection, until=min(selection.until, start_ts)).remaining
    rows = connection.execute(
        "SELECT start_ts, call_id, switch FROM archive_outbox WHERE start_ts >= %s AND start_ts < %s", (first, end)
    ).fetchall()
    return frozenset(starmap(CallKey, rows))
