"""Replace prices, and keep the prices that calls had before, with who replaced them, when and why.

A page of calls whose prices were replaced and committed stays replaced, whatever happens to the next page.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import Final, LiteralString

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price
from tollbook.store.calls.columns import WRITTEN, names, type_of
from tollbook.store.database import Connection, scalar, store_errors
from tollbook.store.tariffs.rerate import PricedCall

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, kw_only=True, slots=True)
class Replacement:
    """A call and its new price.

    `archived`: the columns, by name and without the price, of a row that PostgreSQL no longer has; None when it has it.
    """

    call: PricedCall
    price: Price
    archived: Mapping[str, object] | None = None


# `revision` is the guard: a row that the listener has replaced since it was read keeps the price it was just given.
# Rows are locked in the order in which the listener's batches write them (store/calls/call_rows.py), so that the two
# cannot deadlock.
_REPLACE = """
    WITH new AS (
        SELECT * FROM jsonb_to_recordset(%(changes)s::jsonb) AS one (
            start_ts bigint, call_id text, switch text, revision integer,
            cost_micros bigint, currency text, unrated text, parts jsonb
        )
    ), old AS MATERIALIZED (
        SELECT call.start_ts, call.call_id, call.switch, call.revision, call.account_id,
               call.cost_micros, call.currency, call.unrated, call.parts
        FROM call_cdr AS call JOIN new USING (start_ts, call_id, switch)
        WHERE call.start_ts BETWEEN %(first)s AND %(last)s AND call.revision = new.revision
        ORDER BY call.start_ts, call.call_id, call.switch FOR UPDATE OF call
    ), written AS (
        UPDATE call_cdr AS call SET
            cost_micros = new.cost_micros, currency = new.currency, unrated = new.unrated, parts = new.parts,
            revision = old.revision + 1, changed = DEFAULT, updated_ts = DEFAULT
        FROM old JOIN new USING (start_ts, call_id, switch)
        WHERE (call.start_ts, call.call_id, call.switch) = (old.start_ts, old.call_id, old.switch)
          AND call.start_ts BETWEEN %(first)s AND %(last)s
        RETURNING call.start_ts, call.call_id, call.switch, call.account_id
    ), kept AS (
        INSERT INTO price_history (
            start_ts, call_id, switch, revision, account_id, cost_micros, currency, unrated, parts, run_id
        )
        SELECT start_ts, call_id, switch, revision, account_id, cost_micros, currency, unrated, parts, %(run)s FROM old
    ), queued AS (
        INSERT INTO archive_outbox (start_ts, call_id, switch, account_id)
        SELECT start_ts, call_id, switch, account_id FROM written ORDER BY start_ts, call_id, switch
        ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
            since = greatest(archive_outbox.since, now()), account_id = excluded.account_id, batch_id = NULL
    )
    SELECT start_ts, call_id, switch FROM written
"""

# A call whose row has left PostgreSQL is written again, as a correction that the archive will take. If its row is there
# after all, that row is right, and is already priced.
_WRITE_CORRECTIONS: Final[LiteralString] = f"""
    WITH new AS (
        SELECT * FROM jsonb_to_recordset(%(changes)s::jsonb) AS one (
            {", ".join(f"{column} {type_of(column)}" for column in WRITTEN)}, revision integer,
            old_cost_micros bigint, old_currency text, old_unrated text, old_parts jsonb
        )
    ), written AS (
        INSERT INTO call_cdr ({names(WRITTEN)}, revision)
        SELECT {names(WRITTEN)}, revision + 1
        FROM new ORDER BY start_ts, call_id, switch
        ON CONFLICT (start_ts, call_id, switch) DO NOTHING
        RETURNING start_ts, call_id, switch, account_id
    ), kept AS (
        INSERT INTO price_history (
            start_ts, call_id, switch, revision, account_id, cost_micros, currency, unrated, parts, run_id
        )
        SELECT start_ts, call_id, switch, new.revision, new.account_id,
               old_cost_micros, old_currency, old_unrated, old_parts, %(run)s
        FROM new JOIN written USING (start_ts, call_id, switch)
    ), queued AS (
        INSERT INTO archive_outbox (start_ts, call_id, switch, account_id)
        SELECT start_ts, call_id, switch, account_id FROM written ORDER BY start_ts, call_id, switch
        ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
            since = greatest(archive_outbox.since, now()), account_id = excluded.account_id, batch_id = NULL
    )
    SELECT start_ts, call_id, switch FROM written
"""  # noqa: S608 - built only from our own names, as LiteralString proves


def replace(connection: Connection, run_id: int, changes: Collection[Replacement]) -> set[CallKey]:
    """Replace the prices of calls and keep the old ones; return the keys of the calls that had not changed since read.

    Only those are replaced. Raises StoreUnavailable, after which nothing is written.
    """
    if not changes:
        return set()
    starts = [change.call.key.start_ts for change in changes]
    values = {
        "changes": _encode([{"revision": change.call.revision, **_new_price(change)} for change in changes]).decode(),
        "first": min(starts), "last": max(starts), "run": run_id,
    }  # fmt: skip
    with store_errors():
        return set(starmap(CallKey, connection.execute(_REPLACE, values).fetchall()))


def write_corrections(connection: Connection, run_id: int, changes: Collection[Replacement]) -> set[CallKey]:
    """Write archived calls with their new prices, as corrections for the archive to take; return the keys written.

    Raises StoreUnavailable, after which nothing is written.
    """
    if not changes:
        return set()
    rows = [
        {
            **(change.archived or {}), **_new_price(change),
            "account_id": change.call.account_id, "revision": change.call.revision,
            "old_cost_micros": change.call.price.cost_micros, "old_currency": change.call.price.currency,
            "old_unrated": change.call.price.unrated, "old_parts": change.call.price.parts,
        }
        for change in changes
    ]  # fmt: skip
    with store_errors():
        found = connection.execute(_WRITE_CORRECTIONS, {"changes": _encode(rows).decode(), "run": run_id}).fetchall()
    return set(starmap(CallKey, found))


def _new_price(change: Replacement) -> dict[str, object]:
    return {
        **change.call.key._asdict(),
        "cost_micros": change.price.cost_micros,
        "currency": change.price.currency,
        "unrated": change.price.unrated,
        "parts": change.price.parts,
    }


def begin_run(connection: Connection, *, by_whom: str, reason: str, scope: str) -> int:
    """Record who begins to price what again, and why; return the run's number."""
    with store_errors():
        return int(
            str(
                scalar(
                    connection,
                    "INSERT INTO rerate_run (by_whom, reason, scope) VALUES (%s, %s, %s) RETURNING run_id",
                    by_whom, reason, scope,
                )
            )
        )  # fmt: skip


def finish_run(connection: Connection, run_id: int) -> None:
    """Record that a run has finished."""
    with store_errors():
        connection.execute("UPDATE rerate_run SET finished_at = now() WHERE run_id = %s", (run_id,))
