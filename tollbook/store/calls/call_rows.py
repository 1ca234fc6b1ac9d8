"""Write `call_cdr`, whole rows at a time; `tollbook.store.calls.pages` reads them."""

from collections.abc import Collection
from typing import Final, LiteralString

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price
from tollbook.model.record import Row
from tollbook.store.arrays import array_literal, key_arrays
from tollbook.store.calls.columns import WRITTEN, names, type_of
from tollbook.store.database import Connection

_encode = msgspec.json.Encoder().encode

# The charges are sent as one JSON array, every other column as an array of its own.
_PLAIN: Final[tuple[LiteralString, ...]] = tuple(column for column in WRITTEN if column != "parts")
_CHANGING: Final[tuple[LiteralString, ...]] = tuple(column for column in WRITTEN if column not in CallKey._fields)
_OF_PRICE: Final = frozenset(("cost_micros", "currency", "unrated"))

# A complete row never becomes open again, and an identical row is not written again: so a duplicate changes nothing,
# not even the revision, and sends nothing to the archive. A row with an estimated end waits a day before it is
# archived: that is how late `tollbook recover`, run every ten minutes, may be in making it exact. The archive may hold
# an older form of a call from before the window, which this table no longer knows of; `deleted` makes the archiver look
# for it, as it does for a deleted row.
_UPSERT: Final[LiteralString] = f"""
    WITH written AS (
        INSERT INTO call_cdr AS old ({names(WRITTEN)}, revision)
        SELECT {names(_PLAIN)}, NULLIF(parts, 'null'::jsonb), CASE WHEN new.end_ts IS NULL THEN 0 ELSE 1 END
        FROM ROWS FROM (
            unnest({", ".join(f"%s::{type_of(column)}[]" for column in _PLAIN)}),
            jsonb_array_elements(%s::text::jsonb)
        ) AS new ({names(_PLAIN)}, parts)
        ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
            {", ".join(f"{column} = excluded.{column}" for column in _CHANGING)},
            revision = CASE WHEN excluded.end_ts IS NULL THEN 0 ELSE old.revision + 1 END,
            changed = excluded.changed, updated_ts = excluded.updated_ts,
            prior_accounts = CASE
                WHEN old.revision > 0 AND old.account_id IS DISTINCT FROM excluded.account_id
                THEN array_append(old.prior_accounts, old.account_id) ELSE old.prior_accounts END
        WHERE NOT (old.end_ts IS NOT NULL AND excluded.end_ts IS NULL)
          AND ({names(_CHANGING, "old.")}) IS DISTINCT FROM ({names(_CHANGING, "excluded.")})
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
"""  # noqa: S608 - built only from our own names, as LiteralString proves


def upsert(connection: Connection, rows: Collection[tuple[Row, Price | None]]) -> None:
    """Write whole rows, and put those that are complete and new or changed into the archive's outbox.

    `rows`: at most one per key, with its price when complete.
    """
    if not rows:
        return
    ordered = sorted(rows, key=lambda row_and_price: row_and_price[0].key)
    folded = [row for row, _ in ordered]
    prices = [price for _, price in ordered]
    plain = [
        # None lacks the attribute, so a call without a price gets NULL in all three columns.
        array_literal([getattr(price, column, None) for price in prices])
        if column in _OF_PRICE
        else array_literal([getattr(row, column) for row in folded])
        for column in _PLAIN
    ]
    parts = _encode([price.parts if price else None for price in prices]).decode()
    connection.execute(_UPSERT, (*plain, parts))


def delete(connection: Connection, keys: Collection[CallKey]) -> None:
    """Delete rows whose legs turned out to belong to another call."""
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
