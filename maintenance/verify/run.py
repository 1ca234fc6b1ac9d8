"""`tollbook archive verify`: every file of the archive, read and compared with what is known of it.

Each data file with its digest, its length, its page checksums and its number of rows; the sum of the rows with what the
newest snapshot says; and each day that PostgreSQL has with the archive's, account by account. No lock is held but for
the comparison of a day, so it may run beside everything else. It changes nothing.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from pyiceberg.catalog import Catalog
from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from maintenance.agents.verify import verify_agents
from maintenance.archive.digests import Digests, month_name
from maintenance.archive.files import count_rows, data_files
from maintenance.archive.guard import load_checked
from maintenance.progress import Progress, no_progress
from maintenance.prune.plan import MAX_MOVED
from maintenance.verify.data_file import CheckedFile, check_file
from maintenance.verify.report import DamagedFile, DifferentDay, VerifyReport
from tollbook.archive import totals as archive
from tollbook.archive.catalog import archive_errors, load_calls, open_catalog
from tollbook.archive.damage import damaged_lists
from tollbook.archive.known import load_known_calls
from tollbook.archive.schema import account_of, archived_account
from tollbook.config import Settings
from tollbook.errors import ArchiveForked, UsageError
from tollbook.model.totals import differing_accounts
from tollbook.store.archive_commits import archive_begun
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, check_schema, connect
from tollbook.store.days import totals
from tollbook.store.days.partitions import CALLS, standing_days
from tollbook.store.days.window import read_window
from tollbook.store.history import look
from tollbook.store.tariffs.accounts import has_calls, is_known
from tollbook.times import MS_PER_DAY, date_of

# Files in memory at a time, each whole; a compacted one has some 40 bytes a call.
_THREADS = 4


@dataclass(frozen=True, kw_only=True)
class VerifyRequest:
    """What to verify: the calls of an account, by its name in the archive, and of a month (`2026-09`); None is all."""

    account: str | None = None
    month: str | None = None

    @classmethod
    def of(cls, account_id: str | None, month: str | None) -> "VerifyRequest":
        """Return a request for an account, None for all of them, and a month."""
        return cls(account=None if account_id is None else archived_account(account_id), month=month)

    def has(self, file: DataFile) -> bool:
        """Return whether a file is to be verified."""
        return self.account in (None, file.partition[0]) and self.month in (None, month_name(file.partition[1]))


def verify_archive(settings: Settings, request: VerifyRequest, *, progress: Progress = no_progress) -> VerifyReport:
    """Verify the archive, or the part that is requested. `progress`: files and days, done and in all.

    Changes nothing, also in a restored database, of which the report says so. Raises UsageError for an account that is
    not there; ArchiveError for a storage or a catalog that is away, ArchiveDamaged or ArchiveLost for metadata without
    which the files are unknown, and StoreUnavailable.
    """
    url = settings.require_database_url()
    with connect(url, name="verify", autocommit=True) as connection:
        check_schema(connection)
        with open_catalog(settings) as catalog, archive_errors("verifying the archive"):
            table = load_known_calls(catalog, partial(archive_begun, settings.require_database_url()))
            restored = _restored(settings, connection, catalog)
            if table is None:
                return VerifyReport(restored=restored)
            if lists := [(location, damage) for location, damage in damaged_lists(table) if damage is not None]:
                return VerifyReport(lists=lists, restored=restored)
            every_file = data_files(table)
            _refuse_unknown(connection, request, every_file)
            files = [file for file in every_file if request.has(file)]
            checked = list(_checked(table, files, progress))
            window_start = read_window(connection).start_ts
            damaged = [
                DamagedFile(checked=file, healable=file.span_ms is not None and file.span_ms[0] >= window_start)
                for file in checked
                if file.damage is not None
            ]
            days = [
                day
                for day in ([] if restored else _days(connection, request))
                if not any(_touches(file.checked, day) for file in damaged)
            ]
            different = list[DifferentDay]()
            for number, day in enumerate(days):
                different += _compared(url, connection, catalog, request, day)
                progress(len(files) + number + 1, len(files) + len(days))
            whole = request == VerifyRequest()
            agents = verify_agents(connection, catalog) if whole and not restored else None
    return VerifyReport(
        files=len(files),
        proved=sum(file.proved and file.damage is None for file in checked),
        counted=sum(file.record_count for file in files),
        stated=count_rows(table) if whole else None,
        days=len(days),
        damaged=damaged,
        different=different,
        restored=restored,
        agents=agents,
    )


def _restored(settings: Settings, connection: Connection, catalog: Catalog) -> str:
    """Return why the state to which the catalog leads may not be the archive's newest; '' if it is."""
    if (found := look(connection, settings.data_dir)) is not None:
        return str(found)
    try:
        load_checked(connection, catalog)
    except ArchiveForked as forked:
        return str(forked)
    return ""


def _refuse_unknown(connection: Connection, request: VerifyRequest, files: Sequence[DataFile]) -> None:
    """Raise UsageError for an account that nobody added and that has no call."""
    if request.account is None or any(file.partition[0] == request.account for file in files):
        return
    account_id = account_of(request.account)
    if account_id is not None and not is_known(connection, account_id) and not has_calls(connection, account_id):
        raise UsageError(f"there is no account {account_id!r}, and no call of it: `tollbook account list` shows them")


def _checked(table: Table, files: Sequence[DataFile], progress: Progress) -> Iterator[CheckedFile]:
    digests = Digests(table)

    def check(file: DataFile) -> CheckedFile:
        return check_file(table, digests, file)

    with ThreadPoolExecutor(_THREADS) as threads:
        for number, checked in enumerate(threads.map(check, files)):
            progress(number + 1, len(files))
            yield checked


def _days(connection: Connection, request: VerifyRequest) -> list[int]:
    """List the days that PostgreSQL has whole, of the month that is requested."""
    window_start = read_window(connection).start_ts
    return [
        day
        for day in standing_days(connection, CALLS)
        if day * MS_PER_DAY >= window_start and request.month in (None, f"{date_of(day):%Y-%m}")
    ]


def _touches(file: CheckedFile, day: int) -> bool:
    if file.span_ms is None:
        return file.month == f"{date_of(day):%Y-%m}"
    return file.span_ms[0] // MS_PER_DAY <= day <= file.span_ms[1] // MS_PER_DAY


def _compared(
    url: str, connection: Connection, catalog: Catalog, request: VerifyRequest, day: int
) -> Iterator[DifferentDay]:
    """Yield a day if it differs. While nobody writes the archive: a call is in both tiers, or waits."""
    with sole_archiver(url, name="verify"):
        table = load_calls(catalog)
        stored = totals.day_totals(connection, day, most_waiting=MAX_MOVED)
        if table is None or len(stored.waiting) > MAX_MOVED:
            return  # most of the day waits: there is little to compare yet
        accounts = None if request.account is None else [account_of(request.account)]
        archived = archive.day_totals(table, day, excluded=stored.waiting, accounts=accounts)
    different = [
        account
        for account in differing_accounts(stored.archived, archived)
        if request.account in (None, archived_account(account.account_id))
    ]
    if different:
        yield DifferentDay(day=day, accounts=different)
