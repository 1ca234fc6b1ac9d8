"""What a compaction merges together, and what one commit takes."""

from dataclasses import dataclass
from struct import pack

import pytest

from maintenance.compaction.plan import COMMIT_GROUPS, COMMIT_ROWS, MERGE_FILES, MergeGroup, fit_one_commit, groups_of
from tollbook.archive.schema import START_FIELD


@dataclass(frozen=True)
class File:
    """As much of a data file as the plan looks at; `first_us` and `last_us`: None without bounds."""

    record_count: int
    first_us: int | None = None
    last_us: int | None = None

    @property
    def lower_bounds(self) -> dict[int, bytes] | None:
        return None if self.first_us is None else {START_FIELD: pack("<q", self.first_us)}

    @property
    def upper_bounds(self) -> dict[int, bytes] | None:
        return None if self.last_us is None else {START_FIELD: pack("<q", self.last_us)}


def groups(*rows: int) -> list[MergeGroup]:
    """One group of one file for each number of rows."""
    return [MergeGroup(account=str(number), month=0, files=(File(count),)) for number, count in enumerate(rows)]


def test_a_commit_takes_a_bounded_number_of_rows_and_groups_but_at_least_one() -> None:
    assert len(list(fit_one_commit(groups(COMMIT_ROWS * 2, 1)))) == 1
    assert len(list(fit_one_commit(groups(COMMIT_ROWS // 2, COMMIT_ROWS // 2, 1)))) == 2
    assert len(list(fit_one_commit(groups(*[1] * (COMMIT_GROUPS + 1))))) == COMMIT_GROUPS


def test_a_single_file_is_not_merged() -> None:
    assert list(groups_of([File(1)])) == []
    assert [len(group) for group in groups_of([File(1), File(1)])] == [2]


def test_many_files_are_merged_in_rounds_that_end_with_one() -> None:
    """No round merges a large file while two small files are left, so a row is written few times."""
    files = [File(10_000, hour, hour) for hour in range(1500)]
    rounds = rows_written = 0
    while len(files) > 1:
        merged = list(groups_of(files))
        assert all(len(group) <= MERGE_FILES for group in merged)
        unmerged = list(files)
        for group in merged:
            for file in group:
                unmerged.remove(file)
        rows_written += sum(file.record_count for group in merged for file in group)
        files = unmerged + [
            File(sum(file.record_count for file in group), group[0].first_us, group[-1].last_us) for group in merged
        ]
        rounds += 1
    assert files == [File(15_000_000, 0, 1499)]
    assert (rounds, rows_written) == (2, 2 * 15_000_000)


@pytest.mark.parametrize(
    ("hours", "sizes"),
    [
        ([(hour, hour) for hour in range(20)], [20]),
        ([(hour, hour + 1) for hour in range(20)], [20]),  # two at a time
        ([(hour, hour + 2) for hour in range(20)], [20]),
        ([(hour, hour + 3) for hour in range(20)], [3] * 6 + [2]),
        ([(5, 5)] * 10, [3, 3, 3]),  # and one that waits for the next round
        ([(None, None)] * 6, [3, 3]),  # any time
        ([(0, 100), *((hour, hour) for hour in range(1, 20))], [20]),
        ([(0, 100), (0, 100), (0, 1), (2, 2), (3, 3)], [5]),
    ],
)
def test_few_files_that_overlap_in_time_are_merged_at_once(
    monkeypatch: pytest.MonkeyPatch, hours: list[tuple[int, int]], sizes: list[int]
) -> None:
    """Of each there are rows in memory."""
    monkeypatch.setattr("maintenance.compaction.plan.OVERLAPPING_FILES", 3)
    assert [len(group) for group in groups_of([File(1, *span) for span in hours])] == sizes


def test_groups_that_take_much_memory_are_merged_alone() -> None:
    apart = (File(10_000, 1, 2), File(10_000, 3, 4), File(10_000, 4, 5))
    for files, threads in (
        ((*apart, File(1, 5, 9)), 2),
        ((*apart, File(1, 4, 9)), 1),
        ((File(10_001), File(1), File(1)), 1),
        ((File(1, 1, 1), File(1, 2, 2)), 4),
        ((File(1), File(1), File(1)), 1),
    ):
        assert MergeGroup(account="a", month=0, files=files).threads == threads
