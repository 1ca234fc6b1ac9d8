"""Months in a time zone: when they begin, and which follows."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbook.statements.period import begin_of, due_month, is_month, last_month, month_at, next_month, period_of
from tollbook.times import instant

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "text", ["2026-1", "2026-13", "2026-00", "1969-12", "3000-01", "2026-11-01", "２０26-11", " 2026-11"]
)
def test_what_is_no_month(text: str) -> None:
    """Nothing but four digits, a hyphen and a month."""
    assert not is_month(text)


def test_a_month_begins_in_its_zone() -> None:
    """Summer time ends in October, so that its two ends have other offsets."""
    period = period_of("2026-10", BERLIN, after=None)
    assert (period.from_ts, period.until_ts) == (instant("2026-09-30T22:00"), instant("2026-10-31T23:00"))


@given(
    st.integers(2000, 2098),
    st.integers(1, 12),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo"]),
)
def test_months_follow_each_other_without_a_gap(year: int, number: int, name: str) -> None:
    """Each ends where the next begins, and its first moment is in it."""
    month, zone = f"{year}-{number:02}", ZoneInfo(name)
    period = period_of(month, zone, after=None)
    assert (
        period_of(next_month(month), zone, after=None).from_ts == period.until_ts == begin_of(next_month(month), zone)
    )
    assert last_month(period.until_ts, zone) == month
    assert month_at(period.from_ts, zone) == month_at(period.until_ts - 1, zone) == month < next_month(month)


def test_after_another_zone_a_month_begins_where_the_last_one_ended() -> None:
    """Also where that is after its end: then it has no time at all, and not a negative one."""
    tokyo = period_of("2026-09", ZoneInfo("Asia/Tokyo"), after=None)
    october = period_of("2026-10", BERLIN, after=tokyo)
    assert (october.from_ts, october.until_ts) == (tokyo.until_ts, instant("2026-10-31T23:00"))
    assert period_of("2026-09", BERLIN, after=october).until_ts == october.until_ts


def test_the_month_that_is_due() -> None:
    """The next one; of those that the archive's retention has dropped none is."""
    assert due_month("2026-08", BERLIN, dropped_before=0) == "2026-09"
    assert due_month("2026-08", BERLIN, dropped_before=instant("2026-08-31T22:00")) == "2026-09"
    assert due_month("2026-08", BERLIN, dropped_before=instant("2026-10-01")) == "2026-11"
