"""Write the calls of damaged files again, where PostgreSQL still has them: `tollbook archive verify --heal`.

The days of a file go to the outbox first, then a commit removes the file, then the archiver runs. After a kill between
two of these steps, the calls wait in the outbox, and this, or the next `archive run`, goes on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.archive.commit import exchange_files
from maintenance.archive.files import data_files
from maintenance.archive.run import archive_calls
from maintenance.archive.table import ensure_table
from maintenance.verify.data_file import CheckedFile
from maintenance.verify.report import DamagedFile, VerifyReport
from tollbook.archive.catalog import archive_errors, open_catalog
from tollbook.archive.lookup import count_calls
from tollbook.config import Settings
from tollbook.store import outbox
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, connect
from tollbook.store.days import late
from tollbook.store.days.partitions import CALLS, standing_days
from tollbook.store.history import refuse_restored
from tollbook.times import MS_PER_DAY


def heal_archive(settings: Settings, report: VerifyReport) -> VerifyReport:
    """Heal what can be healed, and return the report with it; a file that cannot be healed stays where it is.

    Raises ArchiveForked while the archive has not been attached to a database that was restored: it may lack calls that
    the file has; and as `archive_calls`.
    """
    healable = [file.checked for file in report.damaged if file.healable]
    if not healable:
        return report
    url = settings.require_database_url()
    with connect(url, name="heal", autocommit=True) as connection:
        refuse_restored(connection, settings.data_dir)
        with sole_archiver(url, name="heal"), open_catalog(settings, writing=True) as catalog:
            healed = _remove(connection, catalog, healable)
    if healed:
        archive_calls(settings, now=True)
    return replace(report, damaged=[_with_outcome(file, healed) for file in report.damaged])


def _with_outcome(file: DamagedFile, healed: set[str]) -> DamagedFile:
    if not file.healable:
        return file
    done = file.checked.file.file_path in healed
    return replace(file, healed=done, healable=done)


def _remove(connection: Connection, catalog: Catalog, files: Iterable[CheckedFile]) -> set[str]:
    """Requeue the calls of the files that PostgreSQL has, and remove these files; return their locations."""
    table = ensure_table(catalog, connection, removing=True)
    with archive_errors("healing the archive"):
        listed = {file.file_path for file in data_files(table)}
        still = sorted(
            (file for file in files if file.file.file_path in listed),
            key=lambda file: (file.account_id is not None, file.account_id or ""),
        )
        removed = list[CheckedFile]()
        for account_id, group in groupby(still, key=lambda file: file.account_id):
            of_account = list(group)
            if _has_all(connection, table, account_id, of_account):
                _requeue(connection, account_id, of_account)
                removed += of_account
        if removed:
            exchange_files(table, [file.file for file in removed], [], {})
    return {file.file.file_path for file in removed}


def _spans(files: Iterable[CheckedFile]) -> list[tuple[int, int]]:
    return [span for file in files if (span := file.span_ms) is not None]


def _has_all(connection: Connection, table: Table, account_id: str | None, files: Sequence[CheckedFile]) -> bool:
    """Return whether PostgreSQL has as many calls of the files' time as all files together, the damaged ones included.

    If it has fewer, the file may have the only copy of one. Calls that the archive never had do not count
    (`outbox.count_stored`): they would stand for lost ones.
    """
    spans = _spans(files)
    first, last = min(first for first, _ in spans), max(last for _, last in spans)
    damaged = {file.file.file_path for file in files}
    sound = count_calls(table, account_id, first_ms=first, last_ms=last, without=damaged)
    lost = sum(file.file.record_count for file in files)
    return outbox.count_stored(connection, account_id, first_ms=first, last_ms=last) >= sound + lost


def _requeue(connection: Connection, account_id: str | None, files: Iterable[CheckedFile]) -> None:
    standing = set(standing_days(connection, CALLS))
    days = {day for first, last in _spans(files) for day in range(first // MS_PER_DAY, last // MS_PER_DAY + 1)}
    for day in sorted(days & standing):
        late.requeue_day(connection, day, [account_id])
