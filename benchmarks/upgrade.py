"""What an upgrade of the schema costs a database that has calls: each migration's time, and how long others wait.

A process reads one call and another one writes one with its leg, each in a transaction of its own, again and again; the
longest wait of each is reported beside the time of the migration.
"""

import contextlib
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Final, LiteralString

import psycopg
from alembic.script import ScriptDirectory
from psycopg import sql

import tollbook.store.schema
from benchmarks.figure import Figure, seconds
from tests.databases import upgrade_to
from tollbook.embedded import embedded_postgres
from tollbook.store.database import SCHEMA_REVISION
from tollbook.store.days.partitions import CALLS, LEGS, partition_name
from tollbook.times import MS_PER_DAY, current_day

_DAYS: Final = 30
_FIRST: Final = "0001"
_QUIET_S: Final = 1.0

# With the columns of the first schema alone: two legs a call, as large as those of recorded calls.
_CALLS: Final[LiteralString] = """
    INSERT INTO call_cdr (
        call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec, billsec, answered,
        disposition, hangup_cause, cost_micros, switch, revision, currency, parts
    )
    SELECT md5(n::text), 'account' || n %% 100, 'outbound', '1001', '+4930' || n, %(since)s + n * %(step)s::bigint,
           %(since)s + n * %(step)s::bigint + 4000, %(since)s + n * %(step)s::bigint + 64000, 64, 60, 1, 'answered',
           'NORMAL_CLEARING', 21000, 'fs1', 1, 'EUR',
           '[{"direction": "outbound", "number": "4930123456", "seconds": 60, "cost_micros": 21000}]'
    FROM generate_series(0, %(calls)s - 1) AS n
"""
_LEGS: Final[LiteralString] = """
    INSERT INTO call_leg (call_id, call_start_ts, switch, uid, created_us, core, ended, facts)
    SELECT call_id, start_ts, 'fs1', call_id || '-' || leg, start_ts * 1000 + leg, 'core', true,
           json_build_object('create', json_build_object('channel', repeat(md5(call_id), 20)))
    FROM call_cdr, generate_series(0, 1) AS leg
"""
_READ: Final[LiteralString] = "SELECT cost_micros FROM call_cdr WHERE start_ts = %s AND call_id = md5('1')"
_WRITE: Final[LiteralString] = """
    WITH leg AS (
        INSERT INTO call_leg (call_id, call_start_ts, switch, uid, created_us, core, ended, facts)
        SELECT uid, start_ts, 'fs1', uid, start_ts * 1000, 'core', false, '{}'
        FROM (SELECT gen_random_uuid()::text, %s::bigint) AS new (uid, start_ts)
        RETURNING call_id, call_start_ts
    )
    INSERT INTO call_cdr (call_id, account_id, direction, from_num, to_num, start_ts, answered, switch)
    SELECT call_id, 'acme', 'outbound', '1', '2', call_start_ts, 0, 'fs1' FROM leg
"""


def run(*, calls: int = 1_000_000) -> Iterator[Figure]:
    """Yield for each migration after the first how long it takes, and the longest wait of a read and of a write."""
    folder = str(Path(tollbook.store.schema.__file__).with_name("migrations"))
    revisions = sorted(script.revision for script in ScriptDirectory(folder).walk_revisions())
    assert revisions[-1] == SCHEMA_REVISION
    with tempfile.TemporaryDirectory(prefix="tollbook-") as scratch, embedded_postgres(Path(scratch)) as url:
        upgrade_to(url, _FIRST)
        _fill(url, calls)
        since = (current_day() - _DAYS + 1) * MS_PER_DAY
        for revision in revisions[1:]:
            with _waiting(url, _READ, since) as reads, _waiting(url, _WRITE, current_day() * MS_PER_DAY) as writes:
                time.sleep(_QUIET_S)
                taken_s = seconds(lambda revision=revision: upgrade_to(url, revision))
                time.sleep(_QUIET_S)
            yield Figure(what=f"to {revision}", value=taken_s, unit="s")
            yield Figure(what=f"to {revision}: longest read", value=reads[0], unit="s")
            yield Figure(what=f"to {revision}: longest write", value=writes[0], unit="s")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM call_cdr").fetchone() >= (calls,)


def _fill(url: str, calls: int) -> None:
    days = range(current_day() - _DAYS + 1, current_day() + 1)
    with psycopg.connect(url, autocommit=True) as connection:
        for kind, day in itertools.product((CALLS, LEGS), days):  # by hand: our own code asks for later columns
            connection.execute(
                sql.SQL("CREATE TABLE {} PARTITION OF {} FOR VALUES FROM ({}) TO ({})").format(
                    sql.Identifier(partition_name(kind.table, day)),
                    sql.Identifier(kind.table),
                    sql.Literal(day * kind.units_per_day),
                    sql.Literal((day + 1) * kind.units_per_day),
                )
            )
        step = _DAYS * MS_PER_DAY // calls
        connection.execute(_CALLS, {"calls": calls, "since": days[0] * MS_PER_DAY, "step": step})
        connection.execute(_LEGS)
        connection.execute("VACUUM ANALYZE")


@contextlib.contextmanager
def _waiting(url: str, query: LiteralString, start_ts: int) -> Iterator[list[float]]:
    """Run a query again and again while the block runs; the list holds its longest time afterwards, in seconds."""
    context = multiprocessing.get_context("spawn")
    waits: list[float] = []
    stop, ready, ours, theirs = context.Event(), context.Event(), *context.Pipe()
    process = context.Process(target=_ask, args=(url, query, start_ts, ready, stop, theirs))
    process.start()
    ready.wait()
    yield waits
    stop.set()
    waits.append(ours.recv())
    process.join()


def _ask(url: str, query: LiteralString, start_ts: int, ready: Event, stop: Event, pipe: Pipe) -> None:
    longest = 0.0
    with psycopg.connect(url, autocommit=True) as connection:
        connection.prepare_threshold = None  # a plan that is kept would be made anew once
        for number in range(1_000_000_000):
            if stop.is_set():
                break
            begun = time.monotonic()
            connection.execute(query, (start_ts,))
            longest = max(longest, time.monotonic() - begun if number > 10 else 0.0)
            ready.set()
            time.sleep(0.005)
    pipe.send(longest)
