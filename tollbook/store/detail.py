"""One call with all that is kept of it: its row, its legs, and the rates that priced it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import msgspec
from psycopg.rows import class_row, dict_row

from tollbook.model.fold import owner_key
from tollbook.model.leg import Leg
from tollbook.model.row import Part, Price, PricedPart, Row
from tollbook.store import legs
from tollbook.store.database import Connection, store_errors

# A switch reuses an id now and then; an API that always picks the same one makes a row with each call.
MAX_CALLS: Final = 20
FOR_EVER_MS: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptRate:
    """The terms of a rate that is still in its deck. Money is in micros of `currency`."""

    rate_id: int
    direction: str
    prefix: str
    per_min_micros: int
    connection_fee_micros: int
    increment_sec: int
    first_increment_sec: int
    valid_from_ts: int
    valid_to_ts: int | None
    name: str
    currency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptCall:
    """A row, its price (None while the call is up), and its legs, none once they are pruned.

    `owner`: the account that owns the number dialled today; `currency` that of the account's plan of today.
    """

    row: Row
    price: Price | None
    revision: int
    legs: tuple[Leg, ...]
    currency: str | None
    owner: str | None = None
    rates: Mapping[int, KeptRate] = field(default_factory=dict[int, KeptRate])


_parts = msgspec.json.Decoder(tuple[PricedPart, ...]).decode

_ROWS = """
    SELECT call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec, billsec,
           answered, disposition, hangup_cause, queue_id, agent_id, cost_micros,
           switch, estimated, revision, unrated, parts::text,
           (SELECT currency FROM account JOIN rate_plan USING (plan_id)
            WHERE account.account_id = call_cdr.account_id) AS currency
    FROM call_cdr
    WHERE call_id = %(call_id)s AND start_ts BETWEEN %(first)s AND %(last)s
      AND (%(account)s::text IS NULL OR account_id = %(account)s)
    ORDER BY start_ts DESC LIMIT %(limit)s
"""
_RATES = """
    SELECT rate_id, direction, prefix, per_min_micros, connection_fee_micros, increment_sec, first_increment_sec,
           valid_from_ts, valid_to_ts, name, currency
    FROM rate JOIN rate_plan USING (plan_id) WHERE rate_id = ANY (%s)
"""


def read(
    connection: Connection,
    call_id: str,
    *,
    account_id: str | None,
    first_ts: int = 0,
    last_ts: int = FOR_EVER_MS,
    limit: int = MAX_CALLS,
) -> list[KeptCall]:
    """Read the calls of an id that started from `first_ts` to `last_ts` (epoch ms, both included), newest first.

    `account_id` None reads all accounts. Call inside `access.snapshot` or `access.reading`, which hold one moment, so
    that a row and its legs belong together. Raises StoreUnavailable.
    """
    if "\0" in call_id:  # PostgreSQL holds no such text, and refuses to be asked for it
        return []
    asked = {"call_id": call_id, "first": first_ts, "last": last_ts, "account": account_id, "limit": limit}
    with store_errors():
        found = connection.cursor(row_factory=dict_row).execute(_ROWS, asked).fetchall()
        if not found:
            return []
        stored = legs.related(connection, [call_id])
        calls = [_call(record, stored) for record in found]
        owners = _owners(connection, {owner_key(call.row.to_num) for call in calls})
        rates = _rates(connection, {rate_id for call in calls for rate_id in _rate_ids(call)})
    return [
        replace(
            call,
            owner=owners.get(owner_key(call.row.to_num)),
            rates={rate_id: rates[rate_id] for rate_id in _rate_ids(call) if rate_id in rates},
        )
        for call in calls
    ]


def _call(record: dict[str, Any], stored: list[legs.StoredLeg]) -> KeptCall:
    parts = None if record["parts"] is None else _parts(record["parts"])
    charged = (
        None if parts is None else [Part(direction=p.direction, number=p.number, seconds=p.seconds) for p in parts]
    )
    row = msgspec.convert({**record, "parts": charged}, Row)
    complete = row.end_ts is not None
    price = Price(cost_micros=record["cost_micros"], parts=parts or (), unrated=record["unrated"]) if complete else None
    return KeptCall(
        row=row,
        price=price,
        revision=record["revision"],
        legs=tuple(one.leg for one in stored if one.row_key == row.key and one.leg.switch == row.switch),
        currency=record["currency"],
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


def _rates(connection: Connection, ids: set[int]) -> dict[int, KeptRate]:
    cursor = connection.cursor(row_factory=class_row(KeptRate))
    return {rate.rate_id: rate for rate in cursor.execute(_RATES, (list(ids),))}
