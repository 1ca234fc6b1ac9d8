"""Write one batch into the archive in one commit, exactly once.

The summary of the snapshot has the batch's id. It is looked for in the same load of the table on which the commit is
based, and the catalog refuses a commit whose base is no longer the newest. So of two archivers, or of a commit whose
answer was lost and its second try, one succeeds and the other is refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any
from uuid import UUID

from pyiceberg.manifest import DataFile, ManifestFile
from pyiceberg.table import Table

from maintenance.archive.batch import BatchContent
from maintenance.archive.corrections import corrected_files
from maintenance.archive.data_files import write_files
from maintenance.archive.digests import Digests, write_digests
from maintenance.archive.gone import write_deleted
from maintenance.archive.hashed_files import WrittenFile
from maintenance.archive.replaced_prices import replaced_prices
from tollbook.archive._pyarrow import pa
from tollbook.archive.catalog import archive_errors
from tollbook.archive.damage import naming_damaged_lists
from tollbook.model.call_key import CallKey
from tollbook.store.tariffs.price_history import ArchivedPrice

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

    @property
    def rows(self) -> int:
        """Return how many rows were appended, replaced or deleted."""
        return self.appended + self.replaced + self.deleted

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


KeepPrices = Callable[[Sequence[ArchivedPrice]], None]


def keep_none(prices: Sequence[ArchivedPrice]) -> None:
    """Keep no price, for a batch that corrects nothing."""
    assert not prices


def commit(table: Table, batch_id: UUID, content: BatchContent, *, keep_prices: KeepPrices = keep_none) -> Committed:
    """Append a batch's rows and remove what they correct, in one snapshot, or in none if there is nothing to do.

    `keep_prices` gets the prices that only the archive had, before they are gone: after a kill, it gets them again.
    Raises ArchiveError, after which only loading the table again shows whether the commit succeeded.
    """
    deletions = {correction.key: correction.since_ms for correction in content.corrections if correction.gone}
    with archive_errors("writing the archive"):
        if deletions:  # also if the archive has none of them: a database that is restored may
            write_deleted(table, batch_id, deletions)
        change = _write(table, content)
        if change.prices:
            keep_prices(change.prices)
        if change.removed or change.added:
            exchange_files(table, change.removed, change.added, {BATCH_PROPERTY: str(batch_id)})
    replaced = len(change.corrected - deletions.keys())
    return Committed(
        appended=content.rows.num_rows - replaced,
        replaced=replaced,
        deleted=len(change.corrected & deletions.keys()),
        files=len(change.added),
    )


def exchange_files(table: Table, removed: list[DataFile], added: list[WrittenFile], properties: dict[str, str]) -> None:
    """Commit one snapshot that removes and adds files, whose digests are written first; raise what pyiceberg raises.

    The catalog refuses it if the table has changed since it was loaded. Raises ArchiveDamaged if a list of its data
    files is why it failed.
    """
    write_digests(table, [written.digest for written in added])
    with naming_damaged_lists(table), table.transaction() as transaction:
        update = transaction.update_snapshot(snapshot_properties=properties)
        with update.overwrite() if removed else update.merge_append() as snapshot:
            _judge_manifests_in_turn(snapshot)
            _leave_uncompressed(snapshot)
            for file in removed:
                snapshot.delete_data_file(file)
            for written in added:
                snapshot.append_data_file(written.file)


def _judge_manifests_in_turn(snapshot: Any) -> None:
    """Let one thread at a time ask whether a manifest may have a file that is to be removed.

    pyiceberg 0.12 looks through manifests in threads that share one evaluator, which keeps a manifest's bounds in
    itself: a manifest judged by another's bounds is left out, and the commit fails with "Missing required files to
    delete". It has no public way to change that.
    """
    build, turn = snapshot._build_manifest_evaluator, Lock()

    def build_in_turn(spec_id: int) -> Callable[[ManifestFile], bool]:
        may_have = build(spec_id)

        def judge(manifest: ManifestFile) -> bool:
            with turn:
                return may_have(manifest)

        return judge

    snapshot._build_manifest_evaluator = build_in_turn


def _leave_uncompressed(snapshot: Any) -> None:
    """Have the lists that a commit writes not compressed.

    pyiceberg 0.12 compresses each entry by itself, which saves a fifth of the bytes, and costs a third of the time of
    each reading. The table's property for it is no way: what pyiceberg calls "null" there, Java calls "uncompressed",
    and each refuses to write with the other's.
    """
    snapshot._compression = "null"


@dataclass(frozen=True, kw_only=True)
class _FileChange:
    removed: list[DataFile]
    added: list[WrittenFile]
    corrected: set[CallKey]
    prices: list[ArchivedPrice]


def _write(table: Table, content: BatchContent) -> _FileChange:
    """Write the files of a change: the batch's rows, and the rows that are kept of the files that it corrects."""
    change = _FileChange(removed=[], added=[], corrected=set(), prices=[])
    pool = [content.rows]
    digests = Digests(table)
    for corrected in corrected_files(table, content.corrections) if content.corrections else ():
        digests.check(corrected.file)  # damage must not become part of a sound file
        change.removed.append(corrected.file)
        change.corrected.update(corrected.corrected)
        change.prices.extend(replaced_prices(corrected.replaced, content.rows, content.corrections))
        pool.append(corrected.kept.select(content.rows.column_names).cast(content.rows.schema))
        if sum(rows.num_rows for rows in pool) >= _POOL_ROWS:
            change.added.extend(write_files(table, pa.concat_tables(pool)))
            pool = []
    if pool:
        change.added.extend(write_files(table, pa.concat_tables(pool)))
    return change
