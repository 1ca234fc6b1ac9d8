"""Make the window of a database, and what it holds of it, what an attached archive has."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from pyiceberg.table import Table

from maintenance.progress import Progress, no_progress
from maintenance.restore.absent import AbsentRows
from maintenance.restore.day import restore_day
from tollbook.archive.bounds import first_and_last
from tollbook.archive.catalog import archive_errors
from tollbook.store import outbox
from tollbook.store.calls.restore import Restored
from tollbook.store.database import Connection
from tollbook.store.days import late
from tollbook.store.days.partitions import CALLS, standing_days
from tollbook.store.days.split import extend_late
from tollbook.store.days.sync_window import begin_changes
from tollbook.store.days.window import move_window, read_window
from tollbook.times import MS_PER_DAY, current_day, date_of


@dataclass(frozen=True, kw_only=True)
class WindowReport:
    """What was restored, over how many days, and the day with which the window begins.

    `gap`: the first and the last day that PostgreSQL had dropped, and of which the archive has no call.
    """

    restored: Restored
    days: int
    begins: int
    gap: tuple[int, int] | None

    def __str__(self) -> str:
        """Return it as one line."""
        begins = f", the window begins {date_of(self.begins)}" if self.begins else ""
        gap = ""
        if self.gap is not None:
            first, last = map(date_of, self.gap)
            gap = (
                f"; GAP: it has no call of {first} to {last}, days that PostgreSQL has dropped because a newer state"
                " had them: unless there were none, they are lost with that state. A copy of the newer archive brings"
                " them back, or CDR files by `tollbook recover`"
            )
        return (
            f"{self.restored.rows} rows restored from it, {self.days} days compared{begins}{self.restored.remarks}{gap}"
        )


def restore_window(
    connection: Connection,
    table: Table | None,
    *,
    deleted: Mapping[str, int],
    retention_days: int,
    today: int | None = None,
    progress: Progress = no_progress,
) -> WindowReport:
    """Restore the days that PostgreSQL is to hold, the newest first, and let the window begin with the last of them.

    That is where the window began, or `retention_days` before `today` (by the clock if None) if that is earlier, but
    not before the archive's first day. Whatever began before now, and before the newest archived call, counts as
    possibly archived from now on. Safe to kill and to do again. Call as sole archiver; raises ArchiveError and
    StoreUnavailable. `deleted` as of `AbsentRows`. `progress`: ms of the days that are done, and of all.
    """
    today = current_day() if today is None else today
    with archive_errors("looking for the archive's first and last call"):
        span = first_and_last(table) if table else None
    now_ms = time.time_ns() // 1_000_000
    outbox.mark_unverified(connection, max(now_ms, span[1] + 1000 if span else 0))
    before = read_window(connection)
    if span and not before.start_ts:
        begin_changes(connection)  # what the archive has, a sync cannot read from a database that was set up anew
    absent = None if table is None else AbsentRows(connection, table, deleted)
    days = _days(span, standing_days(connection, CALLS), before.start_ts // MS_PER_DAY, today - retention_days)
    late_days = late.days(connection)
    restored, total = Restored(), len(days) + len(late_days)
    # Newest first, and the window moves with them: what is not restored yet is read from the archive meanwhile.
    begins = before.start_ts

    def restore(day: int, shown: Progress = no_progress) -> None:
        nonlocal restored, begins
        restored += restore_day(connection, table, day, attached=True, absent=absent, progress=shown)
        if span and day <= today and (not before.start_ts or day * MS_PER_DAY < begins):
            begins = day * MS_PER_DAY
            move_window(connection, start_ts=begins, leg_us=max(before.leg_us, begins * 1000))

    for done, day in enumerate(days):

        def show(ms: int, of_day: int, done: int = done) -> None:
            progress(done * of_day + ms, total * of_day)

        restore(day, show)
    while span and not extend_late(connection, begins // MS_PER_DAY):
        # A correction of an older call has made a day meanwhile: the window begins there.
        for day in range(begins // MS_PER_DAY - 1, standing_days(connection, CALLS)[0] - 1, -1):
            restore(day)
    for day in late_days:
        restored += restore_day(connection, table, day, attached=True, absent=absent, late=True)
    gap = _gap(span, before.start_ts // MS_PER_DAY) if table is not None and before.start_ts else None
    return WindowReport(restored=restored, days=len(days), begins=begins // MS_PER_DAY, gap=gap)


def _gap(span: tuple[int, int] | None, window: int) -> tuple[int, int] | None:
    """Return the days between the archive's last call and the window; of an archive without calls, the day before."""
    after_last = window - 1 if span is None else span[1] // MS_PER_DAY + 1
    return (after_last, window - 1) if after_last < window else None


def _days(span: tuple[int, int] | None, standing: list[int], window: int, retained: int) -> list[int]:
    """Return the days to restore, the newest first: archived or standing ones from the window on."""
    if span is None:
        return standing[::-1]
    first, last = (at_ms // MS_PER_DAY for at_ms in span)
    # Also below the window: the retention was shorter, or an earlier try was cut short.
    lowest = min([max(first, retained), *standing[:1], *[window] * (window > 0)])
    return list(range(max(last, standing[-1] if standing else last), lowest - 1, -1))
