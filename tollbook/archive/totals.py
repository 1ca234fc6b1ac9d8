"""The totals of a day's archived calls, read from the data files: what will be left once PostgreSQL drops the day."""

from collections.abc import Collection, Iterator
from typing import Any

from pyiceberg.table import Table

from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import pa, plan_files, read_batches
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import of_accounts, started
from tollbook.archive.rows import SortedKeys
from tollbook.archive.schema import account_of
from tollbook.model.call_key import CallKey
from tollbook.model.totals import Totals
from tollbook.times import US_PER_DAY, date_of

_SUMMED = ("billsec", "cost_micros")


def day_totals(
    table: Table, day: int, *, excluded: Collection[CallKey] = (), accounts: Collection[str | None] | None = None
) -> dict[str | None, Totals]:
    """Add up the archived calls that started on a UTC day, counted from 1970-01-01, by account.

    Calls with a key in `excluded` are left out. `accounts` None adds up every account's. A few files are in memory at
    a time, and of those only that day's rows and the columns needed. Raises ArchiveError.
    """
    on_that_day = started(day * US_PER_DAY, (day + 1) * US_PER_DAY)
    if accounts is not None:
        on_that_day = ex.And(on_that_day, of_accounts(accounts))
    columns = ("account_id", *_SUMMED, *(CallKey._fields if excluded else ()))
    dropped, totals = SortedKeys(excluded), dict[str | None, Totals]()
    with archive_errors(f"adding up the archive's {date_of(day)}"):
        for batch in read_batches(table, plan_files(table, on_that_day), on_that_day, columns):
            for account, more in _by_account(dropped.dropped_from(pa.table(batch))):
                totals[account] = totals.get(account, Totals()) + more
    return totals


def _by_account(rows: Any) -> Iterator[tuple[str | None, Totals]]:
    """Add up as decimals: a 64-bit sum would overflow silently."""
    keyed = pa.table({
        "account": rows["account_id"].cast(pa.string()),
        **{name: rows[name].cast(pa.int64()).cast(pa.decimal128(38, 0)) for name in _SUMMED},
    })  # fmt: skip
    summed = keyed.group_by("account").aggregate([([], "count_all"), *((name, "sum") for name in _SUMMED)])
    for sums in summed.to_pylist():
        yield (
            account_of(sums["account"]),
            Totals(
                calls=sums["count_all"],
                billsec=int(sums["billsec_sum"] or 0),
                cost_micros=int(sums["cost_micros_sum"] or 0),
            ),
        )
