"""`tollbook prune`: days older than the window are dropped from PostgreSQL, once the archive holds them.

Oldest first, one transaction a day. From the look at a day's totals in both tiers to the drop, nothing writes the
archive. A day on which the tiers differ stops the run: no later day goes before an earlier one.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import groupby

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from tollbook.archive import lookup
from tollbook.archive import totals as archive
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.errors import ArchiveError, DataError
from tollbook.model.call_key import CallKey
from tollbook.model.totals import Totals, differences
from tollbook.store import outbox
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days import late, totals
from tollbook.store.days import prune as store
from tollbook.store.days.late import LateCall
from tollbook.store.days.partitions import CALLS, LEGS, MS_PER_DAY, date_of, make_ready, standing_days
from tollbook.store.days.window import window

# Rows that move while every INSERT waits: some 30 ms. A day has that many open or unarchived calls only when the
# archiver did not run for weeks.
MOST_MOVED = 2000

# A call's legs outlive it by so many days: a leg that comes late is still folded with all the others.
LEG_DAYS = 2

# An archiver at work is waited for: it may be taking in what an outage left.
_ARCHIVER_WAIT_S = 300.0
_LATE_AT_ONCE = 1000
_ALL_SHOWN = 10


@dataclass(frozen=True, kw_only=True)
class PruneReport:
    """What a run did, or, dry, would do. `moved`: calls that outlive their day; `settled`: late ones that went."""

    days: int = 0
    calls: int = 0
    moved: int = 0
    leg_days: int = 0
    settled: int = 0
    again: int = 0
    late: int = 0
    late_open: int = 0
    dry: bool = False

    def __str__(self) -> str:
        """Say it in one line."""
        told = (
            f"{'would prune' if self.dry else 'pruned'}: {self.days} days of calls ({self.calls} calls that the archive"
            f" holds), {self.leg_days} days of legs, {self.settled} late calls"
        )
        if self.dry:
            return f"{told}; {self.moved} calls would move to the late ones"
        again = f"; {self.again} late calls sent to the archive again, which holds them otherwise" if self.again else ""
        return f"{told}; {self.moved} moved, {self.late} late calls are left, {self.late_open} of them open{again}"


@dataclass(frozen=True, kw_only=True)
class Watch:
    """Who is told how a run goes on: `progress` days done and days due, `tell` a line for each day."""

    progress: Callable[[int, int], None] = field(default=lambda done, due: None)
    tell: Callable[[str], None] = field(default=lambda line: None)


def overdue(days: Iterable[int], today: int, retention_days: int) -> list[int]:
    """Choose the days, counted from 1970-01-01, whose calls all began before the retention, oldest first."""
    return sorted(day for day in days if day < today - retention_days)


def overdue_legs(days: Iterable[int], window_start: int) -> list[int]:
    """Choose the days of legs that no call within the window, or shortly before it, has a leg in, oldest first."""
    return sorted(day for day in days if window_start > (day + LEG_DAYS) * MS_PER_DAY)


def prune(
    settings: Settings, *, dry_run: bool = False, today: int | None = None, watch: Watch | None = None
) -> PruneReport:
    """Make partitions ahead and drop what is overdue; `today` is counted from 1970-01-01, by the clock if None.

    Raises DataError for a day on which the archive differs, ArchiveError when it is behind or away, StoreUnavailable
    when a day is in use; what was dropped until then stays dropped.
    """
    watch = watch or Watch()
    today = int(time.time()) // 86_400 if today is None else today
    with connect(settings.require_database_url(), name="prune", autocommit=True) as connection:
        check_schema(connection)
        if not dry_run:
            make_ready(connection)  # first: a day that cannot be dropped must not stop tomorrow's calls
        with open_catalog(settings) as catalog:
            run = _Run(connection=connection, catalog=catalog, dry=dry_run, watch=watch)
            return run.all(overdue(standing_days(connection, CALLS), today, settings.retention_days))


def requeue_day(settings: Settings, day: int) -> int:
    """Send to the archive again the calls of a day, of the accounts on which it differs; give their number."""
    with connect(settings.require_database_url(), name="prune", autocommit=True) as connection:
        check_schema(connection)
        if day not in standing_days(connection, CALLS):
            raise DataError(f"PostgreSQL has no calls of {date_of(day)}: there is nothing that could be sent")
        with open_catalog(settings) as catalog, outbox.sole_archiver(connection):
            ours, theirs = _both(connection, load_calls(catalog), day)
            return late.requeue_day(connection, day, [one.account_id for one in differences(ours.archived, theirs)])


@dataclass(frozen=True, kw_only=True)
class _Run:
    connection: Connection
    catalog: Catalog
    dry: bool
    watch: Watch

    def all(self, days: list[int]) -> PruneReport:
        calls = moved = 0
        for done, day in enumerate(days):
            self.watch.progress(done, len(days))
            with outbox.sole_archiver(self.connection, wait_s=_ARCHIVER_WAIT_S):
                verified = verify(self.connection, load_calls(self.catalog), day)
                line = f"{date_of(day)}: {verified.calls} calls, verified in the archive"
                moves = verified.moves
                if not self.dry:
                    dropped = store.drop_calls(self.connection, day, most_moved=MOST_MOVED)
                    moves = dropped.moved
                    line += f", dropped; {moves} are open or wait for the archive and moved"
            calls, moved = calls + verified.calls, moved + moves
            self.watch.tell(line)
        self.watch.progress(len(days), len(days))
        start = max([window(self.connection).start_ts, *((day + 1) * MS_PER_DAY for day in days)])
        leg_days = overdue_legs(standing_days(self.connection, LEGS), start)
        for day in [] if self.dry else leg_days:
            dropped = store.drop_legs(self.connection, day)
            self.watch.tell(f"{date_of(day)}: legs dropped; {dropped.moved} belong to late calls and moved")
        settled, again = self._late()
        left, still_open = late.count(self.connection)
        return PruneReport(
            days=len(days), calls=calls, moved=moved, leg_days=len(leg_days), settled=settled, again=again,
            late=left, late_open=still_open, dry=self.dry,
        )  # fmt: skip

    def _late(self) -> tuple[int, int]:
        """Delete late rows that the archive holds as they are; send those again that it does not."""
        settled = again = 0
        behind = None
        while found := late.settled(self.connection, limit=_LATE_AT_ONCE, behind=behind):
            behind = found[-1].key
            with outbox.sole_archiver(self.connection, wait_s=_ARCHIVER_WAIT_S):
                held = _held(load_calls(self.catalog), found)
                if self.dry:
                    settled += len(held)
                    continue
                settled += late.delete(self.connection, held)
                again += late.requeue(self.connection, [call.key for call in found if call.key not in held])
        return settled, again


@dataclass(frozen=True, kw_only=True)
class Verified:
    """A day that the archive holds: its calls there, and those that are to outlive it in PostgreSQL."""

    calls: int
    moves: int


def verify(connection: Connection, table: Table | None, day: int) -> Verified:
    """Compare a day's totals in both tiers, account by account. Call as sole archiver; raises as `prune`."""
    ours, theirs = _both(connection, table, day)
    if len(ours.waiting) + ours.open > MOST_MOVED:
        raise ArchiveError(
            f"{date_of(day)} is not dropped, nor any later day: more than {MOST_MOVED} of its calls are open"
            f" ({ours.open}) or wait for the archive: run `tollbook archive run`, see `tollbook doctor`, prune again"
        )
    if differ := differences(ours.archived, theirs):
        told = "\n  ".join(map(str, differ[:_ALL_SHOWN]))
        more = f"\n  and {len(differ) - _ALL_SHOWN} accounts more" if len(differ) > _ALL_SHOWN else ""
        raise DataError(
            f"{date_of(day)} is not dropped, nor any later day: the archive does not hold what PostgreSQL does.\n"
            f"  {told}{more}\n"
            f"`tollbook prune --send-again {date_of(day)}`, then `tollbook archive run`, makes the archive hold these"
            " accounts' calls as PostgreSQL has them; what it holds beyond that, `tollbook archive query` shows"
        )
    return Verified(calls=sum(one.calls for one in theirs.values()), moves=len(ours.waiting) + ours.open)


def _both(connection: Connection, table: Table | None, day: int) -> tuple[totals.DayTotals, dict[str | None, Totals]]:
    ours = totals.day_totals(connection, day, most_waiting=MOST_MOVED)
    return ours, {} if table is None else archive.day_totals(table, day, without=ours.waiting)


def _held(table: Table | None, rows: list[LateCall]) -> set[CallKey]:
    """Give the keys of the rows that the archive holds with the same account, billsec and cost."""
    held: set[CallKey] = set()
    if table is None:
        return held
    for _, some in groupby(rows, key=lambda call: call.key.start_ts // MS_PER_DAY):
        same = list(some)
        archived = lookup.find(
            table,
            {call.key.call_id for call in same},
            first_ms=min(call.key.start_ts for call in same),
            last_ms=max(call.key.start_ts for call in same),
            accounts={call.account_id for call in same},
        )
        kept = {(call.key, call.account_id, call.billsec, call.cost_micros) for call in archived}
        held |= {call.key for call in same if (call.key, call.account_id, call.billsec, call.cost_micros) in kept}
    return held
