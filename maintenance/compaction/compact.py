"""`tollbook archive compact`: one file for each account and closed month, and no more months than are to be kept.

Every commit takes some accounts of one month. Between two commits others may write; each plan is made anew from the
table as it is, and a commit is refused when the table has changed since. So a kill costs the work of one commit.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from pyiceberg.manifest import DataFile
from pyiceberg.table import Table

from maintenance.archive.commit import exchange
from maintenance.archive.data_files import partition_key
from maintenance.compaction.merge import first_start, merge
from maintenance.compaction.months import begin_of
from tollbook.archive._pyarrow import expressions as ex
from tollbook.archive.catalog import archive_errors
from tollbook.errors import ArchiveError, SchemaError

# What one commit takes: others wait for it some seconds, and a kill costs no more.
COMMIT_PARTITIONS = 500
COMMIT_ROWS = 1_000_000

# Files that are merged at once. Were they all to overlap in time, so many row groups would be in memory, some 5 MB
# each, for each of the threads; what is left of more files is merged by the next round.
MERGE_FILES = 50
_THREADS = 4
_SMALL_ROWS = 200_000

_DROPPED_FILES = 10_000


@dataclass(frozen=True, kw_only=True)
class MergeGroup:
    """Files of one account, as archived, and month, that become one."""

    account: str
    month: int
    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        """How many rows they hold."""
        return sum(file.record_count for file in self.files)


@dataclass(frozen=True, kw_only=True)
class Compacted:
    """What commits did."""

    files_before: int = 0
    files_after: int = 0
    rows: int = 0

    def __add__(self, other: "Compacted") -> "Compacted":
        """Sum up commits."""
        return Compacted(
            files_before=self.files_before + other.files_before,
            files_after=self.files_after + other.files_after,
            rows=self.rows + other.rows,
        )


def scattered(table: Table, first_open: int) -> Counter[int]:
    """Count the files of closed months that are not alone in their account and month, by month."""
    with archive_errors("planning the compaction"):
        counts = Counter((account, month) for account, month, _ in _files(table, before=first_open))
    found: Counter[int] = Counter()
    for (_, month), files in counts.items():
        if files > 1:
            found[month] += files
    return found


def compact_some(table: Table, month: int) -> Compacted | None:
    """Merge the files of some accounts of a month in one commit; None when there is nothing left to merge.

    Raises ArchiveError, after which only a new load of the table tells whether the commit landed.
    """
    with archive_errors("compacting the archive"):
        parts = list(choose(_parts(table, month)))
        if not parts:
            return None

        def merged(part: MergeGroup) -> DataFile:
            return merge(table, part.files, partition_key(table, part.account, part.month))

        with ThreadPoolExecutor(_THREADS) as threads:
            added = list(threads.map(merged, parts))
        rows = sum(part.rows for part in parts)
        if rows != sum(file.record_count for file in added):
            raise ArchiveError(
                f"compacting {begin_of(month):%Y-%m} read {rows} rows and wrote another number: nothing was changed;"
                " please report this, with the version"
            )
        removed = [file for part in parts for file in part.files]
        exchange(table, removed, added, {})
    return Compacted(files_before=len(removed), files_after=len(added), rows=rows)


def choose(parts: Iterator[MergeGroup]) -> Iterator[MergeGroup]:
    """Take as many parts as one commit may have, at least one: pure."""
    rows = 0
    for part in islice(parts, COMMIT_PARTITIONS):
        if rows and rows + part.rows > COMMIT_ROWS:
            return
        rows += part.rows
        yield part


def drop_before(table: Table, first_kept: int) -> int:
    """Take all months before one out of the table, in one commit; give the number of rows.

    Raises ArchiveError. Call it again until it gives 0: a commit takes a bounded number of files.
    """
    with archive_errors("dropping old months from the archive"):
        files = [file for _, _, file in islice(_files(table, before=first_kept), _DROPPED_FILES)]
        if files:
            exchange(table, files, [], {})
    return sum(file.record_count for file in files)


def _parts(table: Table, month: int) -> Iterator[MergeGroup]:
    """Give what there is to merge in a month, account by account; so accounts that are near lie in one manifest."""
    by_account: defaultdict[str, list[DataFile]] = defaultdict(list)
    for account, _, file in _files(table, since=month, before=month + 1):
        by_account[account].append(file)
    for account, files in sorted(by_account.items()):
        for some in groups(sorted(files, key=first_start)):
            yield MergeGroup(account=account, month=month, files=some)


def groups(files: Sequence[DataFile]) -> Iterator[tuple[DataFile, ...]]:
    """Give the files of an account and month, in the order of time, in groups to merge: pure.

    Of more than can be merged at once, those that were merged already wait until the small ones are, too: or every
    round would write the first of them anew.
    """
    if len(files) > MERGE_FILES:
        small = [file for file in files if file.record_count < _SMALL_ROWS]
        files = small if len(small) > 1 else files
    for begin in range(0, len(files), MERGE_FILES):
        if len(some := files[begin : begin + MERGE_FILES]) > 1:
            yield tuple(some)


def _files(table: Table, *, before: int, since: int | None = None) -> Iterator[tuple[str, int, DataFile]]:
    """Give account, month and file of all files of the months in [since, before)."""
    wanted = ex.LessThan("start_ts", begin_of(before).isoformat())
    if since is not None:
        wanted = ex.And(wanted, ex.GreaterThanOrEqual("start_ts", begin_of(since).isoformat()))
    for task in table.scan(row_filter=wanted).plan_files():
        if task.delete_files:
            raise SchemaError(
                "another engine has deleted rows from the archive by delete files, which Tollbook does not apply:"
                " have that engine rewrite them into the data files first"
            )
        yield task.file.partition[0], task.file.partition[1], task.file
