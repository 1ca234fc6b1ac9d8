"""What sums count of a day's archived calls, as CSV for PostgreSQL."""

import io
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from pyiceberg.table import Table

from tollbook.archive._pyarrow import arrow_csv, pa, pc, plan_files, read_batches
from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import of_accounts, started
from tollbook.archive.rows import SortedKeys, epoch_ms
from tollbook.archive.schema import NO_ACCOUNT
from tollbook.model.call_key import CallKey
from tollbook.times import US_PER_DAY


def counted_csv(
    table: Table, day: int, columns: Sequence[str], *, account_id: str | None, excluded: Collection[CallKey]
) -> Iterator[bytes]:
    """Yield the archived calls that started on a UTC day, of an account or (None) of all, as CSV with `columns`.

    Calls with a key in `excluded` are left out. A few files are in memory at a time. An empty field is NULL. Raises
    ArchiveError and ArchiveDamaged.
    """
    on_that_day = started(day * US_PER_DAY, (day + 1) * US_PER_DAY)
    if account_id is not None:
        on_that_day = ex.And(on_that_day, of_accounts([account_id]))
    read = tuple(dict.fromkeys((*columns, *(CallKey._fields if excluded else ()))))
    dropped = SortedKeys(excluded)
    with archive_errors("reading the archive for sums"):
        for batch in read_batches(table, plan_files(table, on_that_day), on_that_day, read):
            rows = dropped.dropped_from(pa.table(batch))
            if rows.num_rows:
                yield _csv(rows, columns)


def _csv(rows: Any, columns: Sequence[str]) -> bytes:
    accounts = rows["account_id"].cast(pa.string())
    made = {
        "start_ts": epoch_ms(rows["start_ts"]),
        # `tollbook.archive.schema.account_of`, of a whole column.
        "account_id": pc.if_else(
            pc.equal(accounts, NO_ACCOUNT), pa.scalar(None, pa.string()), pc.replace_substring_regex(accounts, "^_", "")
        ),
    }
    written = io.BytesIO()
    table = pa.table({name: made.get(name, rows[name]) for name in columns})
    arrow_csv.write_csv(table, written, arrow_csv.WriteOptions(include_header=False))
    return written.getvalue()
