"""The commits of a compaction: merge the files of some accounts and a month, or drop old months.

Other commands may write between two commits. Each commit is planned from the table as it then is, and is refused if
the table has changed since. So a kill loses the work of one commit.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from maintenance.archive.commit import exchange_files
from maintenance.archive.data_files import partition_key
from maintenance.archive.digests import Digests
from maintenance.archive.hashed_files import WrittenFile
from maintenance.compaction.merge import first_start, merge
from maintenance.compaction.months import begin_of
from maintenance.compaction.plan import SMALL_GROUP_ROWS, MergeGroup, fit_one_commit, groups_of
from tollbook.allocators import give_back
from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive._pyarrow import plan_files
from tollbook.archive.catalog import archive_errors
from tollbook.archive.live_files import partitions
from tollbook.archive.row_groups import refuse_delete_files
from tollbook.errors import ArchiveError

_DROPPED_FILES = 10_000


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """How many files became how many others, and their rows."""

    files_before: int = 0
    files_after: int = 0
    rows: int = 0

    def __add__(self, other: "Compacted") -> "Compacted":
        """Return the sum of two."""
        return Compacted(
            files_before=self.files_before + other.files_before,
            files_after=self.files_after + other.files_after,
            rows=self.rows + other.rows,
        )


def count_scattered(table: Table, first_open: int) -> Counter[int]:
    """Count, for each closed month, the files that are not the only one of their account; raise ArchiveError."""
    with archive_errors("planning the compaction"):
        files: defaultdict[int, Counter[str]] = defaultdict(Counter)
        for account, month in partitions(table):
            if month < first_open:
                files[month][account] += 1
    scattered: Counter[int] = Counter()
    for month, of_account in files.items():
        scattered[month] = sum(count for count in of_account.values() if count > 1)
    return +scattered


def compact_some(table: Table, month: int, without: Collection[str] = ()) -> Compacted | None:
    """Merge the files of some accounts of a month in one commit, except the files at `without`.

    Returns None if nothing is left to merge. Raises ArchiveDamaged for a file that is damaged, and ArchiveError, after
    which only loading the table again shows whether the commit succeeded.
    """
    with archive_errors("compacting the archive"):
        groups = list(fit_one_commit(_groups(table, month, without)))
        if not groups:
            return None
        digests = Digests(table)

        def merged(group: MergeGroup) -> WrittenFile:
            for file in group.files:
                digests.check(file)  # damage must not become part of a sound file
            written = merge(table, group.files, partition_key(table, group.account, group.month))
            if group.rows > SMALL_GROUP_ROWS:
                give_back()
            return written

        at_once: defaultdict[int, list[MergeGroup]] = defaultdict(list)
        for group in groups:
            at_once[group.threads].append(group)
        added: list[WrittenFile] = []
        for number, alike in at_once.items():
            with ThreadPoolExecutor(number) as threads:
                added += threads.map(merged, alike)
        rows = sum(group.rows for group in groups)
        if rows != sum(written.file.record_count for written in added):
            raise ArchiveError(
                f"compacting {begin_of(month):%Y-%m} read {rows} rows and wrote another number: nothing was changed;"
                " please report this, with the version"
            )
        removed = [file for group in groups for file in group.files]
        exchange_files(table, removed, added, {})
    return Compacted(files_before=len(removed), files_after=len(added), rows=rows)


def drop_some(table: Table, first_kept: int, held: Collection[str]) -> int:
    """Drop files of the months before `first_kept` in one commit, and return the number of their rows.

    The accounts `held`, by their names in the archive, keep theirs. A commit drops a bounded number of files: call this
    again until it returns 0. Raises ArchiveError.
    """
    with archive_errors("dropping old months from the archive"):
        dropped = (file for account, _, file in _files(table, before=first_kept) if account not in held)
        files = list(islice(dropped, _DROPPED_FILES))
        if files:
            exchange_files(table, files, [], {})
    return sum(file.record_count for file in files)


def _groups(table: Table, month: int, without: Collection[str]) -> Iterator[MergeGroup]:
    """Yield what there is to merge in a month, by account: neighbouring accounts then share a manifest."""
    by_account: defaultdict[str, list[DataFile]] = defaultdict(list)
    for account, _, file in _files(table, since=month, before=month + 1):
        if file.file_path not in without:
            by_account[account].append(file)
    for account, files in sorted(by_account.items()):
        for group in groups_of(sorted(files, key=first_start)):
            yield MergeGroup(account=account, month=month, files=group)


def _files(table: Table, *, before: int, since: int | None = None) -> Iterator[tuple[str, int, DataFile]]:
    """Yield account, month and file of every file of the months in [since, before)."""
    wanted = ex.LessThan("start_ts", begin_of(before).isoformat())
    if since is not None:
        wanted = ex.And(wanted, ex.GreaterThanOrEqual("start_ts", begin_of(since).isoformat()))
    for task in plan_files(table, wanted):
        refuse_delete_files(task)
        yield task.file.partition[0], task.file.partition[1], task.file
