"""Which months are closed, and which a retention keeps."""

import datetime as dt

import pytest

from maintenance.compaction.months import begin_of, first_kept, first_open, month_of


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


def test_months_are_counted_as_iceberg_counts_them() -> None:
    for month in (0, 11, 12, 680, 2000):
        assert month_of(begin_of(month)) == month
        assert month_of(begin_of(month) - dt.timedelta(microseconds=1)) == month - 1
    assert month_of(dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) == 0


def test_a_retention_keeps_whole_months_before_this_one() -> None:
    assert f"{begin_of(first_kept(dt.datetime(2026, 11, 1, tzinfo=dt.UTC), 12)):%Y-%m}" == "2025-11"
    assert f"{begin_of(first_kept(dt.datetime(2026, 11, 30, tzinfo=dt.UTC), 2)):%Y-%m}" == "2026-09"
