"""Write one batch into the archive in one commit, exactly once.

The summary of the snapshot has the batch's id. It is looked for in the same load of the table on which the commit is
based, and the catalog refuses a commit whose base is no longer the newest. So of two archivers, or of a commit whose
answer was lost and its second try, one succeeds and the other is refused.
"""

from dataclasses import dataclass
from uuid import UUID

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from maintenance.archive.batch import BatchContent
from maintenance.archive.corrections import corrected_files
from maintenance.archive.data_files import write_files
from tollbook.archive._pyarrow import pa
from tollbook.archive.catalog import archive_errors
from tollbook.model.call_key import CallKey

BATCH_PROPERTY = "tollbook.batch-id"

# Corrections of many files are written in pieces of about this many rows, to bound the memory.
_POOL_ROWS = 200_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """What commits changed: rows, and data files written."""

    appended: int = 0
    replaced: int = 0
    deleted: int = 0
    files: int = 0

    def __add__(self, other: "Committed") -> "Committed":
        """Return the sum of two."""
        return Committed(
            appended=self.appended + other.appended,
            replaced=self.replaced + other.replaced,
            deleted=self.deleted + other.deleted,
            files=self.files + other.files,
        )


def holds(table: Table, batch_id: UUID) -> bool:
    """Return whether the archive, as loaded, holds the batch."""
    summaries = (snapshot.summary for snapshot in table.metadata.snapshots)
    return any(summary is not None and summary[BATCH_PROPERTY] == str(batch_id) for summary in summaries)


def commit(table: Table, batch_id: UUID, content: BatchContent) -> Committed:
    """Append a batch's rows and remove what they correct, in one snapshot, or in none if there is nothing to do.

    Raises ArchiveError, after which only loading the table again shows whether the commit succeeded.
    """
    with archive_errors("writing the archive"):
        change = _write(table, content)
        if change.removed or change.added:
            exchange_files(table, change.removed, change.added, {BATCH_PROPERTY: str(batch_id)})
    deletions = {correction.key for correction in content.corrections if correction.gone}
    replaced = len(change.corrected - deletions)
    return Committed(
        appended=content.rows.num_rows - replaced,
        replaced=replaced,
        deleted=len(change.corrected & deletions),
        files=len(change.added),
    )


def exchange_files(table: Table, removed: list[DataFile], added: list[DataFile], properties: dict[str, str]) -> None:
    """Commit one snapshot that removes and adds files; raise what pyiceberg raises.

    The catalog refuses it if the table has changed since it was loaded.
    """
    with table.transaction() as transaction:
        update = transaction.update_snapshot(snapshot_properties=properties)
        with update.overwrite() if removed else update.merge_append() as snapshot:
            for file in removed:
                snapshot.delete_data_file(file)
            for file in added:
                snapshot.append_data_file(file)


@dataclass(frozen=True, kw_only=True)
class _FileChange:
    removed: list[DataFile]
    added: list[DataFile]
    corrected: set[CallKey]


def _write(table: Table, content: BatchContent) -> _FileChange:
    """Write the files of a change: the batch's rows, and the rows that are kept of the files that it corrects."""
    change = _FileChange(removed=[], added=[], corrected=set())
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
