"""One call with everything stored about it: its row, its legs, and the rates that priced it.

The row of a pruned call comes from the archive. What is kept beside it is here all the same: the rates and its former
prices for ever, its legs for a time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import starmap
from typing import Any, Final, LiteralString

import msgspec
from psycopg.rows import class_row, dict_row

from tollbook.model.accounts import Accounts, OneAccount
from tollbook.model.bridged import bridged_elsewhere
from tollbook.model.call_key import CallKey
from tollbook.model.call_tree import calls_of
from tollbook.model.charge import UNKNOWN_REASON, Price, PricedCharge
from tollbook.model.details import Details
from tollbook.model.leg import Leg
from tollbook.model.numbers import owner_key
from tollbook.model.rate import RATE_COLUMNS, Rate
from tollbook.model.record import Row
from tollbook.model.vocabulary import PriceCause
from tollbook.model.wanted_calls import WantedCalls
from tollbook.store.calls import legs
from tollbook.store.calls.columns import WRITTEN, names, select_clause
from tollbook.store.database import Connection, store_errors
from tollbook.store.days.window import read_window

# A switch reuses an id now and then; a caller of its API that always picks the same id makes one more row each time.
MAX_CALLS: Final = 20
FOR_EVER_MS: Final = 2**63 - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class PriceBefore:
    """A price that was replaced at `replaced_ts` (epoch ms), the account that it was for, and the cause.

    `by_whom` and `reason` are those of a re-rate.
    """

    account_id: str | None
    cost_micros: int | None
    currency: str | None
    unrated: str | None
    replaced_ts: int
    cause: PriceCause
    by_whom: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptCall:
    """A row, its price (None while the call is up), and its legs that count (empty once they are pruned).

    `owner`: the account that owns the dialled number today. `rates`: the rates that priced its parts, by id; rates are
    kept for ever. `before`: the prices that the call had earlier, oldest first. `bridged`: the records of the leg of
    another call that whoever talked last in this one was bridged with, if there is one.
    """

    row: Row
    price: Price | None
    revision: int
    legs: tuple[Leg, ...]
    owner: str | None = None
    rates: Mapping[int, Rate] = field(default_factory=dict[int, Rate])
    before: tuple[PriceBefore, ...] = ()
    bridged: tuple[Leg, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundCalls:
    """The calls with an id that PostgreSQL has, newest first. `older`: what to ask the archive for, if anything.

    A call within the window ends the search: an older one of the same id is found by its start.
    """

    calls: list[KeptCall]
    older: WantedCalls | None


_json = msgspec.json.decode
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
# An account sees only the prices that were its own: what a call cost before it was moved to this account is another
# account's business. The operator sees all of them.
_BEFORE = """
    SELECT account_id, cost_micros, currency, unrated, (extract(epoch FROM replaced_at) * 1000)::bigint AS replaced_ts,
           cause, by_whom, reason
    FROM price_history LEFT JOIN rerate_run USING (run_id)
    WHERE start_ts = %s AND call_id = %s AND switch = %s AND (%s::text IS NULL OR account_id = %s)
    ORDER BY replaced_at, revision
"""


# From before the window, and so few: only late calls wait there.
_SUPERSEDED = """
    SELECT start_ts, call_id, switch FROM archive_outbox
    WHERE start_ts >= %s AND start_ts < %s AND call_id = %s
"""


def find_calls(
    connection: Connection,
    call_id: str,
    accounts: Accounts,
    *,
    first_ts: int = 0,
    last_ts: int = FOR_EVER_MS,
    limit: int = MAX_CALLS,
) -> FoundCalls:
    """Read the calls with an id that started from `first_ts` to `last_ts` (epoch ms, both included).

    Call inside `row_security.snapshot` or `row_security.reading`: they read a single snapshot, so that a row and its
    legs belong together, and neither tier has a call that the other one is asked for. Raises StoreUnavailable.
    """
    if "\0" in call_id:  # PostgreSQL cannot store NUL in a text, and refuses a query that contains it
        return FoundCalls(calls=[], older=None)
    account_id = _account_id(accounts)
    asked = {"call_id": call_id, "first": first_ts, "last": last_ts, "account": account_id, "limit": limit}
    with store_errors():
        found = connection.cursor(row_factory=dict_row).execute(_ROWS, asked).fetchall()
        rows = {row.key: (row, record) for record in found for row in [_row(record)]}
        kept = read_legs(connection, rows.keys())
        calls = [_call(connection, row, record, kept[row.key]) for row, record in rows.values()]
        end_ms = min(last_ts + 1, read_window(connection).start_ts)
        older = None
        if first_ts < end_ms and all(call.row.start_ts < end_ms for call in calls):
            superseded = connection.execute(_SUPERSEDED, (first_ts, end_ms, call_id)).fetchall()
            excluded = frozenset(starmap(CallKey, superseded)).union(rows)
            older = WantedCalls(call_id=call_id, accounts=accounts, first_ms=first_ts, end_ms=end_ms, excluded=excluded)
        return FoundCalls(calls=_with_what_is_kept(connection, calls, account_id), older=older)


def complete_archived(
    connection: Connection,
    records: Iterable[Mapping[str, Any]],
    kept: Mapping[CallKey, Sequence[Leg]],
    accounts: Accounts,
) -> list[KeptCall]:
    """Add to archived calls what PostgreSQL keeps of them; `kept` are their legs.

    `records` have the archive's columns by name, times in epoch ms. Call inside a snapshot, as `find_calls`. Raises
    StoreUnavailable.
    """
    with store_errors():
        calls: list[KeptCall] = []
        for record in records:
            row = _row(record)
            unrated = UNKNOWN_REASON if record["cost_micros"] is None else None
            calls.append(_call(connection, row, {**record, "unrated": unrated}, kept.get(row.key, ())))
        return _with_what_is_kept(connection, calls, _account_id(accounts))


def read_legs(connection: Connection, keys: Iterable[CallKey]) -> Mapping[CallKey, list[Leg]]:
    """Read the legs that count of these calls, as far as they are kept.

    An account's own role sees the legs of calls that PostgreSQL has. Those of a pruned call are read as every account,
    once the archive has said whose it is. Raises StoreUnavailable.
    """
    found: defaultdict[CallKey, list[Leg]] = defaultdict(list)
    with store_errors():
        for stored in legs.of_calls(connection, list(keys)):
            found[stored.row_key].append(stored.leg)
    return found


def newest_first(calls: Iterable[KeptCall], limit: int = MAX_CALLS) -> list[KeptCall]:
    """Return the newest of some calls, in the order in which `find_calls` returns them."""
    return sorted(calls, key=lambda call: (call.row.start_ts, call.row.switch), reverse=True)[:limit]


def _account_id(accounts: Accounts) -> str | None:
    return accounts.account_id if isinstance(accounts, OneAccount) else None


def _with_what_is_kept(connection: Connection, calls: Sequence[KeptCall], account_id: str | None) -> list[KeptCall]:
    """Return calls with their rates, their former prices, and who owns the numbers that they dialled."""
    if not calls:
        return []
    owners = _owners(connection, {owner_key(call.row.to_num) for call in calls})
    rates = _rates(connection, {rate_id for call in calls for rate_id in _rate_ids(call)})
    return [
        replace(
            call,
            owner=owners.get(owner_key(call.row.to_num)),
            rates={rate_id: rates[rate_id] for rate_id in _rate_ids(call) if rate_id in rates},
            before=_before(connection, call.row, account_id),
        )
        for call in calls
    ]


def _row(record: Mapping[str, Any]) -> Row:
    parts = _charges(record)
    charged = None if parts is None else [part.charge for part in parts]
    details = {name: record[name] for name in Details.__struct_fields__}
    for name, none in (("recordings", "[]"), ("vars", "{}")):
        details[name] = _json(details[name] or none)
    flags = {name: bool(record[name]) for name in ("estimated", "trunk_root")}
    return msgspec.convert({**record, "parts": charged, "details": details, **flags}, Row)


def _charges(record: Mapping[str, Any]) -> tuple[PricedCharge, ...] | None:
    return None if record["parts"] is None else _parts(record["parts"])


def _call(connection: Connection, row: Row, record: Mapping[str, Any], kept: Sequence[Leg]) -> KeptCall:
    price = Price(
        cost_micros=record["cost_micros"],
        parts=_charges(record) or (),
        unrated=record["unrated"],
        currency=record["currency"],
        destination=record["destination"],
    )
    return KeptCall(
        row=row,
        price=price if row.end_ts is not None else None,
        revision=record["revision"],
        legs=tuple(kept),
        bridged=_bridged(connection, row, kept),
    )


def _bridged(connection: Connection, row: Row, kept: Sequence[Leg]) -> tuple[Leg, ...]:
    """Read what is stored of the leg of another call that whoever talked last in a call was bridged with."""
    call = next((call for call in calls_of(kept) if call.key(row.switch) == row.key), None)
    uid = bridged_elsewhere(call) if call is not None else ""
    if call is None or call.root is None or not uid:
        return ()
    found = legs.related(connection, [(row.switch, uid, call.root.outcome.hangup_us)]).counted
    return tuple(stored.leg for key, stored in found.items() if key[1] == uid)


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


def _before(connection: Connection, row: Row, account_id: str | None) -> tuple[PriceBefore, ...]:
    cursor = connection.cursor(row_factory=class_row(PriceBefore))
    return tuple(cursor.execute(_BEFORE, (*row.key, account_id, account_id)))
