"""Archived calls that have no price, by account code."""

from collections.abc import Collection, Iterator

from pyiceberg.table import Table

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, plan_files
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import started
from tollbook.archive.row_groups import read_row_groups
from tollbook.archive.rows import SortedKeys, epoch_ms
from tollbook.archive.schema import account_of
from tollbook.model.call_key import CallKey
from tollbook.model.unbilled import Unbilled
from tollbook.times import US_PER_MS

# Bounds the memory: calls become Python objects a slice at a time.
_SLICE_ROWS = 2_000


def unbilled_calls(table: Table, first_ms: int, end_ms: int, excluded: Collection[CallKey]) -> Iterator[Unbilled]:
    """Yield each archived call of [first_ms, end_ms) that has no price, without those that have a key in `excluded`.

    A row group is in memory at a time. Raises ArchiveError and ArchiveDamaged, even after the first call.
    """
    wanted = ex.And(started(first_ms * US_PER_MS, end_ms * US_PER_MS), ex.IsNull("cost_micros"))
    columns = ("account_id", "billsec", *CallKey._fields)
    dropped = SortedKeys(excluded)
    with archive_errors("looking for calls without a price"):
        for task in plan_files(table, wanted):
            for batch in read_row_groups(table, task, wanted, columns, slice_rows=_SLICE_ROWS):
                rows = dropped.dropped_from(pa.table(batch))
                starts = epoch_ms(rows["start_ts"]).to_pylist()
                others = (rows[name].to_pylist() for name in ("account_id", "billsec", "call_id"))
                for start_ts, account_id, billsec, call_id in zip(starts, *others, strict=True):
                    yield Unbilled(
                        account_id=account_of(account_id), calls=1, billsec=billsec, first=(start_ts, call_id)
                    )
