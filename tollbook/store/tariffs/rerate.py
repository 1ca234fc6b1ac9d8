"""The calls of a re-rate with their present prices."""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import starmap
from typing import Final, LiteralString

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price, PricedCharge
from tollbook.store.arrays import key_arrays
from tollbook.store.calls.columns import select_clause
from tollbook.store.database import Connection, store_errors
from tollbook.store.tariffs.tariffs import require_plan

_parts = msgspec.json.Decoder(tuple[PricedCharge, ...]).decode


@dataclass(frozen=True, kw_only=True, slots=True)
class RerateScope:
    """Which answered calls to price again: those of `accounts` (None: all) that started in [since, until), epoch ms.

    `unrated`: only those without a price. Imported calls that were billed by the system that they come from are never
    priced (docs/import.md).
    """

    accounts: tuple[str, ...] | None
    since: int
    until: int
    unrated: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class PricedCall:
    """An answered, complete call with its present price."""

    key: CallKey
    account_id: str | None
    revision: int
    price: Price


_SELECTED: Final = (*CallKey._fields, "account_id", "revision", "cost_micros", "currency", "unrated", "parts")
_IN_SCOPE: Final[LiteralString] = """
    start_ts >= %(since)s AND start_ts < %(until)s AND answered = 1 AND end_ts IS NOT NULL
    AND (%(accounts)s::text[] IS NULL OR account_id = ANY (%(accounts)s))
    AND (NOT %(unrated)s OR unrated IS NOT NULL) AND (imported IS NULL OR cost_micros IS NOT NULL)
"""
# A page narrows `since` too, which prunes partitions: with the row comparison alone, the plan would cover all of them.
_PAGE: Final[LiteralString] = f"""
    {select_clause(_SELECTED)} WHERE {_IN_SCOPE} AND (start_ts, call_id, switch) > (%(at)s, %(id)s, %(switch)s)
    ORDER BY start_ts, call_id, switch LIMIT %(limit)s
"""
_COUNT: Final[LiteralString] = f"SELECT count(*) FROM call_cdr WHERE {_IN_SCOPE}"  # noqa: S608 - literals alone


def page(connection: Connection, scope: RerateScope, *, after: CallKey, limit: int) -> list[PricedCall]:
    """Read up to `limit` calls of a scope that come after `after`, oldest first; raises StoreUnavailable."""
    at, call_id, switch = after
    asked = {"since": max(scope.since, at), "at": at, "id": call_id, "switch": switch, "limit": limit}
    with store_errors():
        rows = connection.execute(_PAGE, _parameters(scope) | asked, binary=True).fetchall()
    return [
        PricedCall(
            key=CallKey(start_ts, call_id, switch),
            account_id=account_id,
            revision=revision,
            price=Price(cost_micros=cost, currency=currency, unrated=unrated, parts=_parts(parts) if parts else ()),
        )
        for start_ts, call_id, switch, account_id, revision, cost, currency, unrated, parts in rows
    ]


def present(connection: Connection, keys: Collection[CallKey]) -> set[CallKey]:
    """Return those of these keys that have a row; raises StoreUnavailable."""
    if not keys:
        return set()
    starts = [key.start_ts for key in keys]
    with store_errors():
        found = connection.execute(
            "SELECT start_ts, call_id, switch FROM call_cdr"
            " JOIN unnest(%s::bigint[], %s::text[], %s::text[]) AS wanted (start_ts, call_id, switch)"
            " USING (start_ts, call_id, switch) WHERE call_cdr.start_ts BETWEEN %s AND %s",
            (*key_arrays(keys), min(starts), max(starts)),
        ).fetchall()
    return set(starmap(CallKey, found))


def count(connection: Connection, scope: RerateScope) -> int:
    """Count the calls of a scope that PostgreSQL has; raises StoreUnavailable."""
    with store_errors():
        ((calls,),) = connection.execute(_COUNT, _parameters(scope)).fetchall()
    return int(calls)


def _parameters(scope: RerateScope) -> dict[str, object]:
    accounts = None if scope.accounts is None else list(scope.accounts)
    return {"since": scope.since, "until": scope.until, "accounts": accounts, "unrated": scope.unrated}


def accounts_of(connection: Connection, plan_id: str) -> set[str]:
    """Return the accounts that have, had or will have a plan or one based on it; raises UsageError for no such plan."""
    with store_errors():
        require_plan(connection, plan_id)
        rows = connection.execute(
            """
            WITH RECURSIVE standing AS (
                SELECT plan_id FROM rate_plan WHERE plan_id = %s
                UNION
                SELECT above.plan_id FROM rate_plan AS above JOIN standing ON above.base_plan_id = standing.plan_id
            )
            SELECT DISTINCT account_id FROM account_plan JOIN standing USING (plan_id)
            """,
            (plan_id,),
        ).fetchall()
    return {one for (one,) in rows}
