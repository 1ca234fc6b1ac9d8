"""What a compaction merges together, and what one commit takes."""

from dataclasses import dataclass

from maintenance.compaction.plan import COMMIT_GROUPS, COMMIT_ROWS, MERGE_FILES, MergeGroup, fit_one_commit, groups_of


@dataclass(frozen=True)
class File:
    """As much of a data file as the plan looks at."""

    record_count: int


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
    files = [File(10_000)] * 1500
    rounds = rows_written = 0
    while len(files) > 1:
        merged = list(groups_of(files))
        assert all(len(group) <= MERGE_FILES for group in merged)
        unmerged = list(files)
        for group in merged:
            for file in group:
                unmerged.remove(file)
        rows_written += sum(file.record_count for group in merged for file in group)
        files = unmerged + [File(sum(file.record_count for file in group)) for group in merged]
        rounds += 1
    assert files == [File(15_000_000)]
    assert (rounds, rows_written) == (2, 2 * 15_000_000)
