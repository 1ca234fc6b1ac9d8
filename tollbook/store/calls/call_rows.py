"""`call_cdr`: rows are upserted whole; `tollbook.store.calls.pages` reads them."""

from collections.abc import Collection

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price
from tollbook.model.record import COLUMNS, Row
from tollbook.store.arrays import array_literal, key_arrays
from tollbook.store.database import Connection

_encode = msgspec.json.Encoder().encode

# A row that is complete is never taken back to an open one, and a row that says the same is not written again:
# so a duplicate changes nothing, not even the revision, and sends nothing to the archive. An estimated end is kept from
# the archive for a day: that is how long `tollbook recover`, run every ten minutes, may be late to make it exact. Of a
# call from before the window the archive may hold a form that this table forgot, so it is looked for there like one
# that was deleted.
_UPSERT = """
    WITH written AS (
        INSERT INTO call_cdr AS old (
            call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec, billsec,
            answered, disposition, hangup_cause, queue_id, agent_id, cost_micros,
            switch, estimated, unrated, currency, parts, revision
        )
        SELECT call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec, billsec,
               answered, disposition, hangup_cause, queue_id, agent_id, cost_micros,
               switch, estimated, unrated, currency, NULLIF(parts, 'null'::jsonb),
               CASE WHEN new.end_ts IS NULL THEN 0 ELSE 1 END
        FROM ROWS FROM (
            unnest(
                %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],
                %s::int[], %s::int[], %s::int[], %s::text[], %s::text[], %s::text[], %s::text[], %s::bigint[],
                %s::text[], %s::boolean[], %s::text[], %s::text[]
            ),
            jsonb_array_elements(%s::text::jsonb)
        ) AS new (
            call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec, billsec,
            answered, disposition, hangup_cause, queue_id, agent_id, cost_micros,
            switch, estimated, unrated, currency, parts
        )
        ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
            account_id = excluded.account_id, direction = excluded.direction,
            from_num = excluded.from_num, to_num = excluded.to_num,
            answer_ts = excluded.answer_ts, end_ts = excluded.end_ts,
            duration_sec = excluded.duration_sec, billsec = excluded.billsec, answered = excluded.answered,
            disposition = excluded.disposition, hangup_cause = excluded.hangup_cause,
            queue_id = excluded.queue_id, agent_id = excluded.agent_id, cost_micros = excluded.cost_micros,
            estimated = excluded.estimated,
            parts = excluded.parts, unrated = excluded.unrated, currency = excluded.currency,
            revision = CASE WHEN excluded.end_ts IS NULL THEN 0 ELSE old.revision + 1 END,
            changed = excluded.changed, updated_ts = excluded.updated_ts,
            prior_accounts = CASE
                WHEN old.revision > 0 AND old.account_id IS DISTINCT FROM excluded.account_id
                THEN array_append(old.prior_accounts, old.account_id) ELSE old.prior_accounts END
        WHERE NOT (old.end_ts IS NOT NULL AND excluded.end_ts IS NULL)
          AND (old.account_id, old.direction, old.from_num, old.to_num, old.answer_ts, old.end_ts,
               old.duration_sec, old.billsec, old.answered, old.disposition, old.hangup_cause,
               old.queue_id, old.agent_id, old.cost_micros, old.estimated, old.parts, old.unrated,
               old.currency)
              IS DISTINCT FROM
              (excluded.account_id, excluded.direction, excluded.from_num, excluded.to_num, excluded.answer_ts,
               excluded.end_ts, excluded.duration_sec, excluded.billsec, excluded.answered, excluded.disposition,
               excluded.hangup_cause, excluded.queue_id, excluded.agent_id, excluded.cost_micros,
               excluded.estimated, excluded.parts, excluded.unrated, excluded.currency)
        RETURNING start_ts, call_id, switch, account_id, end_ts, estimated
    )
    INSERT INTO archive_outbox AS waiting (start_ts, call_id, switch, account_id, since, deleted)
    SELECT start_ts, call_id, switch, account_id,
           now() + CASE WHEN estimated THEN interval '24 hours' ELSE interval '0' END,
           start_ts < (SELECT window_start FROM hot_window)
    FROM written WHERE end_ts IS NOT NULL
    ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
        since = excluded.since, account_id = excluded.account_id, batch_id = NULL,
        deleted = waiting.deleted OR excluded.deleted
"""


def upsert(connection: Connection, rows: Collection[tuple[Row, Price | None]]) -> None:
    """Write rows whole, and put those that are complete and new or changed into the archive's outbox.

    `rows`: at most one of each key, with its price when complete.
    """
    if not rows:
        return
    ordered = sorted(rows, key=lambda one: one[0].key)
    folded = [row for row, _ in ordered]
    prices = [price for _, price in ordered]
    plain = [array_literal([getattr(row, column) for row in folded]) for column in COLUMNS if column != "cost_micros"]
    connection.execute(
        _UPSERT,
        (
            *plain,
            array_literal([price.cost_micros if price else None for price in prices]),
            array_literal([row.switch for row in folded]),
            array_literal([row.estimated for row in folded]),
            array_literal([price.unrated if price else None for price in prices]),
            array_literal([price.currency if price else None for price in prices]),
            _encode([price.parts if price else None for price in prices]).decode(),
        ),
    )


def delete(connection: Connection, keys: Collection[CallKey]) -> None:
    """Remove rows whose legs turned out to belong to another call."""
    if not keys:
        return
    connection.execute(
        """
        WITH gone AS (
            DELETE FROM call_cdr AS call
            USING unnest(%s::bigint[], %s::text[], %s::text[]) AS stale (start_ts, call_id, switch)
            WHERE (call.start_ts, call.call_id, call.switch) = (stale.start_ts, stale.call_id, stale.switch)
            RETURNING call.start_ts, call.call_id, call.switch, call.account_id, call.revision
        )
        INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, deleted)
        SELECT start_ts, call_id, switch, account_id, true FROM gone WHERE revision > 0
        ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET since = now(), batch_id = NULL, deleted = true
        """,
        key_arrays(keys),
    )
