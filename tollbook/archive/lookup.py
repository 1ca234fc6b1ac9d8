"""Look calls up in the archive by their ids."""

from collections.abc import Collection, Iterator
from typing import Any

from pyiceberg.table import Table

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, pc, plan_files, read_batches
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import of_accounts, started
from tollbook.archive.row_groups import read_present_columns
from tollbook.archive.rows import epoch_ms
from tollbook.archive.schema import ARCHIVE_COLUMNS
from tollbook.model.call_key import CallKey
from tollbook.model.call_span import CallSpan
from tollbook.times import US_PER_MS

_SLICE_ROWS = 20_000


def find_calls(table: Table, ids: Collection[str], *, first_ms: int, last_ms: int) -> list[CallSpan]:
    """Return the archived calls with one of these ids that started from `first_ms` to `last_ms`, both included.

    All calls of that time are read, in a few columns. Raises ArchiveError.
    """
    row_filter = started(first_ms * US_PER_MS, (last_ms + 1) * US_PER_MS)
    found: list[CallSpan] = []
    with archive_errors("looking calls up in the archive"):
        for batch in read_batches(table, plan_files(table, row_filter), row_filter, (*CallKey._fields, "end_ts")):
            hits = _hits(batch, ids)
            columns = (epoch_ms(hits["start_ts"]), hits["call_id"], hits["switch"])
            keys = map(CallKey, *(column.to_pylist() for column in columns))
            found += map(CallSpan, keys, epoch_ms(hits["end_ts"]).to_pylist())
    return found


def count_calls(
    table: Table, account_id: str | None, *, first_ms: int, last_ms: int, without: Collection[str] = ()
) -> int:
    """Count an account's archived calls that started from `first_ms` to `last_ms`, except in the files at `without`.

    Raises ArchiveError and ArchiveDamaged.
    """
    row_filter = ex.And(started(first_ms * US_PER_MS, (last_ms + 1) * US_PER_MS), of_accounts([account_id]))
    with archive_errors("counting calls in the archive"):
        tasks = [task for task in plan_files(table, row_filter) if task.file.file_path not in without]
        return sum(batch.num_rows for batch in read_batches(table, tasks, row_filter, ("start_ts",)))


def find_rows(
    table: Table, ids: Collection[str], *, first_ms: int, last_ms: int, accounts: Collection[str]
) -> Iterator[Any]:
    """Yield archived calls of these accounts, by their names in the archive, otherwise as `find_calls`.

    They come as Arrow tables with the columns that their file has, a row group at a time.
    """
    row_filter = ex.And(started(first_ms * US_PER_MS, (last_ms + 1) * US_PER_MS), ex.In("account_id", set(accounts)))
    with archive_errors("looking calls up in the archive"):
        for task in plan_files(table, row_filter):
            for batch in read_present_columns(table, task, row_filter, ARCHIVE_COLUMNS, slice_rows=_SLICE_ROWS):
                yield _hits(batch, ids)


def _hits(batch: Any, ids: Collection[str]) -> Any:
    rows = pa.table(batch)
    return rows.filter(pc.is_in(rows["call_id"], pa.array(list(ids), rows["call_id"].type)))
