"""Months, counted from January 1970 as Iceberg counts them: which are closed, and which are too old. Pure."""

import datetime as dt

# A month gets rows after its end: they wait in the outbox for up to a day, and a day more if their end was estimated.
_CLOSED_AFTER = dt.timedelta(days=3)


def month_of(at: dt.datetime) -> int:
    """Return the month of a time, in UTC."""
    utc = at.astimezone(dt.UTC)
    return (utc.year - 1970) * 12 + utc.month - 1


def begin_of(month: int) -> dt.datetime:
    """Return the first moment of a month."""
    return dt.datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=dt.UTC)


def first_open(now: dt.datetime) -> int:
    """Return the first month that is not closed yet; all before it are closed."""
    return month_of(now - _CLOSED_AFTER)


def first_kept(now: dt.datetime, retention_months: int) -> int:
    """Return the first month to keep: the retention counts whole months before the current one."""
    return month_of(now) - retention_months
