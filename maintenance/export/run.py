"""`tollbook account export`: all calls of an account, of both tiers, each once, as `GET /v1/calls` returns
them, with their currencies.

Pages are read as the API reads them, oldest first, and written as they come: memory holds a page and a row group.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import itemgetter
from pathlib import Path

from maintenance.export.files import Format, call_files
from maintenance.export.manifest import MANIFEST, Scope, Sums, write_manifest
from maintenance.progress import Progress, no_progress
from tollbook.archive.file_io import make_private_folder
from tollbook.archive.reader import Archive
from tollbook.config import Settings
from tollbook.errors import SettingsError, UsageError
from tollbook.model.accounts import OneAccount
from tollbook.model.call_key import CallKey
from tollbook.model.presentation import Presentation
from tollbook.model.record import EXPORTED_COLUMNS, Record
from tollbook.model.selection import Selection
from tollbook.model.tiers import key_of, merge_tiers, read_columns
from tollbook.store import history, row_security
from tollbook.store.archive_commits import archive_begun
from tollbook.store.calls.pages import read_hot_page
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.tariffs.accounts import is_known
from tollbook.times import MS_PER_DAY

# As the largest page of the API. A page of the archive is planned anew, which takes some 30 ms.
PAGE_ROWS = 10_000

_COLUMNS = read_columns(EXPORTED_COLUMNS)
_exported = itemgetter(*map(_COLUMNS.index, EXPORTED_COLUMNS))
_START = _COLUMNS.index("start_ts")


@dataclass(frozen=True, kw_only=True)
class ExportReport:
    """What was written where."""

    folder: Path
    files: int
    sums: Sums

    def __str__(self) -> str:
        """Return it as one line."""
        return (
            f"exported: {self.sums.rows} calls in {self.files} files, {self.folder / MANIFEST};"
            f" check them with `cd {self.folder} && sha256sum -c SHA256SUMS`"
        )


def export_calls(
    settings: Settings,
    account_id: str,
    folder: Path,
    *,
    file_format: Format = "csv",
    since: int = 0,
    until: int | None = None,
    progress: Progress = no_progress,
) -> ExportReport:
    """Write the calls of an account that started in [since, until), epoch ms, to a new or empty folder.

    `until` None: now. `progress`: days done, and in all. Raises UsageError for a folder that is in use and for an
    account that does not exist, SettingsError for a folder that cannot be written, StoreUnavailable and ArchiveError;
    then the folder has no manifest.
    """
    now_ms = time.time_ns() // 1_000_000
    scope = Scope(account_id=account_id, since=since, until=now_ms if until is None else until, exported_ts=now_ms)
    sums = Sums()
    with connect(settings.require_database_url(), name="export", autocommit=True) as connection:
        check_schema(connection)
        history.refuse_restored(connection, settings.data_dir)
        if not is_known(connection, account_id):
            raise UsageError(f"there is no account {account_id!r}: `tollbook account list` lists them")
        try:
            _claim(folder)
            with call_files(folder, file_format) as files:
                for page in _pages(connection, settings, scope):
                    rows = [_exported(row) for row in page]
                    files.write(rows)
                    sums.add(rows)
                    progress(*_days(page, sums, scope))
            write_manifest(folder, scope, file_format, files.finished, sums)
        except OSError as error:
            raise SettingsError(f"{folder} cannot be written: {error.strerror}; the export is not complete") from error
    return ExportReport(folder=folder, files=len(files.finished), sums=sums)


def _claim(folder: Path) -> None:
    make_private_folder(folder)
    if any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty: export into a new folder (one without {MANIFEST} is an export that was cut off)"
        )


def _pages(connection: Connection, settings: Settings, scope: Scope) -> Iterator[Sequence[Record]]:
    """Yield the calls page by page, as the account is shown them: with _COLUMNS, and perhaps more behind.

    Each page is a snapshot; a key tells where the next one begins.
    """
    shown = Presentation(
        hides_carriers=not settings.tenants_see_carriers, whole_paths=False, recordings=settings.recording_paths
    )
    columns = shown.columns_to_read(_COLUMNS)
    selection = Selection(accounts=OneAccount(scope.account_id), since=scope.since, until=scope.until, order="asc")
    archive = Archive(settings, partial(archive_begun, settings.require_database_url()))

    def read_archive(older: Selection, lacking: int, excluded: frozenset[CallKey]) -> Sequence[Record]:
        return archive.read_page(older, lacking, excluded, columns)

    try:
        while True:
            with row_security.snapshot(connection):
                hot = read_hot_page(connection, selection, columns, PAGE_ROWS)
            page = merge_tiers(selection, PAGE_ROWS, hot, read_archive)
            if page:
                yield shown.present(page, columns)
            if len(page) < PAGE_ROWS:
                return
            selection = replace(selection, after=key_of(page[-1]))
    finally:
        archive.close()


def _days(page: Sequence[Record], sums: Sums, scope: Scope) -> tuple[int, int]:
    last, first = page[-1][_START], sums.first_start_ts
    assert isinstance(last, int)
    assert first is not None
    return (last - first) // MS_PER_DAY, -(-(scope.until - first) // MS_PER_DAY)
