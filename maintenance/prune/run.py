"""`tollbook prune`: drops the days before the window from PostgreSQL, once the archive has them.

The oldest day first, one transaction per day. The archive's lock is held from the comparison of a day in both tiers to
its drop, so nothing writes the archive meanwhile. A day on which the tiers differ ends the run: no day is
dropped before an older one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.agents.prune import drop_agent_days
from maintenance.archive.batch import parse_rows
from maintenance.progress import Progress, no_progress
from maintenance.prune.differences import differences
from maintenance.prune.plan import MAX_MOVED, overdue_days, overdue_leg_days
from maintenance.prune.report import PruneReport
from maintenance.prune.verify import differing_calls, verify
from maintenance.sums.run import order_sums
from tollbook.archive import lookup
from tollbook.archive.catalog import open_catalog
from tollbook.archive.known import load_known_calls
from tollbook.config import Settings
from tollbook.errors import DataError
from tollbook.model.call_key import CallKey
from tollbook.store.archive_commits import archive_begun
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days import late, sync_window
from tollbook.store.days import prune as store
from tollbook.store.days.partitions import CALLS, LEGS, make_ready, standing_days
from tollbook.store.days.rows import late_rows_csv
from tollbook.store.days.window import read_window
from tollbook.store.events.prune import Forgotten, forget_events
from tollbook.times import MS_PER_DAY, current_day, date_of

# How long to wait for an archiver at work: it may be archiving what an outage left.
_ARCHIVER_WAIT_S = 300.0

# Late calls compared with the archive at once.
_LATE_CALLS = 1000

WriteLine = Callable[[str], None]


def _discard(line: str) -> None:
    del line


def prune_days(
    settings: Settings,
    *,
    dry_run: bool = False,
    today: int | None = None,
    progress: Progress = no_progress,
    write_line: WriteLine = _discard,
) -> PruneReport:
    """Make partitions ahead and drop what is overdue.

    `today` is counted from 1970-01-01, by the clock if None. `progress`: days done, and overdue; `write_line` gets a
    line for each day. Raises DataError for a day on which the archive differs, ArchiveError if the archive lags or
    cannot be reached, ArchiveLost if its catalog no longer knows it, StoreUnavailable if a day is in use; what was
    dropped until then stays dropped.
    """
    today = current_day() if today is None else today
    url = settings.require_database_url()
    forgotten = Forgotten()
    with connect(url, name="prune", autocommit=True) as connection:
        check_schema(connection)
        if not dry_run:
            make_ready(connection)  # first: a day that cannot be dropped must not stop tomorrow's calls
            forgotten = forget_events(connection, settings.event_days)
        with open_catalog(settings) as catalog:
            pruning = _Pruning(
                url=url,
                connection=connection,
                catalog=catalog,
                dry_run=dry_run,
                longer_legs=settings.kept_leg_days - settings.retention_days,
                progress=progress,
                write_line=write_line,
            )
            days = overdue_days(standing_days(connection, CALLS), today, settings.retention_days)
            calls, moved = pruning.drop_calls(days)
            leg_days = pruning.drop_legs(days)
            late_deleted, late_requeued = pruning.settle_late_calls()
            if not dry_run:
                sync_window.forget_gone(connection, read_window(connection).start_ts)
                with sole_archiver(url, name="prune", wait_s=_ARCHIVER_WAIT_S):
                    agents = drop_agent_days(connection, catalog, today - settings.retention_days)
                if agents.changes or agents.agents:
                    write_line(str(agents))
            late_left, late_open = late.count(connection)
    if not dry_run:
        order_sums(url, today)
    return PruneReport(
        days=len(days), calls=calls, moved=moved, leg_days=leg_days, late_deleted=late_deleted,
        late_requeued=late_requeued, late_left=late_left, late_open=late_open, dry_run=dry_run,
        events=forgotten.events, undelivered=forgotten.undelivered,
    )  # fmt: skip


def requeue_day(settings: Settings, day: int) -> int:
    """Send the calls of a day to the archive again that it lacks or holds otherwise; return their number.

    Raises DataError for a day that PostgreSQL does not have, and as `prune_days`.
    """
    url = settings.require_database_url()
    with connect(url, name="prune", autocommit=True) as connection:
        check_schema(connection)
        if day not in standing_days(connection, CALLS):
            raise DataError(f"PostgreSQL has no calls of {date_of(day)}: there is nothing that could be sent")
        with open_catalog(settings) as catalog, sole_archiver(url, name="prune"):
            table = load_known_calls(catalog, partial(archive_begun, url))
            differing = differing_calls(connection, table, day)
            return sum(late.requeue(connection, keys, day=day) for keys in differing)


@dataclass(frozen=True, kw_only=True)
class _Pruning:
    url: str
    connection: Connection
    catalog: Catalog
    dry_run: bool
    longer_legs: int
    progress: Progress
    write_line: WriteLine

    def drop_calls(self, days: list[int]) -> tuple[int, int]:
        """Verify and drop days of calls; return how many calls the archive has of them, and how many moved."""
        calls = moved = 0
        for done, day in enumerate(days):
            self.progress(done, len(days))
            with sole_archiver(self.url, name="prune", wait_s=_ARCHIVER_WAIT_S) as check_alone:
                verified = verify(self.connection, self._load_calls(), day)
                line = f"{date_of(day)}: {verified.calls} calls, verified in the archive"
                calls += verified.calls
                if self.dry_run:
                    moved += verified.staying
                else:
                    check_alone()
                    dropped = store.drop_calls(self.connection, day, most_moved=MAX_MOVED)
                    moved += dropped.moved
                    line += f", dropped; {dropped.moved} moved: open, not archived or changed lately"
            self.write_line(line)
        self.progress(len(days), len(days))
        return calls, moved

    def drop_legs(self, call_days: list[int]) -> int:
        """Drop the days of legs that are overdue once `call_days` are dropped; return their number."""
        window_start = max([read_window(self.connection).start_ts, *((day + 1) * MS_PER_DAY for day in call_days)])
        days = overdue_leg_days(standing_days(self.connection, LEGS), window_start, self.longer_legs)
        if not self.dry_run:
            for day in days:
                dropped = store.drop_legs(self.connection, day)
                self.write_line(f"{date_of(day)}: legs dropped; {dropped.moved} belong to late calls and moved")
        return len(days)

    def settle_late_calls(self) -> tuple[int, int]:
        """Delete the late calls that the archive has unchanged, requeue the others; return the number of each."""
        deleted = requeued = 0
        after = None
        while keys := late.settled(self.connection, limit=_LATE_CALLS, after=after):
            after = keys[-1]
            with sole_archiver(self.url, name="prune", wait_s=_ARCHIVER_WAIT_S):
                archived = _archived_unchanged(self.connection, self._load_calls(), keys)
                if self.dry_run:
                    deleted += len(archived)
                    continue
                deleted += late.delete(self.connection, archived)
                requeued += late.requeue(self.connection, [key for key in keys if key not in archived])
        return deleted, requeued

    def _load_calls(self) -> Table | None:
        return load_known_calls(self.catalog, partial(archive_begun, self.url))


def _archived_unchanged(connection: Connection, table: Table | None, keys: list[CallKey]) -> set[CallKey]:
    """Return the keys of the late calls, given in order, that the archive has with the same value in every column."""
    unchanged: set[CallKey] = set()
    if table is None:
        return unchanged
    for _, group in groupby(keys, key=lambda key: key.start_ts // MS_PER_DAY):
        of_day = list(group)
        stored = parse_rows(late_rows_csv(connection, of_day))
        archived = lookup.find_rows(
            table,
            {key.call_id for key in of_day},
            first_ms=of_day[0].start_ts,
            last_ms=of_day[-1].start_ts,
            accounts=stored["account_id"].unique().to_pylist(),
        )
        unchanged |= {*of_day} - {difference.key for difference in differences(stored, archived)}
    return unchanged
