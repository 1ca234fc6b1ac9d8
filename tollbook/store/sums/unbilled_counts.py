"""How many calls have no price, and why nobody is billed for them, out of the cubes: of any age, without a row."""

from typing import Final, LiteralString

from tollbook.model.accounts import EveryAccount
from tollbook.model.unbilled import UnbilledCounts
from tollbook.store.database import Connection, store_errors
from tollbook.store.row_security import snapshot
from tollbook.store.sums.codes import OF_NOBODY
from tollbook.store.sums.cubes import CALLS
from tollbook.store.sums.unbuilt import is_built

_CELLS: Final[LiteralString] = f"quarter >= %(first)s / {CALLS.unit} AND quarter < %(end)s / {CALLS.unit}"
_WAITING: Final[LiteralString] = "start_ts >= %(first)s AND start_ts < %(end)s AND cost_micros IS NULL"
_IS_NO_ACCOUNT: Final = "NOT EXISTS (SELECT FROM account WHERE account.account_id = code.account_id)"
# By code, because the cells of one lie together, and those of all accounts are tens of millions.
_COUNTS: Final[LiteralString] = f"""
    WITH waiting AS MATERIALIZED (
        SELECT account_id, sum(sign) AS calls FROM sum_delta WHERE {_WAITING} GROUP BY account_id
    ), stray AS MATERIALIZED (
        SELECT account_id, sum(calls) AS calls FROM (
            SELECT account_id, calls FROM sum_account AS code CROSS JOIN LATERAL (
                SELECT sum(unrated) AS calls FROM call_sum WHERE account_no = code.account_no AND {_CELLS}
            ) AS cell
            WHERE {_IS_NO_ACCOUNT}
            UNION ALL SELECT account_id, calls FROM waiting AS code WHERE account_id IS NOT NULL AND {_IS_NO_ACCOUNT}
        ) AS part
        GROUP BY account_id HAVING sum(calls) > 0
    )
    SELECT coalesce((SELECT sum(unrated) FROM operator_sum WHERE {_CELLS}), 0) + coalesce(sum(calls), 0),
           coalesce((SELECT sum(unrated) FROM call_sum WHERE account_no = {OF_NOBODY} AND {_CELLS}), 0)
               + coalesce(sum(calls) FILTER (WHERE account_id IS NULL), 0),
           coalesce((SELECT sum(calls) FROM stray), 0),
           (SELECT account_id FROM stray ORDER BY calls DESC, account_id LIMIT 1)
    FROM waiting
"""  # noqa: S608 - literals alone


def count_unbilled(connection: Connection, first_ms: int, end_ms: int) -> UnbilledCounts | None:
    """Count the calls of [first_ms, end_ms), which are rounded down to a quarter-hour, that have no price.

    None: the sums of that time are not built. Call as `row_security.snapshot`; raises StoreUnavailable.
    """
    first, end = first_ms - first_ms % CALLS.unit_ms, end_ms - end_ms % CALLS.unit_ms
    with snapshot(connection):
        if not is_built(connection, EveryAccount(), first, end):
            return None
        with store_errors():
            ((total, no_account, no_such_account, code),) = connection.execute(
                _COUNTS, {"first": first, "end": end}
            ).fetchall()
    return UnbilledCounts(
        no_account=int(no_account),
        no_such_account=int(no_such_account),
        no_price=int(total - no_account - no_such_account),
        code=code,
    )
