"""What a compaction merges: which files together, and how many of them in one commit. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import islice

from pyiceberg.manifest import DataFile

from tollbook.archive.bounds import start_bounds

# The size of one commit: other writers wait some seconds for it, and a kill loses no more than it.
COMMIT_GROUPS = 500
COMMIT_ROWS = 1_000_000

# Files merged at once, and how many of them may overlap in time: an encoded row group of each of these, some 5 MB, is
# in memory, for each of the threads. Files beyond these numbers are merged in the next round.
MERGE_FILES = 50
OVERLAPPING_FILES = 8

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


def _at_once(files: Iterable[DataFile]) -> Iterator[list[DataFile]]:
    """Split files, in the order of their first calls, where more of them would be open than may be merged at once."""
    group: list[DataFile] = []
    lasts: list[int] = []  # a heap, of those that may overlap with the next
    for file in files:
        first, last = start_bounds(file) or (_ANY_FIRST, _ANY_LAST)
        while lasts and lasts[0] < first:
            heappop(lasts)
        if len(group) == MERGE_FILES or len(lasts) == OVERLAPPING_FILES:
            yield group
            group, lasts = [], []
        group.append(file)
        heappush(lasts, last)
    if group:
        yield group


def fit_one_commit(groups: Iterable[MergeGroup]) -> Iterator[MergeGroup]:
    """Yield the first groups, as many as one commit may have, and at least one."""
    rows = 0
    for group in islice(groups, COMMIT_GROUPS):
        if rows and rows + group.rows > COMMIT_ROWS:
            return
        rows += group.rows
        yield group
