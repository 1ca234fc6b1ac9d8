"""Replace prices, and keep the prices that calls had before, with who replaced them, when and why.

Prices that change in `call_cdr` are kept by a trigger, whoever changes them (`store/schema.sql`).

A page of calls whose prices were replaced and committed stays replaced, whatever happens to the next page.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import starmap
from typing import Final, LiteralString

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.charge import UNKNOWN_REASON, Price
from tollbook.model.record import JSON_COLUMNS
from tollbook.store.calls.columns import COUNTED, WRITTEN, names, type_of
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


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchivedPrice:
    """The price of an archived row; `parts` as JSON text, None without any."""

    key: CallKey
    revision: int
    account_id: str | None
    cost_micros: int | None
    currency: str | None
    parts: str | None


# `revision` is the guard: a row that the listener has replaced since it was read keeps the price it was just given.
# Rows are locked in the order in which the listener's batches write them (store/calls/call_rows.py), so that the two
# cannot deadlock.
# The settings are read by the trigger that keeps the old prices, when the statement ends (store/schema.sql).
_REPLACE = """
    WITH cause AS MATERIALIZED (
        SELECT set_config('tollbook.price_cause', 'rerate', true), set_config('tollbook.rerate_run', %(run)s, true)
    ), new AS (
        SELECT one.* FROM cause, jsonb_to_recordset(%(changes)s::jsonb) AS one (
            start_ts bigint, call_id text, switch text, revision integer,
            cost_micros bigint, currency text, unrated text, parts jsonb, destination text
        )
    ), old AS MATERIALIZED (
        SELECT call.start_ts, call.call_id, call.switch, call.revision
        FROM call_cdr AS call JOIN new USING (start_ts, call_id, switch)
        WHERE call.start_ts BETWEEN %(first)s AND %(last)s AND call.revision = new.revision
        ORDER BY call.start_ts, call.call_id, call.switch FOR UPDATE OF call
    ), written AS (
        UPDATE call_cdr AS call SET
            cost_micros = new.cost_micros, currency = new.currency, unrated = new.unrated, parts = new.parts,
            destination = new.destination, revision = old.revision + 1, changed = DEFAULT, updated_ts = DEFAULT
        FROM old JOIN new USING (start_ts, call_id, switch)
        WHERE (call.start_ts, call.call_id, call.switch) = (old.start_ts, old.call_id, old.switch)
          AND call.start_ts BETWEEN %(first)s AND %(last)s
        RETURNING call.start_ts, call.call_id, call.switch, call.account_id
    ), queued AS (
        INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, archived)
        SELECT start_ts, call_id, switch, account_id, true FROM written ORDER BY start_ts, call_id, switch
        ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
            since = greatest(archive_outbox.since, now()), account_id = excluded.account_id
    )
    SELECT start_ts, call_id, switch FROM written
"""

# A call whose row has left PostgreSQL is written again, as a correction that the archive will take. If its row is there
# after all, that row is right, and is already priced. Sums count it since it was first written, so what it had is taken
# away: its new row is counted by the trigger.
_BEFORE: Final[dict[LiteralString, LiteralString]] = {
    "start_ts": "start_ts",
    "currency": "new.old_currency",
    "cost_micros": "new.old_cost_micros",
    "destination": "new.old_destination",
    "trunk_legs": "NULL",  # not archived: the new row has none either
}
_COUNTED_BEFORE: Final[tuple[LiteralString, ...]] = tuple(_BEFORE.get(name, f"new.{name}") for name in COUNTED)
_WRITE_CORRECTIONS: Final[LiteralString] = f"""
    WITH counted AS MATERIALIZED (
        SELECT set_config('tollbook.archived_counted', 'on', true)
    ), new AS (
        SELECT one.* FROM counted, jsonb_to_recordset(%(changes)s::jsonb) AS one (
            {", ".join(f"{column} {type_of(column)}" for column in WRITTEN)}, revision integer,
            old_cost_micros bigint, old_currency text, old_unrated text, old_parts jsonb, old_destination text
        )
    ), written AS (
        INSERT INTO call_cdr ({names(WRITTEN)}, revision)
        SELECT {names(WRITTEN)}, revision + 1
        FROM new ORDER BY start_ts, call_id, switch
        ON CONFLICT (start_ts, call_id, switch) DO NOTHING
        RETURNING start_ts, call_id, switch, account_id
    ), kept AS (
        INSERT INTO price_history (
            start_ts, call_id, switch, revision, account_id, cost_micros, currency, unrated, parts, run_id, cause
        )
        SELECT start_ts, call_id, switch, new.revision, new.account_id,
               old_cost_micros, old_currency, old_unrated, old_parts, %(run)s, 'rerate'
        FROM new JOIN written USING (start_ts, call_id, switch)
    ), uncounted AS (
        INSERT INTO sum_delta (sign, {names(COUNTED)})
        SELECT -1, {names(_COUNTED_BEFORE)} FROM new JOIN written USING (start_ts, call_id, switch)
    ), queued AS (
        INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, archived)
        SELECT start_ts, call_id, switch, account_id, true FROM written ORDER BY start_ts, call_id, switch
        ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
            since = greatest(archive_outbox.since, now()), account_id = excluded.account_id
    )
    SELECT start_ts, call_id, switch FROM written
"""  # noqa: S608 - built only from our own names, as LiteralString proves


# Again after a kill, or when the row had this price in PostgreSQL too: then it is kept already.
_KEEP_ARCHIVED: Final[LiteralString] = """
    INSERT INTO price_history (
        start_ts, call_id, switch, revision, account_id, cost_micros, currency, unrated, parts, cause
    )
    SELECT old.*, 'archive' FROM jsonb_to_recordset(%(prices)s::jsonb) AS old (
        start_ts bigint, call_id text, switch text, revision integer, account_id text, cost_micros bigint,
        currency text, unrated text, parts jsonb
    )
    WHERE NOT EXISTS (
        SELECT FROM call_cdr AS call
        WHERE (call.start_ts, call.call_id, call.switch) = (old.start_ts, old.call_id, old.switch)
          AND call.start_ts BETWEEN %(first)s AND %(last)s
          AND (call.account_id, call.cost_micros, call.currency, jsonb_path_query_array(call.parts, '$[*].cost_micros'))
              IS NOT DISTINCT FROM
              (old.account_id, old.cost_micros, old.currency, jsonb_path_query_array(old.parts, '$[*].cost_micros'))
    ) AND NOT EXISTS (
        SELECT FROM price_history AS kept
        WHERE (kept.start_ts, kept.call_id, kept.switch, kept.revision)
              = (old.start_ts, old.call_id, old.switch, old.revision)
          AND (kept.account_id, kept.cost_micros, kept.currency, jsonb_path_query_array(kept.parts, '$[*].cost_micros'))
              IS NOT DISTINCT FROM
              (old.account_id, old.cost_micros, old.currency, jsonb_path_query_array(old.parts, '$[*].cost_micros'))
    )
"""


def keep_archived(connection: Connection, prices: Collection[ArchivedPrice]) -> None:
    """Keep the prices of archived rows that are about to be replaced, unless they are the present ones or kept already.

    Raises StoreUnavailable, after which nothing is kept.
    """
    starts = [price.key.start_ts for price in prices]
    rows = [
        {
            **price.key._asdict(), "revision": price.revision, "account_id": price.account_id,
            "cost_micros": price.cost_micros, "currency": price.currency,
            "unrated": UNKNOWN_REASON if price.cost_micros is None else None,
            "parts": msgspec.Raw(price.parts.encode()) if price.parts else None,
        }
        for price in prices
    ]  # fmt: skip
    values = {"prices": _encode(rows).decode(), "first": min(starts), "last": max(starts)}
    with store_errors():
        connection.execute(_KEEP_ARCHIVED, values)


def replace(connection: Connection, run_id: int, changes: Collection[Replacement]) -> set[CallKey]:
    """Replace the prices of calls and keep the old ones; return the keys of the calls that had not changed since read.

    Only those are replaced. Raises StoreUnavailable, after which nothing is written.
    """
    if not changes:
        return set()
    starts = [change.call.key.start_ts for change in changes]
    values = {
        "changes": _encode([{"revision": change.call.revision, **_new_price(change)} for change in changes]).decode(),
        "first": min(starts), "last": max(starts), "run": str(run_id),
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
            **_with_json(change.archived or {}), **_new_price(change),
            "account_id": change.call.account_id, "revision": change.call.revision,
            "old_cost_micros": change.call.price.cost_micros, "old_currency": change.call.price.currency,
            "old_unrated": change.call.price.unrated, "old_parts": change.call.price.parts,
            "old_destination": (change.archived or {}).get("destination"),
        }
        for change in changes
    ]  # fmt: skip
    with store_errors():
        found = connection.execute(_WRITE_CORRECTIONS, {"changes": _encode(rows).decode(), "run": run_id}).fetchall()
    return set(starmap(CallKey, found))


def _with_json(row: Mapping[str, object]) -> dict[str, object]:
    """Return a row whose columns of JSON are no longer text."""
    return {
        name: msgspec.Raw(value.encode()) if name in JSON_COLUMNS and isinstance(value, str) else value
        for name, value in row.items()
    }


def _new_price(change: Replacement) -> dict[str, object]:
    return {
        **change.call.key._asdict(),
        "cost_micros": change.price.cost_micros,
        "currency": change.price.currency,
        "unrated": change.price.unrated,
        "parts": change.price.parts,
        "destination": change.price.destination,
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
