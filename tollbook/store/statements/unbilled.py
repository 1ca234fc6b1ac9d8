"""Calls without a price that PostgreSQL keeps, by account code."""

from collections.abc import Sequence
from typing import Final, LiteralString

from tollbook.model.unbilled import Unbilled
from tollbook.store.database import Connection, store_errors

_UNBILLED: Final[LiteralString] = """
    SELECT account_id, count(*), coalesce(sum(billsec), 0)::bigint, min(start_ts),
           (array_agg(call_id ORDER BY start_ts, call_id))[1]
    FROM call_cdr WHERE start_ts >= %s AND start_ts < %s AND unrated IS NOT NULL GROUP BY account_id
"""


def read_unbilled(connection: Connection, first_ms: int, end_ms: int) -> list[Unbilled]:
    """Add up the calls of [first_ms, end_ms) that have no price. Raises StoreUnavailable."""
    with store_errors():
        rows = connection.execute(_UNBILLED, (first_ms, end_ms)).fetchall()
    return [
        Unbilled(account_id=account_id, calls=calls, billsec=billsec, first=(start_ts, call_id))
        for account_id, calls, billsec, start_ts, call_id in rows
    ]


def existing_accounts(connection: Connection, codes: Sequence[str]) -> frozenset[str]:
    """Return which of some account codes are accounts. Raises StoreUnavailable."""
    with store_errors():
        rows = connection.execute("SELECT account_id FROM account WHERE account_id = ANY (%s)", (list(codes),))
        return frozenset(account_id for (account_id,) in rows)
