"""Builds sums: names the days that are to be built, and builds those that are named, several at a time.

What is named stays so until it is built, so a run that was killed is gone on with by the next. The archive is read
outside every lock, into a file, and then added in one transaction.
"""

import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Final

from pyiceberg.catalog import Catalog
from pyiceberg.table import Table

from maintenance.progress import Progress, no_progress
from tollbook.archive.bounds import first_and_last, first_start
from tollbook.archive.catalog import archive_errors, open_catalog
from tollbook.archive.counted import counted_csv
from tollbook.archive.known import load_known_calls
from tollbook.config import Settings
from tollbook.errors import TollbookError
from tollbook.store.archive_commits import archive_begun
from tollbook.store.archiver import sole_archiver
from tollbook.store.database import Connection, TimeLimits, check_schema, connect
from tollbook.store.days import late
from tollbook.store.days.partitions import CALLS, standing_days
from tollbook.store.days.window import read_window
from tollbook.store.history import refuse_restored, restored
from tollbook.store.sums.build import (
    ARCHIVED_COLUMNS,
    RowsCounted,
    add_archived,
    count_rows,
    days_with_sums,
    drop_claim,
)
from tollbook.store.sums.closed_days import order_closed_days
from tollbook.store.sums.rollup import roll_up
from tollbook.store.sums.unbuilt import REBUILD, Claim, mark_all_unbuilt, unbuilt_days, unnamed_before
from tollbook.times import MS_PER_DAY

# A day of ten million calls takes a minute or two. No other writer of sums comes in meanwhile, and nobody else waits.
_LIMITS: Final = TimeLimits(statement_s=800)
# How long to wait for an archiver at work.
_ARCHIVER_WAIT_S: Final = 300.0
# A copied chunk.
_CHUNK_BYTES: Final = 1 << 20
DEFAULT_JOBS: Final = 2


@dataclass(frozen=True, kw_only=True)
class BuildReport:
    """How many days were built, and how many are left."""

    built: int
    left: int

    def __str__(self) -> str:
        """Return it as one line."""
        if not self.built and not self.left:
            return "all sums are built; `tollbook stats rebuild --all` builds them anew"
        left = f", {self.left} left: the next run goes on" if self.left else ""
        return f"sums of {self.built} days built{left}"


def rebuild_sums(settings: Settings, *, everything: bool, jobs: int, progress: Progress = no_progress) -> BuildReport:
    """Build the days that are not built, after naming all days if `everything`. `progress`: days built, and in all.

    Raises ArchiveForked before an archive is attached to a database that was restored, ArchiveError, ArchiveLost and
    StoreUnavailable; what was built until then stays built.
    """
    url = settings.require_database_url()
    with connect(url, name="sums", autocommit=True) as connection:
        check_schema(connection)
        refuse_restored(connection, settings.data_dir)
    return _build(settings, everything=everything, jobs=jobs, progress=progress)


def build_unbuilt(settings: Settings, *, limit_s: float | None = None) -> BuildReport:
    """Build days that are not built, until `limit_s` seconds have passed; raises as `rebuild_sums`.

    For commands that change what sums were made of, and for the archiver. Does nothing before an archive is attached
    to a database that was restored.
    """
    with connect(settings.require_database_url(), name="sums", autocommit=True) as connection:
        if restored(connection) is not None:
            return BuildReport(built=0, left=0)
    return _build(settings, everything=False, jobs=1, limit_s=limit_s)


def order_sums(url: str, today: int) -> None:
    """Put the cells of closed days in order, `today` being counted from 1970-01-01. Raises StoreUnavailable."""
    with connect(url, name="sums", autocommit=True, limits=_LIMITS) as connection:
        order_closed_days(connection, today)


def _build(
    settings: Settings,
    *,
    everything: bool,
    jobs: int,
    progress: Progress = no_progress,
    limit_s: float | None = None,
) -> BuildReport:
    deadline_s = None if limit_s is None else time.monotonic() + limit_s
    url = settings.require_database_url()
    with connect(url, name="sums", autocommit=True, limits=_LIMITS) as connection:
        roll_up(connection)
        unnamed = unnamed_before(connection)
        claims = unbuilt_days(connection)
        if not (everything or unnamed or claims):
            return BuildReport(built=0, left=0)
        with open_catalog(settings) as catalog:
            building = _Building(url=url, catalog=catalog)
            if everything or unnamed:
                building.name_days(connection)
            built = 0
            # A day that is named again while it is built is built again.
            while (claims := unbuilt_days(connection)) and not _is_over(deadline_s):
                total, done_before = built + len(claims), built
                progress(built, total)
                with ThreadPoolExecutor(jobs) as pool:
                    for done in pool.map(partial(building.build, deadline_s=deadline_s), claims):
                        built += done
                        progress(built, total)
                if built == done_before or building.failures:
                    break
            if building.failures:
                raise building.failures[0]
    return BuildReport(built=built, left=len(claims))


def _is_over(deadline_s: float | None) -> bool:
    return deadline_s is not None and time.monotonic() >= deadline_s


@dataclass(frozen=True, kw_only=True)
class _Building:
    """`failures`: why days could not be built; the others are."""

    url: str
    catalog: Catalog
    failures: list[TollbookError] = field(default_factory=list[TollbookError])

    def name_days(self, connection: Connection) -> None:
        """Name every day of which there may be calls.

        A day that has sums and is older than the archive stays: its calls were deleted by the archive's retention, and
        nothing could make the sums again.
        """
        with sole_archiver(self.url, name="sums", wait_s=_ARCHIVER_WAIT_S):  # an attach names none
            table = self._load()
            with archive_errors("looking for the archive's first and last call"):
                span = first_and_last(table) if table is not None else None
            archived = range(span[0] // MS_PER_DAY, span[1] // MS_PER_DAY + 1) if span is not None else range(0)
            first = archived.start if archived else read_window(connection).start_ts // MS_PER_DAY
            summed = set(days_with_sums(connection))
            older = {day for day in late.days(connection) if day < first and day not in summed}
            kept = {day for day in summed if day >= first}
            mark_all_unbuilt(connection, {*standing_days(connection, CALLS), *older, *kept, *archived}, REBUILD)

    def build(self, claim: Claim, *, deadline_s: float | None) -> bool:
        """Build a day; False if there is no time left, it was named again meanwhile, or it failed."""
        if _is_over(deadline_s):
            return False
        try:
            return self._build(claim)
        except TollbookError as error:  # a damaged file costs its own day
            self.failures.append(error)
            return False

    def _build(self, claim: Claim) -> bool:
        with connect(self.url, name="sums", autocommit=True, limits=_LIMITS) as connection:
            with sole_archiver(self.url, name="sums", wait_s=_ARCHIVER_WAIT_S):
                older = claim.unbuilt.day * MS_PER_DAY < read_window(connection).start_ts
                table = self._load() if older else None
                if older and claim.reason != REBUILD and _is_deleted(table, claim.unbuilt.day):
                    drop_claim(connection, claim)
                    return True
                counted = count_rows(connection, claim)
            if counted is None or not counted.archived:
                return counted is not None
            with tempfile.TemporaryFile() as spooled:
                _spool(spooled, table, claim, counted)
                return add_archived(connection, counted.claim, _chunks(spooled))

    def _load(self) -> Table | None:
        return load_known_calls(self.catalog, partial(archive_begun, self.url))


def _is_deleted(table: Table | None, day: int) -> bool:
    """Return whether a day is from before the first archived call: the archive's retention has deleted its calls."""
    with archive_errors("looking for the archive's first call"):
        first = first_start(table) if table is not None else None
    return first is None or day < first // MS_PER_DAY


def _spool(spooled: IO[bytes], table: Table | None, claim: Claim, counted: RowsCounted) -> None:
    if table is None:
        return
    day, account_id = claim.unbuilt
    for chunk in counted_csv(table, day, ARCHIVED_COLUMNS, account_id=account_id, excluded=counted.excluded):
        spooled.write(chunk)
    spooled.seek(0)


def _chunks(spooled: IO[bytes]) -> Iterator[bytes]:
    while chunk := spooled.read(_CHUNK_BYTES):
        yield chunk
