"""Write `call_cdr`, whole rows at a time; `tollbook.store.calls.pages` reads them."""

from collections.abc import Collection, Sequence, Sized
from operator import attrgetter
from typing import Any, Final, LiteralString

import msgspec

from tollbook.model.call_key import CallKey
from tollbook.model.charge import Price
from tollbook.model.details import Details
from tollbook.model.record import JSON_COLUMNS, Row
from tollbook.store.arrays import array_literal, key_arrays
from tollbook.store.calls.columns import OF_PRICE, WRITTEN, names, type_of
from tollbook.store.database import Connection

_encode = msgspec.json.Encoder().encode

# A column of JSON is sent as one JSON array, every other one as an array of its own.
_PLAIN: Final[tuple[LiteralString, ...]] = tuple(column for column in WRITTEN if column not in JSON_COLUMNS)
_UNPRICED: Final[tuple[LiteralString, ...]] = tuple(
    column for column in WRITTEN if column not in CallKey._fields and column not in OF_PRICE
)
_OF_DETAILS: Final = tuple(column for column in Details.__struct_fields__ if column not in OF_PRICE)
_OF_ROW: Final = tuple(column for column in WRITTEN if column not in _OF_DETAILS and column not in OF_PRICE)
# A third of the time of asking for each value by itself.
_of_row, _of_details = attrgetter(*_OF_ROW), attrgetter(*_OF_DETAILS)

# Whether a row that was complete before is charged for the same things as now. Then it keeps its price, whatever became
# of the tariffs meanwhile: only a re-rate applies new ones to a call that has a price. A price depends on the account,
# the start, the charges and whether the call was answered (rating/engine.py); the start is part of the key. Of a call
# that was up, which most are, nothing but the first condition is looked at.
_CHARGES: Final[LiteralString] = (
    """'$[*].keyvalue() ? (@.key == "direction" || @.key == "number" || @.key == "seconds").value'"""
)
_CHARGED_ALIKE: Final[LiteralString] = f"""(
    old.end_ts IS NOT NULL
    AND (old.account_id, old.answered, jsonb_path_query_array(old.parts, {_CHARGES})) IS NOT DISTINCT FROM
        (excluded.account_id, excluded.answered, jsonb_path_query_array(excluded.parts, {_CHARGES}))
)"""

_PRICE_SET: Final[LiteralString] = ", ".join(
    f"{column} = CASE WHEN {_CHARGED_ALIKE} THEN old.{column} ELSE excluded.{column} END" for column in OF_PRICE
)

# Doubts and the figures of trunk legs are written with a row that changes, and make no change of their own: nobody but
# the operator sees them, and the archive has neither.
# A complete row never becomes open again, and an identical row is not written again: so a duplicate changes nothing,
# not even the revision, and sends nothing to the archive. A row with an estimated end waits a day before it is
# archived: that is how late `tollbook recover`, run every ten minutes, may be in making it exact. The archive may hold
# an older form of a call from before the window, which this table no longer knows of, and of any that began before an
# archive was attached; `deleted` makes the archiver look for it, as it does for a deleted row. A row that was complete
# before and does not wait is archived: `archived` says so for as long as it waits again.
_UPSERT: Final[LiteralString] = f"""
    WITH written AS (
        INSERT INTO call_cdr AS old ({names(_PLAIN)}, doubts, trunk_legs, {names(JSON_COLUMNS)}, revision)
        SELECT {names(_PLAIN)}, doubts, trunk_legs,
               {", ".join(f"NULLIF({column}, 'null'::jsonb)" for column in JSON_COLUMNS)},
               CASE WHEN new.end_ts IS NULL THEN 0 ELSE 1 END
        FROM ROWS FROM (
            unnest({", ".join(f"%s::{type_of(column)}[]" for column in _PLAIN)}, %s::jsonb[], %s::jsonb[]),
            {", ".join("jsonb_array_elements(%s::text::jsonb)" for _ in JSON_COLUMNS)}
        ) AS new ({names(_PLAIN)}, doubts, trunk_legs, {names(JSON_COLUMNS)})
        ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
            {", ".join(f"{column} = excluded.{column}" for column in _UNPRICED)},
            {_PRICE_SET},
            doubts = excluded.doubts, trunk_legs = excluded.trunk_legs,
            revision = CASE WHEN excluded.end_ts IS NULL THEN 0 ELSE old.revision + 1 END,
            changed = excluded.changed, updated_ts = excluded.updated_ts,
            prior_accounts = CASE
                WHEN old.revision > 0 AND old.account_id IS DISTINCT FROM excluded.account_id
                THEN array_append(old.prior_accounts, old.account_id) ELSE old.prior_accounts END
        WHERE NOT (old.end_ts IS NOT NULL AND excluded.end_ts IS NULL) AND (
            ({names(_UNPRICED, "old.")}) IS DISTINCT FROM ({names(_UNPRICED, "excluded.")})
            OR ({names(OF_PRICE, "old.")}) IS DISTINCT FROM ({names(OF_PRICE, "excluded.")}) AND NOT {_CHARGED_ALIKE}
        )
        RETURNING start_ts, call_id, switch, account_id, end_ts, estimated, revision
    )
    INSERT INTO archive_outbox AS waiting (start_ts, call_id, switch, account_id, since, deleted, archived)
    SELECT start_ts, call_id, switch, account_id,
           now() + CASE WHEN estimated THEN interval '24 hours' ELSE interval '0' END,
           start_ts < (SELECT greatest(window_start, unverified_before) FROM hot_window), revision > 1
    FROM written WHERE end_ts IS NOT NULL
    ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET
        since = excluded.since, account_id = excluded.account_id,
        deleted = waiting.deleted OR excluded.deleted
"""  # noqa: S608 - built only from our own names, as LiteralString proves


def upsert(connection: Connection, rows: Collection[tuple[Row, Price | None]]) -> None:
    """Write whole rows, and put those that are complete and new or changed into the archive's outbox.

    `rows`: at most one per key, with its price when complete. A row that is charged for what it was charged for before
    keeps its price.
    """
    if not rows:
        return
    ordered = sorted(rows, key=lambda row_and_price: row_and_price[0].key)
    values = _values(ordered)
    plain = [array_literal(values[column]) for column in _PLAIN]
    doubts = [row.doubts + (price.doubts if price else ()) for row, price in ordered]
    json = [_encode(values[column]).decode() for column in JSON_COLUMNS]
    trunk_legs = [row.trunk_legs for row, _ in ordered]
    connection.execute(_UPSERT, (*plain, _json_array(doubts), _json_array(trunk_legs), *json))


def _json_array(values: Sequence[Sized]) -> str:
    """Return an array of JSON values; empty ones are NULL."""
    return array_literal([_encode(value).decode() if value else None for value in values])


def _values(rows: Sequence[tuple[Row, Price | None]]) -> dict[str, Sequence[Any]]:
    """Return each column's values; None for no recordings and no variables, and for the price of a call that is up."""
    values: dict[str, Sequence[Any]] = dict(
        zip(_OF_ROW, zip(*[_of_row(row) for row, _ in rows], strict=True), strict=True)
    )
    details = zip(*[_of_details(row.details) for row, _ in rows], strict=True)
    values |= zip(_OF_DETAILS, details, strict=True)
    for column in OF_PRICE:
        values[column] = [getattr(price, column, None) for _, price in rows]  # None lacks the attribute
    for column in ("trunk_root", "recordings", "vars"):
        values[column] = [value or None for value in values[column]]
    return values


def delete(connection: Connection, keys: Collection[CallKey]) -> None:
    """Delete rows whose legs turned out to belong to another call; their prices are kept in the history."""
    if not keys:
        return
    connection.execute(
        """
        WITH gone AS (
            DELETE FROM call_cdr AS call
            USING unnest(%s::bigint[], %s::text[], %s::text[]) AS stale (start_ts, call_id, switch)
            WHERE (call.start_ts, call.call_id, call.switch) = (stale.start_ts, stale.call_id, stale.switch)
            RETURNING call.*
        ), kept AS (
            INSERT INTO price_history (
                start_ts, call_id, switch, revision, account_id, cost_micros, currency, unrated, parts, cause
            )
            SELECT start_ts, call_id, switch, revision, account_id, cost_micros, currency, unrated, parts, 'joined'
            FROM gone WHERE revision > 0
        ), noted AS (
            INSERT INTO call_gone (start_ts, call_id, switch, account_id)
            SELECT start_ts, call_id, switch, account_id FROM gone
        )
        INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, deleted, archived)
        SELECT start_ts, call_id, switch, account_id, true, true FROM gone WHERE revision > 0
        ON CONFLICT (start_ts, call_id, switch) DO UPDATE SET since = now(), deleted = true
        """,
        key_arrays(keys),
    )
