"""Answered calls in the archive, as a re-rate reads them: a few thousand rows at a time."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from pyiceberg.table import Table

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, untyped
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import of_accounts, started
from tollbook.archive.rows import epoch_ms
from tollbook.archive.schema import ARCHIVE_COLUMNS, TIMES, account_of

ArchivedRow: TypeAlias = dict[str, Any]

# Bounds the memory: rows become Python objects a slice at a time.
_SLICE_ROWS = 2_000


def answered_calls(
    table: Table, *, accounts: tuple[str, ...] | None, since_ms: int, until_ms: int, unrated: bool
) -> Iterator[list[ArchivedRow]]:
    """Yield the answered calls of [since_ms, until_ms) in slices, in no order, all columns by name, times in epoch ms.

    `accounts` None reads every account. `unrated` reads only calls without a cost. Raises ArchiveError, even after the
    first slice.
    """
    wanted = ex.And(started(since_ms * 1000, until_ms * 1000), ex.EqualTo("answered", 1))
    if accounts is not None:
        wanted = ex.And(wanted, of_accounts(accounts))
    if unrated:
        wanted = ex.And(wanted, ex.IsNull("cost_micros"))
    with archive_errors("reading the archive"):
        for batch in untyped(table.scan(row_filter=wanted, selected_fields=ARCHIVE_COLUMNS)).to_arrow_batch_reader():
            for begin in range(0, batch.num_rows, _SLICE_ROWS):
                yield _rows(batch.slice(begin, _SLICE_ROWS))


def _rows(batch: Any) -> list[ArchivedRow]:
    columns = {name: batch.column(name) for name in ARCHIVE_COLUMNS}
    for name in TIMES:
        columns[name] = epoch_ms(columns[name])
    rows: list[ArchivedRow] = pa.table(columns).to_pylist()
    for row in rows:
        row["account_id"] = account_of(row["account_id"])
    return rows
