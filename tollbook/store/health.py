"""The queries of `tollbook doctor` and of the API's metrics. They change nothing; each is answered within seconds."""

import datetime as dt
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

from tollbook.store.database import Connection, TimeLimits, connect, scalar, store_errors
from tollbook.store.days.partitions import CALLS, LEGS, partition_name

# Both are less than the doctor waits for the next finding of a group.
CONNECT_TIMEOUT_S = 3
_LIMITS = TimeLimits(statement_s=3)

# More days than are ever made ahead, and few enough to check against one query.
_LOOK_AHEAD_DAYS = 30
_REASONS = 3

#: Rows of the outbox are counted that far: 10 ms.
COUNTED_ROWS = 100_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A PostgreSQL server: its version as text and as a number, and its clock minus ours, ± `give_or_take_s`."""

    version: str
    number: int
    ahead_s: float
    give_or_take_s: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Pooler:
    """Whether PgBouncer or its like is used; which time limits its sessions lack, of which role (as SQL writes it)."""

    used: bool
    unlimited: tuple[str, ...] = ()
    role: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class LockTable:
    """The locks that PostgreSQL has room for, all sessions together: `per_transaction` for each of `transactions`.

    A statement that cannot rule out a day takes `per_day` of them for it; `days` have partitions now.
    """

    per_transaction: int
    transactions: int
    per_day: int
    days: int


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCalls:
    """Calls without an end that began before some time: how many, and the oldest (`start_ts` in epoch ms)."""

    count: int
    call_id: str | None
    start_ts: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unrated:
    """A reason why calls have no price, without the numbers in it: how many calls, and one of them."""

    reason: str
    count: int
    call_id: str


@contextmanager
def looking(url: str) -> Generator[Connection]:
    """Open a read-only connection, with shorter time limits than others; raises StoreUnavailable or SettingsError."""
    connection = connect(url, name="doctor", autocommit=True, limits=_LIMITS, connect_timeout_s=CONNECT_TIMEOUT_S)
    with connection:
        if not connection.pooled:  # a pooler would leave the setting to others
            connection.execute("SET default_transaction_read_only = on")
        yield connection


def server(connection: Connection) -> Server:
    """Read the server's version and clock."""
    with store_errors():
        before = time.time()
        row = connection.execute("SELECT clock_timestamp(), current_setting('server_version')").fetchone()
        after = time.time()
    now, version = cast("tuple[dt.datetime, str]", row)
    return Server(
        version=version.split()[0],
        number=connection.info.server_version,
        ahead_s=now.timestamp() - (before + after) / 2,
        give_or_take_s=(after - before) / 2,
    )


def pooler(connection: Connection) -> Pooler:
    """Find out whether a pooler is used, and which time limits its sessions lack, and so the role's settings."""
    if not connection.pooled:
        return Pooler(used=False)
    with store_errors():
        rows = connection.execute(
            "SELECT name, quote_ident(current_user) FROM pg_settings WHERE setting = '0'"
            " AND name IN ('statement_timeout', 'idle_in_transaction_session_timeout') ORDER BY name DESC"
        ).fetchall()
    return Pooler(used=True, unlimited=tuple(name for name, _ in rows), role=rows[0][1] if rows else "")


def size(connection: Connection) -> int:
    """Return the size of the database in bytes."""
    with store_errors():
        return cast("int", scalar(connection, "SELECT pg_database_size(current_database())"))


def lock_table(connection: Connection) -> LockTable:
    """Read how many locks PostgreSQL has room for, and what a day takes: its partitions of calls and legs, and theirs.

    A partition is locked together with its indexes.
    """
    with store_errors():
        row = connection.execute(
            """
            SELECT current_setting('max_locks_per_transaction')::int,
                   current_setting('max_connections')::int + current_setting('max_prepared_transactions')::int,
                   (SELECT 2 + count(*) FROM pg_index WHERE indrelid IN ('call_cdr'::regclass, 'call_leg'::regclass)),
                   greatest(
                       (SELECT count(*) FROM pg_inherits WHERE inhparent = 'call_cdr'::regclass),
                       (SELECT count(*) FROM pg_inherits WHERE inhparent = 'call_leg'::regclass)
                   )
            """
        ).fetchone()
    per_transaction, transactions, per_day, days = cast("tuple[int, int, int, int]", row)
    return LockTable(per_transaction=per_transaction, transactions=transactions, per_day=per_day, days=days)


def days_ahead(connection: Connection, today: int) -> int:
    """Count the days after `today` (in days since 1970-01-01) with partitions for calls and legs, up to the first gap.

    Returns -1 when today has none.
    """
    with store_errors():
        rows = connection.execute(
            "SELECT child.relname FROM pg_inherits JOIN pg_class AS child ON child.oid = inhrelid"
            " WHERE inhparent IN ('call_cdr'::regclass, 'call_leg'::regclass) AND NOT inhdetachpending"
        ).fetchall()
    standing = {name for (name,) in rows}
    for ahead in range(_LOOK_AHEAD_DAYS):
        if any(partition_name(kind.table, today + ahead) not in standing for kind in (CALLS, LEGS)):
            return ahead - 1
    return _LOOK_AHEAD_DAYS - 1


def last_seen_us(connection: Connection, address: str) -> int | None:
    """Return the last sign of life of a switch (epoch µs, its clock); None when it was never heard."""
    with store_errors():
        row = connection.execute("SELECT max(seen_us) FROM switch_process WHERE address = %s", (address,)).fetchone()
    return cast("tuple[int | None]", row)[0]


def unheard(connection: Connection, address: str) -> int:
    """Return how many sessions the newest process of a switch counted but sent no event of."""
    with store_errors():
        row = connection.execute(
            "SELECT unheard FROM switch_process WHERE address = %s ORDER BY seen_us DESC LIMIT 1", (address,)
        ).fetchone()
    return row[0] if row else 0


def oldest_call(connection: Connection) -> int | None:
    """Return when the oldest call that PostgreSQL keeps began (epoch ms); None when there is none."""
    with store_errors():
        row = connection.execute("SELECT min(start_ts) FROM call_cdr").fetchone()
    return cast("tuple[int | None]", row)[0]


def open_calls(connection: Connection, before_ms: int) -> OpenCalls:
    """Count the calls that began before `before_ms` and have no end.

    They are found by their legs: there is an index of open legs, and none of open calls.
    """
    with store_errors():
        row = connection.execute(
            """
            WITH up AS MATERIALIZED (
                SELECT DISTINCT call_start_ts, call_id, switch FROM call_leg
                WHERE NOT ended AND created_us < %(before_us)s
            )
            SELECT count(*) OVER (), call.call_id, call.start_ts
            FROM up JOIN call_cdr AS call
                ON (call.start_ts, call.call_id, call.switch) = (up.call_start_ts, up.call_id, up.switch)
            WHERE call.end_ts IS NULL AND call.start_ts < %(before_ms)s
            ORDER BY call.start_ts LIMIT 1
            """,
            {"before_ms": before_ms, "before_us": before_ms * 1000},
        ).fetchone()
    count, call_id, start_ts = row or (0, None, None)
    return OpenCalls(count=count, call_id=call_id, start_ts=start_ts)


def estimated(connection: Connection, since_ms: int) -> tuple[int, int, str | None]:
    """Count the calls since `since_ms` whose end is an estimate, and how many of them are lost; name one of them."""
    with store_errors():
        row = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE disposition = 'lost'), max(call_id) FROM call_cdr"
            " WHERE estimated AND end_ts IS NOT NULL AND start_ts >= %s",
            (since_ms,),
        ).fetchone()
    return cast("tuple[int, int, str | None]", row)


def unrated(connection: Connection, since_ms: int) -> tuple[int, list[Unrated]]:
    """Count the calls since `since_ms` that have no price, and return the most frequent reasons; not imported ones."""
    with store_errors():
        rows = connection.execute(
            r"""
            SELECT regexp_replace(
                       regexp_replace(unrated, '^(no rate for [a-z]+) .*', '\1 numbers'),
                       '^((no|more than one) number of numbering plan [^:]*):.*', '\1'
                   ) AS reason,
                   count(*), max(call_id), sum(count(*)) OVER ()
            FROM call_cdr WHERE unrated IS NOT NULL AND imported IS NULL AND start_ts >= %s
            GROUP BY reason ORDER BY count(*) DESC, reason LIMIT %s
            """,
            (since_ms, _REASONS),
        ).fetchall()
    found = [Unrated(reason=reason, count=count, call_id=call_id) for reason, count, call_id, _ in rows]
    return (int(rows[0][3]) if rows else 0), found


def without_account(connection: Connection, since_ms: int) -> tuple[int, int]:
    """Count the calls since `since_ms` that belong to no account, and how many of them were answered."""
    with store_errors():
        row = connection.execute(
            "SELECT count(*), count(*) FILTER (WHERE answered = 1) FROM call_cdr"
            " WHERE account_id IS NULL AND start_ts >= %s",
            (since_ms,),
        ).fetchone()
    return cast("tuple[int, int]", row)


def waiting_for_archive(connection: Connection, most: int = COUNTED_ROWS) -> tuple[int, float]:
    """Count the rows of the outbox, up to `most`; return for how many seconds the oldest of all has waited (0: none).

    Millions may wait, and this is asked again and again: so the oldest is found in the indexes, an account at a time.
    """
    with store_errors():
        row = connection.execute(
            """
            WITH RECURSIVE oldest AS (
                (SELECT account_id, since FROM archive_outbox
                 WHERE account_id IS NOT NULL ORDER BY account_id, since LIMIT 1)
                UNION ALL
                SELECT next.account_id, next.since FROM oldest CROSS JOIN LATERAL (
                    SELECT account_id, since FROM archive_outbox
                    WHERE account_id > oldest.account_id ORDER BY account_id, since LIMIT 1
                ) AS next
            )
            SELECT (SELECT count(*) FROM (SELECT FROM archive_outbox LIMIT %s) AS waiting),
                   extract(epoch FROM now() - least(
                       (SELECT min(since) FROM oldest),
                       (SELECT min(since) FROM archive_outbox WHERE account_id IS NULL)
                   ))::float8
            """,
            (most,),
        ).fetchone()
    rows, oldest_s = cast("tuple[int, float | None]", row)
    return rows, max(0.0, oldest_s or 0.0)


def abandoned_batches(connection: Connection) -> int:
    """Count the batches that an archiver claimed and did not finish; 0 while one runs, which takes them up again."""
    with store_errors():
        count = scalar(
            connection,
            """
            SELECT count(*) FROM archive_batch
            WHERE NOT EXISTS (
                SELECT FROM pg_stat_activity
                WHERE application_name = 'tollbook archive' AND datname = current_database()
            )
            """,
        )
    return cast("int", count)
