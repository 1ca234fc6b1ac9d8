"""`tollbook archive run --now` on many waiting rows: processor time, PostgreSQL's included, and the highest memory.

The calls are of three days, as the listener writes them, and counted into the sums, as it does every ten seconds: if
not, the command would do that, too. Counted is the processor time of the command, its start included, and of all of
PostgreSQL's processes; what it is compared with is pyarrow writing one Parquet file of the same rows. The second run
has three times as many rows, for the memory; they are then compacted and pruned, for that, too.
"""

import time
from collections.abc import Iterator

import pyarrow.parquet as pq

from benchmarks.database import database, fill_calls, queue_calls
from benchmarks.figure import TIMES, Figure, at_least, at_most
from benchmarks.processes import run_to_end, server_cpu_s
from tollbook.archive.catalog import load_calls, open_catalog
from tollbook.config import Settings
from tollbook.store.database import connect
from tollbook.store.sums.rollup import roll_up
from tollbook.times import MS_PER_DAY

_SINCE = 20_600 * MS_PER_DAY
_DAYS = 3


def run(*, calls: int = 500_000, accounts: int = 10, most: int = 1_500_000) -> Iterator[Figure]:
    """Yield the figures for `calls` rows, and the memory for up to `most`."""
    for count in sorted({calls, most}):
        with database() as settings:
            yield from _measure(settings, count, accounts, full=count == calls)


def _measure(settings: Settings, calls: int, accounts: int, *, full: bool) -> Iterator[Figure]:
    with connect(settings.require_database_url(), name="bench", autocommit=True) as connection:
        fill_calls(connection, calls, accounts=accounts, since=_SINCE, span=_DAYS * MS_PER_DAY)
        roll_up(connection)
        queue_calls(connection, since=_SINCE, span=_DAYS * MS_PER_DAY)
        connection.execute("CHECKPOINT")
        before_s = server_cpu_s(connection)
        ended = run_to_end("archive", "run", "--now", settings=settings)
        server_s = server_cpu_s(connection) - before_s
        assert connection.execute("SELECT count(*) FROM archive_outbox").fetchall() == [(0,)]
    assert f"archived: {calls} rows appended" in ended.output, ended.output
    of = f"archive run of {calls:,} rows"
    yield Figure(what=f"{of}: highest", value=ended.highest_mb, unit="MB", bound=at_most(300))
    if not full:
        for words in (("archive", "compact"), ("prune",)):
            ended = run_to_end(*words, settings=settings)
            yield Figure(
                what=f"{' '.join(words)} of them: highest", value=ended.highest_mb, unit="MB", bound=at_most(300)
            )
        return
    file_s = _one_file_s(settings, calls)
    both_s = ended.cpu_s + server_s
    yield Figure(what=f"{of}: the command", value=ended.cpu_s / calls * 1e6, unit="µs of CPU a row")
    yield Figure(what=f"{of}: PostgreSQL", value=server_s / calls * 1e6, unit="µs of CPU a row")
    yield Figure(what=f"{of}, for a second of CPU", value=calls / both_s, unit="rows", bound=at_least(100_000))
    yield Figure(what=f"{of}, CPU against writing one Parquet file", value=both_s / file_s, unit=TIMES)


def _one_file_s(settings: Settings, calls: int) -> float:
    """Return the processor time that pyarrow takes for one file with the rows of the archive."""
    with open_catalog(settings) as catalog:
        table = load_calls(catalog)
        assert table is not None
        rows = table.scan().to_arrow()
    assert len(rows) == calls
    begun = time.process_time()
    pq.write_table(rows, settings.data_dir / "one.parquet", compression="zstd")
    return time.process_time() - begun
