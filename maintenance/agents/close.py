"""Closes the UTC days of agents: their spans go into the archive, and what they came to is kept in PostgreSQL.

A day is closed six hours after its end, whole and once; then months go that the archive's retention does not keep. A
kill between the archive's commit and PostgreSQL's leaves a day that the archive has: the next run takes its sums from
there.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.agents.table import append_rows, before_day, ensure_agent_table, forget_old_states, remove_rows
from maintenance.compaction.months import begin_of, first_kept
from tollbook.archive._pyarrow import pa
from tollbook.archive.agent_states import holds_day, rows_of, sum_spans
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.model.accounts import EveryAccount
from tollbook.model.agents.figures import AgentTime, sums_of
from tollbook.model.agents.spans import AgentSpan
from tollbook.store import outbox
from tollbook.store.agents.days import close_day, first_open_day
from tollbook.store.agents.erase import drop_days
from tollbook.store.agents.read import iterate_histories, read_unheard
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, check_schema, connect, store_errors
from tollbook.store.holds import held_accounts
from tollbook.times import MS_PER_DAY, MS_PER_HOUR, US_PER_MS, day_of

#: A change may come late: while PostgreSQL was away, the listener kept it. Until a day is closed, each read of it lays
#: out all that was said, so this is no longer than an outage as a rule.
GRACE_MS: Final = 6 * MS_PER_HOUR
#: So many days before the window are closed, and none before them. A switch that booted without the time says something
#: of years ago, which would be closed day by day; whoever has not archived for so long has other worries.
MOST_LATE_DAYS: Final = 100
# After an upgrade or a long outage; the next run goes on. A day of 1,000 agents takes a second.
_MOST_DAYS: Final = 31
# The rows of a data file: some 20 MB of memory.
_PIECE_ROWS: Final = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedDays:
    """What a run closed. `left`: days that are due, and wait for the next run."""

    days: int = 0
    agents: int = 0
    left: int = 0

    def __str__(self) -> str:
        """Return it as one line."""
        left = f"; {self.left} days wait for the next run" if self.left else ""
        return f"agents: {self.days} days closed, {self.agents} agent-days archived{left}"


def close_agent_days(settings: Settings, *, now_ms: int | None = None) -> ClosedDays:
    """Close the days that are due. `now_ms`: the database's clock if None.

    Raises StoreUnavailable, ArchiveError, ArchiveForked, ArchiveLost; what was closed until then stays closed.
    """
    url = settings.require_database_url()
    with connect(url, name="archive", autocommit=True) as connection:
        check_schema(connection)
        due = _due_days(connection, now_ms, settings.retention_days)
        if not due:  # as in most runs, which ask the archive nothing
            return ClosedDays()
        agents = 0
        with sole_archiver(url, name="archive") as check_alone, open_catalog(settings, writing=True) as catalog:
            for day in due[:_MOST_DAYS]:
                check_alone()
                agents += _close(connection, ensure_agent_table(catalog, connection), day)
            if settings.archive_retention_months is not None:
                _drop_old(connection, catalog, settings.archive_retention_months)
    return ClosedDays(days=len(due[:_MOST_DAYS]), agents=agents, left=len(due[_MOST_DAYS:]))


def _due_days(connection: Connection, now_ms: int | None, retention_days: int) -> list[int]:
    first = first_open_day(connection)
    if first is None:
        return []
    if now_ms is None:
        now_ms = int(outbox.moment(connection).astimezone(dt.UTC).timestamp() * 1000)
    end = (now_ms - GRACE_MS) // MS_PER_DAY
    return list(range(max(first, end - retention_days - MOST_LATE_DAYS), end))


def _drop_old(connection: Connection, catalog: Catalog, months: int) -> None:
    """Drop the months that the archive's retention does not keep, but of accounts under a hold."""
    kept_from = begin_of(first_kept(outbox.moment(connection), months)).date()
    held = held_accounts(connection)
    remove_rows(ensure_agent_table(catalog, connection, removing=True), before_day(day_of(kept_from), held))
    forget_old_states(catalog)  # also what a run that was killed has removed, and not yet forgotten
    drop_days(connection, day_of(kept_from))


def _close(connection: Connection, table: Table, day: int) -> int:
    if holds_day(table, day):
        sums = archived_day(table, day)
    else:
        sums = list[AgentTime]()
        append_rows(table, _pieces(connection, day, sums))
    close_day(connection, day, sums)
    return len(sums)


def archived_day(table: Table, day: int) -> list[AgentTime]:
    """Return what a day came to by the archive. Raises ArchiveError."""
    return sum_spans(table, EveryAccount(), day * MS_PER_DAY, (day + 1) * MS_PER_DAY)


def _pieces(connection: Connection, day: int, sums: list[AgentTime]) -> Iterator[Any]:
    """Yield the spans of a day in pieces, and add what each agent's come to, to `sums`."""
    waiting, rows = list[Any](), 0
    for agent, spans in spans_of_day(connection, day):
        sums.append(agent)
        waiting.append(rows_of(day, agent, spans))
        rows += len(spans)
        if rows >= _PIECE_ROWS:
            yield pa.concat_tables(waiting)
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def spans_of_day(connection: Connection, day: int) -> Iterator[tuple[AgentTime, list[AgentSpan]]]:
    """Yield what each agent did on a day, by switch and name. Call in autocommit; raises StoreUnavailable.

    A day on which the agent passed from one account to another is nobody's.
    """
    since_ms, until_ms = day * MS_PER_DAY, (day + 1) * MS_PER_DAY
    with store_errors(), connection.transaction():
        unheard = read_unheard(connection, since_ms, until_ms, now_us=until_ms * US_PER_MS)
        for history in iterate_histories(connection, since_ms, until_ms):
            if spans := unheard.spans(history, since_ms, until_ms):
                account_id = history.account_id if history.own_since <= since_ms else None
                yield AgentTime(history.switch, history.agent, account_id, sums_of(spans)), spans
