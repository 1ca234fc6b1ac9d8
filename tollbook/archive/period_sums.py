"""The sums of an account's archived calls, by period: what a statement adds to those of PostgreSQL."""

import time
from bisect import bisect_right
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pyiceberg.table import Table

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, pc, plan_files
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import of_accounts, started
from tollbook.archive.row_groups import read_row_groups
from tollbook.archive.rows import SortedKeys, epoch_ms
from tollbook.errors import QuestionTooLarge
from tollbook.model.call_key import CallKey
from tollbook.model.statement_sums import LineKey, LineSums, NamedCall, SumRow
from tollbook.times import US_PER_MS

# A row group: memory does not grow with the month.
_SLICE_ROWS: Final = 20_000
_TOO_LARGE: Final = (
    "the account has more calls than can be added up here in time: ask the operator for this statement, which"
    " `tollbook statement` makes without a limit, or for one that is issued"
)
_GROUPS: Final = ("direction", "destination", "currency", "priced")
_COLUMNS: Final = ("direction", "destination", "currency", "start_ts", "billsec", "cost_micros", "estimated")


@dataclass(frozen=True, kw_only=True)
class ArchivedSums:
    """What the archive holds of the periods."""

    rows: Sequence[SumRow] = ()
    named: Sequence[NamedCall] = ()


@dataclass(frozen=True, kw_only=True)
class PeriodsQuestion:
    """An account's calls by period, but for those with a key in `excluded`; the first `most_named` unpriced are named.

    `bounds`: the periods' starts and the end of the last, epoch ms.
    """

    account_id: str
    bounds: Sequence[int]
    excluded: Collection[CallKey]
    most_named: int


def sum_periods(table: Table, question: PeriodsQuestion, *, within_s: float | None = None) -> ArchivedSums:
    """Add up an account's archived calls by period; `within_s` None: as long as it takes.

    A row group is in memory at a time, and of that only the columns needed. Pages are verified as they are read. Raises
    QuestionTooLarge when the time is over, ArchiveError and ArchiveDamaged.
    """
    deadline = None if within_s is None else time.monotonic() + within_s
    bounds = question.bounds
    mine = ex.And(started(bounds[0] * US_PER_MS, bounds[-1] * US_PER_MS), of_accounts([question.account_id]))
    found: dict[tuple[int, LineKey, bool], SumRow] = {}
    with archive_errors("adding up the archive for a statement"):
        for batch in _batches(table, mine, _COLUMNS, question.excluded, deadline):
            for row in _sums_of(batch, bounds):
                place = (row.period, row.key, row.priced)
                found[place] = found[place].plus(row) if place in found else row
        named = list[NamedCall]()
        if any(not row.priced for row in found.values()):
            unpriced = ex.And(mine, ex.IsNull("cost_micros"))
            for batch in _batches(table, unpriced, CallKey._fields, question.excluded, deadline):
                starts, ids = epoch_ms(batch["start_ts"]).to_pylist(), batch["call_id"].to_pylist()
                named += [NamedCall(start, call_id, False) for start, call_id in zip(starts, ids, strict=True)]
                named = sorted(named)[: question.most_named]
    return ArchivedSums(rows=list(found.values()), named=named)


def _batches(
    table: Table, row_filter: Any, columns: tuple[str, ...], excluded: Collection[CallKey], deadline: float | None
) -> Iterator[Any]:
    """Yield the rows that match as Arrow tables, without those that have one of these keys.

    Nor are those yielded that were imported and billed by the system that they come from (docs/import.md).
    """
    read = tuple(dict.fromkeys((*columns, *(CallKey._fields if excluded else ()), "imported", "cost_micros")))
    dropped = SortedKeys(excluded)
    for task in plan_files(table, row_filter):
        for batch in read_row_groups(table, task, row_filter, read, slice_rows=_SLICE_ROWS):
            if deadline is not None and time.monotonic() > deadline:
                raise QuestionTooLarge(_TOO_LARGE)
            # Not by the filter: the files of an older archive have no such column.
            rows = pa.table(batch)
            rows = rows.filter(pc.or_(rows["imported"].is_null(), rows["cost_micros"].is_valid()))
            yield dropped.dropped_from(rows)


def _sums_of(rows: Any, bounds: Sequence[int]) -> Iterator[SumRow]:
    """Yield the sums of some rows, which rarely lie in more than two periods: a file holds a month's."""
    if not rows.num_rows:
        return
    starts = epoch_ms(rows["start_ts"])
    ends = pc.min_max(starts).as_py()
    for period in range(bisect_right(bounds, ends["min"]) - 1, bisect_right(bounds, ends["max"])):
        within = pc.and_(pc.greater_equal(starts, bounds[period]), pc.less(starts, bounds[period + 1]))
        yield from _grouped(rows.filter(within), period)


def _grouped(rows: Any, period: int) -> Iterator[SumRow]:
    """Add up as decimals: a 64-bit sum would overflow silently."""
    keyed = pa.table({
        **{name: rows[name].cast(pa.string()) for name in ("direction", "destination", "currency")},
        "priced": rows["cost_micros"].is_valid(),
        **{name: rows[name].cast(pa.int64()).cast(pa.decimal128(38, 0)) for name in ("billsec", "cost_micros")},
        "estimated": pc.fill_null(rows["estimated"], False).cast(pa.int64()),
    })  # fmt: skip
    summed = keyed.group_by(_GROUPS).aggregate(
        [([], "count_all"), ("billsec", "sum"), ("cost_micros", "sum"), ("estimated", "sum")]
    )
    for sums in summed.to_pylist():
        yield SumRow(
            period=period,
            key=LineKey(sums["direction"], sums["destination"], sums["currency"]),
            sums=LineSums(sums["count_all"], int(sums["billsec_sum"] or 0), int(sums["cost_micros_sum"] or 0)),
            priced=sums["priced"],
            estimated=sums["estimated_sum"],
        )
