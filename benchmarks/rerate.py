"""The memory and the time of a re-rate of calls that only the archive has.

`calls` calls of 10 accounts over 12 months are in the archive, and the window begins after them. `tollbook rerate
--dry-run` reads them all. Its highest resident set is the kernel's own mark (VmHWM), read while it runs.
"""

from collections.abc import Iterator
from uuid import uuid4

from benchmarks.archive import rows
from benchmarks.database import database
from benchmarks.figure import Figure, at_most
from benchmarks.processes import run_to_end
from maintenance.archive.batch import BatchContent
from maintenance.archive.commit import commit
from maintenance.archive.table import ensure_table
from tollbook.archive.catalog import open_catalog
from tollbook.config import Settings
from tollbook.store.database import connect
from tollbook.times import MS_PER_DAY

_ACCOUNTS = 10
_FIRST_MS = 1_735_689_600_000  # 2025-01-01
_MONTHS = 12
_MONTH_MS = 30 * MS_PER_DAY


def run(*, calls: int = 1_000_000) -> Iterator[Figure]:
    """Yield the peak of the resident set, and calls per second."""
    with database() as settings:
        _fill(settings, calls)
        ended = run_to_end("rerate", "--since", "2025-01-01", "--dry-run", settings=settings)
    assert f"{calls} answered calls looked at" in ended.output, ended.output
    yield Figure(
        what=f"a re-rate of {calls:,} archived calls: highest", value=ended.highest_mb, unit="MB", bound=at_most(300)
    )
    yield Figure(what=f"a re-rate of {calls:,} archived calls", value=calls / ended.took_s, unit="calls/s")


def _fill(settings: Settings, calls: int) -> None:
    """Archive the calls month by month, and say that PostgreSQL no longer has them."""
    with (
        open_catalog(settings, writing=True) as catalog,
        connect(settings.require_database_url(), name="bench", autocommit=True) as connection,
    ):
        for month in range(_MONTHS):
            count = calls * (month + 1) // _MONTHS - calls * month // _MONTHS
            batch = rows(count, _ACCOUNTS, since_ms=_FIRST_MS + month * _MONTH_MS)
            commit(ensure_table(catalog, connection), uuid4(), BatchContent(rows=batch, corrections=()))
        connection.execute("UPDATE hot_window SET window_start = %s", (_FIRST_MS + (_MONTHS + 1) * _MONTH_MS,))
