"""The events that an erasure removes, with what waits of them, and the endpoints of an account that goes as a whole."""

from collections.abc import Iterator
from typing import Any, Final
from uuid import UUID

from tollbook.model.numbers import SEPARATORS
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.erasure.naming import NamedIn, RowTexts
from tollbook.store.erasure.receipts import add_counts

#: Looked at, or removed, in one transaction: some 50 ms.
PIECE: Final = 5_000

_REMOVE_DELIVERIES: Final = """
    DELETE FROM event_delivery WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM event_delivery WHERE webhook_id = ANY (%s::bigint[]) LIMIT %s
    ))
"""
# No index has the account: all events are looked at, piece by piece. What tells others that a call is gone stays.
_REMOVE_OF_ACCOUNT: Final = """
    WITH looked_at AS (
        SELECT seq, account_id, start_ts, record FROM call_event WHERE seq > %(after)s ORDER BY seq LIMIT %(piece)s
    ), events AS (
        DELETE FROM call_event WHERE seq = ANY (ARRAY(
            SELECT seq FROM looked_at WHERE account_id = %(account)s AND coalesce(start_ts < %(until)s, true)
              AND record IS DISTINCT FROM '{"removed": true}'
        ))
        RETURNING seq
    ), deliveries AS (
        DELETE FROM event_delivery USING events WHERE event_delivery.seq = events.seq RETURNING event_delivery.seq
    )
    SELECT (SELECT max(seq) FROM looked_at), (SELECT count(*) FROM looked_at), (SELECT count(*) FROM events),
           (SELECT count(*) FROM deliveries)
"""
_REMOVE: Final = """
    WITH events AS (
        DELETE FROM call_event WHERE seq = ANY (%s::bigint[]) RETURNING seq
    ), deliveries AS (
        DELETE FROM event_delivery USING events WHERE event_delivery.seq = events.seq RETURNING event_delivery.seq
    )
    SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM deliveries)
"""


def remove_events(connection: Connection, erasure_id: UUID, account_id: str, until_ts: int) -> Iterator[int]:
    """Remove an account's endpoints, and its events of calls that started before `until_ts`, epoch ms.

    In transactions of which each can be the last; yields after each how many events it looked at. First the endpoints
    end, so that nothing new waits for them, and last they go. A delivery that is under way has been read, and ends.
    Call in autocommit; raises StoreUnavailable.
    """
    with store_errors():
        rows = connection.execute(
            "UPDATE webhook SET deleted_at = coalesce(deleted_at, now()), deleted_by = coalesce(deleted_by, 'erased')"
            " WHERE account_id = %s RETURNING webhook_id",
            (account_id,),
        ).fetchall()
    endpoints = [webhook_id for (webhook_id,) in rows]
    yield 0
    removed = PIECE if endpoints else 0
    while removed == PIECE:
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            removed = connection.execute(_REMOVE_DELIVERIES, (endpoints, PIECE)).rowcount
            _count(connection, erasure_id, deliveries=removed)
        yield 0
    after, looked_at = -(2**63), PIECE
    while looked_at == PIECE:
        wanted = {"account": account_id, "until": until_ts, "after": after, "piece": PIECE}
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            row = connection.execute(_REMOVE_OF_ACCOUNT, wanted).fetchone()
            assert row is not None
            after, looked_at, events, deliveries = row
            _count(connection, erasure_id, events=events, deliveries=deliveries)
        yield looked_at
    with store_errors(), connection.transaction():
        gone = connection.execute("DELETE FROM webhook WHERE webhook_id = ANY (%s::bigint[])", (endpoints,)).rowcount
        _count(connection, erasure_id, endpoints=gone)


def remove_events_naming(
    connection: Connection, erasure_id: UUID, digits: str, *, account_id: str | None, until_ts: int, named_in: NamedIn
) -> None:
    """Remove the events whose row had a number, also of one that was joined into another call; as `calls_naming`.

    Those of calls that are up stay with them. Call in autocommit; raises StoreUnavailable.
    """
    found = [seq for seq, _ in _naming(connection, digits, account_id, until_ts, named_in)]
    for begin in range(0, len(found), PIECE):
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            row = connection.execute(_REMOVE, (found[begin : begin + PIECE],)).fetchone()
            assert row is not None
            _count(connection, erasure_id, events=row[0], deliveries=row[1])


def event_accounts(
    connection: Connection, digits: str, *, account_id: str | None, until_ts: int, named_in: NamedIn
) -> list[str | None]:
    """Return the account of each event that `remove_events_naming` would remove. Call in autocommit."""
    return [account for _, account in _naming(connection, digits, account_id, until_ts, named_in)]


# Reads all events: no index knows the middle of a text. What a removed row leaves has its key alone.
_NAMING: Final = """
    SELECT seq, account_id, record ->> 'from_num', record ->> 'to_num', record ->> 'agent_id',
           record ->> 'sip_call_id', nullif(record -> 'recordings', 'null')::text,
           nullif(record -> 'vars', 'null')::text
    FROM call_event AS event
    WHERE strpos(translate(
          concat_ws(',', record ->> 'from_num', record ->> 'to_num', record ->> 'agent_id', record ->> 'sip_call_id',
                    record -> 'recordings', record -> 'vars'), %(separators)s, ''
      ), %(digits)s) > 0
      AND start_ts < %(until)s AND (%(account)s::text IS NULL OR account_id = %(account)s)
      AND NOT EXISTS (
          SELECT FROM call_cdr AS call
          WHERE (call.start_ts, call.call_id, call.switch) = (event.start_ts, event.call_id, event.switch)
            AND call.end_ts IS NULL
      )
"""


def _naming(
    connection: Connection, digits: str, account_id: str | None, until_ts: int, named_in: NamedIn
) -> Iterator[tuple[int, str | None]]:
    wanted: dict[str, Any] = {"digits": digits, "separators": SEPARATORS, "account": account_id, "until": until_ts}
    with store_errors():
        rows = connection.cursor().stream(_NAMING, wanted, size=PIECE)
        for seq, account, from_num, to_num, agent_id, sip_call_id, recordings, variables in rows:
            texts = RowTexts(
                from_num=from_num or "", to_num=to_num or "", agent_id=agent_id, sip_call_id=sip_call_id,
                recordings=recordings, vars=variables,
            )  # fmt: skip
            if named_in(texts, account):
                yield seq, account


def _count(connection: Connection, erasure_id: UUID, **removed: int) -> None:
    if counts := {place: count for place, count in removed.items() if count}:
        add_counts(connection, erasure_id, counts)
