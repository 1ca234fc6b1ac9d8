"""An empty database, and calls to fill it with."""

import tempfile
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo
from pydantic import SecretStr

from tollbook.config import Settings
from tollbook.embedded import embedded_postgres
from tollbook.store.database import Connection
from tollbook.store.days.partitions import Partitions
from tollbook.store.schema import upgrade
from tollbook.times import MS_PER_DAY

# As the listener writes them: five queues, forty agents, five dispositions, half of the calls answered. `open` of them
# are up. Call n starts at since + floor(n * span / calls), and is of account n modulo `accounts`.
_FILL = """
    INSERT INTO call_cdr (
        call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec, billsec, answered,
        disposition, hangup_cause, queue_id, agent_id, cost_micros, switch, revision, currency, parts,
        updated_ts, trunk_legs
    )
    SELECT md5(%(since)s || '-' || n), 'account' || n %% %(accounts)s, 'outbound', (1000 + n %% 900)::text,
           '+' || (array['4930', '4989', '4415', '3314', '1212', '8005'])[1 + n %% 6] || (1000000 + n %% 900000),
           start_ts, CASE WHEN talked THEN start_ts + 4000 END, CASE WHEN ended THEN start_ts + 64000 END,
           CASE WHEN ended THEN 64 END, CASE WHEN ended THEN 60 * talked::int END, talked::int,
           CASE WHEN ended THEN CASE WHEN talked THEN 'answered'
                                     ELSE (array['busy', 'no_answer', 'cancelled', 'failed'])[1 + n / 16 %% 4] END END,
           CASE WHEN ended THEN 'NORMAL_CLEARING' END, 'queue' || n %% 5, 'agent' || n %% 40,
           CASE WHEN ended THEN 21000 * talked::int END, 'fs1', ended::int, CASE WHEN ended THEN 'EUR' END,
           CASE WHEN ended THEN CASE WHEN talked THEN %(parts)s::jsonb ELSE '[]'::jsonb END END,
           CASE WHEN ended THEN start_ts + 64000 ELSE start_ts END,
           CASE WHEN ended AND %(trunk_legs)s THEN jsonb_build_array(
               jsonb_build_array('carrier' || n %% 3, talked::int, 900 + n %% 700, CASE WHEN talked THEN 4.4 END)) END
    FROM generate_series(%(first)s::integer, %(last)s::integer) AS n,
         LATERAL (
             SELECT %(since)s + n * %(span)s::bigint / %(calls)s, n / 8 %% 2 = 0, n >= %(open)s
         ) AS made (start_ts, talked, ended)
"""
_PARTS = """[{"direction": "outbound", "number": "4930123456", "seconds": 60, "cost_micros": 21000, "billed_sec": 60,
              "rate_id": 77, "rate": "Germany"}]"""
# In the order of their ends, as they would have come.
_QUEUE = """
    INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, since)
    SELECT start_ts, call_id, switch, account_id, to_timestamp(end_ts / 1000.0) FROM call_cdr
    WHERE start_ts >= %(since)s AND start_ts < %(since)s + %(span)s AND end_ts IS NOT NULL
    ORDER BY end_ts LIMIT %(limit)s
"""


@contextmanager
def database() -> Generator[Settings]:
    """Run a PostgreSQL with our schema and nothing in it; yield settings with it and with an empty folder."""
    with (
        tempfile.TemporaryDirectory(prefix="tollbook-") as folder,
        tempfile.TemporaryDirectory(prefix="tollbook-data-") as data,
        embedded_postgres(Path(folder)) as url,
    ):
        upgrade(url)
        yield Settings(database_url=SecretStr(url), data_dir=Path(data))


def recycle_wal(connection: Connection, segments: int = 64) -> None:
    """Make what a PostgreSQL that has run for a while has: segments of its log to write into again.

    A new one is 16 MB of zeros, for which commits wait a tenth of a second or two. Needs a connection in autocommit.
    """
    connection.execute("ALTER SYSTEM SET min_wal_size = '1536MB'")
    connection.execute("SELECT pg_reload_conf()")
    for _ in range(segments):
        connection.execute("SELECT pg_logical_emit_message(true, 'bench', '')")
        connection.execute("SELECT pg_switch_wal()")
    connection.execute("CHECKPOINT")


def fill_calls(
    connection: Connection,
    calls: int,
    *,
    accounts: int,
    since: int,
    span: int = MS_PER_DAY,
    open_calls: int = 0,
    trunk_legs: bool = False,
) -> None:
    """Write calls of `accounts` accounts (account0, …), spread over [since, since + span), epoch ms and ms.

    The first `open_calls` of them are up. `trunk_legs`: each complete one went over one of three gateways. Needs a
    connection in autocommit.
    """
    days = range(since // MS_PER_DAY, (since + span - 1) // MS_PER_DAY + 1)
    Partitions().ensure(connection, call_days=days, leg_days=days)
    amounts: dict[str, object] = {"calls": calls, "accounts": accounts, "since": since, "span": span}
    amounts |= {"open": open_calls, "parts": _PARTS, "trunk_legs": trunk_legs}
    place = make_conninfo(connection.info.dsn, password=connection.info.password)

    def fill(first: int, end: int) -> None:
        with psycopg.connect(place, autocommit=True) as writer:
            writer.execute(_FILL, {**amounts, "first": first, "last": end - 1})

    with ThreadPoolExecutor() as pool:  # a core each
        list(pool.map(fill, (0, calls // 2), (calls // 2, calls)))
    connection.execute("VACUUM ANALYZE call_cdr")


def queue_calls(connection: Connection, *, since: int, span: int = MS_PER_DAY, limit: int | None = None) -> None:
    """Put the complete calls of [since, since + span) into the outbox, or `limit` of them, as of when they ended."""
    connection.execute(_QUEUE, {"since": since, "span": span, "limit": limit})
    connection.execute("VACUUM ANALYZE archive_outbox")
