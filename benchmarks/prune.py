"""Prune one day of many calls: how long it takes, and how long an INSERT waits meanwhile.

A separate process writes calls, each in its own transaction, as a quiet listener does. Its longest wait is reported
without pruning, while the day is pruned, and while a report holds the table for seconds and prune keeps trying.
TOLLBOOK_BENCH_DAY sets how many calls the day has (default 1,000,000).
"""

import contextlib
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event
from pathlib import Path

import msgspec
from pydantic import SecretStr

from maintenance.archive.run import archive_calls
from maintenance.prune.plan import MAX_MOVED
from maintenance.prune.run import verify
from tests.factories import UP, call_row
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.embedded import embedded_postgres
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.store.days import prune as store
from tollbook.store.days.partitions import Partitions, make_ready
from tollbook.store.schema import upgrade
from tollbook.times import MS_PER_DAY, current_day

CALLS = int(os.environ.pop("TOLLBOOK_BENCH_DAY", "1000000"))
# How many calls are open, and how many wait for the archive: together as many as prune moves at most.
STAYING = MAX_MOVED // 2
REPORT_S = 5.0
TODAY = current_day()

FILL = """
    INSERT INTO call_cdr (call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts, duration_sec,
        billsec, answered, disposition, hangup_cause, cost_micros, switch, revision, parts)
    SELECT md5(n::text)::uuid::text, 'account ' || n %% 10, 'outbound', '+49301000' || n %% 1000, '+4930' || n,
        start_ts, start_ts + 4000, CASE WHEN ended THEN start_ts + 64000 END, CASE WHEN ended THEN 64 END,
        CASE WHEN ended THEN 60 END, 1, CASE WHEN ended THEN 'answered' END, 'NORMAL_CLEARING',
        CASE WHEN ended THEN n %% 100000 END, 'sw1', ended::int,
        '[{"direction":"outbound","number":"+4930123456","seconds":60,"cost_micros":1234}]'
    FROM generate_series(1, %(count)s) AS n,
        LATERAL (SELECT %(start)s + n * 86400000::bigint / %(count)s - 1, n > %(open)s) AS call (start_ts, ended)
"""
QUEUE = """
    INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, since)
    SELECT start_ts, call_id, switch, account_id, 'epoch' FROM call_cdr
    WHERE start_ts >= %s AND start_ts < %s AND end_ts IS NOT NULL LIMIT %s
"""


def run() -> None:
    """Print times and waits."""
    print(f"prune: a day of {CALLS:,} calls, {STAYING} of them open and {STAYING} not archived")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tollbook-")))
        url = stack.enter_context(embedded_postgres(folder))
        upgrade(url)
        settings = Settings(database_url=SecretStr(url), data_dir=folder)
        connection = stack.enter_context(connect(url, name="bench", autocommit=True))
        make_ready(connection)
        catalog = stack.enter_context(open_catalog(settings))
        for day, report in ((TODAY - 40, False), (TODAY - 39, True)):
            _fill(connection, settings, day)
            with _writing(url) as waits:
                time.sleep(3)
            quiet = waits[0]
            begun = time.monotonic()
            verified = verify(connection, load_calls(catalog), day)
            verifying = time.monotonic() - begun
            with _writing(url) as waits, _report(url) if report else contextlib.nullcontext():
                time.sleep(1)
                begun = time.monotonic()
                dropped = store.drop_calls(connection, day, most_moved=MAX_MOVED)
                dropping = time.monotonic() - begun
            print(
                f"  {f'a report holds it for {REPORT_S:.0f} s' if report else 'nobody reads':>26}:"
                f" {verified.calls:,} calls verified in {verifying:.2f} s, dropped in {dropping:.2f} s"
                f" and {dropped.tries} tries, {dropped.moved} moved; longest INSERT {waits[0] * 1000:.0f} ms"
                f" (before: {quiet * 1000:.0f} ms)"
            )


def _fill(connection: Connection, settings: Settings, day: int) -> None:
    Partitions().ensure(connection, call_days=[day], leg_days=[day])
    start = day * MS_PER_DAY
    span = (start, start + MS_PER_DAY)
    connection.execute(FILL, {"count": CALLS, "start": start, "open": STAYING})
    connection.execute(QUEUE, (*span, None))
    archive_calls(settings, now=True)
    connection.execute(QUEUE, (*span, STAYING))
    connection.execute("VACUUM ANALYZE call_cdr")


@contextlib.contextmanager
def _report(url: str) -> Iterator[None]:
    """Hold the table open for REPORT_S from now on, as a long report does."""
    context = multiprocessing.get_context("spawn")
    reading = context.Event()
    process = context.Process(target=_read, args=(url, reading))
    process.start()
    reading.wait()
    yield
    process.join()


def _read(url: str, reading: Event) -> None:
    with connect(url, name="report") as connection:
        connection.execute("SELECT 1 FROM call_cdr LIMIT 1")
        reading.set()
        time.sleep(REPORT_S)


@contextlib.contextmanager
def _writing(url: str) -> Iterator[list[float]]:
    """Write calls of today while the block runs; the list holds the longest wait afterwards, in seconds."""
    context = multiprocessing.get_context("spawn")
    waits: list[float] = []
    stop, ready, ours, theirs = context.Event(), context.Event(), *context.Pipe()
    process = context.Process(target=_write, args=(url, ready, stop, theirs))
    process.start()
    ready.wait()
    yield waits
    stop.set()
    waits.append(ours.recv())
    process.join()


def _write(url: str, ready: Event, stop: Event, pipe: Pipe) -> None:
    row = call_row("", "acme", TODAY * MS_PER_DAY, **UP)
    longest = 0.0
    with connect(url, name="writer", autocommit=True) as connection:
        number = 0
        while not stop.is_set():
            number += 1
            begun = time.monotonic()
            call_rows.upsert(connection, [(msgspec.structs.replace(row, call_id=f"{os.getpid()}-{number}"), None)])
            longest = max(longest, time.monotonic() - begun if number > 10 else 0.0)
            ready.set()
            time.sleep(0.001)
    pipe.send(longest)
