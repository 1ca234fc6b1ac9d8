"""Reads: archived calls as rows in the public column order, with epoch ms, newest first."""

from collections.abc import Iterator
from typing import Any, TypeAlias

from pyiceberg.table import Table

from tollbook.errors import UsageError
from tollbook.lake.catalog import archive_errors
from tollbook.lake.schema import TIMES, account_of, archived_account
from tollbook.lake.untyped import expressions as ex
from tollbook.lake.untyped import pa, pc, read
from tollbook.model.row import COLUMNS

Record: TypeAlias = tuple[object, ...]

NEWEST_FIRST = [("start_ts", "descending"), ("call_id", "descending")]


def read_calls(
    table: Table,
    *,
    account_id: str | None,
    since_ms: int,
    until_ms: int,
    before: tuple[int, str] | None = None,
    limit: int | None = None,
    every_account: bool = False,
) -> Iterator[Record]:
    """Read the calls of [since_ms, until_ms), newest first, in the public column order with times in epoch ms.

    `account_id` None is for an operator, who says so with `every_account`; that includes calls without an account.
    `before`: (start_ts, call_id) of the last row of the page before; it takes the place of `until_ms`.
    The window is read whole: the caller bounds it. Raises ArchiveError, before the first row.
    """
    if (account_id is None) != every_account:
        raise UsageError("a read of the archive names one account, or asks for every account, as an operator may")
    older = (
        ex.LessThan("start_ts", until_ms * 1000) if before is None else ex.LessThanOrEqual("start_ts", before[0] * 1000)
    )
    wanted = ex.And(ex.GreaterThanOrEqual("start_ts", since_ms * 1000), older)
    if account_id is not None:
        wanted = ex.And(wanted, ex.EqualTo("account_id", archived_account(account_id)))
    with archive_errors("reading the archive"):
        found = read(table, wanted, COLUMNS).select(COLUMNS)
    return _records(found, before=before, limit=limit)


def _records(found: Any, *, before: tuple[int, str] | None, limit: int | None) -> Iterator[Record]:
    if before is not None:
        start, call_id = pa.scalar(before[0] * 1000, pa.int64()).cast(pa.timestamp("us", "UTC")), before[1]
        found = found.filter(pc.or_(pc.less(found["start_ts"], start), pc.less(found["call_id"], call_id)))
    page = found.sort_by(NEWEST_FIRST).slice(0, limit)
    columns = [_values(name, page[name]) for name in COLUMNS]
    return zip(*columns, strict=True)


def _values(name: str, column: Any) -> list[object]:
    if name in TIMES:
        return pc.divide(column.cast(pa.int64()), 1000).to_pylist()
    if name == "account_id":
        return [account_of(archived) for archived in column.to_pylist()]
    return column.to_pylist()
