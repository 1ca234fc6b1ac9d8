"""Answered calls in the archive, as a re-rate reads them: a few thousand rows at a time."""

from collections.abc import Iterator

from pyiceberg.table import Table

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import plan_files
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import of_accounts, started
from tollbook.archive.row_groups import read_row_groups
from tollbook.archive.rows import ArchivedRow, records_of
from tollbook.archive.schema import ARCHIVE_COLUMNS
from tollbook.times import US_PER_MS

# Bounds the memory: rows become Python objects a slice at a time.
_SLICE_ROWS = 2_000


def answered_calls(
    table: Table, *, accounts: tuple[str, ...] | None, since_ms: int, until_ms: int, unrated: bool
) -> Iterator[list[ArchivedRow]]:
    """Yield the answered calls of [since_ms, until_ms) in slices, in no order, all columns by name, times in epoch ms.

    A row group is in memory at a time, whatever the archive holds. `accounts` None reads every account. `unrated` reads
    only calls without a cost. Imported calls that were billed by the system that they come from are left out. Raises
    ArchiveError or SchemaError, even after the first slice.
    """
    wanted = ex.And(started(since_ms * US_PER_MS, until_ms * US_PER_MS), ex.EqualTo("answered", 1))
    if accounts is not None:
        wanted = ex.And(wanted, of_accounts(accounts))
    if unrated:
        wanted = ex.And(wanted, ex.IsNull("cost_micros"))
    with archive_errors("reading the archive"):
        for task in plan_files(table, wanted):
            for batch in read_row_groups(table, task, wanted, ARCHIVE_COLUMNS, slice_rows=_SLICE_ROWS):
                yield [row for row in records_of(batch) if row["imported"] is None or row["cost_micros"] is not None]
