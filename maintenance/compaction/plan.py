"""What a compaction merges: which files together, and how many of them in one commit. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from pyiceberg.manifest import DataFile

# The size of one commit: other writers wait some seconds for it, and a kill loses no more than it.
COMMIT_GROUPS = 500
COMMIT_ROWS = 1_000_000

# Files merged at once. If all of them overlapped in time, that many row groups of some 5 MB each would be in memory,
# for each of the threads. Files beyond that number are merged in the next round.
MERGE_FILES = 50

# A file with fewer rows than this is small: merging it is cheap.
SMALL_ROWS = 200_000


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
    if len(files) > MERGE_FILES:
        small = [file for file in files if file.record_count < SMALL_ROWS]
        files = small if len(small) > 1 else files
    for begin in range(0, len(files), MERGE_FILES):
        if len(group := files[begin : begin + MERGE_FILES]) > 1:
            yield tuple(group)


def fit_one_commit(groups: Iterable[MergeGroup]) -> Iterator[MergeGroup]:
    """Yield the first groups, as many as one commit may have, and at least one."""
    rows = 0
    for group in islice(groups, COMMIT_GROUPS):
        if rows and rows + group.rows > COMMIT_ROWS:
            return
        rows += group.rows
        yield group
