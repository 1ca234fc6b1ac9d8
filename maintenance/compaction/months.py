"""Months, counted from January 1970 as Iceberg counts them: which are closed, and which are too old. Pure."""

import datetime as dt

# After its end a month still gets rows: they wait a day for company, and another when their end was estimated.
_CLOSED_AFTER = dt.timedelta(days=3)


def month_of(at: dt.datetime) -> int:
    """Give the month of a moment in UTC."""
    utc = at.astimezone(dt.UTC)
    return (utc.year - 1970) * 12 + utc.month - 1


def begin_of(month: int) -> dt.datetime:
    """Give the first moment of a month."""
    return dt.datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=dt.UTC)


def first_open(now: dt.datetime) -> int:
    """Give the first month that is not closed yet: all before it are."""
    return month_of(now - _CLOSED_AFTER)


def first_kept(now: dt.datetime, retention_months: int) -> int:
    """Give the first month that a retention of so many whole months before this one keeps."""
    return month_of(now) - retention_months
