"""One call with everything stored about it: its row, its legs, and the rates that priced it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, LiteralString

import msgspec
from psycopg.rows import class_row, dict_row

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.charge import Price, PricedCharge
from tollbook.model.leg import Leg
from tollbook.model.numbers import owner_key
from tollbook.model.rate import RATE_COLUMNS, Rate
from tollbook.model.record import Row
from tollbook.store.calls import legs
from tollbook.store.calls.columns import WRITTEN, names, select_clause
from tollbook.store.database import Connection, store_errors

# A switch reuses an id now and then; a caller of its API that always picks the same id makes one more row each time.
MAX_CALLS: Final = 20
FOR_EVER_MS: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceBefore:
    """A price that a re-rate replaced, with when (`replaced_ts`, epoch ms), who and why."""

    cost_micros: int | None
    currency: str | None
    unrated: str | None
    replaced_ts: int
    by_whom: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptCall:
    """A row, its price (None while the call is up), and its legs that count (empty once they are pruned).

    `owner`: the account that owns the dialled number today. `rates`: the rates that priced its parts, by id; rates are
    kept for ever. `before`: the prices that the call had earlier, oldest first.
    """

    row: Row
    price: Price | None
    revision: int
    legs: tuple[Leg, ...]
    owner: str | None = None
    rates: Mapping[int, Rate] = field(default_factory=dict[int, Rate])
    before: tuple[PriceBefore, ...] = ()


_parts = msgspec.json.Decoder(tuple[PricedCharge, ...]).decode

_ROWS: Final[LiteralString] = f"""
    {select_clause((*WRITTEN, "revision"))}
    WHERE call_id = %(call_id)s AND start_ts BETWEEN %(first)s AND %(last)s
      AND (%(account)s::text IS NULL OR account_id = %(account)s)
    ORDER BY start_ts DESC, switch DESC LIMIT %(limit)s
"""
_RATES: Final[LiteralString] = f"""
    SELECT {names(RATE_COLUMNS)} FROM rate WHERE rate_id = ANY (%s)
"""  # noqa: S608 - as above
# Only prices under the call's present account: a price under another account is that account's business.
_BEFORE = """
    SELECT cost_micros, currency, unrated, (extract(epoch FROM begun_at) * 1000)::bigint AS replaced_ts, by_whom, reason
    FROM price_history JOIN rerate_run USING (run_id)
    WHERE start_ts = %s AND call_id = %s AND switch = %s AND account_id IS NOT DISTINCT FROM %s
    ORDER BY revision
"""


def find_calls(
    connection: Connection,
    call_id: str,
    accounts: Accounts,
    *,
    first_ts: int = 0,
    last_ts: int = FOR_EVER_MS,
    limit: int = MAX_CALLS,
) -> list[KeptCall]:
    """Read the calls with an id that started from `first_ts` to `last_ts` (epoch ms, both included), newest first.

    Call inside `row_security.snapshot` or `row_security.reading`: they read a single snapshot, so that a row and its
    legs belong together. Raises StoreUnavailable.
    """
    if "\0" in call_id:  # PostgreSQL cannot store NUL in a text, and refuses a query that contains it
        return []
    account_id = accounts.account_id if isinstance(accounts, OneAccount) else None
    asked = {"call_id": call_id, "first": first_ts, "last": last_ts, "account": account_id, "limit": limit}
    with store_errors():
        found = connection.cursor(row_factory=dict_row).execute(_ROWS, asked).fetchall()
        if not found:
            return []
        calls = [_call(connection, record) for record in found]
        owners = _owners(connection, {owner_key(call.row.to_num) for call in calls})
        rates = _rates(connection, {rate_id for call in calls for rate_id in _rate_ids(call)})
        before = {call.row.key: _before(connection, call.row) for call in calls}
    return [
        replace(
            call,
            owner=owners.get(owner_key(call.row.to_num)),
            rates={rate_id: rates[rate_id] for rate_id in _rate_ids(call) if rate_id in rates},
            before=before[call.row.key],
        )
        for call in calls
    ]


def _call(connection: Connection, record: dict[str, Any]) -> KeptCall:
    parts = None if record["parts"] is None else _parts(record["parts"])
    charged = None if parts is None else [part.charge for part in parts]
    row = msgspec.convert({**record, "parts": charged}, Row)
    complete = row.end_ts is not None
    price = Price(
        cost_micros=record["cost_micros"], parts=parts or (), unrated=record["unrated"], currency=record["currency"]
    )
    return KeptCall(
        row=row,
        price=price if complete else None,
        revision=record["revision"],
        legs=tuple(stored.leg for stored in legs.of_calls(connection, [row.key])),
    )


def _rate_ids(call: KeptCall) -> set[int]:
    parts = call.price.parts if call.price else ()
    return {part.rate_id for part in parts if part.rate_id is not None}


def _owners(connection: Connection, numbers: set[str]) -> dict[str, str]:
    return dict(
        connection.execute(
            "SELECT number, account_id FROM account_number WHERE number = ANY (%s)", (list(numbers),)
        ).fetchall()
    )


def _rates(connection: Connection, ids: set[int]) -> dict[int, Rate]:
    cursor = connection.cursor(row_factory=class_row(Rate))
    return {rate.rate_id: rate for rate in cursor.execute(_RATES, (list(ids),))}


def _before(connection: Connection, row: Row) -> tuple[PriceBefore, ...]:
    cursor = connection.cursor(row_factory=class_row(PriceBefore))
    return tuple(cursor.execute(_BEFORE, (*row.key, row.account_id)))
