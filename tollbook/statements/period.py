"""Months: when they begin in a time zone, which follows which, and when one may be issued. Pure."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

from tollbook.times import MS_PER_DAY

#: After its end a month waits for calls that ended late and for those that `tollbook recover` adds, so that a statement
#: seldom needs a correction. As long as rows wait for the archive.
GRACE_MS: Final = MS_PER_DAY

#: What a month is written as; anchored, because a JSON schema searches for its pattern. See `is_month`.
MONTH_PATTERN: Final = r"^(19[7-9][0-9]|2[0-9]{3})-(0[1-9]|1[0-2])$"


@dataclass(frozen=True, kw_only=True, slots=True)
class Period:
    """The time [from_ts, until_ts), epoch ms, that a month's statement covers."""

    month: str
    from_ts: int
    until_ts: int


def is_month(text: str) -> bool:
    """Return whether a text is a month, such as 2026-11."""
    return re.fullmatch(MONTH_PATTERN, text) is not None


def next_month(month: str) -> str:
    """Return the month after a month."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12}-{number % 12 + 1:02}"


def month_at(at_ms: int, zone: ZoneInfo) -> str:
    """Return the month of a time in a zone."""
    return f"{dt.datetime.fromtimestamp(at_ms // 1000, zone):%Y-%m}"


#: Long enough to look at the drafts of a month before it is issued.
OVERDUE_DAYS: Final = 10


def last_month(at_ms: int, zone: ZoneInfo) -> str:
    """Return the month before that of a time in a zone."""
    return month_at(begin_of(month_at(at_ms, zone), zone) - 1, zone)


def begin_of(month: str, zone: ZoneInfo) -> int:
    """Return when a month begins in a zone, epoch ms: as in `/v1/stats`, the first moment of its first day."""
    begin = dt.datetime(int(month[:4]), int(month[5:]), 1, tzinfo=zone)
    return int(begin.timestamp()) * 1000


def period_of(month: str, zone: ZoneInfo, *, after: Period | None) -> Period:
    """Return a month's period; `after`: that of the month before, if it was issued.

    It begins where that one ended, whatever zone that one was in: so no call is in two statements, and none in none.
    """
    end = begin_of(next_month(month), zone)
    begin = begin_of(month, zone) if after is None else after.until_ts
    return Period(month=month, from_ts=begin, until_ts=max(begin, end))


def due_month(last: str, zone: ZoneInfo, *, dropped_before: int) -> str:
    """Return the month to issue after another one: the next of which no call was dropped (before a time, epoch ms)."""
    due = next_month(last)
    while begin_of(due, zone) < dropped_before:
        due = next_month(due)
    return due
