"""The sums of an account's calls that PostgreSQL keeps, by period, and what of the archive they take the place of."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Final

from tollbook.model.accounts import OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.selection import Selection
from tollbook.model.statement_sums import LineKey, LineSums, NamedCall, SumRow
from tollbook.store.calls.seam import read_seam
from tollbook.store.database import Connection, scalar, store_errors
from tollbook.store.days.window import read_window

# The last row type is the period's number: width_bucket counts from 1.
# Imported calls that were billed by the system that they come from are in no statement (docs/import.md).
_SUMS: Final = """
    SELECT width_bucket(start_ts, %(starts)s::bigint[]) - 1, direction, destination, currency,
           end_ts IS NULL AS open, cost_micros IS NOT NULL AS priced,
           count(*), coalesce(sum(billsec), 0), coalesce(sum(cost_micros), 0), count(*) FILTER (WHERE estimated)
    FROM call_cdr
    WHERE account_id = %(account)s AND start_ts >= %(first)s AND start_ts < %(end)s
      AND (imported IS NULL OR cost_micros IS NOT NULL)
    GROUP BY 1, 2, 3, 4, 5, 6
"""
_NAMED: Final = """
    SELECT start_ts, call_id, end_ts IS NULL FROM call_cdr
    WHERE account_id = %(account)s AND start_ts >= %(first)s AND start_ts < %(end)s AND cost_micros IS NULL
      AND imported IS NULL
    ORDER BY start_ts, call_id LIMIT %(limit)s
"""


@dataclass(frozen=True, kw_only=True)
class HotSums:
    """What one snapshot of PostgreSQL holds of the periods.

    `named`: the first calls that no line counts. `superseded`: keys from before `window_start` that the archive must
    not be asked for, because their rows are here, or are gone or another account's and the archive does not know yet.
    `as_of_ts`: when the snapshot was taken, or just before, by PostgreSQL's clock, epoch ms.
    """

    rows: Sequence[SumRow]
    named: Sequence[NamedCall]
    window_start: int
    superseded: frozenset[CallKey]
    as_of_ts: int


def read_hot_sums(connection: Connection, account_id: str, bounds: Sequence[int], *, most_named: int) -> HotSums:
    """Add up an account's calls by period; `bounds` are the periods' starts and the end of the last, epoch ms.

    Call inside `row_security.snapshot` or `row_security.reading`. Raises StoreUnavailable.
    """
    values = {
        "account": account_id, "starts": list(bounds[:-1]), "first": bounds[0], "end": bounds[-1], "limit": most_named,
    }  # fmt: skip
    window_start = read_window(connection).start_ts
    selection = Selection(accounts=OneAccount(account_id), since=bounds[0], until=bounds[-1])
    with store_errors():
        found = connection.execute(_SUMS, values).fetchall()
        named = connection.execute(_NAMED, values).fetchall()
        as_of = scalar(connection, "SELECT (extract(epoch FROM now()) * 1000)::bigint")
    superseded = read_seam(connection, selection).excluded
    rows = [
        SumRow(
            period=period,
            key=LineKey(direction, destination, currency),
            sums=LineSums(calls, int(billsec), int(cost)),
            priced=priced,
            open=is_open,
            estimated=estimated,
        )
        for period, direction, destination, currency, is_open, priced, calls, billsec, cost, estimated in found
    ]
    return HotSums(
        rows=rows,
        named=list(starmap(NamedCall, named)),
        window_start=window_start,
        superseded=superseded,
        as_of_ts=int(str(as_of)),
    )
