"""`tollbook archive compact` of months whose files all overlap in time: its highest memory.

As after an import of a history in pieces, or with many calls that come late: no file ends before another begins. Two
accounts have a month of `files` files each, of which some are merged at once, alone for the memory that it takes.
"""

from collections.abc import Iterator

from benchmarks.archive import rows
from benchmarks.database import database
from benchmarks.figure import Figure, at_most
from benchmarks.processes import run_to_end
from maintenance.archive.commit import exchange_files
from maintenance.archive.data_files import write_files
from maintenance.archive.table import ensure_table
from tollbook.archive._pyarrow import pa, pc
from tollbook.archive.catalog import open_catalog
from tollbook.store.database import connect

_ACCOUNTS = 2
_FIRST_MS = 1_735_689_600_000  # 2025-01-01


def run(*, files: int = 20, calls: int = 20_000) -> Iterator[Figure]:
    """Yield the highest memory and the processor time, for `calls` calls in each file."""
    with database() as settings:
        with (
            connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
            open_catalog(settings, writing=True) as catalog,
        ):
            some = rows(calls * _ACCOUNTS, _ACCOUNTS, since_ms=_FIRST_MS)
            place = some.schema.get_field_index("start_ts")
            later = pa.scalar(1_000, pa.duration("us"))
            for _ in range(files):
                some = some.set_column(place, some.schema.field(place), pc.add(some["start_ts"], later))
                table = ensure_table(catalog, connection)
                exchange_files(table, [], write_files(table, some), {})
        ended = run_to_end("archive", "compact", settings=settings)
    total = files * calls * _ACCOUNTS
    assert ended.output.startswith("compacted: "), ended.output
    of = f"a compaction of {total:,} calls, {files} files at any time"
    yield Figure(what=f"{of}: highest", value=ended.highest_mb, unit="MB", bound=at_most(300))
    yield Figure(what=f"{of}: the command", value=ended.cpu_s / total * 1e6, unit="µs of CPU a call")
