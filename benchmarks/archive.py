"""The archive's figures: append, growth, and the files of a day.

Append: the whole commit of 100,000 rows of 10 accounts, against pyarrow writing the same rows to one Parquet file.
Growth: reading one account and month from a compacted archive with ten times as many months, against the smaller one.
A day: the files that `archive run`, every five minutes for a day, makes of 200,000 calls of 10, 1,000 and 10,000
accounts. The day is compressed: the calls are written beforehand with the times at which they would have come, and
each run gets its current time as an argument. TOLLBOOK_BENCH_ACCOUNTS=10,1000,10000 and TOLLBOOK_BENCH_ROWS=200000
are the defaults.
"""

import datetime as dt
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg import Connection
from pydantic import SecretStr

from maintenance.archive.batch import BatchContent
from maintenance.archive.commit import commit
from maintenance.archive.run import archive_calls
from maintenance.archive.table import ensure_table
from maintenance.compaction.run import compact_archive
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all
from tollbook.archive.schema import arrow_schema
from tollbook.config import Settings
from tollbook.embedded import embedded_postgres
from tollbook.model.accounts import OneAccount
from tollbook.model.selection import Selection
from tollbook.store.database import connect
from tollbook.store.days.partitions import Partitions
from tollbook.store.schema import upgrade
from tollbook.times import MS_PER_DAY, MS_PER_HOUR

ROUNDS = 5
FIRST_MS = 1_735_689_600_000  # 2025-01-01
MONTH_MS = 30 * MS_PER_DAY
RUN_EVERY = dt.timedelta(minutes=5)


def rows(count: int, accounts: int, *, since_ms: int, days: int = 20) -> Any:
    """Make calls as the archiver has them: in no order, spread over accounts and days."""
    step = days * MS_PER_DAY // count
    starts = [(since_ms + number * 7919 % count * step) * 1000 for number in range(count)]
    call_ids = [f"{number * 2654435761 % 2**32:08x}-b4c1-4f1e-9d3a-{number:012x}" for number in range(count)]
    columns = {
        "call_id": call_ids,
        "account_id": [f"account{number % accounts:05d}" for number in range(count)],
        "direction": ["outbound"] * count,
        "from_num": [f"+49301234{number % 1000:03d}" for number in range(count)],
        "to_num": [f"+4930{number * 48271 % 10**8:08d}" for number in range(count)],
        "start_ts": starts,
        "answer_ts": [start + 2_000_000 for start in starts],
        "end_ts": [start + 62_000_000 for start in starts],
        "duration_sec": [number % 600 for number in range(count)],
        "billsec": [number % 598 for number in range(count)],
        "answered": [1] * count,
        "disposition": ["answered"] * count,
        "hangup_cause": ["NORMAL_CLEARING"] * count,
        "queue_id": [None] * count,
        "agent_id": [None] * count,
        "cost_micros": [number % 598 * 333 for number in range(count)],
        "parts": ['[{"direction":"outbound","number":"+4930","seconds":60,"cost_micros":1,"rate":"DE"}]'] * count,
        "currency": ["EUR"] * count,
        "revision": [1] * count,
        "switch": ["sw1"] * count,
        "estimated": [False] * count,
    }
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in arrow_schema()})


@contextmanager
def archive() -> Iterator[Settings]:
    """Make an empty database and an empty folder; yield settings for them."""
    with (
        tempfile.TemporaryDirectory(prefix="tollbook-") as folder,
        tempfile.TemporaryDirectory(prefix="tollbook-archive-") as files,
        embedded_postgres(Path(folder)) as url,
    ):
        upgrade(url)
        yield Settings(database_url=SecretStr(url), data_dir=Path(files))


def append() -> None:
    """Print how an append compares with writing one Parquet file."""
    batch = rows(100_000, 10, since_ms=FIRST_MS)
    ratios: list[float] = []
    with archive() as settings, open_catalog(settings, writing=True) as catalog:
        ensure_table(catalog)
        for number in range(ROUNDS):
            begun = time.perf_counter()
            pq.write_table(batch, settings.data_dir / f"one-{number}.parquet", compression="zstd")
            plain_s = time.perf_counter() - begun
            begun = time.perf_counter()
            commit(ensure_table(catalog), uuid4(), BatchContent(rows=batch, corrections=()))
            ours_s = time.perf_counter() - begun
            ratios.append(plain_s / ours_s)
            print(f"append: pyarrow {100_000 / plain_s:,.0f} rows/s, ours {100_000 / ours_s:,.0f} rows/s")
    print(f"append: {statistics.median(ratios):.2f} x of pyarrow writing one file (to reach: 0.4)")


def later(batch: Any, by_ms: int) -> Any:
    """Return the same calls, starting `by_ms` later."""
    start = pc.add(batch["start_ts"].cast(pa.int64()), by_ms * 1000).cast(batch["start_ts"].type)
    return batch.set_column(batch.column_names.index("start_ts"), batch.schema.field("start_ts"), start)


def growth() -> None:
    """Print the time to read one account and month in archives of 2 and of 20 months."""
    template = rows(10_000, 10, since_ms=FIRST_MS)
    with archive() as settings, archive() as larger:
        for one, months in ((settings, 2), (larger, 20)):
            with open_catalog(one, writing=True) as catalog:
                for month in range(months):
                    for half in range(2):
                        batch = later(template, month * MONTH_MS + half * MS_PER_HOUR)
                        commit(ensure_table(catalog), uuid4(), BatchContent(rows=batch, corrections=()))
            done = compact_archive(one, now=dt.datetime(2028, 1, 1, tzinfo=dt.UTC)).compacted
            print(f"growth: {months} months, {done.rows} rows, {done.files_before} files into {done.files_after}")
        ratios: list[float] = []
        for _ in range(ROUNDS):
            small, large = read_month(settings), read_month(larger)
            ratios.append(large / small)
            print(f"growth: {small * 1000:.0f} ms of 2 months, {large * 1000:.0f} ms of 20")
    print(f"growth: {statistics.median(ratios):.2f} x the time (to reach: at most 1.3)")


def read_month(settings: Settings) -> float:
    """Return the seconds to read one account's month, opening the catalog included. Its calls lie in 20 days."""
    begun = time.perf_counter()
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        since = FIRST_MS + MONTH_MS
        whose = OneAccount("account00007")
        found = list(read_all(table, Selection(accounts=whose, since=since, until=since + 21 * MS_PER_DAY)))
    assert len(found) == 2000
    return time.perf_counter() - begun


def fill_day(connection: "Connection[Any]", accounts: int, count: int, noon: dt.datetime) -> None:
    """Write a day's completed calls, and the outbox with the moments at which they would have come."""
    since_ms = int(noon.timestamp() * 1000) - MS_PER_DAY
    Partitions().ensure(connection, call_days={since_ms // MS_PER_DAY, since_ms // MS_PER_DAY + 1}, leg_days=())
    connection.execute(
        """
        WITH fresh AS (
            INSERT INTO call_cdr (call_id, account_id, direction, from_num, to_num, start_ts, answer_ts, end_ts,
                                  duration_sec, billsec, answered, disposition, hangup_cause, cost_micros,
                                  switch, revision)
            SELECT %(noon)s || '-' || number, 'account' || number %% %(accounts)s, 'outbound', '+4930' || number,
                   '+4930' || number, start, start + 2000, start + 62000,
                   62, 60, 1, 'answered', 'NORMAL_CLEARING', 1234,
                   'sw1', 1
            FROM generate_series(0, %(count)s - 1) AS number,
                 LATERAL (SELECT %(since)s + number::bigint * %(day)s / %(count)s) AS at (start)
            RETURNING start_ts, call_id, switch, account_id, end_ts
        )
        INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, since)
        SELECT start_ts, call_id, switch, account_id, to_timestamp(end_ts / 1000.0) FROM fresh
        """,
        {"noon": str(noon), "accounts": accounts, "count": count, "since": since_ms, "day": MS_PER_DAY},
    )


def day(accounts: int, count: int) -> None:
    """Print the files that the second of two days makes, and how long runs with and without work take."""
    noon = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    with archive() as settings, connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        for back in (1, 0):
            fill_day(connection, accounts, count, noon - dt.timedelta(days=back))
        connection.execute("VACUUM ANALYZE archive_outbox")
        at, idle_s, busy_s = noon - dt.timedelta(days=2), list[float](), list[float]()
        files = commits = appended = 0
        while at < noon:
            at += RUN_EVERY
            done = archive_calls(settings, at=at)
            (busy_s if done.committed.files else idle_s).append(done.seconds)
            if at > noon - dt.timedelta(days=1):
                files, appended = files + done.committed.files, appended + done.committed.appended
                commits += done.committed.files > 0
        print(
            f"day: {accounts} accounts, {count} calls a day: {files} files in {commits} runs for {appended} rows on the"
            f" second day; a run with work {statistics.mean(busy_s):.1f} s (at most {max(busy_s):.1f}),"
            f" one without {statistics.median(idle_s) * 1000:.0f} ms (at most {max(idle_s) * 1000:.0f})"
        )


def outbox_reading() -> None:
    """Print how long it takes to find which of 10,000 accounts are due while 2,000,000 rows wait."""
    with archive() as settings, connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, since)"
            " SELECT number, number::text, 'sw1', 'account' || number % 10000,"
            " now() - number * interval '40 ms' FROM generate_series(1, 2000000) AS number"
        )
        connection.execute("VACUUM ANALYZE archive_outbox")
        took = [archive_calls(settings).seconds for _ in range(ROUNDS)]
    print(f"outbox: 2,000,000 rows of 10,000 accounts wait, none due: a run takes {statistics.median(took):.2f} s")


def run() -> None:
    """Print all figures."""
    append()
    growth()
    outbox_reading()
    count = int(os.environ.get("TOLLBOOK_BENCH_ROWS", "200000"))
    for accounts in os.environ.get("TOLLBOOK_BENCH_ACCOUNTS", "10,1000,10000").split(","):
        day(int(accounts), count)
