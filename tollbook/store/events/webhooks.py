"""Endpoints as their accounts and operators manage them: made, listed, tested, deleted, switched on, told again.

What an API key asks for runs inside `row_security.reading` or `writing`, so that PostgreSQL itself keeps accounts
apart, and no secret can be read. It has to be stored so that it signs: docs/security.md says what protects it.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, LiteralString

from tollbook.errors import UsageError
from tollbook.model.endpoints import webhook_name
from tollbook.store.database import Connection, limit_transaction, store_errors
from tollbook.store.locks import WEBHOOK_LOCKS

#: How many endpoints an account may have; and how many operators.
MAX_ENDPOINTS: Final = 20

_COLUMNS: Final[LiteralString] = (
    "webhook_id, account_id, kind, url, events, created_at, disabled_at, disabled_why, failing_since, delivered,"
    " failed, dead, delivered_at, last_error"
)

_CREATE: Final[LiteralString] = f"""
    INSERT INTO webhook (account_id, url, events, secret, created_by)
    SELECT %(account)s::text, %(url)s, %(events)s::text[], %(secret)s, %(by)s
    WHERE (
        SELECT count(*) FROM webhook WHERE account_id IS NOT DISTINCT FROM %(account)s::text AND deleted_at IS NULL
    ) < %(most)s
    RETURNING {_COLUMNS}
"""  # noqa: S608 - our own names

# Where calls have the hash of their key: tests wait for no call.
_TESTS: Final = 0

# Counted to a bound: a dead endpoint may have millions.
COUNTED_WAITING: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Webhook:
    """An endpoint. `account_id` None: every account's calls. `events` None: all.

    `disabled_why`: why nothing is sent; None: it is. `delivered`, `failed` and `dead` (given up) only grow.
    """

    webhook_id: int
    account_id: str | None
    kind: str
    url: str
    events: Sequence[str] | None
    created_at: dt.datetime
    disabled_at: dt.datetime | None
    disabled_why: str | None
    failing_since: dt.datetime | None
    delivered: int
    failed: int
    dead: int
    delivered_at: dt.datetime | None
    last_error: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A delivery that was given up: the event, its call, and the last error."""

    webhook_id: int
    event_id: str
    event: str
    call_id: str | None
    start_ts: int | None
    revision: int
    attempts: int
    dead_at: dt.datetime
    error: str


def create(
    connection: Connection,
    *,
    account_id: str | None,
    url: str,
    events: Sequence[str] | None,
    secret: str,
    created_by: str,
) -> Webhook | None:
    """Make an endpoint; None when the account has MAX_ENDPOINTS. Call in a transaction; raises StoreUnavailable."""
    with store_errors():
        _lock(connection, account_id)
        row = connection.execute(
            _CREATE,
            {
                "account": account_id, "url": url, "events": None if events is None else list(events),
                "secret": secret, "by": created_by, "most": MAX_ENDPOINTS,
            },
        ).fetchone()  # fmt: skip
    return None if row is None else _webhook(row)


def _lock(connection: Connection, account_id: str | None) -> None:
    """Wait for others that make endpoints or tests of an account, None: operators, until the transaction ends."""
    connection.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (WEBHOOK_LOCKS, account_id or ""))


def list_own(connection: Connection, account_id: str | None) -> list[Webhook]:
    """Return the endpoints of an account, None: those of operators, that are not deleted, oldest first."""
    with store_errors():
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM webhook WHERE deleted_at IS NULL AND kind = 'webhook'"  # noqa: S608 - our own names
            " AND account_id IS NOT DISTINCT FROM %s::text ORDER BY webhook_id LIMIT %s",
            (account_id, MAX_ENDPOINTS),
        ).fetchall()
    return [_webhook(row) for row in rows]


def list_webhooks(connection: Connection, *, account_id: str | None = None, limit: int) -> list[Webhook]:
    """Return the endpoints that are not deleted, oldest first; with `account_id` that account's alone."""
    with store_errors():
        rows = connection.execute(
            f"SELECT {_COLUMNS} FROM webhook WHERE deleted_at IS NULL"  # noqa: S608 - our own names
            " AND (%s::text IS NULL OR account_id = %s) ORDER BY webhook_id LIMIT %s",
            (account_id, account_id, limit),
        ).fetchall()
    return [_webhook(row) for row in rows]


def count_waiting(connection: Connection, webhook_id: int) -> int:
    """Count what waits for an endpoint, up to COUNTED_WAITING."""
    with store_errors():
        row = connection.execute(
            "SELECT count(*) FROM ("
            "SELECT FROM event_delivery WHERE webhook_id = %s AND dead_at IS NULL LIMIT %s) AS waiting",
            (webhook_id, COUNTED_WAITING),
        ).fetchone()
    return row[0] if row else 0


def delete(connection: Connection, webhook_id: int, *, deleted_by: str) -> bool:
    """Delete an endpoint, and say whether there was one: from now on nothing is sent to it."""
    with store_errors():
        return (
            connection.execute(
                "UPDATE webhook SET deleted_at = now(), deleted_by = %s"
                " WHERE webhook_id = %s AND deleted_at IS NULL AND kind = 'webhook'",
                (deleted_by, webhook_id),
            ).rowcount
            > 0
        )


def note_test(connection: Connection, webhook: Webhook) -> str | None:
    """Let an endpoint be sent a test; return the event's id, or None when one waits already. Call in a transaction."""
    with store_errors():
        _lock(connection, webhook.account_id)
        waits = connection.execute(
            "SELECT FROM event_delivery WHERE webhook_id = %s AND call_no = %s AND dead_at IS NULL LIMIT 1",
            (webhook.webhook_id, _TESTS),
        ).fetchone()
        if waits is not None:
            return None
        row = connection.execute(
            "INSERT INTO call_event (event, account_id) VALUES ('test', %s) RETURNING seq, event_id",
            (webhook.account_id,),
        ).fetchone()
        assert row is not None
        seq, event_id = row
        connection.execute(
            "INSERT INTO event_delivery (webhook_id, seq, call_no) VALUES (%s, %s, %s)",
            (webhook.webhook_id, seq, _TESTS),
        )
    return f"evt_{event_id.hex}"


def find(connection: Connection, webhook_id: int) -> Webhook:
    """Return an endpoint; raises UsageError when there is none."""
    with store_errors():
        row = connection.execute(
            f"SELECT {_COLUMNS} FROM webhook WHERE webhook_id = %s AND deleted_at IS NULL",  # noqa: S608 - our own names
            (webhook_id,),
        ).fetchone()
    if row is None:
        raise UsageError(f"there is no endpoint {webhook_name(webhook_id)}: `tollbook webhook list` shows all")
    return _webhook(row)


def enable(connection: Connection, webhook_id: int) -> None:
    """Switch an endpoint on, as if it had never failed: what waits for it is due now. Call in autocommit."""
    find(connection, webhook_id)
    with store_errors(), connection.transaction():
        limit_transaction(connection)
        connection.execute(
            "UPDATE webhook SET disabled_at = NULL, disabled_why = NULL, failures = 0, failing_since = NULL,"
            " paused_until = NULL WHERE webhook_id = %s",
            (webhook_id,),
        )
        connection.execute(
            "UPDATE event_delivery SET due_at = now(), attempts = 0, failed_since = NULL"
            " WHERE webhook_id = %s AND dead_at IS NULL AND (attempts > 0 OR due_at > now())",
            (webhook_id,),
        )


def disable(connection: Connection, webhook_id: int, why: str) -> None:
    """Switch an endpoint off: nothing is sent to it, and what happens from now on does not wait for it."""
    find(connection, webhook_id)
    with store_errors():
        connection.execute(
            "UPDATE webhook SET disabled_at = coalesce(disabled_at, now()), disabled_why = %s WHERE webhook_id = %s",
            (why, webhook_id),
        )


def replay(connection: Connection, webhook: Webhook, *, since_ms: int, until_ms: int, at_once: int = 5_000) -> int:
    """Let an endpoint be told again of what was noted in [since_ms, until_ms), epoch ms; return how many events.

    Also of those that were given up. They go under the same ids, in their order. Call in autocommit.
    """
    after, told = 0, at_once
    total = 0
    while told == at_once:
        with store_errors(), connection.transaction():
            limit_transaction(connection)
            row = connection.execute(_REPLAY, {
                "webhook": webhook.webhook_id, "account": webhook.account_id, "events": webhook.events,
                "since": since_ms / 1000, "until": until_ms / 1000, "after": after, "limit": at_once,
            }).fetchone()  # fmt: skip
            assert row is not None
            told, after = row
            total += told
    return total


_REPLAY: Final = """
    WITH again AS (
        SELECT seq, hashtextextended(switch || ' ' || call_id, start_ts) AS call_no FROM call_event
        WHERE seq > %(after)s AND made_at >= to_timestamp(%(since)s) AND made_at < to_timestamp(%(until)s)
          AND event <> 'test'
          AND (%(account)s::text IS NULL OR account_id = %(account)s)
          AND (%(events)s::text[] IS NULL OR event = ANY (%(events)s))
        ORDER BY seq LIMIT %(limit)s
    ), told AS (
        INSERT INTO event_delivery AS known (webhook_id, seq, call_no)
        SELECT %(webhook)s, seq, call_no FROM again ORDER BY seq
        ON CONFLICT (webhook_id, seq) DO UPDATE SET
            due_at = clock_timestamp(), attempts = 0, failed_since = NULL, dead_at = NULL, error = NULL
        RETURNING seq
    )
    SELECT (SELECT count(*) FROM told), coalesce((SELECT max(seq) FROM again), 0)
"""


def dead_letters(connection: Connection, webhook_id: int | None, limit: int) -> list[DeadLetter]:
    """Return deliveries that were given up, of an endpoint or of all, the newest first."""
    with store_errors():
        rows = connection.execute(
            "SELECT webhook_id, event_id, event, call_id, start_ts, revision, attempts, dead_at, coalesce(error, '')"
            " FROM event_delivery JOIN call_event USING (seq)"
            " WHERE dead_at IS NOT NULL AND (%s::bigint IS NULL OR webhook_id = %s) ORDER BY dead_at DESC LIMIT %s",
            (webhook_id, webhook_id, limit),
        ).fetchall()
    return [
        DeadLetter(
            webhook_id=number, event_id=f"evt_{event_id.hex}", event=event, call_id=call_id, start_ts=start_ts,
            revision=revision, attempts=attempts, dead_at=dead_at, error=error,
        )
        for number, event_id, event, call_id, start_ts, revision, attempts, dead_at, error in rows
    ]  # fmt: skip


def test_result(connection: Connection, event_id: str) -> tuple[bool, str]:
    """Return whether a test is done with, and the error of its last try; ('' and True: it was delivered)."""
    with store_errors():
        row = connection.execute(
            "SELECT attempts, coalesce(error, '') FROM event_delivery JOIN call_event USING (seq) WHERE event_id = %s",
            (event_id.removeprefix("evt_"),),
        ).fetchone()
    if row is None:
        return True, ""
    attempts, error = row
    return attempts > 0, error


def _webhook(row: tuple[object, ...]) -> Webhook:
    names = (name.strip() for name in _COLUMNS.split(","))
    return Webhook(**dict(zip(names, row, strict=True)))  # pyright: ignore[reportArgumentType] - the columns' types
