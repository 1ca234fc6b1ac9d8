"""One day's calls as the archive has them, written into PostgreSQL piece by piece."""

from collections.abc import Iterator
from dataclasses import replace

from pyiceberg.table import Table

from maintenance.progress import Progress, no_progress
from maintenance.restore.absent import AbsentRows
from tollbook.archive.pages import read_page
from tollbook.model.accounts import EveryAccount
from tollbook.model.call_key import CallKey
from tollbook.model.record import Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import key_of, read_columns
from tollbook.store.calls.restore import RESTORED_COLUMNS, Restored, restore_calls
from tollbook.store.database import Connection
from tollbook.store.days.partitions import CALLS, standing_days
from tollbook.store.days.split import make_day
from tollbook.times import MS_PER_DAY

# Rows that are read and written at once. Comparing and writing them stops the day's writers for half a second.
PIECE_ROWS = 10_000

_READ = read_columns(RESTORED_COLUMNS)
_ESTIMATED = RESTORED_COLUMNS.index("estimated")
_PLACES = [_READ.index(name) for name in RESTORED_COLUMNS]


def restore_day(
    connection: Connection,
    table: Table | None,
    day: int,
    *,
    attached: bool,
    absent: AbsentRows | None = None,
    late: bool = False,
    progress: Progress = no_progress,
) -> Restored:
    """Make a day's calls in PostgreSQL what the loaded archive has, and send the archive what it lacks.

    `late`: only the day's late calls. `attached` as of `restore_calls`. `absent` settles what the archive lacks by its
    key, before it gets it. `progress`: ms of the day that are done, and a
    day's. Safe to kill and to do again. Call as sole archiver; raises ArchiveError and StoreUnavailable.
    """
    stands = late or day in standing_days(connection, CALLS)
    done = Restored()
    for after, last, rows in _pieces(table, day):
        if not stands and not rows:
            break
        if not stands:
            make_day(connection, day)
            stands = True
        if absent is not None:
            done += absent.settle(None if late else day, [key_of(row) for row in rows], after=after, last=last)
        restored = [_restored(row) for row in rows]
        done += restore_calls(connection, None if late else day, restored, after=after, last=last, attached=attached)
        progress(last.start_ts - day * MS_PER_DAY, MS_PER_DAY)
    return done


def _pieces(table: Table | None, day: int) -> Iterator[tuple[CallKey, CallKey, list[Record]]]:
    """Yield the rows of a day in the order of their keys, each time with the span of keys of which they are all."""
    after, end = CallKey(day * MS_PER_DAY, "", ""), CallKey((day + 1) * MS_PER_DAY, "", "")
    selection = Selection(accounts=EveryAccount(), since=after.start_ts, until=end.start_ts, order="asc")
    while True:
        rows = [] if table is None else read_page(table, selection, PIECE_ROWS, columns=_READ)
        last = end
        if len(rows) == PIECE_ROWS:
            # What the archive has of one call more than once must not be parted: the next piece begins after a key.
            whole = [row for row in rows if key_of(row) != key_of(rows[-1])]
            rows = whole or rows
            last = key_of(rows[-1])
        yield after, last, rows
        if last == end:
            return
        after, selection = last, replace(selection, after=last)


def _restored(row: Record) -> Record:
    """Return an archived row with RESTORED_COLUMNS; before there was `estimated`, no end was an estimate."""
    values = [row[place] for place in _PLACES]
    values[_ESTIMATED] = bool(values[_ESTIMATED])
    return tuple(values)
