"""Drops from PostgreSQL what was said of agents on closed days, once the archive is seen to have what they came to."""

from pyiceberg.catalog import Catalog

from maintenance.agents.close import archived_day
from tollbook.archive.agent_states import load_agent_states
from tollbook.errors import DataError
from tollbook.store.agents.days import DroppedChanges, closed_days, drop_changes, sum_days
from tollbook.store.agents.read import read_agent_window
from tollbook.store.database import Connection
from tollbook.times import date_of


def drop_agent_days(connection: Connection, catalog: Catalog, before_day: int) -> DroppedChanges:
    """Drop the closed days before a day, oldest first. Call as sole archiver, with a connection in autocommit.

    Raises DataError for a day that the archive has otherwise, ArchiveError and StoreUnavailable.
    """
    window = read_agent_window(connection)
    cut = max(min(before_day, window.open_day), window.kept_day)
    days = sorted(day for day in closed_days(connection) if window.kept_day <= day < cut)
    table = load_agent_states(catalog) if days else None
    for day in days:
        kept = {(row.switch, row.agent, row.account_id): row.sums for row in sum_days(connection, day, day + 1)}
        archived = (
            {} if table is None else {(r.switch, r.agent, r.account_id): r.sums for r in archived_day(table, day)}
        )
        if kept != archived:
            differing = sorted(str(key) for key in kept.keys() ^ archived.keys()) or [
                str(key) for key in kept if kept[key] != archived[key]
            ]
            raise DataError(
                f"{date_of(day)}: the archive has other times of {len(differing)} agents than were kept when the day"
                f" was closed, as of {differing[0]}: what was said of them stays in PostgreSQL; is it the archive that"
                " this database wrote?"
            )
    return drop_changes(connection, cut)
