"""What `tollbook archive attach` does with the table of agents, beside that of the calls.

A database that was restored may lead to an older state than the newest, a copy of one to production's table, and the
newest state may be lost. Days are whole, so whatever state is gone on from, a day that it lacks is written again while
PostgreSQL has what was said.
"""

from contextlib import suppress

from pyiceberg.catalog import Catalog
from pyiceberg.exceptions import NoSuchTableError

from maintenance.agents.table import newest_file
from maintenance.archive.catalog_entry import lead_to
from maintenance.archive.metadata_files import table_location
from maintenance.archive.table import default_location
from tollbook.archive.agent_states import AGENT_TABLE, load_agent_states, sums_by_day
from tollbook.archive.catalog import archive_errors
from tollbook.archive.pointer import read_pointer
from tollbook.errors import ArchiveDamaged, ArchiveLost
from tollbook.store.agents.days import close_day, closed_days, reopen_days, replace_day, sum_days
from tollbook.store.database import Connection


def attach_agents(connection: Connection, catalog: Catalog) -> str | None:
    """Go on from the newest state of the table, and make closed days the archive's; return what was done, if anything.

    Call as sole archiver, with a connection in autocommit. Raises ArchiveLost if files of the table are there and no
    state is whole; ArchiveError and StoreUnavailable.
    """
    with archive_errors("attaching the archive of agents"):
        moved = _go_on(catalog)
    said = [f"by {moved}"] if moved else list[str]()
    table = load_agent_states(catalog)
    archived, closed, corrected = set[int](), closed_days(connection), 0
    try:
        for day, sums in sums_by_day(table) if table is not None else ():
            archived.add(day)
            if day in closed:
                if sum_days(connection, day, day + 1) == sums:
                    continue
                replace_day(connection, day)  # of agents that were erased since, the archive has nothing
                corrected += 1
            close_day(connection, day, sums)
    except ArchiveDamaged as error:  # no reason to keep the calls from being attached
        return f"agents: not attached, {error}"
    if found := archived - closed:
        said.append(f"{len(found)} closed days found in the archive")
    if corrected:
        said.append(f"{corrected} days are now as it has them")
    lost = closed - archived
    if again := reopen_days(connection, lost):
        said.append(f"{again} days that it lacks are archived again")
    if said and len(lost) > again:
        said.append(f"of {len(lost) - again} more PostgreSQL has the sums alone")
    return f"agents: {', '.join(said)}" if said else None


def give_up_agents(connection: Connection, catalog: Catalog) -> str | None:
    """Let the catalog forget the table, no file of which is touched, and go on as `attach_agents` does."""
    with archive_errors("taking the table of agents out of the catalog"), suppress(NoSuchTableError):
        catalog.drop_table(AGENT_TABLE)
    return attach_agents(connection, catalog)


def _go_on(catalog: Catalog) -> str | None:
    """Make the catalog lead to the newest whole state; return its file if it leads to another one, or to none, now."""
    try:
        table = load_agent_states(catalog)
    except ArchiveLost:
        table = None
    pointer = read_pointer(catalog, AGENT_TABLE) if table is None else table.metadata_location
    location = (
        table.location()
        if table is not None
        else table_location(pointer or "") or default_location(catalog, AGENT_TABLE)
    )
    if location is None:
        return None
    newest = newest_file(catalog, location)
    if newest is None:
        with suppress(NoSuchTableError):
            catalog.drop_table(AGENT_TABLE)
        return "no file that is left of their table" if pointer else None
    if pointer == newest:
        return None
    lead_to(catalog, AGENT_TABLE, newest)
    return newest
