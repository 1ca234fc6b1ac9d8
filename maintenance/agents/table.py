"""The archive's table of agents, for those who write it: created once, found again, and never where calls must not be.

It has no guard of its own. Whoever writes it is the sole archiver, and has passed the guard of the calls' table, which
stops a database that was restored or copied. What such a one could still do is write a day: and a day that is there is
never written again.
"""

from collections.abc import Collection, Iterable
from typing import Any, Final
from uuid import uuid4

from pyiceberg.catalog import Catalog
from pyiceberg.io import load_file_io
from pyiceberg.table import Table, WriteTask

from maintenance.archive.catalog_entry import lead_to
from maintenance.archive.metadata_files import list_metadata
from maintenance.archive.newest import whole_state
from maintenance.archive.table import default_location, ensure_table
from maintenance.compaction.orphans import find_orphans
from maintenance.compaction.snapshots import expire_snapshots, old_snapshots
from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import iceberg_arrow, plan_files, read_batches, untyped
from tollbook.archive.agent_states import AGENT_PROPERTIES, AGENT_SCHEMA, AGENT_TABLE, load_agent_states
from tollbook.archive.catalog import archive_errors
from tollbook.archive.schema import NAMESPACE
from tollbook.archive.storage import Storage
from tollbook.errors import ArchiveLost
from tollbook.store.database import Connection

_KEPT_METADATA: Final = "write.metadata.previous-versions-max"


def ensure_agent_table(catalog: Catalog, connection: Connection, *, removing: bool = False) -> Table:
    """Load the table to write it; find it again where the catalog has lost it, and create it where there is none.

    Call as sole archiver, with a connection in autocommit. Raises as `ensure_table` of the calls, whose guard it
    passes first; with `removing`, before files are removed, it looks for newer states more thoroughly.
    """
    ensure_table(catalog, connection, removing=removing)
    table = load_agent_states(catalog)
    if table is not None:
        return table
    with archive_errors("creating the archive's table of agents"):
        location = default_location(catalog, AGENT_TABLE)
        if location is not None and (newest := newest_file(catalog, location)) is not None:
            lead_to(catalog, AGENT_TABLE, newest)
            return catalog.load_table(AGENT_TABLE)
        catalog.create_namespace_if_not_exists(NAMESPACE)
        return untyped(catalog).create_table(AGENT_TABLE, AGENT_SCHEMA, properties=AGENT_PROPERTIES)


def newest_file(catalog: Catalog, location: str) -> str | None:
    """Return the metadata file of the table's newest whole state at a location; None if nothing is there.

    Any of the newest will do: a day that it lacks is written again. Raises ArchiveLost if there are files of the table,
    but no whole state; and what the storage raises.
    """
    io = load_file_io(catalog.properties, location)
    storage = Storage(io, location)
    for file in sorted(list_metadata(storage), key=lambda file: (file.number, file.written_s), reverse=True):
        if whole_state(io, file) is not None:
            return file.location
    if next(storage.files(), None) is None:
        return None
    raise ArchiveLost(
        f"the archive's table of agents at {location} has no metadata file that can be read with all that it names:"
        " copy its folder back from a backup and run `tollbook archive attach`, or move what is left of it aside, and"
        " what PostgreSQL still has of agents is archived again; the calls have a table of their own"
    )


def append_rows(table: Table, pieces: Iterable[Any]) -> None:
    """Write Arrow tables, a data file each, and commit them in one snapshot. Raises ArchiveError."""
    with archive_errors("writing the archive's table of agents"):
        write_uuid = uuid4()
        files = [
            file
            for number, rows in enumerate(pieces)
            for file in iceberg_arrow.write_file(
                io=table.io,
                table_metadata=table.metadata,
                tasks=iter([WriteTask(write_uuid, number, table.schema(), rows.combine_chunks().to_batches())]),
            )
        ]
        with table.transaction() as transaction, transaction.update_snapshot().fast_append() as snapshot:
            for file in files:
                snapshot.append_data_file(file)


def remove_rows(table: Table, row_filter: Any) -> bool:
    """Remove the rows that match, and every older state that has them; return whether there were any.

    Call as sole archiver. Raises ArchiveError.
    """
    with archive_errors("removing agents from the archive"):
        tasks = plan_files(table, row_filter)  # those that may have some
        if not any(len(batch) for batch in read_batches(table, tasks, row_filter, ("day",))):
            return False
        table.delete(row_filter)
    return True


def forget_old_states(catalog: Catalog) -> None:
    """Expire all snapshots but the current one, and delete every file that it does not name.

    Call as sole archiver. Raises ArchiveError.
    """
    table = load_agent_states(catalog)
    if table is None:
        return
    expire_snapshots(table, old_snapshots(table, now_s=float("inf")))
    with archive_errors("forgetting the old states of agents"):
        for kept in ("1", AGENT_PROPERTIES[_KEPT_METADATA]):
            current = load_agent_states(catalog)
            assert current is not None
            with current.transaction() as transaction:
                transaction.set_properties({_KEPT_METADATA: kept})
        current = load_agent_states(catalog)
        assert current is not None
        find_orphans(current, keep_s=0).delete()


def before_day(day: int, without: Collection[str]) -> Any:
    """Match the days before one, but for those of some accounts."""
    older = ex.LessThan("day", day)
    if not without:
        return older
    return ex.And(older, ex.Or(ex.IsNull("account_id"), ex.NotIn("account_id", {*without})))
