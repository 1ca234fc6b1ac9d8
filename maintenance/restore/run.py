"""`tollbook archive restore DAY…`: brings archived calls back to PostgreSQL."""

from collections.abc import Collection
from dataclasses import dataclass

from maintenance.progress import Progress, no_progress
from maintenance.restore.day import restore_day
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.errors import ArchiveLost, UsageError
from tollbook.store.archiver import sole_archiver
from tollbook.store.calls.restore import Restored
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days.window import move_window, read_window
from tollbook.times import MS_PER_DAY, current_day, date_of

# How long to wait for an archiver at work.
_ARCHIVER_WAIT_S = 300.0


@dataclass(frozen=True, kw_only=True)
class RestoreReport:
    """What was restored; `overdue`: the days that the next prune drops again."""

    restored: Restored
    days: int
    overdue: int

    def __str__(self) -> str:
        """Return it as one line."""
        overdue = (
            f"; {self.overdue} of the days are older than TOLLBOOK_RETENTION_DAYS: the next prune drops them again"
            if self.overdue
            else ""
        )
        return (
            f"{self.restored.rows} rows of {self.days} days restored from the archive{self.restored.remarks}{overdue}"
        )


def restore_days(settings: Settings, days: Collection[int], *, progress: Progress = no_progress) -> RestoreReport:
    """Make days of PostgreSQL what the archive has, row by row, and let the window begin with the oldest of them.

    `days` are counted from 1970-01-01, in any order. Rows that have changed since they were archived stay. Raises
    UsageError for a day that does not adjoin the window, before anything is changed; ArchiveLost if there is no
    archive, ArchiveError and StoreUnavailable: what was restored until then stays, and the command can be repeated.
    """
    newest_first = sorted(set(days), reverse=True)
    url = settings.require_database_url()
    restored = Restored()
    with connect(url, name="restore", autocommit=True) as connection, open_catalog(settings) as catalog:
        check_schema(connection)
        _refuse_gaps(connection, newest_first)
        for done, day in enumerate(newest_first):

            def show(ms: int, of_day: int, done: int = done) -> None:
                progress(done * of_day + ms, len(newest_first) * of_day)

            with sole_archiver(url, name="restore", wait_s=_ARCHIVER_WAIT_S):
                table = load_calls(catalog)
                if table is None:
                    raise ArchiveLost("there is no archive that the catalog knows: see `tollbook archive attach`")
                _refuse_gaps(connection, [day])  # prune may have dropped days since
                restored += restore_day(connection, table, day, attached=False, progress=show)
                window = read_window(connection)
                if day * MS_PER_DAY < window.start_ts:
                    move_window(connection, start_ts=day * MS_PER_DAY, leg_us=window.leg_us)
    overdue = sum(1 for day in newest_first if day < current_day() - settings.retention_days)
    return RestoreReport(restored=restored, days=len(newest_first), overdue=overdue)


def _refuse_gaps(connection: Connection, newest_first: list[int]) -> None:
    """Raise UsageError for a day that adjoins neither the window nor another of the days."""
    begins = read_window(connection).start_ts // MS_PER_DAY
    for day in newest_first:
        if day < begins - 1:
            raise UsageError(
                f"{date_of(day)} does not adjoin the days that PostgreSQL has, which begin {date_of(begins)}:"
                f" restore {date_of(begins - 1)} first, or both"
            )
        begins = min(begins, day)
