"""Planning: what a compaction has to merge, and the files that a reader opens, in an archive of very many files.

The archive's lists name `files` files, of 10,000 accounts and six months, of which one exists: planning opens none. A
reader's plan is compared with pyiceberg's own, in turn, by processor time.
"""

import time
from collections.abc import Iterator
from uuid import uuid4

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from benchmarks.archive import rows
from benchmarks.database import database
from benchmarks.figure import TIMES, Figure, at_most, medians
from maintenance.archive.commit import exchange_files
from maintenance.archive.data_files import partition_key, write_files
from maintenance.archive.hashed_files import FileDigest, WrittenFile
from maintenance.archive.table import ensure_table
from maintenance.compaction.compact import count_scattered
from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import plan_files
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.store.database import connect

_MONTHS = 6
_FIRST_MONTH = 660
_FIRST_MS = 1_735_689_600_000  # the begin of that month, 2025-01-01
_ACCOUNTS = 10_000
_LARGE = 600_000


def run(*, files: int = 60_000, rounds: int = 3) -> Iterator[Figure]:
    """Yield the processor times; that for 600,000 files by the time for each, which grows with their number alone."""
    with (
        database() as settings,
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
        open_catalog(settings, writing=True) as catalog,
    ):
        (written,) = write_files(ensure_table(catalog, connection), rows(1_000, 1, since_ms=_FIRST_MS))
        for month in range(_MONTHS):
            table = ensure_table(catalog, connection)
            named = [
                _named(table, written.file, f"account{number % _ACCOUNTS:05d}", _FIRST_MONTH + month)
                for number in range(files // _MONTHS)
            ]
            exchange_files(table, [], named, {})
        table = load_calls(catalog)
        assert table is not None
        wanted = ex.LessThan("start_ts", "2026-01-01T00:00:00+00:00")
        assert len(plan_files(table, wanted)) == files // _MONTHS * _MONTHS
        compaction_s, ours_s, theirs_s = medians(
            rounds,
            lambda: count_scattered(table, _FIRST_MONTH + _MONTHS),
            lambda: plan_files(table, wanted),
            lambda: list(table.scan(row_filter=wanted).plan_files()),
            timer=time.process_time,
        )
    of = f"by that of {files:,}"
    yield Figure(what="planning a compaction", value=compaction_s / files * 1e6, unit="µs of CPU a file")
    large_s = compaction_s / files * _LARGE
    yield Figure(what=f"planning a compaction of 600,000 files, {of}", value=large_s, unit="s of CPU", bound=at_most(5))
    yield Figure(what="a reader's plan", value=ours_s / files * 1e6, unit="µs of CPU a file")
    yield Figure(what="a reader's plan, against pyiceberg's", value=ours_s / theirs_s, unit=TIMES, bound=at_most(0.5))


def _named(table: Table, file: DataFile, account: str, month: int) -> WrittenFile:
    """Return a file like another one, of an account and month, that does not exist."""
    path = file.file_path.replace(".parquet", f"-{uuid4()}.parquet")
    named = DataFile.from_args(
        content=file.content,
        file_path=path,
        file_format=file.file_format,
        partition=partition_key(table, account, month).partition,
        record_count=file.record_count,
        file_size_in_bytes=file.file_size_in_bytes,
        lower_bounds=file.lower_bounds,
        upper_bounds=file.upper_bounds,
        key_metadata=None,
        split_offsets=file.split_offsets,
        equality_ids=None,
        sort_order_id=None,
        spec_id=table.metadata.default_spec_id,
    )
    return WrittenFile(file=named, digest=FileDigest(path, file.file_size_in_bytes, ""))
