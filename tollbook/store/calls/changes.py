"""Changes, for syncs: rows in the order of the transactions that wrote them, without a gap.

Transactions do not end in the order in which they began. So a page shows only rows written by transactions older than
the oldest one still running. Whatever that one and later ones write comes on a later page, whenever they commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, cast

from tollbook.model.record import Record
from tollbook.model.selection import Changes
from tollbook.store.calls.columns import select_clause
from tollbook.store.calls.where import Parameters, after_parameters, matching
from tollbook.store.database import LONGEST_TRANSACTION_S, Connection, scalar, store_errors

_XID_BITS: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedRows:
    """Rows in order of change. `horizon`: every transaction before this one has ended, and its rows can be read."""

    rows: Sequence[Record]
    horizon: int


def read_changes(connection: Connection, changes: Changes, columns: Sequence[str], limit: int) -> ChangedRows:
    """Read up to `limit` changed rows with these columns.

    Call inside `row_security.reading`; raises StoreUnavailable.
    """
    with store_errors():
        horizon = _horizon(connection)
        conditions, parameters = matching(changes.accounts, changes.filters)
        conditions += _between(changes, horizon, parameters)
        query = f"{select_clause(columns)} WHERE {' AND '.join(conditions)}"
        query = f"{query} ORDER BY changed, start_ts, call_id, switch LIMIT %(limit)s"
        rows = connection.execute(query, {**parameters, "limit": limit}, binary=True).fetchall()
    return ChangedRows(rows=rows, horizon=horizon)


def first_transaction_since(connection: Connection, since_ms: int) -> int:
    """Return a transaction id that is no greater than that of any transaction that ended at `since_ms` or later.

    `since_ms` is epoch ms. No index holds the time of a change, because one more index would cost every write. But
    `changed` nearly grows with time. If transaction X comes before Y, X began before Y ended, and neither lasts longer
    than LONGEST_TRANSACTION_S. So if Y began twice that long before `since_ms`, X had ended by then. The search is a
    bisection: at most 64 look-ups in the index. Call outside `row_security.reading`, where each look-up would have to
    skip the rows of all other accounts.
    """
    safe_ms = since_ms - 2 * LONGEST_TRANSACTION_S * 1000
    with store_errors():
        first, last = 0, _horizon(connection)
        for _ in range(_XID_BITS):
            if first >= last:
                break
            middle = (first + last) // 2
            row = connection.execute(_FIRST_CHANGE, {"first": str(middle), "last": str(last)}).fetchone()
            if row is not None and row[1] < safe_ms:
                first = row[0] + 1
            else:
                last = middle
    return first


_FIRST_CHANGE: LiteralString = """
    SELECT changed::text::bigint, updated_ts FROM call_cdr
    WHERE changed >= %(first)s::xid8 AND changed < %(last)s::xid8
    ORDER BY changed LIMIT 1
"""


def _horizon(connection: Connection) -> int:
    return int(cast("str", scalar(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text")))


def _between(changes: Changes, horizon: int, parameters: Parameters) -> list[LiteralString]:
    conditions: list[LiteralString] = ["changed >= %(first)s::xid8", "changed < %(horizon)s::xid8"]
    # Passed as text: PostgreSQL has no cast from bigint to xid8.
    first = changes.after.changed if changes.after else changes.first
    parameters |= {"first": str(first), "horizon": str(horizon)}
    if changes.after is not None:
        conditions.append(
            "(changed, start_ts, call_id, switch)"
            " > (%(first)s::xid8, %(after_start_ts)s, %(after_call_id)s, %(after_switch)s)"
        )
        parameters |= after_parameters(changes.after.key)
    return conditions
