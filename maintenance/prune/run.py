"""`tollbook prune`: drops the days before the window from PostgreSQL, once the archive has them.

The oldest day first, one transaction per day. The archive's lock is held from the reading of a day's totals in both
tiers to its drop, so nothing writes the archive meanwhile. A day on which the tiers differ ends the run: no day is
dropped before an older one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.progress import Progress, no_progress
from maintenance.prune.plan import MAX_MOVED, VerifiedDay, overdue_days, overdue_leg_days, verify_day
from maintenance.prune.report import PruneReport
from tollbook.archive import lookup
from tollbook.archive import totals as archive
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.errors import DataError
from tollbook.model.call_key import CallKey
from tollbook.model.totals import Totals, differing_accounts
from tollbook.store import outbox
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days import late, totals
from tollbook.store.days import prune as store
from tollbook.store.days.late import LateCall
from tollbook.store.days.partitions import CALLS, LEGS, make_ready, standing_days
from tollbook.store.days.window import read_window
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
    cannot be reached, StoreUnavailable if a day is in use; what was dropped until then stays dropped.
    """
    today = current_day() if today is None else today
    url = settings.require_database_url()
    with connect(url, name="prune", autocommit=True) as connection:
        check_schema(connection)
        if not dry_run:
            make_ready(connection)  # first: a day that cannot be dropped must not stop tomorrow's calls
        with open_catalog(settings) as catalog:
            pruning = _Pruning(
                url=url,
                connection=connection,
                catalog=catalog,
                dry_run=dry_run,
                progress=progress,
                write_line=write_line,
            )
            days = overdue_days(standing_days(connection, CALLS), today, settings.retention_days)
            calls, moved = pruning.drop_calls(days)
            leg_days = pruning.drop_legs(days)
            late_deleted, late_requeued = pruning.settle_late_calls()
            late_left, late_open = late.count(connection)
    return PruneReport(
        days=len(days), calls=calls, moved=moved, leg_days=leg_days, late_deleted=late_deleted,
        late_requeued=late_requeued, late_left=late_left, late_open=late_open, dry_run=dry_run,
    )  # fmt: skip


def requeue_day(settings: Settings, day: int) -> int:
    """Send a day's calls to the archive again, of the accounts on which the tiers differ; return their number.

    Raises DataError for a day that PostgreSQL does not have, and as `prune_days`.
    """
    url = settings.require_database_url()
    with connect(url, name="prune", autocommit=True) as connection:
        check_schema(connection)
        if day not in standing_days(connection, CALLS):
            raise DataError(f"PostgreSQL has no calls of {date_of(day)}: there is nothing that could be sent")
        with open_catalog(settings) as catalog, outbox.sole_archiver(url, name="prune"):
            database, archived = _totals(connection, load_calls(catalog), day)
            different = differing_accounts(database.archived, archived)
            return late.requeue_day(connection, day, [difference.account_id for difference in different])


@dataclass(frozen=True, kw_only=True)
class _Pruning:
    url: str
    connection: Connection
    catalog: Catalog
    dry_run: bool
    progress: Progress
    write_line: WriteLine

    def drop_calls(self, days: list[int]) -> tuple[int, int]:
        """Verify and drop days of calls; return how many calls the archive has of them, and how many moved."""
        calls = moved = 0
        for done, day in enumerate(days):
            self.progress(done, len(days))
            with outbox.sole_archiver(self.url, name="prune", wait_s=_ARCHIVER_WAIT_S) as check_alone:
                verified = verify(self.connection, load_calls(self.catalog), day)
                line = f"{date_of(day)}: {verified.calls} calls, verified in the archive"
                calls += verified.calls
                if self.dry_run:
                    moved += verified.staying
                else:
                    check_alone()
                    dropped = store.drop_calls(self.connection, day, most_moved=MAX_MOVED)
                    moved += dropped.moved
                    line += f", dropped; {dropped.moved} are open or wait for the archive and moved"
            self.write_line(line)
        self.progress(len(days), len(days))
        return calls, moved

    def drop_legs(self, call_days: list[int]) -> int:
        """Drop the days of legs that are overdue once `call_days` are dropped; return their number."""
        window_start = max([read_window(self.connection).start_ts, *((day + 1) * MS_PER_DAY for day in call_days)])
        days = overdue_leg_days(standing_days(self.connection, LEGS), window_start)
        if not self.dry_run:
            for day in days:
                dropped = store.drop_legs(self.connection, day)
                self.write_line(f"{date_of(day)}: legs dropped; {dropped.moved} belong to late calls and moved")
        return len(days)

    def settle_late_calls(self) -> tuple[int, int]:
        """Delete the late calls that the archive has unchanged, requeue the others; return the number of each."""
        deleted = requeued = 0
        after = None
        while calls := late.settled(self.connection, limit=_LATE_CALLS, after=after):
            after = calls[-1].key
            with outbox.sole_archiver(self.url, name="prune", wait_s=_ARCHIVER_WAIT_S):
                archived = _archived_unchanged(load_calls(self.catalog), calls)
                if self.dry_run:
                    deleted += len(archived)
                    continue
                deleted += late.delete(self.connection, archived)
                requeued += late.requeue(self.connection, [call.key for call in calls if call.key not in archived])
        return deleted, requeued


def verify(connection: Connection, table: Table | None, day: int) -> VerifiedDay:
    """Verify that the archive has a day's calls, as `verify_day`. Call as sole archiver; raises as `prune_days`."""
    return verify_day(day, *_totals(connection, table, day))


def _totals(
    connection: Connection, table: Table | None, day: int
) -> tuple[totals.DayTotals, Mapping[str | None, Totals]]:
    """Add up a day in both tiers, leaving out what waits for the archive."""
    database = totals.day_totals(connection, day, most_waiting=MAX_MOVED)
    return database, {} if table is None else archive.day_totals(table, day, excluded=database.waiting)


def _archived_unchanged(table: Table | None, calls: list[LateCall]) -> set[CallKey]:
    """Return the keys of the calls, given in order, that the archive has with the same account, billsec and cost."""
    found: set[CallKey] = set()
    if table is None:
        return found
    for _, group in groupby(calls, key=lambda call: call.key.start_ts // MS_PER_DAY):
        of_day = list(group)
        archived = lookup.find_calls(
            table,
            {call.key.call_id for call in of_day},
            first_ms=min(call.key.start_ts for call in of_day),
            last_ms=max(call.key.start_ts for call in of_day),
            accounts={call.account_id for call in of_day},
        )
        same = {(call.key, call.account_id, call.billsec, call.cost_micros) for call in archived}
        found |= {call.key for call in of_day if (call.key, call.account_id, call.billsec, call.cost_micros) in same}
    return found
