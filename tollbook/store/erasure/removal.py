"""Removes the calls of an erasure from PostgreSQL."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from tollbook.model.call_key import CallKey
from tollbook.store.arrays import array_literal, key_arrays
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.erasure.calls import ErasedCall
from tollbook.store.erasure.receipts import add_counts
from tollbook.store.locks import lock_switches

# Removed in one transaction: some 50 ms, for which the listener's batches of those switches wait.
_REMOVED_AT_ONCE: Final = 1_000
_FIRST = CallKey(-(2**63), "", "")

# A row that another account has by now is that account's, and so is a price that the call had while it was another's:
# that account may be under a hold. `call_gone` tells syncs of the deletion: once, when a killed
# erasure goes on, and again of a row that came back. Endpoints are told of it, too, by a trigger: its event has the key
# alone, is noted when this statement ends, and stays when the same call is removed again.
_REMOVE: Final = """
    WITH wanted AS MATERIALIZED (
        SELECT * FROM unnest(%(starts)s::bigint[], %(ids)s::text[], %(switches)s::text[], %(accounts)s::text[])
            AS key (start_ts, call_id, switch, account_id)
    ), moved AS (
        SELECT start_ts, call_id, switch FROM call_cdr AS call JOIN wanted USING (start_ts, call_id, switch)
        WHERE call.start_ts BETWEEN %(first)s AND %(last)s AND call.account_id IS DISTINCT FROM wanted.account_id
    ), erased AS (
        SELECT * FROM wanted WHERE (start_ts, call_id, switch) NOT IN (SELECT * FROM moved)
    ), rows AS (
        DELETE FROM call_cdr AS call USING erased
        WHERE (call.start_ts, call.call_id, call.switch) = (erased.start_ts, erased.call_id, erased.switch)
          AND call.start_ts BETWEEN %(first)s AND %(last)s
        RETURNING call.start_ts, call.call_id, call.switch
    ), legs AS (
        DELETE FROM call_leg AS leg USING erased
        WHERE (leg.call_start_ts, leg.call_id, leg.switch) = (erased.start_ts, erased.call_id, erased.switch)
        RETURNING leg.switch, leg.uid, leg.created_us
    ), known_legs AS (
        INSERT INTO erasure_leg (erasure_id, switch, uid, created_us)
        SELECT %(erasure)s::uuid, switch, uid, created_us FROM legs ON CONFLICT DO NOTHING
    ), prices AS (
        DELETE FROM price_history AS price USING erased
        WHERE (price.start_ts, price.call_id, price.switch) = (erased.start_ts, erased.call_id, erased.switch)
          AND (price.account_id IS NULL OR price.account_id = erased.account_id)
        RETURNING price.start_ts
    ), waiting AS (
        DELETE FROM archive_outbox AS waiting USING erased
        WHERE (waiting.start_ts, waiting.call_id, waiting.switch) = (erased.start_ts, erased.call_id, erased.switch)
        RETURNING waiting.start_ts
    ), events AS (
        DELETE FROM call_event AS event USING erased
        WHERE (event.start_ts, event.call_id, event.switch) = (erased.start_ts, erased.call_id, erased.switch)
          AND (event.account_id IS NULL OR event.account_id = erased.account_id)
          AND event.record IS DISTINCT FROM '{"removed": true}'
        RETURNING event.seq
    ), deliveries AS (
        DELETE FROM event_delivery USING events WHERE event_delivery.seq = events.seq
    ), untold AS (
        UPDATE erasure_call AS known SET noted = true FROM erased
        WHERE known.erasure_id = %(erasure)s AND NOT known.noted
          AND (known.start_ts, known.call_id, known.switch) = (erased.start_ts, erased.call_id, erased.switch)
        RETURNING known.start_ts, known.call_id, known.switch
    ), told AS (
        INSERT INTO call_gone (start_ts, call_id, switch, account_id)
        SELECT start_ts, call_id, switch, account_id FROM erased
        JOIN (SELECT * FROM untold UNION SELECT * FROM rows) AS now_gone USING (start_ts, call_id, switch)
    )
    SELECT (SELECT count(*) FROM rows), (SELECT count(*) FROM legs), (SELECT count(*) FROM prices),
           (SELECT count(*) FROM waiting), (SELECT count(*) FROM events)
"""


# What _REMOVE counts, as the receipt names it.
_PLACES: Final[tuple[str, ...]] = ("rows", "legs", "old prices", "rows in the outbox", "events")


def remove(connection: Connection, erasure_id: UUID) -> Iterator[int]:
    """Remove the collected calls from PostgreSQL; yield after each transaction for how many keys it was.

    A switch's batches and its removals take turns: a batch has read a call's legs whole, or finds none. Call in
    autocommit.
    """
    after = _FIRST
    while calls := _next_collected(connection, erasure_id, after):
        keys = [key for key, _ in calls]
        starts, ids, switches = key_arrays(keys)
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            lock_switches(connection, (key.switch for key in keys))
            removed = connection.execute(
                _REMOVE,
                {
                    "erasure": erasure_id, "starts": starts, "ids": ids, "switches": switches,
                    "accounts": array_literal([account for _, account in calls]),
                    "first": keys[0].start_ts, "last": keys[-1].start_ts,
                },
            ).fetchone()  # fmt: skip
            assert removed is not None
            add_counts(connection, erasure_id, dict(zip(_PLACES, removed, strict=True)))
        yield len(calls)
        after = keys[-1]


def _next_collected(connection: Connection, erasure_id: UUID, after: CallKey) -> list[ErasedCall]:
    with store_errors():
        rows = connection.execute(
            "SELECT start_ts, call_id, switch, account_id FROM erasure_call"
            " WHERE erasure_id = %s AND (start_ts, call_id, switch) > (%s, %s, %s)"
            " ORDER BY start_ts, call_id, switch LIMIT %s",
            (erasure_id, *after, _REMOVED_AT_ONCE),
        ).fetchall()
    return [(CallKey(*key), account) for *key, account in rows]
