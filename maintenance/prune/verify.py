"""Whether the archive holds a day as PostgreSQL has it: every call, once, in every column.

First the sums of the rows' digests are compared, minute by minute; memory holds some thousand rows of a few files at a
time, whatever the day has. Only the minutes that differ are read again, to name the calls.

The archive is never read within a transaction: PostgreSQL ends one that is idle for a minute, and a large day takes
longer. What changes between two transactions waits for the archive in the second one, and is compared in neither tier.
"""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import Any

from pyiceberg.table import FileScanTask, Table

from maintenance.archive.batch import parse_rows
from maintenance.prune.differences import ONLY_IN_ARCHIVE, CallDifference, differences
from maintenance.prune.plan import MAX_MOVED, VerifiedDay, count_staying, refusal
from maintenance.prune.row_digests import MS_PER_MINUTE, RowDigests
from tollbook.archive._pyarrow import pa, plan_files
from tollbook.archive.catalog import archive_errors
from tollbook.archive.row_filter import started
from tollbook.archive.row_groups import read_present_columns, read_row_groups
from tollbook.archive.rows import find_keys, without
from tollbook.archive.schema import ARCHIVE_COLUMNS, arrow_schema
from tollbook.model.call_key import CallKey
from tollbook.store.database import Connection
from tollbook.store.days.rows import DayRows, day_rows
from tollbook.times import MS_PER_DAY, US_PER_MS, date_of

# Files read at once: storage is waited for, and each has one slice of a row group in memory.
_FILES_AT_ONCE = 3
_SLICE_ROWS = 2_500
# Rows of a span that are held to name the calls that differ; a single minute may have more.
_SPAN_ROWS = 50_000
_SHOWN_CALLS = 10


def verify(connection: Connection, table: Table | None, day: int) -> VerifiedDay:
    """Verify a day; call as sole archiver.

    Raises ArchiveError if too many calls are open or wait for the archive, or the archive cannot be read; DataError,
    naming calls, if the tiers differ; and StoreUnavailable.
    """
    with day_rows(connection, day, most_waiting=MAX_MOVED) as stored:
        staying = count_staying(day, len(stored.waiting), stored.open)
        ours, waiting = _stored_digests(stored), stored.waiting
    spans = _spans(ours.differing_minutes(_archived_digests(table, day, waiting)))
    found = (difference for span in spans for difference in _differences(connection, table, day, *span))
    if shown := list(islice(found, _SHOWN_CALLS)):
        raise refusal(day, shown)
    return VerifiedDay(calls=ours.total, staying=staying)


def differing_calls(connection: Connection, table: Table | None, day: int) -> Iterator[list[CallKey]]:
    """Yield the keys of the calls that PostgreSQL has and the archive lacks or has otherwise, some thousand at a time.

    No transaction is open while one is yielded. Call as sole archiver; raises ArchiveError and StoreUnavailable.
    """
    with day_rows(connection, day, most_waiting=MAX_MOVED) as stored:
        ours, waiting = _stored_digests(stored), stored.waiting
    for span in _spans(ours.differing_minutes(_archived_digests(table, day, waiting))):
        found = _differences(connection, table, day, *span)
        yield [difference.key for difference in found if difference.how != ONLY_IN_ARCHIVE]


def _stored_digests(stored: DayRows) -> RowDigests:
    digests = RowDigests()
    for csv in stored.read_csv():
        digests.add(_without(parse_rows(csv), stored.waiting))
    return digests


def _archived_digests(table: Table | None, day: int, excluded: frozenset[CallKey]) -> RowDigests:
    digests = RowDigests()
    if table is None:
        return digests
    wanted = started(day * MS_PER_DAY * US_PER_MS, (day + 1) * MS_PER_DAY * US_PER_MS)
    with archive_errors(f"verifying the archive's {date_of(day)}"), ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
        digest_file = partial(_file_digests, table, wanted=wanted, excluded=excluded)
        for of_file in threads.map(digest_file, plan_files(table, wanted)):
            digests.merge(of_file)
    return digests


def _file_digests(table: Table, task: FileScanTask, *, wanted: Any, excluded: frozenset[CallKey]) -> RowDigests:
    digests = RowDigests()
    for batch in read_row_groups(table, task, wanted, ARCHIVE_COLUMNS, slice_rows=_SLICE_ROWS):
        digests.add(_without(pa.table(batch), excluded))
    return digests


def _spans(minutes: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield spans of time, epoch ms, of adjacent minutes that have no more than `_SPAN_ROWS` calls together."""
    first, end, rows = 0, 0, 0
    for minute, calls in minutes:
        if minute != end or rows + calls > _SPAN_ROWS:
            if rows:
                yield first * MS_PER_MINUTE, end * MS_PER_MINUTE
            first, rows = minute, 0
        end, rows = minute + 1, rows + calls
    if rows:
        yield first * MS_PER_MINUTE, end * MS_PER_MINUTE


def _differences(
    connection: Connection, table: Table | None, day: int, first_ms: int, end_ms: int
) -> Iterator[CallDifference]:
    with day_rows(connection, day, most_waiting=MAX_MOVED) as stored:
        ours, waiting = [parse_rows(csv) for csv in stored.read_csv(first_ms, end_ms)], stored.waiting
    rows = _without(pa.concat_tables([arrow_schema().empty_table(), *ours]), waiting)
    return differences(rows, _archived_batches(table, started(first_ms * US_PER_MS, end_ms * US_PER_MS), waiting))


def _archived_batches(table: Table | None, wanted: Any, excluded: frozenset[CallKey]) -> Iterator[Any]:
    if table is None:
        return
    with archive_errors("comparing the archive with PostgreSQL"):
        for task in plan_files(table, wanted):
            for batch in read_present_columns(table, task, wanted, ARCHIVE_COLUMNS, slice_rows=_SLICE_ROWS):
                yield _without(pa.table(batch), excluded)


def _without(rows: Any, excluded: frozenset[CallKey]) -> Any:
    return without(rows, find_keys(rows, excluded)) if excluded else rows
