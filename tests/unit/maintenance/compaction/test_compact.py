"""What a compaction takes: months that are over, groups of files, parts of a commit."""

import datetime as dt
from dataclasses import dataclass

import pytest

from maintenance.compaction.compact import COMMIT_PARTITIONS, COMMIT_ROWS, MERGE_FILES, MergeGroup, choose, groups
from maintenance.compaction.months import begin_of, first_kept, first_open, month_of


@dataclass(frozen=True)
class File:
    """As much of a data file as is looked at."""

    record_count: int


def parts(*rows: int) -> list[MergeGroup]:
    return [MergeGroup(account=str(number), month=0, files=(File(count),)) for number, count in enumerate(rows)]


@pytest.mark.parametrize(
    ("now", "open_from"),
    [
        ("2026-11-30T23:59:59+00:00", "2026-11"),
        ("2026-12-03T23:59:59+00:00", "2026-11"),
        ("2026-12-04T00:00:00+00:00", "2026-12"),
        ("2026-12-04T00:00:00+02:00", "2026-11"),
        ("2027-01-02T12:00:00+00:00", "2026-12"),
    ],
)
def test_a_month_is_closed_three_days_after_its_end_in_utc(now: str, open_from: str) -> None:
    assert f"{begin_of(first_open(dt.datetime.fromisoformat(now))):%Y-%m}" == open_from


def test_months_count_as_iceberg_s_do() -> None:
    for month in (0, 11, 12, 680, 2000):
        assert month_of(begin_of(month)) == month
        assert month_of(begin_of(month) - dt.timedelta(microseconds=1)) == month - 1
    assert month_of(dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) == 0


def test_a_retention_keeps_whole_months_before_this_one() -> None:
    assert f"{begin_of(first_kept(dt.datetime(2026, 11, 1, tzinfo=dt.UTC), 12)):%Y-%m}" == "2025-11"
    assert f"{begin_of(first_kept(dt.datetime(2026, 11, 30, tzinfo=dt.UTC), 2)):%Y-%m}" == "2026-09"


def test_a_commit_takes_a_bounded_number_of_rows_and_accounts_but_at_least_one() -> None:
    assert len(list(choose(iter(parts(COMMIT_ROWS * 2, 1))))) == 1
    assert len(list(choose(iter(parts(COMMIT_ROWS // 2, COMMIT_ROWS // 2, 1))))) == 2
    assert len(list(choose(iter(parts(*[1] * (COMMIT_PARTITIONS + 1)))))) == COMMIT_PARTITIONS


def test_one_file_is_not_merged_with_nothing() -> None:
    assert list(groups([File(1)])) == []
    assert [len(group) for group in groups([File(1), File(1)])] == [2]


def test_many_files_are_merged_in_rounds_that_end_with_one() -> None:
    """No round takes what is large already as long as two small files are left, so a row is written few times."""
    files = [File(10_000)] * 1500
    rounds = written = 0
    while len(files) > 1:
        merged = list(groups(files))
        assert all(len(group) <= MERGE_FILES for group in merged)
        left = list(files)
        for group in merged:
            for file in group:
                left.remove(file)
        written += sum(file.record_count for group in merged for file in group)
        files = left + [File(sum(file.record_count for file in group)) for group in merged]
        rounds += 1
    assert files == [File(15_000_000)]
    assert (rounds, written) == (2, 2 * 15_000_000)
