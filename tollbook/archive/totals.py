"""What a day's calls add up to in the archive: read from its files, which is what will be left of the day."""

from collections.abc import Collection, Iterator
from typing import Any

from pyiceberg.table import Table

from tollbook.archive._pyarrow import pa, pc, plan, read_batches
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import started
from tollbook.archive.schema import account_of
from tollbook.model.call_key import CallKey
from tollbook.model.totals import Totals
from tollbook.times import US_PER_DAY, date_of

_SUMMED = ("billsec", "cost_micros")


def day_totals(table: Table, day: int, *, without: Collection[CallKey] = ()) -> dict[str | None, Totals]:
    """Add up the archived calls that began on a UTC day, counted from 1970-01-01, by account.

    `without` are keys to leave out. A few files are in memory at once, of their rows only that day's and of these
    only what is added up. Raises ArchiveError.
    """
    first, end = day * US_PER_DAY, (day + 1) * US_PER_DAY
    wanted = started(first, end)
    columns = ("account_id", *_SUMMED, *(CallKey._fields if without else ()))
    found: dict[str | None, Totals] = {}
    with archive_errors(f"adding up the archive's {date_of(day)}"):
        for batch in read_batches(table, plan(table, wanted), wanted, columns):
            for archived, totals in _by_account(_left(pa.table(batch), without)):
                account = account_of(archived)
                found[account] = found.get(account, Totals()) + totals
    return found


def _left(rows: Any, without: Collection[CallKey]) -> Any:
    if not without:
        return rows
    ids = pa.array(list({key.call_id for key in without}), rows["call_id"].type)
    suspect = pc.indices_nonzero(pc.is_in(rows["call_id"], value_set=ids)).to_pylist()
    starts = pc.divide(rows["start_ts"].cast(pa.int64()), 1000)
    keys = ((index, [one[index].as_py() for one in (starts, rows["call_id"], rows["switch"])]) for index in suspect)
    out = {index for index, key in keys if CallKey(*key) in without}
    return rows.filter(pa.array([index not in out for index in range(rows.num_rows)], pa.bool_())) if out else rows


def _by_account(rows: Any) -> Iterator[tuple[str, Totals]]:
    """Sum up as decimals: a sum of 64 bits would wrap round without a word."""
    keyed = pa.table({
        "account": rows["account_id"].cast(pa.string()),
        **{name: rows[name].cast(pa.int64()).cast(pa.decimal128(38, 0)) for name in _SUMMED},
    })  # fmt: skip
    summed = keyed.group_by("account").aggregate([([], "count_all"), *((name, "sum") for name in _SUMMED)])
    for one in summed.to_pylist():
        yield (
            one["account"],
            Totals(
                calls=one["count_all"],
                billsec=int(one["billsec_sum"] or 0),
                cost_micros=int(one["cost_micros_sum"] or 0),
            ),
        )
