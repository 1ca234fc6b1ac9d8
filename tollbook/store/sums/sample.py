"""Some account-days of the sums beside what PostgreSQL has of them, for `tollbook doctor`."""

import random
from dataclasses import dataclass
from typing import Final, LiteralString

from tollbook.model.accounts import OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.totals import Totals
from tollbook.store.calls.seam import read_known_keys
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.window import read_window
from tollbook.store.row_security import snapshot
from tollbook.store.sums.cubes import CALLS
from tollbook.store.sums.unbuilt import is_built
from tollbook.times import MS_PER_DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class SumSample:
    """A day of an account, counted from 1970-01-01: what is summed, and what the rows come to.

    `archived`: it is from before the window, so that what the archive has without the keys `excluded` is to be added.
    """

    account_id: str
    day: int
    summed: Totals
    rows: Totals
    archived: bool
    excluded: frozenset[CallKey]


def sample_sums(connection: Connection, accounts: int) -> list[SumSample]:
    """Return two days of each of some accounts, chosen at random: one of the window, and one from before it.

    Days that are not built are left out. Load the archive afterwards. Raises StoreUnavailable.
    """
    with snapshot(connection):
        edge = read_window(connection).start_ts
        chosen = connection.execute(
            "SELECT account_no, account_id FROM sum_account ORDER BY random() LIMIT %s", (accounts,)
        ).fetchall()
        samples: list[SumSample] = []
        for account_no, account_id in chosen:
            for first, end in ((edge, _LAST_MS), (0, edge)):
                day = _some_day(connection, account_no, first, end)
                whole = day is not None and is_built(
                    connection, OneAccount(account_id), day * MS_PER_DAY, (day + 1) * MS_PER_DAY
                )
                if day is not None and whole:
                    samples.append(_sample(connection, account_no, account_id, day, archived=end == edge))
    return samples


_LAST_MS: Final = 2**31 * 1000
_BOUNDS: Final[LiteralString] = """
    SELECT min(quarter), max(quarter) FROM call_sum WHERE account_no = %s AND quarter >= %s AND quarter < %s
"""
_NEXT: Final[LiteralString] = """
    SELECT quarter FROM call_sum WHERE account_no = %s AND quarter >= %s ORDER BY quarter LIMIT 1
"""


def _some_day(connection: Connection, account_no: int, first_ms: int, end_ms: int) -> int | None:
    """Return a day of [first_ms, end_ms) of which the account has sums, None if it has none."""
    with store_errors():
        bounds = (account_no, first_ms // CALLS.unit_ms, end_ms // CALLS.unit_ms)
        row = connection.execute(_BOUNDS, bounds).fetchone()
        if row is None or row[0] is None:
            return None
        at = random.randint(row[0], row[1])  # noqa: S311 - no secret
        found = connection.execute(_NEXT, (account_no, at)).fetchone()
    return None if found is None else found[0] * CALLS.unit_ms // MS_PER_DAY


_SUMMED: Final[LiteralString] = f"""
    SELECT sum(calls)::bigint, sum(billsec)::bigint, sum(cost)::bigint FROM (
        SELECT calls, billsec, cost_micros AS cost FROM call_sum
        WHERE account_no = %(no)s AND quarter >= %(first)s / {CALLS.unit} AND quarter < %(end)s / {CALLS.unit}
        UNION ALL
        SELECT sign, sign * billsec, sign * coalesce(cost_micros, 0) FROM sum_delta
        WHERE account_id = %(account)s AND start_ts >= %(first)s AND start_ts < %(end)s
    ) AS piece
"""  # noqa: S608 - literals alone
_OF_ROWS: Final[LiteralString] = """
    SELECT count(*), coalesce(sum(billsec), 0)::bigint, coalesce(sum(cost_micros), 0)::bigint FROM call_cdr
    WHERE account_id = %(account)s AND start_ts >= %(first)s AND start_ts < %(end)s AND end_ts IS NOT NULL
"""


def _sample(connection: Connection, account_no: int, account_id: str, day: int, *, archived: bool) -> SumSample:
    first, end = day * MS_PER_DAY, (day + 1) * MS_PER_DAY
    values: dict[str, object] = {"no": account_no, "account": account_id, "first": first, "end": end}
    with store_errors():
        excluded = read_known_keys(connection, first, end) if archived else frozenset[CallKey]()
        return SumSample(
            account_id=account_id,
            day=day,
            summed=_totals(connection, _SUMMED, values),
            rows=_totals(connection, _OF_ROWS, values),
            archived=archived,
            excluded=excluded,
        )


def _totals(connection: Connection, query: LiteralString, values: dict[str, object]) -> Totals:
    ((calls, billsec, cost),) = connection.execute(query, values).fetchall()
    return Totals(calls=calls or 0, billsec=billsec or 0, cost_micros=cost or 0)
