"""What a compaction merges: which files together, and how many of them in one commit. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice, takewhile

from pyiceberg.manifest import DataFile

from tollbook.archive.bounds import start_bounds

# The size of one commit: other writers wait some seconds for it, and a kill loses no more than it.
COMMIT_GROUPS = 500
COMMIT_ROWS = 1_000_000

# Files merged at once, and how many of them may overlap in time: of each of these there is an encoded row group in
# memory, and decoded rows, 10 MB together. Files beyond these numbers are merged in the next round.
MERGE_FILES = 50
OVERLAPPING_FILES = 6

# Storage is waited for, so some groups are merged at once, of which each has a row group to write in memory, 30 MB:
# groups whose files follow one another in time, a call's length apart, and more of them where they have few rows.
# Others are merged alone, also of few rows: four at once took 16 µs of CPU for a call instead of 12, and 40 MB more.
FEW_OVERLAPPING = 2
_SMALL_AT_ONCE = 4
_LARGE_AT_ONCE = 2
SMALL_GROUP_ROWS = 10_000

# A file with fewer rows than this is small: merging it is cheap.
SMALL_ROWS = 200_000

# Of a file without bounds.
_ANY_FIRST, _ANY_LAST = -(2**63), 2**63 - 1


@dataclass(frozen=True, kw_only=True)
class MergeGroup:
    """Files of one account, by its name in the archive, and one month, that become one file."""

    account: str
    month: int
    files: tuple[DataFile, ...]

    @property
    def rows(self) -> int:
        """Return the number of rows in the files."""
        return sum(file.record_count for file in self.files)

    @property
    def threads(self) -> int:
        """Return how many such groups may be merged at once, by the memory that they take."""
        if overlapping(self.files) > FEW_OVERLAPPING:
            return 1
        return _LARGE_AT_ONCE if self.rows > SMALL_GROUP_ROWS else _SMALL_AT_ONCE


def groups_of(files: Sequence[DataFile]) -> Iterator[tuple[DataFile, ...]]:
    """Split the files of an account and month, given in the order of their first calls, into groups to merge.

    If there are more than can be merged at once, the small ones are merged first, until one is left. Otherwise every
    round would rewrite the large result of the round before.
    """
    groups = list(_at_once(files))
    if len(groups) > 1:
        small = [file for file in files if file.record_count < SMALL_ROWS]
        groups = list(_at_once(small)) if len(small) > 1 else groups
    for group in groups:
        if len(group) > 1:
            yield tuple(group)


def overlapping(files: Iterable[DataFile]) -> int:
    """Return how many of the files, given in the order of their first calls, are open at once as they are merged."""
    return max((number for _, number in _opened(files)), default=0)


def _at_once(files: Iterable[DataFile]) -> Iterator[list[DataFile]]:
    """Split files, in the order of their first calls, where more of them would be open than may be merged at once."""
    rest = list(files)
    while rest:
        group = list(islice(takewhile(lambda opened: opened[1] <= OVERLAPPING_FILES, _opened(rest)), MERGE_FILES))
        yield [file for file, _ in group]
        rest = rest[len(group) :]


def _opened(files: Iterable[DataFile]) -> Iterator[tuple[DataFile, int]]:
    """Yield each file with how many are open once it is."""
    lasts: list[int] = []  # a heap
    for file in files:
        first, last = start_bounds(file) or (_ANY_FIRST, _ANY_LAST)
        while lasts and lasts[0] < first:
            heappop(lasts)
        heappush(lasts, last)
        yield file, len(lasts)


def fit_one_commit(groups: Iterable[MergeGroup]) -> Iterator[MergeGroup]:
    """Yield the first groups, as many as one commit may have, and at least one."""
    rows = 0
    for group in islice(groups, COMMIT_GROUPS):
        if rows and rows + group.rows > COMMIT_ROWS:
            return
        rows += group.rows
        yield group
