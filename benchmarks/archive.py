"""The archive's figures: append, growth, and the files of a day.

Append: the whole commit of `rows` rows of 10 accounts, against pyarrow writing the same rows to one Parquet file.
Digests: what they add to an append (SHA-256 of its files, and writing them down), and to a compaction (the same of the
files that it reads), each as a share of the whole.
Verify: reading and proving the whole of the larger archive below, opening the catalog included.
Growth: reading one account and month from a compacted archive with ten times as many months, against the smaller one.
A page: one account's 1,000 calls from the larger archive, opening the catalog included.
A day: the files that `archive run`, every `every_min` minutes for a day, makes of `calls` calls of 10, 1,000 and 10,000
accounts. The day is compressed: the calls are written beforehand with the times at which they would have come, and
each run gets its current time as an argument.
"""

import datetime as dt
import hashlib
import statistics
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.database import database, fill_calls, queue_calls
from benchmarks.figure import TIMES, Figure, at_least, at_most, medians
from maintenance.archive.batch import BatchContent
from maintenance.archive.commit import commit
from maintenance.archive.data_files import partition_key, write_files
from maintenance.archive.digests import hash_file, write_digests
from maintenance.archive.run import archive_calls
from maintenance.archive.table import ensure_table
from maintenance.compaction.merge import merge
from maintenance.compaction.run import compact_archive
from maintenance.verify.run import VerifyRequest, verify_archive
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.archive.pages import read_all, read_page
from tollbook.archive.schema import arrow_schema
from tollbook.config import Settings
from tollbook.model.accounts import OneAccount
from tollbook.model.selection import Selection
from tollbook.store.database import connect
from tollbook.times import MS_PER_DAY, MS_PER_HOUR

_ACCOUNTS = 10
_FIRST_MS = 1_735_689_600_000  # 2025-01-01
_MONTH_MS = 30 * MS_PER_DAY
_PAGE_ROWS = 1_000
# What all calls have in common; of the details, what every call of a phone has. All else is NULL.
_ALIKE: dict[str, object] = {
    "direction": "outbound", "answered": 1, "disposition": "answered", "hangup_cause": "NORMAL_CLEARING",
    "parts": '[{"direction":"outbound","number":"+4930","seconds":60,"cost_micros":1,"rate":"DE"}]',
    "currency": "EUR", "revision": 1, "switch": "sw1", "estimated": False, "hung_up_by": "caller", "hold_ms": 0,
    "rx_mos": 4.41, "codec": "PCMA", "source_ip": "192.0.2.7", "gateway": "carrier", "destination": "Germany",
    "voicemail": False,
}  # fmt: skip


def rows(count: int, accounts: int, *, since_ms: int, days: int = 20) -> Any:
    """Make calls as the archiver has them: in no order, spread over accounts and days."""
    step = days * MS_PER_DAY // count
    starts = [(since_ms + number * 7919 % count * step) * 1000 for number in range(count)]
    call_ids = [f"{number * 2654435761 % 2**32:08x}-b4c1-4f1e-9d3a-{number:012x}" for number in range(count)]
    columns: dict[str, list[Any]] = {
        "call_id": call_ids,
        "account_id": [f"account{number % accounts:05d}" for number in range(count)],
        "from_num": [f"+49301234{number % 1000:03d}" for number in range(count)],
        "to_num": [f"+4930{number * 48271 % 10**8:08d}" for number in range(count)],
        "start_ts": starts,
        "answer_ts": [start + 2_000_000 for start in starts],
        "end_ts": [start + 62_000_000 for start in starts],
        "duration_sec": [number % 600 for number in range(count)],
        "billsec": [number % 598 for number in range(count)],
        "cost_micros": [number % 598 * 333 for number in range(count)],
        "pdd_ms": [number % 4000 for number in range(count)],
        "ring_ms": [number % 9000 for number in range(count)],
        "sip_call_id": [f"{call_id}@192.0.2.7" for call_id in call_ids],
    }
    return pa.table(
        {
            field.name: pa.array(columns[field.name], field.type)
            if field.name in columns
            else pa.repeat(pa.scalar(_ALIKE.get(field.name), field.type), count)
            for field in arrow_schema()
        }
    )


def _append(count: int, rounds: int) -> Iterator[Figure]:
    """Yield how an append compares with writing one Parquet file."""
    batch = rows(count, _ACCOUNTS, since_ms=_FIRST_MS)
    with (
        database() as settings,
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
        open_catalog(settings, writing=True) as catalog,
    ):
        plain_file = settings.data_dir / "plain.parquet"
        plain_s, ours_s = medians(
            rounds,
            lambda: pq.write_table(batch, plain_file, compression="zstd"),
            lambda: commit(ensure_table(catalog, connection), uuid4(), BatchContent(rows=batch, corrections=())),
        )
        table = ensure_table(catalog, connection)
        assert len(table.scan(selected_fields=("call_id",)).to_arrow()) == (rounds + 1) * count
    yield Figure(what=f"append of {count:,} rows", value=count / ours_s, unit="rows/s")
    yield Figure(what="append, speed against one file", value=plain_s / ours_s, unit=TIMES, bound=at_least(0.4))


def _digests(count: int, rounds: int) -> Iterator[Figure]:
    """Yield what the digests of its files cost an append, and what comparing them costs a merge."""
    batches = [rows(count, _ACCOUNTS, since_ms=_FIRST_MS + half * MS_PER_HOUR) for half in range(2)]
    with (
        database() as settings,
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
        open_catalog(settings, writing=True) as catalog,
    ):
        table = ensure_table(catalog, connection)
        halves = [write_files(table, batch) for batch in batches]
        contents = [Path(written.digest.location.removeprefix("file://")).read_bytes() for written in halves[0]]
        first = [half[0].file for half in halves]
        key = partition_key(table, first[0].partition[0], first[0].partition[1])

        def hash_and_write() -> None:
            for content in contents:
                hashlib.sha256(content)
            write_digests(table, [written.digest for written in halves[0]])

        append_s, digests_s, merge_s, check_s = medians(
            rounds,
            lambda: commit(ensure_table(catalog, connection), uuid4(), BatchContent(rows=batches[0], corrections=())),
            hash_and_write,
            lambda: merge(table, first, key),
            lambda: [hash_file(table.io, file.file_path) for file in first],
        )
    yield Figure(what="digests, of an append", value=100 * digests_s / append_s, unit="%", bound=at_most(5))
    yield Figure(what="comparing digests, of a merge", value=100 * check_s / merge_s, unit="%")


def _later(batch: Any, by_ms: int) -> Any:
    """Return the same calls, starting `by_ms` later."""
    start = pc.add(batch["start_ts"].cast(pa.int64()), by_ms * 1000).cast(batch["start_ts"].type)
    return batch.set_column(batch.column_names.index("start_ts"), batch.schema.field("start_ts"), start)


def _fill(settings: Settings, template: Any, months: int) -> None:
    """Append two batches a month, an hour apart, and compact."""
    with (
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
        open_catalog(settings, writing=True) as catalog,
    ):
        for month in range(months):
            for half in range(2):
                batch = _later(template, month * _MONTH_MS + half * MS_PER_HOUR)
                commit(ensure_table(catalog, connection), uuid4(), BatchContent(rows=batch, corrections=()))
    compacted = compact_archive(settings, now=dt.datetime(2028, 1, 1, tzinfo=dt.UTC)).compacted
    assert compacted.rows == months * 2 * len(template), compacted


def _read_month(settings: Settings, expected: int) -> None:
    """Read one account's month, opening the catalog included. Its calls lie in 20 days."""
    since = _FIRST_MS + _MONTH_MS
    selection = Selection(accounts=OneAccount("account00007"), since=since, until=since + 21 * MS_PER_DAY)
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        assert len(list(read_all(table, selection))) == expected


def _read_page(settings: Settings, months: int) -> None:
    """Read the newest page of one account, opening the catalog included."""
    until = _FIRST_MS + (months + 1) * _MONTH_MS
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        page = read_page(table, Selection(accounts=OneAccount("account00007"), since=0, until=until), _PAGE_ROWS)
        assert len(page) == _PAGE_ROWS


def _growth(month_rows: int, months: int, rounds: int) -> Iterator[Figure]:
    """Yield the time to read one account and month in archives of `months` months and of a tenth of them."""
    template = rows(month_rows // 2, _ACCOUNTS, since_ms=_FIRST_MS)
    fewer, expected = max(2, months // 10), month_rows // _ACCOUNTS
    with ExitStack() as stack:
        smaller, larger = (stack.enter_context(database()) for _ in range(2))
        _fill(smaller, template, fewer)
        _fill(larger, template, months)
        assert verify_archive(larger, VerifyRequest()).proved == months * _ACCOUNTS
        small_s, large_s, page_s, verify_s = medians(
            rounds,
            lambda: _read_month(smaller, expected),
            lambda: _read_month(larger, expected),
            lambda: _read_page(larger, months),
            lambda: verify_archive(larger, VerifyRequest()),
        )
    of = f"an account's month of {months} months"
    yield Figure(what=of, value=large_s * 1000, unit="ms")
    yield Figure(what=f"{of}, time against {fewer}", value=large_s / small_s, unit=TIMES, bound=at_most(1.3))
    yield Figure(what="archive verify", value=months * 2 * len(template) / verify_s, unit="calls/s")
    yield Figure(what=f"a page of {_PAGE_ROWS:,} calls of {months} months", value=page_s * 1000, unit="ms")


def _waiting(count: int, rounds: int) -> Iterator[Figure]:
    """Yield how long it takes to find which of 10,000 accounts are due while many rows wait, and none is."""
    with database() as settings, connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        connection.execute(
            "INSERT INTO archive_outbox (start_ts, call_id, switch, account_id, since)"
            " SELECT number, number::text, 'sw1', 'account' || number %% 10000,"
            " now() - number * interval '12 hours' / %(count)s FROM generate_series(1, %(count)s) AS number",
            {"count": count},
        )
        connection.execute("VACUUM ANALYZE archive_outbox")
        took: list[float] = []
        for _ in range(rounds):
            done = archive_calls(settings)
            assert done.committed.appended == 0, done
            took.append(done.seconds)
    yield Figure(what=f"a run with {count:,} rows waiting and none due", value=statistics.median(took), unit="s")


def _day(accounts: int, calls: int, every: dt.timedelta) -> Iterator[Figure]:
    """Yield the files that the second of two days makes, and how long runs with and without work take."""
    noon = dt.datetime.now(dt.UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    since = int(noon.timestamp() * 1000) - 2 * MS_PER_DAY
    with database() as settings, connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        fill_calls(connection, 2 * calls, accounts=accounts, since=since, span=2 * MS_PER_DAY)
        queue_calls(connection, since=since, span=2 * MS_PER_DAY)
        at, idle_s, busy_s = noon - dt.timedelta(days=2), list[float](), list[float]()
        files = runs = appended = 0
        while at < noon:
            at += every
            done = archive_calls(settings, at=at)
            (busy_s if done.committed.files else idle_s).append(done.seconds)
            appended += done.committed.appended
            if at > noon - dt.timedelta(days=1):
                files, runs = files + done.committed.files, runs + (done.committed.files > 0)
        ((left,),) = connection.execute("SELECT count(*) FROM archive_outbox").fetchall()
        assert appended + left == 2 * calls, (appended, left)
    of = f"{accounts:,} accounts, {calls:,} calls a day"
    yield Figure(what=f"{of}: on the second day", value=files, unit="data files")
    yield Figure(what=f"{of}: on the second day", value=runs, unit="runs that wrote")
    if busy_s:
        yield Figure(what=f"{of}: a run with work", value=statistics.mean(busy_s), unit="s")
    yield Figure(what=f"{of}: a run without", value=statistics.median(idle_s) * 1000, unit="ms")


def run(
    *,
    appended: int = 100_000,
    month_rows: int = 20_000,
    months: int = 20,
    waiting: int = 2_000_000,
    calls: int = 200_000,
    accounts: int = 1_000,
    every_min: int = 30,
    rounds: int = 5,
) -> Iterator[Figure]:
    """Yield all figures; days for 10, 1,000 and 10,000 accounts, as far as `accounts`."""
    yield from _append(appended, rounds)
    yield from _digests(appended, rounds)
    yield from _growth(month_rows, months, rounds)
    yield from _waiting(waiting, rounds)
    for number in (10, 1_000, 10_000):
        if number <= accounts:
            yield from _day(number, calls, dt.timedelta(minutes=every_min))
