"""Write one batch into the archive in one commit, exactly once.

The batch's id stands in the summary of the snapshot. It is looked for in the same load of the table that the commit
is based on, and the catalog refuses a commit whose base is no longer the newest: so of two archivers, or of a commit
whose answer was lost and its second try, one lands and the other is refused.
"""

from dataclasses import dataclass
from uuid import UUID

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table
from pyiceberg.table.snapshots import Summary

from maintenance.archive.batch import BatchContent
from maintenance.archive.corrections import corrected_files
from maintenance.archive.data_files import write_files
from tollbook.archive._pyarrow import pa
from tollbook.archive.catalog import archive_errors
from tollbook.model.call_key import CallKey

BATCH_PROPERTY = "tollbook.batch-id"

# Corrections that touch many files are written in parts of about so many rows, to bound the memory.
_POOL_ROWS = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """What commits did, in rows, and in data files written."""

    appended: int = 0
    replaced: int = 0
    deleted: int = 0
    files: int = 0

    def __add__(self, other: "Committed") -> "Committed":
        """Sum up the commits of a run."""
        return Committed(
            appended=self.appended + other.appended,
            replaced=self.replaced + other.replaced,
            deleted=self.deleted + other.deleted,
            files=self.files + other.files,
        )


def holds(table: Table, batch_id: UUID) -> bool:
    """Tell whether the archive, as loaded, holds the batch."""
    return bool(_snapshots(table, batch_id))


def commit(table: Table, batch_id: UUID, content: BatchContent) -> Committed:
    """Append a batch's rows and take out what they correct, in one snapshot; nothing to do makes none.

    Raises ArchiveError, after which only a new load of the table tells whether the batch landed.
    """
    with archive_errors("writing the archive"):
        change = _write(table, content)
        if change.removed or change.added:
            exchange(table, change.removed, change.added, {BATCH_PROPERTY: str(batch_id)})
    deletions = {one.key for one in content.corrections if one.gone}
    replaced = len(change.corrected - deletions)
    return Committed(
        appended=content.rows.num_rows - replaced,
        replaced=replaced,
        deleted=len(change.corrected & deletions),
        files=len(change.added),
    )


def exchange(table: Table, removed: list[DataFile], added: list[DataFile], properties: dict[str, str]) -> None:
    """Commit one snapshot that takes files out and puts files in; raises what pyiceberg raises.

    It is refused when the table has changed since it was loaded.
    """
    with table.transaction() as transaction:
        update = transaction.update_snapshot(snapshot_properties=properties)
        with update.overwrite() if removed else update.merge_append() as snapshot:
            for file in removed:
                snapshot.delete_data_file(file)
            for file in added:
                snapshot.append_data_file(file)


@dataclass(frozen=True, kw_only=True)
class _Change:
    removed: list[DataFile]
    added: list[DataFile]
    corrected: set[CallKey]


def _write(table: Table, content: BatchContent) -> _Change:
    """Write the files of a change: the batch's rows, together with what is kept of the files that it corrects."""
    change = _Change(removed=[], added=[], corrected=set())
    pool = [content.rows]
    for corrected in corrected_files(table, content.corrections) if content.corrections else ():
        change.removed.append(corrected.file)
        change.corrected.update(corrected.corrected)
        pool.append(corrected.kept.select(content.rows.column_names).cast(content.rows.schema))
        if sum(rows.num_rows for rows in pool) >= _POOL_ROWS:
            change.added.extend(write_files(table, pa.concat_tables(pool)))
            pool = []
    if pool:
        change.added.extend(write_files(table, pa.concat_tables(pool)))
    return change


def _snapshots(table: Table, batch_id: UUID) -> list[Summary]:
    summaries = (snapshot.summary for snapshot in table.metadata.snapshots)
    return [one for one in summaries if one is not None and one[BATCH_PROPERTY] == str(batch_id)]
