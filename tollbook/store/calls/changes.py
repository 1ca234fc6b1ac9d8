"""Pages of changes, for syncs: rows in the order of the transactions that wrote them, none missed.

Transactions end in another order than they began in, so a page shows only what every transaction before the oldest
that still runs has written. What that one and later ones write comes after it, whenever they commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString, cast

from tollbook.model.record import Record
from tollbook.model.selection import Changes
from tollbook.store.calls.pages import selected
from tollbook.store.calls.where import Parameters, after_parameters, matching
from tollbook.store.database import LONGEST_TRANSACTION_S, Connection, scalar, store_errors

_XID_BITS: Final = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangedPage:
    """Rows in order of change. `horizon`: every transaction before it has ended, and is shown."""

    rows: Sequence[Record]
    horizon: int


def read_changes(connection: Connection, changes: Changes, columns: Sequence[str], limit: int) -> ChangedPage:
    """Read up to `limit` changed rows with these columns. Call inside `access.reading`; raises StoreUnavailable."""
    with store_errors():
        horizon = _horizon(connection)
        conditions, parameters = matching(changes.accounts, changes.filters)
        query = f"{selected(columns)} WHERE {' AND '.join([*conditions, *_between(changes, horizon, parameters)])}"
        query = f"{query} ORDER BY changed, start_ts, call_id, switch LIMIT %(limit)s"
        rows = connection.execute(query, {**parameters, "limit": limit}, binary=True).fetchall()
    return ChangedPage(rows=rows, horizon=horizon)


def first_since(connection: Connection, since_ms: int) -> int:
    """Find a transaction such that all which ended at `since_ms` or later come behind it, or are it.

    No index tells the time of a change: one more would cost every write. `changed` grows with it, nearly: transaction
    X comes before Y, so it had begun before Y ended, and both take at most LONGEST_TRANSACTION_S. So if Y began twice
    that long before `since_ms`, X had ended by then. Bisection: 64 looks into the index at most. Call outside of
    `access.reading`, in which a look goes past the rows of all other accounts.
    """
    safe_ms = since_ms - 2 * LONGEST_TRANSACTION_S * 1000
    with store_errors():
        first, last = 0, _horizon(connection)
        for _ in range(_XID_BITS):
            if first >= last:
                break
            middle = (first + last) // 2
            row = connection.execute(_FIRST_FROM, {"first": str(middle), "last": str(last)}).fetchone()
            if row is not None and row[1] < safe_ms:
                first = row[0] + 1
            else:
                last = middle
    return first


_FIRST_FROM: LiteralString = """
    SELECT changed::text::bigint, updated_ts FROM call_cdr
    WHERE changed >= %(first)s::xid8 AND changed < %(last)s::xid8
    ORDER BY changed LIMIT 1
"""


def _horizon(connection: Connection) -> int:
    return int(cast("str", scalar(connection, "SELECT pg_snapshot_xmin(pg_current_snapshot())::text")))


def _between(changes: Changes, horizon: int, parameters: Parameters) -> list[LiteralString]:
    conditions: list[LiteralString] = ["changed >= %(first)s::xid8", "changed < %(horizon)s::xid8"]
    # There is no cast from bigint to xid8; from text there is.
    first = changes.after.changed if changes.after else changes.first
    parameters |= {"first": str(first), "horizon": str(horizon)}
    if changes.after is not None:
        conditions.append(
            "(changed, start_ts, call_id, switch)"
            " > (%(first)s::xid8, %(after_start_ts)s, %(after_call_id)s, %(after_switch)s)"
        )
        parameters |= after_parameters(changes.after.key)
    return conditions
