"""Prune one day of many calls: how long it takes, and how long an INSERT waits meanwhile.

A separate process writes calls, each in its own transaction, as a quiet listener does. Its longest wait is reported
without pruning, while the day is pruned, and while a report holds the table for seconds and prune keeps trying.
"""

import contextlib
import multiprocessing
import os
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Event

import msgspec

from benchmarks.database import database, fill_calls, queue_calls
from benchmarks.figure import Figure, at_most
from maintenance.archive.run import archive_calls
from maintenance.prune.plan import MAX_MOVED
from maintenance.prune.verify import verify
from tests.factories import UP, call_row
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.store.calls import call_rows
from tollbook.store.database import Connection, connect
from tollbook.store.days import prune as store
from tollbook.store.days.partitions import make_ready
from tollbook.store.days.sync_window import MAX_KEPT
from tollbook.times import MS_PER_DAY, current_day

_TODAY = current_day()
_QUIET_S = 3.0


def run(*, calls: int = 1_000_000, moved: int = MAX_MOVED, report_s: int = 5) -> Iterator[Figure]:
    """Yield times and waits: nobody reads, then a report holds the table for `report_s`.

    Of the calls of the day `moved` stay: half are open, half wait for the archive. So do up to MAX_KEPT that changed
    lately, the last ones of the day.
    """
    staying = moved // 2
    with (
        database() as settings,
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
        open_catalog(settings) as catalog,
    ):
        make_ready(connection)
        url = settings.require_database_url()
        for day, report in ((_TODAY - 40, False), (_TODAY - 39, True)):
            _fill(connection, settings, day, calls, staying, archived=not report)
            with _writing(url) as waits:
                time.sleep(_QUIET_S)
            of = f"a report for {report_s} s" if report else "nobody reads"
            yield Figure(what=f"{of}: longest INSERT before", value=waits[0] * 1000, unit="ms")
            if not report:
                begun = time.monotonic()
                verified = verify(connection, load_calls(catalog), day)
                yield Figure(what=f"{of}: verified", value=time.monotonic() - begun, unit="s")
                assert verified.calls == calls - moved, verified
            with _writing(url) as waits, _report(url, report_s) if report else contextlib.nullcontext():
                time.sleep(1)
                begun = time.monotonic()
                dropped = store.drop_calls(connection, day, most_moved=MAX_MOVED)
                dropping_s = time.monotonic() - begun
            assert dropped.moved == moved + _changed_lately(calls), dropped
            yield Figure(what=f"{of}: dropped", value=dropping_s, unit="s", bound=None if report else at_most(2))
            yield Figure(what=f"{of}: tries", value=dropped.tries, unit="tries")
            yield Figure(what=f"{of}: longest INSERT", value=waits[0] * 1000, unit="ms", bound=at_most(250))


def _fill(connection: Connection, settings: Settings, day: int, calls: int, staying: int, *, archived: bool) -> None:
    """Fill a day of which `staying` calls are open and as many wait; `archived`: the others are in the archive.

    Only to verify the day looks there: what drops it looks at what waits.
    """
    since = day * MS_PER_DAY
    # What is filled in was written long ago, and so was what was written before it.
    connection.execute("UPDATE call_cdr SET updated_ts = %s", (since,))
    fill_calls(connection, calls, accounts=10, since=since, open_calls=staying)
    if archived:
        queue_calls(connection, since=since)
        archive_calls(settings, now=True)
    queue_calls(connection, since=since, limit=staying)
    connection.execute(
        "UPDATE call_cdr SET changed = DEFAULT, updated_ts = DEFAULT WHERE ctid = ANY (ARRAY("
        " SELECT ctid FROM call_cdr WHERE start_ts >= %s AND start_ts < %s ORDER BY start_ts DESC LIMIT %s))"
        " AND start_ts >= %s AND start_ts < %s",
        (since, since + MS_PER_DAY, _changed_lately(calls), since, since + MS_PER_DAY),
    )


def _changed_lately(calls: int) -> int:
    return min(MAX_KEPT, calls // 4)


@contextlib.contextmanager
def _report(url: str, report_s: int) -> Iterator[None]:
    """Hold the table open for `report_s` from now on, as a long report does."""
    context = multiprocessing.get_context("spawn")
    reading = context.Event()
    process = context.Process(target=_read, args=(url, reading, report_s))
    process.start()
    reading.wait()
    yield
    process.join()


def _read(url: str, reading: Event, report_s: int) -> None:
    with connect(url, name="report") as connection:
        connection.execute("SELECT 1 FROM call_cdr LIMIT 1")
        reading.set()
        time.sleep(report_s)


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
    row = call_row("", "acme", _TODAY * MS_PER_DAY, **UP)
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
